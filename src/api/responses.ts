import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { successEnvelope } from "./envelope.ts";
import { gzipPieces } from "./gzip-pieces.ts";

/** Sends finished bytes; several parts go out one after the other, so that a large answer is never copied. */
export function sendParts(reply: FastifyReply, status: number, parts: readonly Uint8Array[]): FastifyReply {
  reply.code(status);
  if (parts.length === 0) return reply.send();
  reply.type("application/json");
  if (isLarge(parts) && acceptsGzip(reply.request.headers["accept-encoding"])) {
    reply.header("Content-Encoding", "gzip");
    const vary = reply.getHeader("Vary");
    reply.header("Vary", vary === undefined ? "accept-encoding" : `${String(vary)}, accept-encoding`);
    return reply.send(Readable.from(gzipPieces(parts)));
  }
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only) return reply.send(Buffer.from(only.buffer, only.byteOffset, only.byteLength));
  return reply.send(
    Readable.from(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))),
  );
}

/** From here on it pays to compress on several threads. */
const LARGE_BYTES = 1024 * 1024;

function isLarge(parts: readonly Uint8Array[]): boolean {
  return parts.reduce((total, { length }) => total + length, 0) > LARGE_BYTES;
}

/** Whether a client takes gzip, and does not say that it would rather not. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? "")
    .split(",")
    .some((coding) => {
      const [name, ...parameters] = coding.split(";").map((text) => text.trim().toLowerCase());
      return name === "gzip" && !parameters.some((text) => /^q=0(\.0*)?$/.test(text));
    });
}

/** A success whose data is a plain value. */
export function sendData(reply: FastifyReply, data: unknown): FastifyReply {
  return sendParts(
    reply,
    200,
    successEnvelope((out) => out.json(data)),
  );
}

/** Go's plain-text error. */
export function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type("text/plain; charset=utf-8").send(text);
}
