import {
  headBytes,
  headEnd,
  parseResponseHead,
  parseStatusLine,
  type ResponseHead,
} from "./response-head.ts";
import { AnswerTooLargeError, PASSED_OVER_BYTES, type WholeAnswer } from "./whole-answer.ts";

/** A head may be this long, all its lines together. */
const MAX_HEAD_BYTES = 1 << 20;
/** Heads are short, and what comes with them is long: so much is looked at, at a time. */
const HEAD_PIECE_BYTES = 2048;
/** A body whose length is not told begins with room for this much. */
const FIRST_ROOM_BYTES = 1 << 16;
/** One whose length is told has this much room at most before it comes. */
const MOST_BELIEVED_BYTES = 16 << 20;
/** So many times a server may say that its answer is still to come. */
const MAX_ANNOUNCEMENTS = 5;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Where buffers for bodies come from, and go back to. */
export interface BodyBuffers {
  /** At least `sizeBytes` long, its content arbitrary. */
  take(sizeBytes: number): Buffer;
  /** @param buffer one that was taken here, not to be used any more */
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
  hasBegun = false;
  /** The head as far as it came, and what it says once it is whole. */
  private headText = "";
  private head: ResponseHead | null = null;
  private announcements = 0;
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
   * Where the next bytes of the connection are best put: behind those of the body that came, if its length is told.
   * Null where they may be anything else, or there is no room.
   */
  room(): Uint8Array | null {
    const { body, bodyBytes } = this;
    if (body === null || this.head?.framing !== "length" || this.answer !== null) return null;
    return bodyBytes < body.length ? body.subarray(bodyBytes) : null;
  }

  /**
   * Takes the next bytes of the connection, which are copied, but for those that lie in `room` already.
   * @throws AnswerTooLargeError, or Error for bytes that are no HTTP
   */
  feed(bytes: Uint8Array): void {
    this.hasBegun = true;
    let at = 0;
    while (at < bytes.length && this.answer === null) {
      at = this.head === null ? this.readHead(bytes, at) : this.readBody(bytes, at, this.head);
    }
    // What comes after the end of the answer was not asked for.
    if (at < bytes.length) this.mayBeReused = false;
  }

  /** The connection ended. @throws Error if the answer was to be longer */
  end(): void {
    if (this.answer !== null) return;
    if (!this.hasBegun) throw new Error("EOF");
    if (!this.headText.startsWith("HTTP/") && this.headText !== "") parseStatusLine(this.headText);
    if (this.head?.framing !== "close") throw new Error("unexpected EOF");
    this.finish(this.head);
  }

  /** Whether the status has come. */
  get hasStatus(): boolean {
    return this.head !== null;
  }

  /** How long the server keeps an idle connection, by its own account; null if it doesn't say. */
  get keepAliveMs(): number | null {
    return this.head?.keepAliveMs ?? null;
  }

  /** Gives the buffer back, when the answer is not wanted any more or never came. */
  release(): void {
    if (this.body !== null) this.buffers.give(this.body);
    this.body = null;
  }

  private readHead(bytes: Uint8Array, at: number): number {
    const from = Math.max(0, this.headText.length - 3);
    const before = this.headText.length;
    const size = headBytes(bytes, at, Math.min(bytes.length, at + HEAD_PIECE_BYTES));
    const text = this.headText + Buffer.from(bytes.buffer, bytes.byteOffset + at, size).toString("latin1");
    const end = headEnd(text, from);
    if (end < 0) {
      // Who speaks another language may never come to an end.
      const firstEnd = text.indexOf("\n");
      if (firstEnd >= 0) parseStatusLine(text.slice(0, firstEnd));
      if (text.length >= MAX_HEAD_BYTES)
        throw new Error("net/http: server response headers exceeded their limit");
      this.headText = text;
      return at + size;
    }
    this.headText = "";
    const head = parseResponseHead(text.slice(0, end));
    if (head !== null) this.takeHead(head);
    else if (++this.announcements > MAX_ANNOUNCEMENTS)
      throw new Error("net/http: too many 1xx informational responses");
    return at + end - before;
  }

  private takeHead(head: ResponseHead): void {
    this.head = head;
    this.isKept = head.statusCode === 200;
    this.mayBeReused = head.mayBeReused;
    if (head.framing === "none") return this.finish(head);
    if (head.framing !== "length") return;
    this.left = head.lengthBytes;
    if (!this.isKept) return;
    if (this.left >= this.limitBytes) throw new AnswerTooLargeError();
    this.body = this.buffers.take(Math.min(this.left, MOST_BELIEVED_BYTES));
  }

  private readBody(bytes: Uint8Array, at: number, head: ResponseHead): number {
    const { framing } = head;
    if (framing === "chunks" && this.left === 0) return this.readChunkLine(bytes, at, head);
    const size = framing === "close" ? bytes.length - at : Math.min(this.left, bytes.length - at);
    this.keep(bytes, at, size, head);
    if (framing === "close") return at + size;
    this.left -= size;
    if (this.left === 0) {
      if (framing === "length") this.finish(head);
      else this.skipLineEnd = true;
    }
    return at + size;
  }

  /** A chunk's size, the line end after its bytes, or a trailer. */
  private readChunkLine(bytes: Uint8Array, at: number, head: ResponseHead): number {
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
        this.finish(head);
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

  private keep(bytes: Uint8Array, at: number, size: number, head: ResponseHead): void {
    const total = this.bodyBytes + size;
    if (!this.isKept) {
      this.bodyBytes = total;
      if (total <= PASSED_OVER_BYTES) return;
      this.mayBeReused = false;
      this.finish(head);
      return;
    }
    if (total >= this.limitBytes) throw new AnswerTooLargeError();
    if (this.body === null || total > this.body.length) this.grow(total);
    const body = this.body!;
    const isInPlace =
      bytes.buffer === body.buffer && bytes.byteOffset + at === body.byteOffset + this.bodyBytes;
    if (!isInPlace)
      body.set(at === 0 && size === bytes.length ? bytes : bytes.subarray(at, at + size), this.bodyBytes);
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

  private finish({ statusCode, statusText, headers }: ResponseHead): void {
    const sizeBytes = this.isKept ? this.bodyBytes : 0;
    const chunks = this.body === null || sizeBytes === 0 ? [] : [this.body.subarray(0, sizeBytes)];
    this.answer = { statusCode, statusText, headers, chunks, sizeBytes };
  }
}
