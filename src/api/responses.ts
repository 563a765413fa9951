import { Readable } from "node:stream";
import { createDeflate } from "node:zlib";
import type { FastifyReply } from "fastify";
import { successEnvelope } from "./envelope.ts";
import { LEAST_GZIPPED_BYTES, sizeOf } from "./gzip-answer.ts";
import { GZIP_LEVEL, gzipPieces } from "./gzip-pieces.ts";

/**
 * Sends finished bytes; several parts go out one after the other, so that a large answer is never copied.
 * @param isGzipped whether they have been compressed already, for a client that takes it
 */
export function sendParts(
  reply: FastifyReply,
  status: number,
  parts: readonly Uint8Array[],
  isGzipped = false,
): FastifyReply {
  reply.code(status);
  if (parts.length === 0) return reply.send();
  reply.type("application/json");
  if (isGzipped) sayCoding(reply, "gzip");
  else if (sizeOf(parts) >= LEAST_GZIPPED_BYTES) {
    const coding = acceptedCoding(reply.request.headers["accept-encoding"]);
    if (coding !== null) {
      sayCoding(reply, coding);
      if (coding === "gzip") return reply.send(Readable.from(gzipPieces(parts)));
      return reply.send(Readable.from(parts).pipe(createDeflate({ level: GZIP_LEVEL })));
    }
  }
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only) return reply.send(Buffer.from(only.buffer, only.byteOffset, only.byteLength));
  return reply.send(
    Readable.from(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))),
  );
}

/** Says how the body is compressed, and that this depends on what the client takes. */
export function sayCoding(reply: FastifyReply, coding: "gzip" | "deflate"): void {
  reply.header("Content-Encoding", coding);
  const vary = reply.getHeader("Vary");
  reply.header("Vary", vary === undefined ? "accept-encoding" : `${String(vary)}, accept-encoding`);
}

/** What a client takes and does not say that it would rather not: gzip where it can be, else deflate, null for neither. */
export function acceptedCoding(header: string | string[] | undefined): "gzip" | "deflate" | null {
  // Fast path: what most clients send.
  if (header === "gzip" || header === undefined) return header ?? null;
  let found: "deflate" | null = null;
  for (const coding of String(header).split(",")) {
    const [name, ...parameters] = coding.split(";").map((text) => text.trim().toLowerCase());
    if (parameters.some((text) => /^q=0(\.0*)?$/.test(text))) continue;
    if (name === "gzip" || name === "*") return "gzip";
    if (name === "deflate") found = "deflate";
  }
  return found;
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
