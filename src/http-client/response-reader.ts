import { AnswerTooLargeError, PASSED_OVER_BYTES, type WholeAnswer } from "./whole-answer.ts";

/** A head may be this long, all its lines together. */
const MAX_HEAD_BYTES = 1 << 20;
/** Heads are short, and what comes with them is long: so much is looked at, at a time. */
const HEAD_PIECE_BYTES = 2048;
/** A body whose length is not told begins with room for this much. */
const FIRST_ROOM_BYTES = 1 << 16;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** How the end of a body is told. */
type Framing = "length" | "chunks" | "close" | "none";

/** Takes buffers for bodies, and gets them back. */
export interface BodyBuffers {
  /** At least `sizeBytes` long, its content arbitrary. */
  take(sizeBytes: number): Buffer;
  give(buffer: Buffer): void;
}

/**
 * Reads one HTTP/1 answer out of the bytes of a connection, fed as they come, into one buffer (RFC 9112: lengths,
 * chunks, bodies that end with the connection, 1xx before the answer proper).
 */
export class ResponseReader {
  /** The whole answer, once it is there. */
  answer: WholeAnswer | null = null;
  /** Whether the connection may carry another answer after this one. */
  mayBeReused = false;
  /** How long the server keeps an idle connection, by its own account; null if it doesn't say. */
  keepAliveMs: number | null = null;
  hasBegun = false;
  private head = "";
  private statusCode = 0;
  private statusText = "";
  private headers: Record<string, string | string[] | undefined> = {};
  private framing: Framing = "none";
  private isKept = true;
  private body: Buffer | null = null;
  private bodyBytes = 0;
  /** Bytes still to come: of the body, or of the chunk under way. */
  private left = 0;
  /** Within a chunked body: the line being gathered. */
  private chunkLine = "";
  private isTrailer = false;
  private skipLineEnd = false;

  constructor(
    private readonly limitBytes: number,
    private readonly buffers: BodyBuffers,
  ) {}

  /**
   * Takes the next bytes of the connection, which are copied.
   * @throws AnswerTooLargeError, or Error for bytes that are no HTTP
   */
  feed(bytes: Uint8Array): void {
    this.hasBegun = true;
    let at = 0;
    while (at < bytes.length && this.answer === null) {
      at = this.statusCode === 0 ? this.readHead(bytes, at) : this.readBody(bytes, at);
    }
    // What comes after the end of the answer was not asked for.
    if (at < bytes.length) this.mayBeReused = false;
  }

  /** The connection ended. @throws Error if the answer was to be longer */
  end(): void {
    if (this.answer !== null) return;
    if (this.statusCode === 0) throw new Error(this.hasBegun ? "unexpected EOF" : "EOF");
    if (this.framing !== "close") throw new Error("unexpected EOF");
    this.finish();
  }

  /** Whether the status has come. */
  get hasStatus(): boolean {
    return this.statusCode !== 0;
  }

  /** Gives the buffer back, when the answer is not wanted any more or never came. */
  release(): void {
    if (this.body !== null) this.buffers.give(this.body);
    this.body = null;
  }

  private readHead(bytes: Uint8Array, at: number): number {
    const from = Math.max(0, this.head.length - 3);
    const before = this.head.length;
    const size = Math.min(bytes.length - at, HEAD_PIECE_BYTES);
    this.head += Buffer.from(bytes.buffer, bytes.byteOffset + at, size).toString("latin1");
    const end = headEnd(this.head, from);
    if (end < 0) {
      if (this.head.length >= MAX_HEAD_BYTES)
        throw new Error("net/http: server response headers exceeded their limit");
      return at + size;
    }
    this.parseHead(this.head.slice(0, end));
    this.head = "";
    return at + end - before;
  }

