import { WalReader, type WalSegment } from "./segment.ts";

/** Some segments of a log, to be read by another thread; `offset` is where the first begins. All is plain data. */
export interface ReadAheadTask {
  readonly ring: SharedArrayBuffer;
  readonly directory: string;
  readonly segments: readonly WalSegment[];
  readonly offset: number;
}

/** Has another thread call `readAhead` with the task; it need not have begun when this returns. */
export type StartReadAhead = (task: ReadAheadTask) => void;

/*
 * The ring, written by the thread that reads ahead and read by the one that replays:
 *
 *   filled u32 │ emptied u32 │ stop u32 │ … │ batch │ batch │ …       (both counts go on for ever; 64 bytes in all)
 *   batch:  bytes of entries u32 │ entry │ entry …
 *   entry:  kind u32 │ length u32 │ segment u32 │ offset behind it u32 │ plain bytes of the record, up to a multiple of 4
 */
const CONTROL_WORDS = 16;
const FILLED = 0;
const EMPTIED = 1;
const STOP = 2;
const BATCHES = 8;
/** Room of a batch: for any record there is likely to be. What is never written to takes no memory. */
const BATCH_BYTES = 1 << 23;
/** A batch with so much in it is handed over. */
const ENOUGH_BYTES = 1 << 18;
const BATCH_HEADER_BYTES = 4;
const ENTRY_HEADER_BYTES = 16;

/** After the last record of a segment comes `segmentEnd`; at the first thing that cannot be read, `trouble`. */
const Kind = { record: 0, segmentEnd: 1, trouble: 2 } as const;

/** A thread that gives no sign for so long is taken for lost. */
const PATIENCE_MS = 10_000;

class Ring {
  readonly control: Int32Array;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;

  constructor(readonly buffer: SharedArrayBuffer) {
    this.control = new Int32Array(buffer, 0, CONTROL_WORDS);
    this.words = new Uint32Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  static create(): Ring {
    return new Ring(new SharedArrayBuffer(4 * CONTROL_WORDS + BATCHES * BATCH_BYTES));
  }

  /** The byte offset of a batch, by how many there were before it. */
  batchAt(index: number): number {
    return 4 * CONTROL_WORDS + (index % BATCHES) * BATCH_BYTES;
  }
}

/**
 * Reads segments, checks and decompresses their records, and puts them into the ring, until all is read or the other
 * side wants no more. What cannot be read is left to the other side, which has to tell why: then this ends.
 */
export function readAhead({ ring: buffer, directory, segments, offset }: ReadAheadTask): void {
  const writer = new BatchWriter(new Ring(buffer));
  try {
    for (const [i, segment] of segments.entries()) {
      const reader = new WalReader(directory, [segment], i === 0 ? offset : 0);
      try {
        while (reader.next()) {
          const isTaken = writer.put(Kind.record, segment.index, reader.offset, reader.record);
          if (!isTaken) return;
        }
      } finally {
        reader.close();
      }
      if (!writer.put(Kind.segmentEnd, segment.index, 0, NO_BYTES)) return;
    }
  } catch {
    writer.put(Kind.trouble, 0, 0, NO_BYTES);
  }
  writer.finish();
}

const NO_BYTES = new Uint8Array(0);

class BatchWriter {
  private index = 0;
  private start = 0;
  private at = 0;

  constructor(private readonly ring: Ring) {}

  /** @returns false where nobody wants it any more @throws RangeError for a record that no batch has room for */
  put(kind: number, segment: number, offset: number, record: Uint8Array): boolean {
    const size = ENTRY_HEADER_BYTES + alignUp(record.length);
    if (size > BATCH_BYTES - BATCH_HEADER_BYTES) {
      throw new RangeError(`cannot pass on a record of ${record.length} bytes`);
    }
    if (this.at - this.start > ENOUGH_BYTES || this.at + size > this.start + BATCH_BYTES) this.finish();
    if (this.start === 0 && !this.begin()) return false;
    const { words, bytes } = this.ring;
    const word = this.at / 4;
    words[word] = kind;
    words[word + 1] = record.length;
    words[word + 2] = segment;
    words[word + 3] = offset;
    bytes.set(record, this.at + ENTRY_HEADER_BYTES);
    this.at += size;
    return true;
  }

