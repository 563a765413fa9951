import { validateHeaderName, validateHeaderValue } from "node:http";
import { connect, type Socket } from "node:net";
import { Deadlines, type Deadline } from "./deadlines.ts";
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

export interface PlainAnswer extends WholeAnswer {
  /** Gives the body's memory back for other answers; it must not be read any more then. */
  release(): void;
}

export interface PlainRequest {
  readonly url: URL;
  /** Whose connections it may go over: the socket's path, or the host with its port. */
  readonly origin: string;
  /** All of it, as `requestText` makes it. */
  readonly text: string;
  readonly limitBytes: number;
  readonly unixSocketPath: string | undefined;
  /** Where the body is put. */
  readonly buffers: BodyBuffers;
}

/** Told how an exchange ended, once. */
export interface ExchangeEnd {
  answered(answer: PlainAnswer): void;
  /** With AnswerTooLargeError, or what went wrong with the connection or the answer. */
  failed(error: Error): void;
}

/** An exchange under way. */
export class PlainExchange {
  readonly reader: ResponseReader;
  /** What it goes over; null once it is over. */
  connection: Connection | null = null;
  /** Goes over a connection that was kept from an earlier one. */
  isReused = false;

  constructor(
    readonly request: PlainRequest,
    readonly end: ExchangeEnd,
  ) {
    this.reader = new ResponseReader(request.limitBytes, request.buffers);
  }

  /** Ends it now with this error. Without effect once it is over. */
  giveUp(error: Error): void {
    this.connection?.fail(error);
  }
}

/**
 * GET over HTTP/1.1 without TLS or proxies, on connections that are kept: how nearly every page is scraped. Bytes go from
 * the socket into one buffer, through no stream, which halves the cost of a scrape; everything else goes by undici.
 * What happens in between happens in callbacks: a promise for each step of an exchange cost as much as its bytes.
 */
export class PlainConnections {
  private readonly idle = new Map<string, Connection[]>();
  private readonly idleDeadlines = new Deadlines();
  private isClosed = false;

  /** Begins an exchange, which may end at once. */
  begin(request: PlainRequest, end: ExchangeEnd): PlainExchange {
    const exchange = new PlainExchange(request, end);
    const kept = this.idle.get(request.origin)?.pop();
    if (kept === undefined) this.connect(exchange);
    else {
      this.idleDeadlines.remove(kept);
      exchange.isReused = true;
      kept.send(exchange);
    }
    return exchange;
  }

  /** Sends it over a connection of its own. */
  connect(exchange: PlainExchange): void {
    exchange.isReused = false;
    new Connection(exchange.request, this).send(exchange);
  }

  close(): void {
    this.isClosed = true;
    for (const connections of this.idle.values()) for (const one of connections) one.destroy();
    this.idle.clear();
  }

  /** Takes back a connection whose exchange is over. */
  keep(connection: Connection): void {
    const connections = this.idle.get(connection.origin) ?? [];
    if (this.isClosed || connections.length >= MAX_IDLE_PER_ORIGIN || !connection.rest()) {
      connection.destroy();
      return;
    }
    if (connections.length === 0) this.idle.set(connection.origin, connections);
    connections.push(connection);
    this.idleDeadlines.add(connection);
  }

  forget(connection: Connection): void {
    this.idleDeadlines.remove(connection);
    const connections = this.idle.get(connection.origin);
    if (connections === undefined) return;
    const index = connections.indexOf(connection);
    if (index >= 0) connections.splice(index, 1);
    // Targets come and go: where nothing is kept, nothing is remembered.
    if (connections.length === 0) this.idle.delete(connection.origin);
  }
}

let readMemory: Uint8Array | null = null;

class Connection implements Deadline {
  readonly origin: string;
  /** How long it may wait for its next request, by the last answer. */
  lastsMs = 0;
  atMs = 0;
  private readonly socket: Socket;
  private exchange: PlainExchange | null = null;

  constructor(
    request: PlainRequest,
    private readonly owner: PlainConnections,
  ) {
    const { origin, unixSocketPath, url } = request;
    this.origin = origin;
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
      owner.forget(this);
    });
  }

  send(exchange: PlainExchange): void {
    this.exchange = exchange;
    exchange.connection = this;
    if (exchange.isReused) {
      this.socket.ref();
      if (this.socket.destroyed) return this.end(null);
    }
    this.socket.write(exchange.request.text, "latin1");
  }

  /** Waits for the next request. @returns false if there can be none on this connection */
  rest(): boolean {
    const { lastsMs, socket } = this;
    if (lastsMs <= 0 || socket.destroyed || !socket.writable) return false;
    // Nobody waits for it: it must not keep a process alive.
    socket.unref();
    return true;
  }

  /** It has waited long enough. */
  pass(): void {
    this.destroy();
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
    exchange.connection = null;
    const { reader, end } = exchange;
    reader.release();
    const isBroken = reader.hasStatus && !(error instanceof AnswerTooLargeError);
    end.failed(isBroken ? new BrokenAnswerError(error.message, { cause: error }) : error);
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
    const { isReused, reader } = exchange;
    if (isReused && !reader.hasBegun) {
      // It was kept from an earlier exchange, and the server had closed it.
      this.exchange = null;
      this.destroy();
      return this.owner.connect(exchange);
    }
    if (error !== null) return this.fail(error);
    try {
      reader.end();
    } catch (cause) {
      return this.fail(cause as Error);
    }
    this.settle(exchange, reader.answer!);
  }

  private settle(exchange: PlainExchange, answer: WholeAnswer): void {
    const { reader } = exchange;
    this.exchange = null;
    exchange.connection = null;
    const { keepAliveMs, mayBeReused } = reader;
    this.lastsMs = mayBeReused
      ? Math.min(KEEP_ALIVE_MS, (keepAliveMs ?? Infinity) - KEEP_ALIVE_MARGIN_MS)
      : 0;
    this.owner.keep(this);
    const { statusCode, statusText, headers, chunks, sizeBytes } = answer;
    const release = (): void => reader.release();
    exchange.end.answered({ statusCode, statusText, headers, chunks, sizeBytes, release });
  }
}

/** @param text as `requestText` makes it */
export function plainRequest(
  url: URL,
  text: string,
  {
    buffers = bodyBuffers,
    limitBytes,
    unixSocketPath,
  }: Pick<PlainRequest, "limitBytes"> & Partial<Pick<PlainRequest, "buffers" | "unixSocketPath">>,
): PlainRequest {
  return { url, origin: unixSocketPath || url.host, text, limitBytes, unixSocketPath, buffers };
}

/** A GET without a body. @throws Error for a header that would say more than it may */
export function requestText(url: URL, headers: Readonly<Record<string, string | string[]>>): string {
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
