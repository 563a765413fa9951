import { constants, crc32, createGunzip, createInflateRaw, gunzipSync } from "node:zlib";

/** Larger pages are decompressed by Node's thread pool instead, so that they hold up no other scrape. */
export const SCRATCH_BYTES = 8 * 2 ** 20;

/** The page is larger than the scratch buffer, though its trailer said otherwise. */
export class ScratchOverflowError extends Error {
  override readonly name = "ScratchOverflowError";
}

/**
 * Decompresses pages into one buffer that is used again and again.
 *
 * `zlib.gunzip` makes a new buffer for each page. At hundreds of pages a second these are most of what the thread
 * allocates: they cost page faults, keep the collector running, and stay in the allocator's arenas as resident
 * memory. Node's gunzip streams work on a native handle that writes to any buffer; it is used directly here. Where a
 * Node has no such handle, `zlib.gunzipSync` does the same at its price.
 */
export class PageInflater {
  private readonly scratch = new Uint8Array(SCRATCH_BYTES);
  private readonly gzip = tried(NativeInflate.of(createGunzip()), 0);
  private readonly raw = tried(NativeInflate.of(createInflateRaw()), PLAIN_HEADER_BYTES);

  /**
   * @returns a view that the next call overwrites
   * @throws ScratchOverflowError for a page over `SCRATCH_BYTES`, Error for a stream that is damaged or cut short
   */
  inflate(compressed: Uint8Array): Uint8Array {
    const page = this.inflateMember(compressed);
    if (page !== null) return page;
    if (this.gzip) return this.scratch.subarray(0, this.gzip.inflate(compressed, 0, this.scratch));
    try {
      return gunzipSync(compressed, { maxOutputLength: SCRATCH_BYTES });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw overflow();
      throw new Error(`cannot decompress page: ${(cause as Error).message}`, { cause });
    }
  }

  /**
   * The usual stream: one member, a header without extras; null for any other. To sum the whole page afterwards is far
   * quicker than what gunzip does piece by piece, a quarter of its work.
   */
  private inflateMember(compressed: Uint8Array): Uint8Array | null {
    const { raw } = this;
    if (raw === null || !hasPlainHeader(compressed)) return null;
    const size = raw.inflate(compressed, PLAIN_HEADER_BYTES, this.scratch);
    if (raw.inputLeft !== TRAILER_BYTES) return null;
    const page = this.scratch.subarray(0, size);
    const trailer = new DataView(
      compressed.buffer,
      compressed.byteOffset + compressed.length - TRAILER_BYTES,
    );
    if (trailer.getUint32(0, true) !== crc32(page)) {
      throw new Error("cannot decompress page: incorrect data check");
    }
    if (trailer.getUint32(4, true) !== size)
      throw new Error("cannot decompress page: incorrect length check");
    return page;
  }
}

/** A gzip header without name, comment or extra fields (RFC 1952), and what follows the compressed bytes. */
const PLAIN_HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

function hasPlainHeader(stream: Uint8Array): boolean {
  const [first, second, method, flags] = stream;
  return (
    stream.length > PLAIN_HEADER_BYTES + TRAILER_BYTES &&
    first === 0x1f &&
    second === 0x8b &&
    method === 8 &&
    flags === 0
  );
}

/** The inflater, if it does what it should with a small stream. */
function tried(inflater: NativeInflate | null, from: number): NativeInflate | null {
  try {
    const output = new Uint8Array(64);
    const length = inflater?.inflate(PROBE, from, output) ?? 0;
    return Buffer.from(output.subarray(0, length)).toString("latin1") === PROBE_TEXT ? inflater : null;
  } catch {
    return null;
  }
}

let shared: PageInflater | null = null;

/** The inflater of this thread: pages are parsed one at a time, so one buffer does for all. */
export function threadInflater(): PageInflater {
  return (shared ??= new PageInflater());
}

function overflow(): ScratchOverflowError {
  return new ScratchOverflowError(
    `cannot decompress page: it is larger than ${SCRATCH_BYTES} bytes and does not say so`,
  );
}

/** The length a gzip stream gives in its trailer: a hint, for it may lie or speak of its last member only. */
export function announcedBytes(compressed: Uint8Array): number {
  const n = compressed.length;
  if (n < 18) return 0;
  return (
    (compressed[n - 4]! |
      (compressed[n - 3]! << 8) |
      (compressed[n - 2]! << 16) |
      (compressed[n - 1]! << 24)) >>>
    0
  );
}

/** What Node's zlib streams hold underneath. */
interface ZlibHandle {
  reset(): void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  onerror: (message: string) => void;
}

class NativeInflate {
  private error: string | null = null;

  private constructor(
    private readonly handle: ZlibHandle,
    /** Output bytes left, input bytes left. */
    private readonly state: Uint32Array,
  ) {
    handle.onerror = (message) => (this.error = message);
  }

  /** Null where this Node's streams are made otherwise. */
  static of(stream: object): NativeInflate | null {
    const { _handle: handle, _writeState: state } = stream as {
      _handle?: ZlibHandle;
      _writeState?: Uint32Array;
    };
    const isKnown = typeof handle?.writeSync === "function" && typeof handle.reset === "function" && state;
    return isKnown ? new NativeInflate(handle, state) : null;
  }

  /** @returns how long the output is @throws Error for a damaged stream, ScratchOverflowError */
  inflate(input: Uint8Array, from: number, output: Uint8Array): number {
    this.handle.reset();
    this.error = null;
    this.handle.writeSync(constants.Z_FINISH, input, from, input.length - from, output, 0, output.length);
    // A full buffer is no error to zlib: there may be more to come, or not.
    if (this.state[0] === 0) throw overflow();
    if (this.error === null) return output.length - this.state[0]!;
    throw new Error(`cannot decompress page: ${String(this.error)}`);
  }

  /** How much of the last input lay behind the end of the stream. */
  get inputLeft(): number {
    return this.state[1]!;
  }
}

const PROBE_TEXT = "up 1\n";
const PROBE = Buffer.from("H4sIAAAAAAACAystUDDkAgBykOqCBQAAAA==", "base64");
