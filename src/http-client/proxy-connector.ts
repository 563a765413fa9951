import { STATUS_CODES, validateHeaderName, validateHeaderValue } from "node:http";
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { buildConnector } from "undici";
import { credentialsOf } from "./credentials.ts";
import { headEnd, parseResponseHead } from "./response-head.ts";
import { socketHost } from "./socket-host.ts";
import { socksHandshake } from "./socks-handshake.ts";
import type { TlsContext } from "./tls-context.ts";

/** So long may the way through a proxy take to be ready. */
const TIMEOUT_MS = 10_000;
/** No proxy has more to say before it lets bytes through. */
const MAX_ANSWER_BYTES = 1 << 16;

export interface ProxyRoute {
  /** `http:`, `https:`, `socks5:` or `socks5h:`. */
  readonly proxy: URL;
  /** To reach the proxy itself, where that takes TLS. */
  readonly tls: TlsContext;
  /** Sent with CONNECT, each as often as it has values. */
  readonly connectHeaders: Readonly<Record<string, readonly string[]>>;
}

/** Says something to a proxy, and gives the part of what it says then that `endOf` finds; 0 asks for more. */
export type Ask = (words: Uint8Array, endOf: (answer: Buffer) => number) => Promise<Buffer>;

/**
 * Connections that lead through a proxy to the host itself: by CONNECT, or by SOCKS. `connect` adds TLS where the host
 * wants it.
 */
export function proxyConnector(
  route: ProxyRoute,
  connect: buildConnector.connector,
): buildConnector.connector {
  return (options, callback) => {
    const host = socketHost(options);
    const isTls = options.protocol === "https:";
    const port = Number(options.port || (isTls ? 443 : 80));
    openTunnel(route, host, port).then(
      (socket) => {
        if (isTls) connect({ ...options, httpSocket: socket }, callback);
        else callback(null, socket);
      },
      (error: unknown) => callback(error as Error, null),
    );
  };
}

/** @throws Error that says what the proxy did not do */
async function openTunnel(route: ProxyRoute, host: string, port: number): Promise<Socket> {
  const { proxy } = route;
  const socket = dial(route);
  const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), TIMEOUT_MS);
  const ask = asker(socket);
  try {
    if (proxy.protocol.startsWith("socks5")) await socksHandshake(ask, proxy, host, port);
    else await connectHandshake(ask, route, `${host.includes(":") ? `[${host}]` : host}:${port}`);
    return socket;
  } catch (cause) {
    socket.destroy();
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}

function dial({ proxy, tls }: ProxyRoute): Socket {
  const host = socketHost(proxy);
  const port = (fallback: number): number => Number(proxy.port || fallback);
  if (proxy.protocol === "https:")
    return connectTls({ ...(isIP(host) ? {} : { servername: host }), ...tls, host, port: port(443) });
  return connectPlain({ host, port: port(proxy.protocol === "http:" ? 80 : 1080), noDelay: true });
}

async function connectHandshake(ask: Ask, { connectHeaders, proxy }: ProxyRoute, to: string): Promise<void> {
  let request = `CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n`;
  const authorization = credentialsOf(proxy);
  if (authorization !== null) request += `Proxy-Authorization: ${authorization}\r\n`;
  for (const [name, values] of Object.entries(connectHeaders)) {
    for (const value of values) {
      validateHeaderName(name);
      validateHeaderValue(name, value);
      request += `${name}: ${value}\r\n`;
    }
  }
  const bytes = await ask(Buffer.from(`${request}\r\n`, "latin1"), (answer) =>
    Math.max(0, headEnd(answer.toString("latin1"), 0)),
  );
  const head = parseResponseHead(bytes.toString("latin1"));
  if (head?.statusCode !== 200)
    throw new Error(
      head?.statusText || STATUS_CODES[head?.statusCode ?? 0] || "the proxy refused to connect",
    );
}

function asker(socket: Socket): Ask {
  return (words, endOf) =>
    new Promise((resolve, reject) => {
      let answer = Buffer.alloc(0);
      const stop = (): void => {
        socket.off("readable", read);
        socket.off("error", fail);
        socket.off("close", hangUp);
        socket.off("end", hangUp);
        // What happens next is for whoever gets the socket; until then nothing is fatal.
        socket.on("error", () => undefined);
      };
      const fail = (error: Error): void => {
        stop();
        reject(error);
      };
      const hangUp = (): void => fail(new Error("the proxy closed the connection"));
      const read = (): void => {
        for (
          let piece = socket.read() as Buffer | null;
          piece !== null;
          piece = socket.read() as Buffer | null
        )
          answer = Buffer.concat([answer, piece]);
        let end: number;
        try {
          end = endOf(answer);
          if (end === 0 && answer.length > MAX_ANSWER_BYTES) throw new Error("the proxy's answer has no end");
        } catch (error) {
          return fail(error as Error);
        }
        if (end === 0) return;
        stop();
        if (end < answer.length) socket.unshift(answer.subarray(end));
        resolve(answer.subarray(0, end));
      };
      socket.on("readable", read);
      socket.on("error", fail);
      socket.on("close", hangUp);
      socket.on("end", hangUp);
      socket.write(words);
    });
}
