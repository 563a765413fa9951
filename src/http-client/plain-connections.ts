import { validateHeaderName, validateHeaderValue } from "node:http";
import { connect, type Socket } from "node:net";
import { AnswerTooLargeError, BrokenAnswerError, type WholeAnswer } from "./whole-answer.ts";
import { ResponseReader, type BodyBuffers } from "./response-reader.ts";
import { socketHost } from "./socket-host.ts";

/** What the kernel hands over at once where it isn't read to its place. */
const READ_BYTES = 256 * 1024;
/** The same where an answer begins. */
const FIRST_READ_BYTES = 8 * 1024;
/** A connection may wait so long for its next request. */
export const KEEP_ALIVE_MS = 5 * 60_000;
/** Before a server would close an idle connection, we do. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
/** Connections that wait for their next request: of one client to one origin. */
const MAX_IDLE_PER_ORIGIN = 1_000;
/** Buffers that wait for their next body, all together. */
const KEPT_BUFFER_BYTES = 4 * 2 ** 20;

/** An exchange under way. */
interface Exchange {
  readonly reader: ResponseReader;
  readonly isReused: boolean;
  resolve(answer: PlainAnswer): void;
  reject(error: Error): void;
}

export interface PlainAnswer extends WholeAnswer {
  /** Gives the body's memory back for other answers; it must not be read any more then. */
  release(): void;
}

/** The connection was kept from an earlier request, and the server had closed it. */
class StaleConnectionError extends Error {}

export interface PlainRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly limitBytes: number;
  readonly unixSocketPath: string | undefined;
  /** Where the body is put. */
  readonly buffers: BodyBuffers;
  /** Called with the way to end the exchange early, null once it is over. */
  onStart(giveUp: ((error: Error) => void) | null): void;
}

/**
 * GET over HTTP/1.1 without TLS or proxies, on connections that are kept: how nearly every page is scraped. Bytes go from
 * the socket into one buffer, through no stream, which halves the cost of a scrape; everything else goes by undici.
 */
export class PlainConnections {
  private readonly idle = new Map<string, Connection[]>();
  private isClosed = false;

  /** @throws AnswerTooLargeError, or what went wrong with the connection or the answer */
  async get(request: PlainRequest): Promise<PlainAnswer> {
    const origin = request.unixSocketPath || request.url.host;
    const text = requestText(request);
    const kept = this.idle.get(origin)?.pop();
    if (kept !== undefined) {
      try {
        return await this.exchange(kept, origin, text, request, true);
      } catch (error) {
        if (!(error instanceof StaleConnectionError)) throw error;
      }
    }
    const fresh = new Connection(request, (connection) => this.forget(origin, connection));
    return this.exchange(fresh, origin, text, request, false);
  }

  close(): void {
    this.isClosed = true;
    for (const connections of this.idle.values()) for (const one of connections) one.destroy();
    this.idle.clear();
  }

  private async exchange(
    connection: Connection,
    origin: string,
    text: string,
    request: PlainRequest,
    isReused: boolean,
  ): Promise<PlainAnswer> {
    request.onStart((error) => connection.fail(error));
    try {
      const answer = await connection.send(text, request, isReused);
      this.keep(origin, connection);
      return answer;
    } finally {
      request.onStart(null);
    }
  }

  private keep(origin: string, connection: Connection): void {
    const connections = this.idle.get(origin) ?? [];
    if (this.isClosed || connections.length >= MAX_IDLE_PER_ORIGIN || !connection.rest()) {
      connection.destroy();
      return;
    }
    if (connections.length === 0) this.idle.set(origin, connections);
    connections.push(connection);
  }

  private forget(origin: string, connection: Connection): void {
    const connections = this.idle.get(origin);
    if (connections === undefined) return;
    const index = connections.indexOf(connection);
    if (index >= 0) connections.splice(index, 1);
    // Targets come and go: where nothing is kept, nothing is remembered.
    if (connections.length === 0) this.idle.delete(origin);
  }
}

let readMemory: Uint8Array | null = null;

class Connection {
  private readonly socket: Socket;
  private exchange: Exchange | null = null;
  /** How long it may wait for its next request, by the last answer. */
  private idleMs = 0;

  constructor(
    { url, unixSocketPath }: PlainRequest,
    private readonly onClosed: (connection: Connection) => void,
  ) {
    const onread = {
      buffer: () => this.room(),
      callback: (size: number, buffer: Uint8Array): boolean => {
        this.receive(buffer.subarray(0, size));
        return true;
      },
    };
    const host = socketHost(url);
    this.socket = unixSocketPath
      ? connect({ path: unixSocketPath, onread })
      : connect({ host, port: Number(url.port || 80), noDelay: true, onread });
    this.socket.on("error", (error) => this.end(error));
    this.socket.on("end", () => this.end(null));
    this.socket.on("close", () => {
      this.end(null);
      this.onClosed(this);
    });
    this.socket.on("timeout", () => this.destroy());
  }