  private parseHead(head: string): void {
    const lines = head.split(/\r?\n/);
    const status = /^HTTP\/1\.([01]) +(\d{3})(?: (.*))?$/.exec(lines[0]!);
    if (status === null) {
      throw new Error(
        `net/http: HTTP/1.x transport connection broken: malformed HTTP response ${JSON.stringify(lines[0]!.slice(0, 100))}`,
      );
    }
    const headers: Record<string, string | string[] | undefined> = Object.create(null) as typeof this.headers;
    for (let i = 1; i < lines.length; i++) {
      const line = lines[i]!;
      if (line === "") continue;
      const colon = line.indexOf(":");
      if (colon <= 0 || line[0] === " " || line[0] === "\t")
        throw new Error(`malformed MIME header line: ${line.slice(0, 100)}`);
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      const known = headers[name];
      headers[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
    }
    const statusCode = Number(status[2]);
    // 1xx says that the answer is still to come.
    if (statusCode < 200) return;
    this.statusCode = statusCode;
    this.statusText = status[3] ?? "";
    this.headers = headers;
    this.isKept = statusCode === 200;
    this.readConnection(status[1] === "1");
    this.frameBody();
  }

  private readConnection(isHttp11: boolean): void {
    const options = textOf(this.headers["connection"]).toLowerCase();
    this.mayBeReused = isHttp11 ? !/\bclose\b/.test(options) : /\bkeep-alive\b/.test(options);
    const seconds = /\btimeout\s*=\s*(\d{1,9})/i.exec(textOf(this.headers["keep-alive"]))?.[1];
    this.keepAliveMs = seconds === undefined ? null : 1000 * Number(seconds);
  }

  private frameBody(): void {
    const { headers, statusCode } = this;
    if (statusCode === 204 || statusCode === 304) return this.finish();
    const coding = headers["transfer-encoding"];
    if (coding !== undefined) {
      if (textOf(coding).toLowerCase() !== "chunked")
        throw new Error(`unsupported transfer encoding: ${JSON.stringify(textOf(coding))}`);
      this.framing = "chunks";
      return;
    }
    const length = headers["content-length"];
    if (length === undefined) {
      this.framing = "close";
      this.mayBeReused = false;
      return;
    }
    const told = new Set(Array.isArray(length) ? length : [length]);
    const [text] = [...told];
    if (told.size > 1 || !/^\d{1,15}$/.test(text!))
      throw new Error(`bad Content-Length ${JSON.stringify(textOf(length))}`);
    this.framing = "length";
    this.left = Number(text);
    if (this.isKept && this.left >= this.limitBytes) throw new AnswerTooLargeError();
    if (this.left === 0) this.finish();
    else if (this.isKept) this.body = this.buffers.take(this.left);
  }

  private readBody(bytes: Uint8Array, at: number): number {
    if (this.framing === "chunks" && this.left === 0) return this.readChunkLine(bytes, at);
    const size = this.framing === "close" ? bytes.length - at : Math.min(this.left, bytes.length - at);
    this.keep(bytes, at, size);
    if (this.framing === "close") return at + size;
    this.left -= size;
    if (this.left === 0) {
      if (this.framing === "length") this.finish();
      else this.skipLineEnd = true;
    }
    return at + size;
  }

  /** A chunk's size, the line end after its bytes, or a trailer. */
  private readChunkLine(bytes: Uint8Array, at: number): number {
    for (; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte !== LINE_FEED) {
        if (byte !== CARRIAGE_RETURN) this.chunkLine += String.fromCharCode(byte);
        if (this.chunkLine.length > 4096) throw new Error("http chunk line too long");
        continue;
      }
      const line = this.chunkLine;
      this.chunkLine = "";
      if (this.isTrailer) {
        if (line !== "") continue;
        this.finish();
        return at + 1;
      }
      if (this.skipLineEnd) {
        if (line !== "") throw new Error("malformed chunked encoding");
        this.skipLineEnd = false;
        continue;
      }
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new Error("invalid byte in chunk length");
      this.left = Number.parseInt(size, 16);
      if (this.left > 0) return at + 1;
      this.isTrailer = true;
    }
    return at;
  }

  private keep(bytes: Uint8Array, at: number, size: number): void {
    const total = this.bodyBytes + size;
    if (!this.isKept) {
      this.bodyBytes = total;
      if (total <= PASSED_OVER_BYTES) return;
      this.mayBeReused = false;
      this.finish();
      return;
    }
    if (total >= this.limitBytes) throw new AnswerTooLargeError();
    if (this.body === null || total > this.body.length) this.grow(total);
    this.body!.set(at === 0 && size === bytes.length ? bytes : bytes.subarray(at, at + size), this.bodyBytes);
    this.bodyBytes = total;
  }

  private grow(neededBytes: number): void {
    const grown = this.buffers.take(Math.max(2 * neededBytes, FIRST_ROOM_BYTES));
    if (this.body !== null) {
      grown.set(this.body.subarray(0, this.bodyBytes));
      this.buffers.give(this.body);
    }
    this.body = grown;
  }

  private finish(): void {
    const { statusCode, statusText, headers } = this;
    const sizeBytes = this.isKept ? this.bodyBytes : 0;
    const chunks = this.body === null || sizeBytes === 0 ? [] : [this.body.subarray(0, sizeBytes)];
    this.answer = { statusCode, statusText, headers, chunks, sizeBytes };
  }
}

/** Where the head ends: behind the first empty line; -1 if there is none yet. */
function headEnd(head: string, from: number): number {
  for (let at = head.indexOf("\n", from); at >= 0; at = head.indexOf("\n", at + 1)) {
    if (head[at + 1] === "\n") return at + 2;
    if (head[at + 1] === "\r" && head[at + 2] === "\n") return at + 3;
  }
  return -1;
}

function textOf(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(", ") : (value ?? "");
}
