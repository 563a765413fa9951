import { randomInt } from "node:crypto";
import {
  instantiateKernels,
  RESERVED_BYTES,
  reserveSharedMemory,
  type KernelExports,
} from "./instantiate.ts";
import { WideAllocator } from "./wide-allocator.ts";

/** A page asks for more than the memory has room for. */
export class ScrapeMemoryError extends Error {
  override readonly name = "ScrapeMemoryError";
}

/** Index, in words, of each field of the kernel's page state. */
const Field = {
  cursor: 0,
  end: 1,
  isFinal: 2,
  isOpenMetrics: 3,
  entries: 4,
  entryCount: 5,
  text: 6,
  refs: 7,
  seen: 8,
  nextEntry: 9,
  lineCodes: 10,
  lineCount: 11,
  lineCapacity: 12,
  sampleRefs: 13,
  sampleValues: 14,
  sampleCount: 15,
  reports: 16,
  reportCount: 17,
  reportCapacity: 18,
  index: 19,
  indexMask: 20,
  newEntries: 21,
  newRefs: 22,
  newText: 23,
  newCount: 24,
  newTextSize: 25,
  newTextCapacity: 26,
  currentType: 27,
  droppedCount: 28,
  jumpCount: 29,
  seenCount: 30,
  hashSeed: 31,
  powersOfTen: 32,
  readsTimes: 33,
  timedFlag: 34,
  timedSamples: 35,
  timedRefs: 36,
  timedTimes: 37,
  timedCount: 38,
} as const;
const STATE_BYTES = 256;

const Status = { done: 0, reportsFull: 1, indexNeeded: 2, pageTooLarge: 3 } as const;

/** Flags of an entry, beside the length of its text in the lower 24 bits. The upper four bits hold the type a TYPE comment declares. */
export const EntryFlag = {
  comment: 1 << 24,
  /** Metric relabelling dropped the series: its reference stays 0 and nothing is appended. */
  dropped: 2 << 24,
  /** Gets no staleness marker: the target gives its own timestamps. */
  untracked: 4 << 24,
} as const;
export const ENTRY_TYPE_SHIFT = 28;
const ENTRY_LENGTH_MASK = 0xffffff;

/** Set in the code of an entry that the page under way brought. */
const NEW_ENTRY = 0x80000000;

/** Noted of an entry of the last page, beside that it was seen: it is tracked now if it wasn't, or the other way round. */
const TRACKING_CHANGED = 2;

/** Why a line is reported; several may hold. */
export const ReportFlag = {
  /** Its text was never seen before: resolve it. */
  new: 1,
  /** What follows the text is more than a plain number: parse it. */
  oddValue: 2,
  /** The same text came before on this page. */
  repeated: 4,
  comment: 8,
  /** No line of any format. */
  broken: 16,
} as const;
/** The type in force is that of the comment reported last. */
export const TYPE_REPORTED = 15;

const REPORT_WORDS = 7;
const REPORT_CAPACITY = 4096;
const MOST_EXPONENT = 300;
/** A line must fit in here. */
export const LONGEST_LINE_BYTES = 16 * 2 ** 20;
/** How much of a page is parsed at a time where lines are not longer: what stays resident, and in the cache. */
const USUAL_SLICE_BYTES = 2 ** 19;
const PADDING_BYTES = 64;
/** Pages that may lie in this memory before they are parsed, all together: what they take is never given back to the system. */
const LENT_BYTES = 4 * 2 ** 20;
/** They lie in blocks of sizes that double from here, so that few sizes are ever kept; what no page touches is no memory. */
const LEAST_LENT_BYTES = 2 ** 16;

/** The lines of a target's last page, in order, in scrape memory: entries and references at `pointer`, and their text. */
export interface StoredSequence {
  readonly pointer: number;
  readonly count: number;
  readonly text: StoredText;
}

/** The texts of a sequence, one after the other. Replicas that show the same series share them. */
interface StoredText {
  readonly pointer: number;
  readonly sizeBytes: number;
  /** Null while it isn't to be shared. */
  hash: number | null;
  users: number;
}
export const EMPTY_SEQUENCE: StoredSequence = {
  pointer: 0,
  count: 0,
  text: { pointer: 0, sizeBytes: 0, hash: null, users: 0 },
};
/** What an entry and its reference take. */
const ENTRY_BYTES = 12;

