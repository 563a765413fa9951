import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { successEnvelope } from "./envelope.ts";
import { LEAST_GZIPPED_BYTES, sizeOf } from "./gzip-answer.ts";
import { gzipPieces } from "./gzip-pieces.ts";

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
  if (isGzipped) sayGzipped(reply);
  else if (sizeOf(parts) >= LEAST_GZIPPED_BYTES && acceptsGzip(reply.request.headers["accept-encoding"])) {
    sayGzipped(reply);
    return reply.send(Readable.from(gzipPieces(parts)));
  }
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only) return reply.send(Buffer.from(only.buffer, only.byteOffset, only.byteLength));
  return reply.send(
    Readable.from(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))),
  );
}

function sayGzipped(reply: FastifyReply): void {
  reply.header("Content-Encoding", "gzip");
  const vary = reply.getHeader("Vary");
  reply.header("Vary", vary === undefined ? "accept-encoding" : `${String(vary)}, accept-encoding`);
}

/** Whether a client takes gzip, and does not say that it would rather not. */
export function acceptsGzip(header: string | string[] | undefined): boolean {
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
