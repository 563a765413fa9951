import { constants, createGunzip, gunzipSync, type Gunzip } from "node:zlib";

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
  private readonly native = NativeInflate.create();

  /**
   * @returns a view that the next call overwrites
   * @throws ScratchOverflowError for a page over `SCRATCH_BYTES`, Error for a stream that is damaged or cut short
   */
  inflate(compressed: Uint8Array): Uint8Array {
    if (this.native) return this.scratch.subarray(0, this.native.inflate(compressed, this.scratch));
    try {
      return gunzipSync(compressed, { maxOutputLength: SCRATCH_BYTES });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw overflow();
      throw new Error(`cannot decompress page: ${(cause as Error).message}`, { cause });
    }
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

  /** Null where this Node's streams are made otherwise; tried on a small stream before it is trusted. */
  static create(): NativeInflate | null {
    const stream = createGunzip() as Gunzip & { _handle?: ZlibHandle; _writeState?: Uint32Array };
    const { _handle: handle, _writeState: state } = stream;
    if (typeof handle?.writeSync !== "function" || typeof handle.reset !== "function" || !state) return null;
    const native = new NativeInflate(handle, state);
    try {
      const output = new Uint8Array(64);
      const length = native.inflate(PROBE, output);
      return Buffer.from(output.subarray(0, length)).toString("latin1") === PROBE_TEXT ? native : null;
    } catch {
      return null;
    }
  }

  inflate(input: Uint8Array, output: Uint8Array): number {
    this.handle.reset();
    this.error = null;
    this.handle.writeSync(constants.Z_FINISH, input, 0, input.length, output, 0, output.length);
    // A full buffer is no error to zlib: there may be more to come, or not.
    if (this.state[0] === 0) throw overflow();
    if (this.error === null) return output.length - this.state[0]!;
    throw new Error(`cannot decompress page: ${String(this.error)}`);
  }
}

const PROBE_TEXT = "up 1\n";
const PROBE = Buffer.from("H4sIAAAAAAACAystUDDkAgBykOqCBQAAAA==", "base64");