/** One reported line. Reused: read it before asking for the next. */
export interface LineReport {
  /** Offset in `bytes` of the line, how long its text is and how long the whole line. */
  line: number;
  textLength: number;
  lineLength: number;
  /** Position of its sample, and how many lines to remember came before. */
  sampleIndex: number;
  lineIndex: number;
  code: number;
  flags: number;
  /** Type code in force before the line, or TYPE_REPORTED. */
  type: number;
}

/** A report to read others into. */
export function emptyReport(): LineReport {
  return {
    line: 0,
    textLength: 0,
    lineLength: 0,
    sampleIndex: 0,
    lineIndex: 0,
    code: 0,
    flags: 0,
    type: 0,
  };
}

/**
 * The memory in which one thread parses pages: scratch for the page under way, and for every target the lines of its
 * last page. Address space is reserved, real memory comes as it is touched, so scratch is laid out for the worst.
 *
 *   reserved │ state │ powers │ reports │ slice │ line codes │ sample refs │ values │ outcomes │ seen │ index │
 *   timed samples │ new entries │ new refs │ new text │ sequences of the targets …
 *
 * One page at a time: `beginPage`, then `take` and `parse` in turn, then the columns are good until the next `beginPage`.
 */
export class ScrapeMemory {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** The same bytes for reading text out of them. */
  readonly text: Buffer;
  readonly sampleRefs: Uint32Array;
  readonly sampleValues: Float64Array;
  readonly sampleValueWords: Uint32Array;
  readonly outcomes: Uint8Array;
  /** Samples whose lines gave their own time: which they are, their references and times. */
  readonly timedSamples: Uint32Array;
  readonly timedRefs: Uint32Array;
  readonly timedTimes: Float64Array;
  /** Room for the owner to put such samples in another order. */
  readonly orderedRefs: Uint32Array;
  readonly orderedValues: Float64Array;
  readonly orderedValueWords: Uint32Array;
  readonly maxLines: number;

  private readonly exports: KernelExports;
  private readonly allocator: WideAllocator;
  private readonly state: number;
  private readonly stateWord: number;
  private readonly slice: number;
  private readonly indexPointer: number;
  private sequence: StoredSequence = EMPTY_SEQUENCE;
  private readonly sharedTexts = new Map<number, StoredText>();
  private sliceSize = USUAL_SLICE_BYTES;
  /** Where the bytes lie that are parsed next, and how many they are. */
  private start = 0;
  private filled = 0;
  private lentBytes = 0;

