import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { successEnvelope } from "./envelope.ts";

/** Sends finished bytes; several parts go out one after the other, so that a large answer is never copied. */
export function sendParts(reply: FastifyReply, status: number, parts: readonly Uint8Array[]): FastifyReply {
  reply.code(status);
  if (parts.length === 0) return reply.send();
  reply.type("application/json");
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only) return reply.send(Buffer.from(only.buffer, only.byteOffset, only.byteLength));
  return reply.send(
    Readable.from(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))),
  );
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
