import { promisify } from "node:util";
import { deflate, gzip } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { LEAST_GZIPPED_BYTES } from "./gzip-answer.ts";
import { GZIP_LEVEL } from "./gzip-pieces.ts";
import { acceptedCoding, sayCoding } from "./responses.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What it sends goes out as it is: it is compressed already, if it is to be. */
    packsItself?: boolean;
  }
}

const packers = { gzip: promisify(gzip), deflate: promisify(deflate) };

/** Text and what is much like it; pictures and fonts are packed already. */
const PACKABLE =
  /^(text\/(?!event-stream)|application\/(json|javascript|manifest\+json|openmetrics-text))|\+xml/;

/** Compresses texts and bytes that routes send whole, for clients that take it. */
export function packAnswers(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    if (route.config?.packsItself) return;
    route.onSend = [route.onSend ?? []].flat();
    route.onSend.push(async (request, reply, payload) => {
      if (typeof payload !== "string" && !Buffer.isBuffer(payload)) return payload;
      if (payload.length < LEAST_GZIPPED_BYTES || reply.hasHeader("content-encoding")) return payload;
      if (!PACKABLE.test(String(reply.getHeader("content-type")))) return payload;
      const coding = acceptedCoding(request.headers["accept-encoding"]);
      if (coding === null) return payload;
      sayCoding(reply, coding);
      reply.removeHeader("content-length");
      return packers[coding](payload, { level: GZIP_LEVEL });
    });
  });
}