  /** @param limitBytes at least 128 MiB, at most 4 GiB; not used until touched */
  constructor(limitBytes = 2 ** 32 - 65536, hashSeed = randomInt(2 ** 32)) {
    const memory = reserveSharedMemory(limitBytes);
    this.exports = instantiateKernels(memory);
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.text = Buffer.from(memory.buffer);
    this.maxLines = 2 ** Math.floor(Math.log2(limitBytes / 512));

    let top = RESERVED_BYTES;
    const reserve = (size: number): number => {
      const pointer = top;
      top += Math.ceil(size / 64) * 64;
      return pointer;
    };
    const lines = this.maxLines;
    this.state = reserve(STATE_BYTES);
    this.stateWord = this.state / 4;
    const powers = reserve(16 * (2 * MOST_EXPONENT + 1));
    const reports = reserve(4 * REPORT_WORDS * REPORT_CAPACITY);
    this.slice = reserve(LONGEST_LINE_BYTES + PADDING_BYTES);
    const lineCodes = reserve(4 * lines);
    const sampleRefs = reserve(4 * lines);
    const sampleValues = reserve(8 * lines);
    const outcomes = reserve(lines);
    const seen = reserve(lines);
    this.indexPointer = reserve(4 * 8 * lines);
    const timedSamples = reserve(4 * lines);
    const timedRefs = reserve(4 * lines);
    const timedTimes = reserve(8 * lines);
    const orderedRefs = reserve(4 * lines);
    const orderedValues = reserve(8 * lines);
    const newEntries = reserve(8 * lines);
    const newRefs = reserve(4 * lines);
    const newTextCapacity = Math.floor(limitBytes / 8);
    const newText = reserve(newTextCapacity);
    this.allocator = new WideAllocator(top, limitBytes);

    this.sampleRefs = new Uint32Array(memory.buffer, sampleRefs, lines);
    this.sampleValues = new Float64Array(memory.buffer, sampleValues, lines);
    this.sampleValueWords = new Uint32Array(memory.buffer, sampleValues, 2 * lines);
    this.outcomes = new Uint8Array(memory.buffer, outcomes, lines);
    new BigUint64Array(memory.buffer, powers, 2 * (2 * MOST_EXPONENT + 1)).set(powersOfTen());
    this.timedSamples = new Uint32Array(memory.buffer, timedSamples, lines);
    this.timedRefs = new Uint32Array(memory.buffer, timedRefs, lines);
    this.timedTimes = new Float64Array(memory.buffer, timedTimes, lines);
    this.orderedRefs = new Uint32Array(memory.buffer, orderedRefs, lines);
    this.orderedValues = new Float64Array(memory.buffer, orderedValues, lines);
    this.orderedValueWords = new Uint32Array(memory.buffer, orderedValues, 2 * lines);
    const columns = { lineCodes, sampleRefs, sampleValues, timedSamples, timedRefs, timedTimes };
    const constants = { ...columns, seen, reports, newEntries, newRefs, newText };
    for (const [name, value] of Object.entries(constants))
      this.set(Field[name as keyof typeof constants], value);
    this.set(Field.lineCapacity, lines);
    this.set(Field.reportCapacity, REPORT_CAPACITY);
    this.set(Field.newTextCapacity, newTextCapacity);
    this.set(Field.hashSeed, hashSeed);
    this.set(Field.powersOfTen, powers);
  }

  private get(field: number): number {
    return this.words[this.stateWord + field]!;
  }

  private set(field: number, value: number): void {
    this.words[this.stateWord + field] = value;
  }

  // ───────────────────────────── a page ─────────────────────────────

  /**
   * Starts a page that is expected to be `sequence` again.
   *
   * @param times whether lines of known series may give whole milliseconds as their time, and the flag of the series
   *   that do; null reports such lines instead
   */
  beginPage(
    sequence: StoredSequence,
    isOpenMetrics: boolean,
    times: { readonly flag: number } | null = null,
  ): void {
    this.sequence = sequence;
    this.sliceSize = USUAL_SLICE_BYTES;
    this.start = this.slice;
    this.filled = 0;
    const { pointer, count, text } = sequence;
    this.set(Field.entries, pointer);
    this.set(Field.refs, pointer + 8 * count);
    this.set(Field.text, text.pointer);
    this.set(Field.entryCount, count);
    this.bytes.fill(0, this.get(Field.seen), this.get(Field.seen) + count);
    this.set(Field.cursor, this.slice);
    this.set(Field.isOpenMetrics, Number(isOpenMetrics));
    this.set(Field.readsTimes, Number(times !== null));
    this.set(Field.timedFlag, times?.flag ?? 0);
    for (const counter of PAGE_COUNTERS) this.set(counter, 0);
  }

  /** A place for a page of at least this size, to be parsed where it is; null where it is too large or too many are lent. */
  lendPage(sizeBytes: number): Buffer | null {
    if (sizeBytes > LENT_BYTES - PADDING_BYTES) return null;
    const needed = Math.max(sizeBytes + PADDING_BYTES, LEAST_LENT_BYTES);
    const size = 1 << (32 - Math.clz32(needed - 1));
    if (this.lentBytes + size > LENT_BYTES) return null;
    const pointer = this.allocator.allocate(size);
    if (pointer === 0) return null;
    this.lentBytes += size;
    return this.text.subarray(pointer, pointer + size - PADDING_BYTES);
  }

  /** @param page as `lendPage` gave it */
  takeBackPage(page: Buffer): void {
    const size = page.length + PADDING_BYTES;
    this.lentBytes -= size;
    this.allocator.free(page.byteOffset, size);
  }

  /** Whether these bytes lie in this memory. */
  holds({ buffer }: Uint8Array): boolean {
    return buffer === this.bytes.buffer;
  }

