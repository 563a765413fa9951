import { gzipSync } from "node:zlib";
import { GZIP_LEVEL } from "./gzip-pieces.ts";
import type { QueryAnswer } from "./query-tasks.ts";

/** Below this an answer fits into a packet or two, and packing takes longer than sending. */
export const LEAST_GZIPPED_BYTES = 1024;
/** From here on it pays to compress on several threads. */
const LARGE_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

export function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((total, { length }) => total + length, 0);
}

/**
 * Compresses an answer of middling size where it was made: there it costs nobody else's time, and less has to go to the
 * main thread. Small, large and divided ones stay as they are.
 */
export function gzipAnswer(answer: QueryAnswer): QueryAnswer {
  const [only] = answer.parts;
  if (only === undefined || answer.parts.length > 1 || answer.fragment !== undefined) return answer;
  if (only.length < LEAST_GZIPPED_BYTES || only.length > LARGE_BYTES) return answer;
  const packed = gzipSync(only, { level: GZIP_LEVEL, chunkSize: CHUNK_BYTES });
  return { ...answer, parts: [packed], isGzipped: true };
}
