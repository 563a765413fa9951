import api from "undici/lib/api/index.js";
import connectorFor from "undici/lib/core/connect.js";
import Agent from "undici/lib/dispatcher/agent.js";
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import ProxyAgent from "undici/lib/dispatcher/proxy-agent.js";
import { credentialsOf } from "./credentials.ts";
import type { HttpClientOptions } from "./options.ts";
import { KEEP_ALIVE_MS } from "./plain-connections.ts";
import { readTlsContext } from "./tls-context.ts";

// What a client needs of undici, in a file of its own: it is loaded when the first request is sent.

// As the package's index does: `request`, `connect` and their like are the same for all dispatchers.
Object.assign(Dispatcher.prototype, api);

const CONNECT_TIMEOUT_MS = 10_000;

/** Connections straight to the hosts, or through one unix socket. */
export function directDispatcher(options: HttpClientOptions, unixSocketPath: string | undefined): Dispatcher {
  // One connector for all hosts: left to itself, the agent would make one for each, with a cache of TLS sessions.
  const connect = connectorFor({
    ...readTlsContext(options.tls ?? {}),
    timeout: CONNECT_TIMEOUT_MS,
    allowH2: options.enableHttp2 !== false,
    ...(unixSocketPath ? { socketPath: unixSocketPath } : {}),
  });
  return new Agent({ ...commonOptions(options), connect });
}

/** Connections through a proxy: by a tunnel, or with requests that name the whole URL. */
export function proxyDispatcher(options: HttpClientOptions, proxy: URL, isTunnel: boolean): Dispatcher {
  const tls = readTlsContext(options.tls ?? {});
  const token = credentialsOf(proxy);
  const connectHeaders: Record<string, string | string[]> = {};
  if (isTunnel) {
    for (const [name, values] of Object.entries(options.proxy?.connectHeaders ?? {})) {
      connectHeaders[name.toLowerCase()] = [...values];
    }
  }
  return new ProxyAgent({
    ...commonOptions(options),
    uri: proxy.href,
    proxyTunnel: isTunnel,
    headers: connectHeaders,
    ...(token === null ? {} : { token }),
    requestTls: { ...tls, timeout: CONNECT_TIMEOUT_MS, allowH2: options.enableHttp2 !== false },
    proxyTls: { ...tls, timeout: CONNECT_TIMEOUT_MS },
  });
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