  /** Takes a whole page, or what is to be parsed of it, that lies in a place that was lent; the byte behind is overwritten. */
  takeInPlace(page: Uint8Array): void {
    this.start = page.byteOffset;
    this.filled = page.length;
    this.set(Field.cursor, this.start);
  }

  /** Copies as much of `chunk` from `offset` on as there is room for; 0 means: parse first. */
  take(chunk: Uint8Array, offset: number): number {
    const size = Math.min(chunk.length - offset, this.sliceSize - this.filled);
    if (size > 0) this.bytes.set(chunk.subarray(offset, offset + size), this.slice + this.filled);
    this.filled += size;
    return size;
  }

  /**
   * Parses what was taken, up to the last complete line. Afterwards `reportCount` lines wait to be judged.
   * @returns false when there were too many of them: judge them and call again
   * @throws ScrapeMemoryError when a line or the page is too large
   */
  parse(isFinal: boolean): boolean {
    const end = this.start + this.filled;
    this.bytes[end] = 0x0a;
    this.set(Field.end, end);
    this.set(Field.isFinal, Number(isFinal));
    this.set(Field.reportCount, 0);
    for (;;) {
      switch (this.exports["parsePage"]!(this.state)) {
        case Status.done:
          if (!isFinal) return true;
          if (this.get(Field.cursor) < end)
            throw new Error("assertion failed: the kernel reads final bytes to their end");
          return true;
        case Status.reportsFull:
          return false;
        case Status.indexNeeded: {
          const known = this.get(Field.entryCount) + this.get(Field.newCount);
          const capacity = 2 ** Math.ceil(Math.log2(2 * (known + 256) + 2));
          this.exports["indexEntries"]!(this.state, this.indexPointer, capacity);
          break;
        }
        default:
          throw new ScrapeMemoryError(
            `cannot parse page: more than ${this.maxLines} lines or ${this.get(Field.newTextCapacity)} bytes of new series`,
          );
      }
    }
  }

  /** Moves the incomplete line to the front, so that `take` has room again. Reported lines are void then. */
  shift(): void {
    const end = this.slice + this.filled;
    const cursor = this.get(Field.cursor);
    this.bytes.copyWithin(this.slice, cursor, end);
    this.filled = end - cursor;
    this.set(Field.cursor, this.slice);
    if (this.filled < this.sliceSize) return;
    if (this.sliceSize >= LONGEST_LINE_BYTES) {
      throw new ScrapeMemoryError(`cannot parse page: a line is longer than ${LONGEST_LINE_BYTES} bytes`);
    }
    this.sliceSize *= 2;
  }

  get reportCount(): number {
    return this.get(Field.reportCount);
  }

  readReport(index: number, into: LineReport): void {
    const word = this.get(Field.reports) / 4 + index * REPORT_WORDS;
    into.line = this.words[word]!;
    into.textLength = this.words[word + 1]!;
    into.lineLength = this.words[word + 2]!;
    into.sampleIndex = this.words[word + 3]!;
    into.lineIndex = this.words[word + 4]!;
    into.code = this.words[word + 5]!;
    into.flags = this.words[word + 6]! & 0xffff;
    into.type = this.words[word + 6]! >>> 16;
  }

  /** Text of an entry, one character a byte. */
  entryText(code: number): string {
    const isNew = code >= NEW_ENTRY;
    const word = this.entryWord(code);
    const offset = this.get(isNew ? Field.newText : Field.text) + this.words[word]!;
    return this.text.toString("latin1", offset, offset + (this.words[word + 1]! & ENTRY_LENGTH_MASK));
  }

  entryFlags(code: number): number {
    return this.words[this.entryWord(code) + 1]! & ~ENTRY_LENGTH_MASK;
  }

  setEntryFlags(code: number, flags: number): void {
    this.words[this.entryWord(code) + 1]! |= flags;
  }

  /** Whether the series of an entry of this page gets a marker when it vanishes. */
  setTracked(code: number, isTracked: boolean): void {
    const word = this.entryWord(code) + 1;
    if (isTracked !== ((this.words[word]! & EntryFlag.untracked) !== 0)) return;
    this.words[word]! ^= EntryFlag.untracked;
    if (code < NEW_ENTRY) this.bytes[this.get(Field.seen) + code]! |= TRACKING_CHANGED;
  }

