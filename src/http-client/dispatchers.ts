import api from "undici/lib/api/index.js";
import connectorFor from "undici/lib/core/connect.js";
import Agent from "undici/lib/dispatcher/agent.js";
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import type { HttpClientOptions } from "./options.ts";
import { KEEP_ALIVE_MS } from "./plain-connections.ts";
import { proxyConnector } from "./proxy-connector.ts";
import { readTlsContext, type TlsContext } from "./tls-context.ts";

// What a client needs of undici, in a file of its own: it is loaded when the first request is sent.

// As the package's index does: `request`, `connect` and their like are the same for all dispatchers.
Object.assign(Dispatcher.prototype, api);

const CONNECT_TIMEOUT_MS = 10_000;

/** Connections straight to the hosts, or through one unix socket. */
export function directDispatcher(options: HttpClientOptions, unixSocketPath: string | undefined): Dispatcher {
  // One connector for all hosts: left to itself, the agent would make one for each, with a cache of TLS sessions.
  const connect = connectorFor({
    ...connectOptions(options, readTlsContext(options.tls ?? {})),
    ...(unixSocketPath ? { socketPath: unixSocketPath } : {}),
  });
  return new Agent({ ...commonOptions(options), connect });
}

/** Connections through a proxy to the hosts themselves. */
export function tunnelDispatcher(options: HttpClientOptions, proxy: URL): Dispatcher {
  const tls = readTlsContext(options.tls ?? {});
  const connectHeaders = options.proxy?.connectHeaders ?? {};
  const connect = proxyConnector({ proxy, tls, connectHeaders }, connectorFor(connectOptions(options, tls)));
  return new Agent({ ...commonOptions(options), connect });
}

/** Connections to a proxy itself, for requests that name the whole URL: those are HTTP/1.1's. */
export function proxyDispatcher(options: HttpClientOptions): Dispatcher {
  const plain = { ...options, enableHttp2: false };
  const connect = connectorFor(connectOptions(plain, readTlsContext(options.tls ?? {})));
  return new Agent({
    ...commonOptions(plain),
    // The request speaks of another host, whose name is not to be found in the proxy's certificate.
    connect: ({ servername: _ofRequest, ...rest }, callback) => connect(rest, callback),
  });
}

function connectOptions(options: HttpClientOptions, tls: TlsContext) {
  return { ...tls, timeout: CONNECT_TIMEOUT_MS, allowH2: options.enableHttp2 !== false };
}

function commonOptions(options: HttpClientOptions): Agent.Options {
  return {
    allowH2: options.enableHttp2 !== false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 1 << 20,
  };
}