  private begin(): boolean {
    const { control } = this.ring;
    for (;;) {
      if (Atomics.load(control, STOP) !== 0) return false;
      const emptied = Atomics.load(control, EMPTIED);
      if (this.index - emptied < BATCHES) break;
      Atomics.wait(control, EMPTIED, emptied, PATIENCE_MS);
    }
    this.start = this.ring.batchAt(this.index);
    this.at = this.start + BATCH_HEADER_BYTES;
    return true;
  }

  /** Hands over the batch that was begun, if any. */
  finish(): void {
    if (this.start === 0) return;
    const { control, words } = this.ring;
    words[this.start / 4] = this.at - this.start;
    this.start = 0;
    Atomics.store(control, FILLED, ++this.index);
    Atomics.notify(control, FILLED);
  }
}

/**
 * The records that another thread reads ahead. Where that meets anything but sound records, or is not heard of, the
 * rest of the segment is read here: so errors are those of `WalReader`, at the same places.
 */
export class ReadAheadRecords {
  private readonly ring = Ring.create();
  private batch = 0;
  private at = 0;
  private end = 0;
  private isLost = false;

  /** @param offset where the first segment begins */
  constructor(
    start: StartReadAhead,
    private readonly directory: string,
    segments: readonly WalSegment[],
    private readonly offset: number,
  ) {
    this.first = segments[0]!;
    start({ ring: this.ring.buffer, directory, segments, offset });
  }

  private readonly first: WalSegment;

  /** The records of a segment: of each of them in turn, to its end. */
  open(segment: WalSegment): RecordReader {
    const startOffset = segment.index === this.first.index ? this.offset : 0;
    const plain = () => new WalReader(this.directory, [segment], startOffset);
    return this.isLost ? plain() : new SegmentRecords(this, segment, plain);
  }

  /** Moves to the next entry. @returns its first word, or -1 where there will be none */
  nextEntry(): number {
    const { control, words } = this.ring;
    while (this.at >= this.end) {
      if (this.end !== 0) {
        Atomics.store(control, EMPTIED, ++this.batch);
        Atomics.notify(control, EMPTIED);
        this.end = 0;
      }
      if (Atomics.load(control, FILLED) === this.batch) {
        if (Atomics.wait(control, FILLED, this.batch, PATIENCE_MS) === "timed-out") return -1;
        continue;
      }
      const start = this.ring.batchAt(this.batch);
      this.at = start + BATCH_HEADER_BYTES;
      this.end = start + words[start / 4]!;
    }
    const word = this.at / 4;
    this.at += ENTRY_HEADER_BYTES + alignUp(words[word + 1]!);
    return word;
  }

  get words(): Uint32Array {
    return this.ring.words;
  }

  get bytes(): Uint8Array {
    return this.ring.bytes;
  }

  /** From now on everything is read here. */
  stop(): void {
    this.isLost = true;
    Atomics.store(this.ring.control, STOP, 1);
    Atomics.notify(this.ring.control, EMPTIED);
  }
}

/** What a replay reads: `WalReader`, or records that came another way. */
export interface RecordReader {
  readonly record: Uint8Array;
  readonly segment: number;
  readonly offset: number;
  next(): boolean;
  close(): void;
}

class SegmentRecords implements RecordReader {
  record: Uint8Array = NO_BYTES;
  readonly segment: number;
  offset = 0;
  private count = 0;
  private plain: WalReader | null = null;

  constructor(
    private readonly source: ReadAheadRecords,
    { index }: WalSegment,
    private readonly openPlain: () => WalReader,
  ) {
    this.segment = index;
  }

  next(): boolean {
    if (this.plain) return this.nextPlain(this.plain);
    const word = this.source.nextEntry();
    const { words, bytes } = this.source;
    const kind = word < 0 ? Kind.trouble : words[word]!;
    if (kind === Kind.segmentEnd) return false;
    if (kind === Kind.trouble) {
      this.source.stop();
      this.plain = this.openPlain();
      for (let i = 0; i < this.count; i++) this.plain.next();
      return this.nextPlain(this.plain);
    }
    this.count++;
    const at = 4 * word + ENTRY_HEADER_BYTES;
    this.record = bytes.subarray(at, at + words[word + 1]!);
    this.offset = words[word + 3]!;
    return true;
  }

  private nextPlain(plain: WalReader): boolean {
    if (!plain.next()) return false;
    this.record = plain.record;
    this.offset = plain.offset;
    return true;
  }

  close(): void {
    this.plain?.close();
  }
}

function alignUp(length: number): number {
  return (length + 3) & ~3;
}
