import type { IncomingHttpHeaders } from "node:http";

/** The answer is larger than the caller takes. */
export class AnswerTooLargeError extends Error {
  override readonly name = "AnswerTooLargeError";
}

/** It ended when the status had come already; the cause says why. */
export class BrokenAnswerError extends Error {
  override readonly name = "BrokenAnswerError";
}

/** An answer with its body, as it came off the connection. */
export interface WholeAnswer {
  readonly statusCode: number;
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  /** The body in pieces; empty where the status is not 200. */
  readonly chunks: readonly Buffer[];
  readonly sizeBytes: number;
}

/** Of the body of an answer that is no success so much is read, to keep the connection; more ends it. */
export const PASSED_OVER_BYTES = 1 << 16;
