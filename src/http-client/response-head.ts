import type { IncomingHttpHeaders } from "node:http";

/** How the end of a body is told: by its length, in chunks, by the end of the connection, or there is none. */
export type Framing = "length" | "chunks" | "close" | "none";

/** What an HTTP/1 answer says before its body. */
export interface ResponseHead {
  readonly statusCode: number;
  readonly statusText: string;
  /** Names in lower case; a header that came more than once has a list. */
  readonly headers: IncomingHttpHeaders;
  readonly framing: Framing;
  /** Of a body that is framed so. */
  readonly lengthBytes: number;
  /** Whether the connection may carry another answer after this one. */
  readonly mayBeReused: boolean;
  /** How long the server keeps an idle connection, by its own account; null if it doesn't say. */
  readonly keepAliveMs: number | null;
}

/** The connection is taken over by another protocol: no further answer comes. */
const SWITCHING_PROTOCOLS = 101;

/** Where the head ends: behind the first empty line; -1 if there is none from `from` on. */
export function headEnd(head: string, from: number): number {
  for (let at = head.indexOf("\n", from); at >= 0; at = head.indexOf("\n", at + 1)) {
    if (head[at + 1] === "\n") return at + 2;
    if (head[at + 1] === "\r" && head[at + 2] === "\n") return at + 3;
  }
  return -1;
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** How many of the bytes from `from` to `to` can belong to a head that begins there or before: up to an empty line. */
export function headBytes(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    if (bytes[at] !== LINE_FEED) continue;
    if (at + 1 < to && bytes[at + 1] === LINE_FEED) return at + 2 - from;
    if (at + 2 < to && bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED) return at + 3 - from;
  }
  return to - from;
}

/**
 * Reads the lines of a head, the empty one at the end included (RFC 9112); one character a byte.
 *
 * @returns null for a 1xx that only says that the answer is still to come
 * @throws Error for what is no HTTP/1
 */
export function parseResponseHead(head: string): ResponseHead | null {
  const firstEnd = head.indexOf("\n") + 1;
  const { statusCode, statusText, isHttp11 } = parseStatusLine(head.slice(0, firstEnd));
  if (statusCode < 200 && statusCode !== SWITCHING_PROTOCOLS) return null;
  const headers = parseHeaders(head.slice(firstEnd));
  const { framing, lengthBytes } = framingOf(statusCode, headers, isHttp11);
  const options = textOf(headers["connection"]).toLowerCase();
  const isKept = isHttp11
    ? options === "" || options === "keep-alive" || !/\bclose\b/.test(options)
    : /\bkeep-alive\b/.test(options);
  const keepAlive = textOf(headers["keep-alive"]);
  const seconds = keepAlive === "" ? undefined : /\btimeout\s*=\s*(\d{1,9})/i.exec(keepAlive)?.[1];
  return {
    statusCode,
    statusText,
    headers,
    framing,
    lengthBytes,
    mayBeReused: isKept && framing !== "close" && statusCode !== SWITCHING_PROTOCOLS,
    keepAliveMs: seconds === undefined ? null : 1000 * Number(seconds),
  };
}

/** What nearly every answer begins with. */
const USUAL_STATUS_LINE = "HTTP/1.1 200 OK\r\n";

/** @throws Error for a line that is none; with or without its line end */
export function parseStatusLine(line: string): { statusCode: number; statusText: string; isHttp11: boolean } {
  if (line === USUAL_STATUS_LINE) return { statusCode: 200, statusText: "OK", isHttp11: true };
  const text = line.replace(/\r?\n?$/, "");
  const found = /^HTTP\/(\d)\.(\d) +(\d{3})(?: (.*))?$/.exec(text);
  if (found === null) throw broken(`malformed HTTP response ${JSON.stringify(text.slice(0, 100))}`);
  const [, major, minor, status, reason = ""] = found;
  return { statusCode: Number(status), statusText: reason, isHttp11: Number(major! + minor!) >= 11 };
}

function parseHeaders(text: string): Record<string, string | string[] | undefined> {
  if (text.startsWith(" ") || text.startsWith("\t"))
    throw broken(`malformed MIME header initial line: ${lineAt(text)}`);
  // A line that begins with a blank goes on with the one before: an old custom, to be read as one blank.
  const isFolded = text.includes("\n ") || text.includes("\n\t");
  return headersOf(isFolded ? text.replace(/\s*\n[ \t]+/g, " ") : text);
}

/** Line by line without expressions: each would be code of its own, cold when the next answer comes. */
function headersOf(text: string): Record<string, string | string[] | undefined> {
  const headers: Record<string, string | string[] | undefined> = Object.create(null) as typeof headers;
  for (let at = 0; at < text.length;) {
    const next = lineEnd(text, at);
    const end = text[next - 1] === "\n" ? next - (text[next - 2] === "\r" ? 2 : 1) : next;
    const colon = text.indexOf(":", at);
    // A header without a name says nothing.
    if (end > at && colon !== at) {
      if (colon < 0 || colon >= end)
        throw broken(`malformed MIME header: missing colon: ${JSON.stringify(lineAt(text.slice(at, end)))}`);
      const name = lowerCase(text.slice(at, colon));
      const value = text.slice(colon + 1, end).trim();
      const known = headers[name];
      headers[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
    }
    at = next;
  }
  return headers;
}

/** Names of headers as they came, in lower case. */
const lowerCaseNames = new Map<string, string>();
const MAX_NAMES = 256;

function lowerCase(name: string): string {
  const known = lowerCaseNames.get(name);
  if (known !== undefined) return known;
  const made = name.toLowerCase();
  if (lowerCaseNames.size < MAX_NAMES && name.length < 64) lowerCaseNames.set(name, made);
  return made;
}

/** Behind the line feed of the line that begins here, or the end of the text. */
function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at) + 1;
  return end === 0 ? text.length : end;
}

function framingOf(
  statusCode: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  isHttp11: boolean,
): { framing: Framing; lengthBytes: number } {
  if (statusCode < 200 || statusCode === 204 || statusCode === 304)
    return { framing: "none", lengthBytes: 0 };
  const coding = headers["transfer-encoding"];
  // Before 1.1 there were no chunks: who names them and speaks 1.0 does not mean it.
  if (coding !== undefined && isHttp11) {
    if (textOf(coding).toLowerCase() === "chunked") return { framing: "chunks", lengthBytes: 0 };
    throw broken(`unsupported transfer encoding: ${JSON.stringify(textOf(coding))}`);
  }
  const length = headers["content-length"];
  const [text = "", ...others] = Array.isArray(length) ? length : [length];
  if (others.some((other) => other !== text) || !/^\d{0,15}$/.test(text))
    throw broken(`bad Content-Length ${JSON.stringify(textOf(length))}`);
  if (text === "") return { framing: "close", lengthBytes: 0 };
  return { framing: text === "0" ? "none" : "length", lengthBytes: Number(text) };
}

function broken(what: string): Error {
  return new Error(`net/http: HTTP/1.x transport connection broken: ${what}`);
}

function lineAt(text: string): string {
  return text.split(/\r?\n/, 1)[0]!.slice(0, 100);
}

function textOf(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(", ") : (value ?? "");
}