  /** The page is not to be: entries of the last one get back the flags they had. Without effect once it is stored. */
  undoPage(): void {
    const { pointer, count } = this.sequence;
    if (pointer !== this.get(Field.entries)) return;
    const seen = this.get(Field.seen);
    for (let i = 0; i < count; i++) {
      if ((this.bytes[seen + i]! & TRACKING_CHANGED) === 0) continue;
      this.bytes[seen + i]! &= ~TRACKING_CHANGED;
      this.words[pointer / 4 + 2 * i + 1]! ^= EntryFlag.untracked;
    }
  }

  entryRef(code: number): number {
    return this.words[this.entryRefWord(code)]!;
  }

  setEntryRef(code: number, ref: number): void {
    this.words[this.entryRefWord(code)] = ref;
  }

  private entryWord(code: number): number {
    const isNew = code >= NEW_ENTRY;
    return this.get(isNew ? Field.newEntries : Field.entries) / 4 + 2 * (isNew ? code - NEW_ENTRY : code);
  }

  private entryRefWord(code: number): number {
    const isNew = code >= NEW_ENTRY;
    return this.get(isNew ? Field.newRefs : Field.refs) / 4 + (isNew ? code - NEW_ENTRY : code);
  }

  /** Whether this page has this line of the last one. */
  wasSeen(entry: number): boolean {
    return this.bytes[this.get(Field.seen) + entry] !== 0;
  }

  /** The references of the last page's lines that this page does not have, but for entries with one of `flags`. */
  unseenRefs(flags: number): Uint32Array {
    const { pointer, count } = this.sequence;
    const { bytes, words, orderedRefs } = this;
    const seen = this.get(Field.seen);
    const entries = pointer / 4;
    const refs = entries + 2 * count;
    let unseen = 0;
    for (let i = 0; i < count; i++) {
      if (bytes[seen + i] !== 0 || words[refs + i] === 0 || (words[entries + 2 * i + 1]! & flags) !== 0)
        continue;
      orderedRefs[unseen++] = words[refs + i]!;
    }
    return orderedRefs.slice(0, unseen);
  }

  get sampleCount(): number {
    return this.get(Field.sampleCount);
  }

  /** Samples of known series that metric relabelling drops. */
  get droppedCount(): number {
    return this.get(Field.droppedCount);
  }

  /** Lines of the last page that this one has too. */
  get seenCount(): number {
    return this.get(Field.seenCount);
  }

  /** How many samples the timed columns hold. */
  get timedCount(): number {
    return this.get(Field.timedCount);
  }

  get newCount(): number {
    return this.get(Field.newCount);
  }

  /** Lines that came in another order. */
  get jumpCount(): number {
    return this.get(Field.jumpCount);
  }

  // ───────────────────────────── sequences ─────────────────────────────

  /**
   * Keeps the lines of this page, in its order, in place of the sequence it began with. The text of a target's first
   * page is shared with targets that show the same; later pages differ from the last, and may differ again.
   */
  storePage(): StoredSequence {
    const out = this.get(Field.reports);
    this.exports["measureSequence"]!(this.state, out);
    const count = this.words[out / 4]!;
    const sizeBytes = this.words[out / 4 + 1]!;
    if (count === 0) {
      this.free(this.sequence);
      return (this.sequence = EMPTY_SEQUENCE);
    }
    const { pointer, textPointer } = this.allocateSequence(count, sizeBytes);
    this.exports["writeSequence"]!(this.state, pointer, pointer + 8 * count, textPointer);
    const isFirst = this.sequence.count === 0;
    this.free(this.sequence);
    const text: StoredText = { pointer: textPointer, sizeBytes, hash: null, users: 1 };
    this.sequence = { pointer, count, text: isFirst ? this.share(text) : text };
    return this.sequence;
  }

  private allocateSequence(count: number, sizeBytes: number): { pointer: number; textPointer: number } {
    const pointer = this.allocator.allocate(ENTRY_BYTES * count);
    const textPointer = pointer === 0 ? 0 : this.allocator.allocate(sizeBytes);
    if (textPointer === 0) {
      if (pointer !== 0) this.allocator.free(pointer, ENTRY_BYTES * count);
      throw new ScrapeMemoryError(
        `cannot remember page: no room for ${ENTRY_BYTES * count + sizeBytes} bytes`,
      );
    }
    return { pointer, textPointer };
  }

