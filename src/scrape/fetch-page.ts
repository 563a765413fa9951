import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { HttpClient, HttpResponse } from "../http-client/index.ts";
import { announcedBytes, SCRATCH_BYTES, threadInflater } from "./page-inflater.ts";

const decompress = promisify(gunzip);

/** Where no limit is configured, a page may still not be larger than this: a gzip bomb must not take the server down. */
export const DEFAULT_BODY_LIMIT_BYTES = 256 * 2 ** 20;
/** Pages that are decompressed apart are large: small pieces of them would cost more than they save. */
const SMALLEST_ESTIMATE_BYTES = 2 ** 20;

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
}

export interface Page {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
}

/**
 * The page in the clear, good until the next call: it is to be parsed at once.
 * @throws BodySizeLimitError, ScratchOverflowError or Error for a damaged stream
 */
export function pageOf(fetched: FetchedPage, bodySizeLimitBytes: number): Page {
  if (!fetched.isCompressed) return fetched;
  const body = threadInflater().inflate(
    fetched.chunks.length === 1 ? fetched.chunks[0]! : Buffer.concat(fetched.chunks, fetched.sizeBytes),
  );
  if (bodySizeLimitBytes > 0 && body.length >= bodySizeLimitBytes) throw new BodySizeLimitError();
  return { chunks: [body], sizeBytes: body.length };
}

export interface FetchOptions {
  readonly accept: string;
  readonly enableCompression: boolean;
  readonly timeoutMs: number;
  /** 0 for the built-in limit. A body of exactly this size is too large already. */
  readonly bodySizeLimitBytes: number;
  readonly unixSocketPath: string;
  /** About how large the page will be: what it was last time. */
  readonly expectedBytes: number;
  /** Decompress on the thread pool, whatever the stream says of its size. */
  readonly inflateApart: boolean;
  readonly signal: AbortSignal;
}

/**
 * Asks a target for its page. Chunks are handed on as they came: nothing is joined that the parser would take apart.
 *
 * @throws HttpRequestError, BodySizeLimitError, or Error for an answer that is no page
 */
export async function fetchPage(
  client: HttpClient,
  url: string,
  options: FetchOptions,
): Promise<FetchedPage> {
  const response = await client.request(url, {
    headers: {
      accept: options.accept,
      "accept-encoding": options.enableCompression ? "gzip" : "identity",
      "x-prometheus-scrape-timeout-seconds": String(options.timeoutMs / 1000),
    },
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    ...(options.unixSocketPath ? { unixSocketPath: options.unixSocketPath } : {}),
  });
  if (response.status !== 200) {
    response.body.on("error", () => {}).destroy();
    throw new Error(`server returned HTTP status ${response.statusLine}`);
  }
  const limit = options.bodySizeLimitBytes || DEFAULT_BODY_LIMIT_BYTES;
  const { chunks, sizeBytes } = await readChunks(response, limit);
  const contentType = response.headers["content-type"];
  const page = {
    contentType: typeof contentType === "string" ? contentType : undefined,
    isCompressed: false,
  };
  if (response.headers["content-encoding"] !== "gzip") return { chunks, sizeBytes, ...page };
  const announced = announcedBytes(chunks.at(-1) ?? new Uint8Array());
  if (announced >= limit) throw new BodySizeLimitError();
  const fitsScratch = sizeBytes <= SCRATCH_BYTES && announced < SCRATCH_BYTES;
  if (fitsScratch && !options.inflateApart) return { chunks, sizeBytes, ...page, isCompressed: true };
  const body = await inflate(Buffer.concat(chunks, sizeBytes), limit, options.expectedBytes);
  return { chunks: [body], sizeBytes: body.length, ...page };
}

async function readChunks(
  response: HttpResponse,
  limit: number,
): Promise<{ chunks: Buffer[]; sizeBytes: number }> {
  if (Number(response.headers["content-length"] ?? 0) >= limit) {
    response.body.on("error", () => {}).destroy();
    throw new BodySizeLimitError();
  }
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.chunks()) {
    sizeBytes += chunk.length;
    if (sizeBytes >= limit) throw new BodySizeLimitError();
    chunks.push(chunk);
  }
  return { chunks, sizeBytes };
}

/** Off this thread, into one buffer of about the right size. */
async function inflate(compressed: Buffer, limit: number, expectedBytes: number): Promise<Buffer> {
  const estimate = Math.max(expectedBytes + (expectedBytes >> 4) + 1024, SMALLEST_ESTIMATE_BYTES);
  try {
    return await decompress(compressed, { chunkSize: Math.min(estimate, limit), maxOutputLength: limit - 1 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw new BodySizeLimitError();
    throw new Error(`cannot decompress page: ${(cause as Error).message}`, { cause });
  }
}