  send(text: string, { limitBytes, buffers }: PlainRequest, isReused: boolean): Promise<PlainAnswer> {
    return new Promise((resolve, reject) => {
      this.exchange = { reader: new ResponseReader(limitBytes, buffers), isReused, resolve, reject };
      if (isReused) {
        this.socket.ref();
        this.socket.setTimeout(0);
        if (this.socket.destroyed) return this.end(null);
      }
      this.socket.write(text, "latin1");
    });
  }

  /** Waits for the next request. @returns false if there can be none on this connection */
  rest(): boolean {
    const { idleMs, socket } = this;
    if (idleMs <= 0 || socket.destroyed || !socket.writable) return false;
    socket.setTimeout(idleMs);
    // Nobody waits for it: it must not keep a process alive.
    socket.unref();
    return true;
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Ends the exchange under way, and the connection. */
  fail(error: Error): void {
    const { exchange } = this;
    this.exchange = null;
    this.socket.destroy();
    if (exchange === null) return;
    const { reader, reject } = exchange;
    reader.release();
    const isBroken = reader.hasStatus && !(error instanceof AnswerTooLargeError);
    reject(isBroken ? new BrokenAnswerError(error.message, { cause: error }) : error);
  }

  /** Where the next bytes are put. */
  private room(): Uint8Array {
    // One memory for all: what is in it is taken out before the next read.
    const memory = (readMemory ??= new Uint8Array(READ_BYTES));
    const { exchange } = this;
    // Where a head comes, not much more than the head is read: the body can go to its place then.
    if (exchange === null || !exchange.reader.hasStatus) return memory.subarray(0, FIRST_READ_BYTES);
    return exchange.reader.room() ?? memory;
  }

  private receive(bytes: Uint8Array): void {
    const { exchange } = this;
    // Nothing was asked: not a server to go on with.
    if (exchange === null) return this.destroy();
    const { reader } = exchange;
    try {
      reader.feed(bytes);
    } catch (error) {
      return this.fail(error as Error);
    }
    if (reader.answer !== null) this.settle(exchange, reader.answer);
  }

  private end(error: Error | null): void {
    const { exchange } = this;
    if (exchange === null) return this.destroy();
    const { reader, isReused } = exchange;
    if (isReused && !reader.hasBegun)
      return this.fail(new StaleConnectionError("the server closed the connection"));
    if (error !== null) return this.fail(error);
    try {
      reader.end();
    } catch (cause) {
      return this.fail(cause as Error);
    }
    this.settle(exchange, reader.answer!);
  }

  private settle(exchange: Exchange, answer: WholeAnswer): void {
    const { reader } = exchange;
    this.exchange = null;
    const { keepAliveMs, mayBeReused } = reader;
    this.idleMs = mayBeReused ? Math.min(KEEP_ALIVE_MS, (keepAliveMs ?? Infinity) - KEEP_ALIVE_MARGIN_MS) : 0;
    exchange.resolve({ ...answer, release: () => reader.release() });
  }
}

/** @throws Error for a header that would say more than it may */
function requestText({ url, headers }: PlainRequest): string {
  let text = `GET ${url.pathname}${url.search} HTTP/1.1\r\n`;
  if (headers["host"] === undefined) text += `Host: ${url.host}\r\n`;
  for (const name in headers) {
    const value = headers[name]!;
    for (const one of typeof value === "string" ? [value] : value) {
      validateHeaderName(name);
      validateHeaderValue(name, one);
      text += `${name}: ${one}\r\n`;
    }
  }
  return `${text}\r\n`;
}

/** Buffers of this thread, in sizes that double, kept up to a bound. */
class KeptBuffers implements BodyBuffers {
  private readonly bySize = new Map<number, Buffer[]>();
  private keptBytes = 0;

  take(sizeBytes: number): Buffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(sizeBytes, 4096)));
    const kept = this.bySize.get(size)?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(size);
    this.keptBytes -= size;
    return kept;
  }

  give(buffer: Buffer): void {
    if (this.keptBytes + buffer.length > KEPT_BUFFER_BYTES) return;
    this.keptBytes += buffer.length;
    const kept = this.bySize.get(buffer.length);
    if (kept) kept.push(buffer);
    else this.bySize.set(buffer.length, [buffer]);
  }
}

/** Where bodies are put unless the request says otherwise. */
export const bodyBuffers: BodyBuffers = new KeptBuffers();