  /** A text that another target has stored already, in place of this one; else this one, for others to share. */
  private share(text: StoredText): StoredText {
    const hash = this.exports["hashText"]!(text.pointer, text.sizeBytes, this.get(Field.hashSeed)) >>> 0;
    const known = this.sharedTexts.get(hash);
    if (known === undefined) {
      text.hash = hash;
      this.sharedTexts.set(hash, text);
      return text;
    }
    if (!this.bytesOf(known).equals(this.bytesOf(text))) return text;
    this.allocator.free(text.pointer, text.sizeBytes);
    known.users++;
    return known;
  }

  private bytesOf({ pointer, sizeBytes }: StoredText): Buffer {
    return this.text.subarray(pointer, pointer + sizeBytes);
  }

  /** Takes a sequence over from another memory, which is to free it then. @throws ScrapeMemoryError when there is no room */
  adopt({ pointer, count, text }: StoredSequence, from: ScrapeMemory): StoredSequence {
    if (count === 0) return EMPTY_SEQUENCE;
    const { pointer: ours, textPointer } = this.allocateSequence(count, text.sizeBytes);
    this.bytes.set(from.bytes.subarray(pointer, pointer + ENTRY_BYTES * count), ours);
    this.bytes.set(from.bytes.subarray(text.pointer, text.pointer + text.sizeBytes), textPointer);
    return {
      pointer: ours,
      count,
      text: { pointer: textPointer, sizeBytes: text.sizeBytes, hash: null, users: 1 },
    };
  }

  free({ pointer, count, text }: StoredSequence): void {
    if (count === 0) return;
    this.allocator.free(pointer, ENTRY_BYTES * count);
    if (--text.users > 0) return;
    if (text.hash !== null) this.sharedTexts.delete(text.hash);
    this.allocator.free(text.pointer, text.sizeBytes);
  }

  refsOf(sequence: StoredSequence): Uint32Array {
    const start = (sequence.pointer + 8 * sequence.count) / 4;
    return this.words.subarray(start, start + sequence.count);
  }

  flagsOf(sequence: StoredSequence, entry: number): number {
    return this.words[sequence.pointer / 4 + 2 * entry + 1]! & ~ENTRY_LENGTH_MASK;
  }

  textOf(sequence: StoredSequence, entry: number): string {
    const word = sequence.pointer / 4 + 2 * entry;
    const offset = sequence.text.pointer + this.words[word]!;
    return this.text.toString("latin1", offset, offset + (this.words[word + 1]! & ENTRY_LENGTH_MASK));
  }

  /** Bytes that sequences take now. */
  get usedBytes(): number {
    return this.allocator.usedBytes;
  }
}

const PAGE_COUNTERS = [
  Field.nextEntry,
  Field.lineCount,
  Field.sampleCount,
  Field.reportCount,
  Field.index,
  Field.indexMask,
  Field.newCount,
  Field.newTextSize,
  Field.currentType,
  Field.droppedCount,
  Field.jumpCount,
  Field.seenCount,
  Field.timedCount,
] as const;

let powers: BigUint64Array | undefined;

/** The upper 128 bits of 10^e for every e the kernel multiplies with, rounded down; high word first. */
function powersOfTen(): BigUint64Array {
  if (powers) return powers;
  powers = new BigUint64Array(2 * (2 * MOST_EXPONENT + 1));
  for (let e = -MOST_EXPONENT; e <= MOST_EXPONENT; e++) {
    const power = 10n ** BigInt(Math.abs(e));
    const bits = power.toString(2).length;
    let mantissa: bigint;
    if (e >= 0) mantissa = bits > 128 ? power >> BigInt(bits - 128) : power << BigInt(128 - bits);
    else {
      mantissa = (1n << BigInt(bits + 128)) / power;
      while (mantissa >> 128n > 0n) mantissa >>= 1n;
    }
    powers[2 * (e + MOST_EXPONENT)] = mantissa >> 64n;
    powers[2 * (e + MOST_EXPONENT) + 1] = mantissa & 0xffffffffffffffffn;
  }
  return powers;
}
