import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { AnswerTooLargeError, type PageRequest, type WholeResponse } from "../http-client/index.ts";
import { LARGE_PAGE_BYTES } from "./large-pages.ts";
import { announcedBytes, SCRATCH_BYTES, threadInflater } from "./page-inflater.ts";

const decompress = promisify(gunzip);

/** Where no limit is configured, a page may still not be larger than this: a gzip bomb must not take the server down. */
export const DEFAULT_BODY_LIMIT_BYTES = 256 * 2 ** 20;
/** Pages that are decompressed apart are large: small pieces of them would cost more than they save. */
const SMALLEST_ESTIMATE_BYTES = 2 ** 20;
/** zlib takes no smaller pieces. */
const LEAST_CHUNK_BYTES = 64;

/** The body is larger than the target may send. */
export class BodySizeLimitError extends Error {
  override readonly name = "BodySizeLimitError";

  constructor() {
    super("body size limit exceeded");
  }
}

/** What a target answered; `pageOf` gives the page itself. */
export interface FetchedPage {
  readonly chunks: readonly Uint8Array[];
  /** As it came, or after decompression where that is done already. */
  readonly sizeBytes: number;
  readonly contentType: string | undefined;
  /** The chunks are one gzip stream still, to be decompressed right before they are parsed. */
  readonly isCompressed: boolean;
  /** Gives the memory of the chunks back, once they are parsed. */
  release(): void;
}

export interface Page {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/**
 * The page in the clear; a small one is good until the next call: it is to be parsed at once.
 * @throws BodySizeLimitError, ScratchOverflowError or Error for a damaged stream
 */
export function pageOf(fetched: FetchedPage, bodySizeLimitBytes: number): Page {
  if (!fetched.isCompressed) return fetched;
  const body = threadInflater().inflate(
    fetched.chunks.length === 1 ? fetched.chunks[0]! : Buffer.concat(fetched.chunks, fetched.sizeBytes),
  );
  if (bodySizeLimitBytes > 0 && body.length >= bodySizeLimitBytes) throw new BodySizeLimitError();
  // Other pages are decompressed before a large one is read to its end.
  return { chunks: [body.length < LARGE_PAGE_BYTES ? body : body.slice()], sizeBytes: body.length };
}

export interface FetchOptions {
  /** As `bodyLimitOf` gives it. */
  readonly limitBytes: number;
  /** About how large the page will be: what it was last time. */
  readonly expectedBytes: number;
  /** Decompress on the thread pool, whatever the stream says of its size. */
  readonly inflateApart: boolean;
}

/** @param bodySizeLimitBytes 0 for the built-in limit. A body of exactly this size is too large already. */
export function bodyLimitOf(bodySizeLimitBytes: number): number {
  return bodySizeLimitBytes || DEFAULT_BODY_LIMIT_BYTES;
}

/** What a target is asked with, the same each time. */
export function pageHeaders(
  accept: string,
  enableCompression: boolean,
  timeoutMs: number,
): Readonly<Record<string, string>> {
  return {
    accept,
    "accept-encoding": enableCompression ? "gzip" : "identity",
    "x-prometheus-scrape-timeout-seconds": String(timeoutMs / 1000),
  };
}

/**
 * Asks a target for its page. Chunks are handed on as they came: nothing is joined that the parser would take apart.
 *
 * @throws HttpRequestError, BodySizeLimitError, or Error for an answer that is no page
 */
export async function fetchPage(
  request: PageRequest,
  { expectedBytes, inflateApart, limitBytes }: FetchOptions,
): Promise<FetchedPage> {
  let response: WholeResponse;
  try {
    response = await request.send();
  } catch (error) {
    throw error instanceof AnswerTooLargeError ? new BodySizeLimitError() : error;
  }
  if (response.status !== 200) throw new Error(`server returned HTTP status ${response.statusLine}`);
  const { chunks, sizeBytes, headers, release } = response;
  const contentType = firstOf(headers["content-type"]);
  if (firstOf(headers["content-encoding"]) !== "gzip")
    return { chunks, sizeBytes, contentType, isCompressed: false, release };
  const announced = announcedBytes(chunks.at(-1) ?? new Uint8Array());
  const fitsScratch = sizeBytes <= SCRATCH_BYTES && announced < SCRATCH_BYTES;
  if (fitsScratch && !inflateApart) return { chunks, sizeBytes, contentType, isCompressed: true, release };
  const compressed = Buffer.concat(chunks, sizeBytes);
  release();
  const body = await inflate(compressed, limitBytes, expectedBytes);
  return {
    chunks: [body],
    sizeBytes: body.length,
    contentType,
    isCompressed: false,
    release: () => undefined,
  };
}

/** What a header says; the first where it came more than once. */
function firstOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

/** Off this thread, into one buffer of about the right size. */
async function inflate(compressed: Buffer, limit: number, expectedBytes: number): Promise<Buffer> {
  const estimate = Math.max(expectedBytes + (expectedBytes >> 4) + 1024, SMALLEST_ESTIMATE_BYTES);
  try {
    return await decompress(compressed, {
      chunkSize: Math.max(Math.min(estimate, limit), LEAST_CHUNK_BYTES),
      maxOutputLength: Math.max(limit - 1, 1),
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw new BodySizeLimitError();
    throw new Error(`cannot decompress page: ${(cause as Error).message}`, { cause });
  }
}
