import {
  MAX_SAMPLES_BEFORE,
  FIRST_PAGE_DATA_WORD,
  PAGE_DATA_WORD,
  PAGE_WORDS,
  PageField,
  SeriesField,
} from "../../kernels/append-kernel.ts";
import type { Generation } from "./generation.ts";

/** One chunk of a series in a generation; reused from one to the next by `forEachChunk`. */
export interface HeadChunk {
  /** Number of its first page. */
  page: number;
  encoding: number;
  minTime: number;
  /** Samples of the series that lie before it. */
  before: number;
  /** Samples of it that may be read. */
  count: number;
  /** Whether samples may still be added. */
  isOpen: boolean;
  /** The first page of the next chunk, where all of this one may be read and nothing will be added; else 0. */
  next: number;
}

/**
 * Visits the chunks of a series that hold its first `visible` samples and may have some from `minTime` to `maxTime`,
 * in order. The chunk object is reused: take what you need before returning.
 * @param page the chunk to begin with, 0 for the series' first
 * @param before how many samples lie before that one
 */
export function forEachChunk(
  generation: Generation,
  series: number,
  visible: number,
  minTime: number,
  maxTime: number,
  visit: (chunk: HeadChunk) => void,
  page = 0,
  before = 0,
): void {
  const { words } = generation.arena;
  const { startTime } = generation;
  const chunk: HeadChunk = { page: 0, encoding: 0, minTime: 0, before: 0, count: 0, isOpen: false, next: 0 };
  if (page === 0) {
    page = generation.series.field(series, SeriesField.firstChunk);
    // Fast path: who asks for the newest samples finds them in the open chunk, without a look at those before it.
    const tail = generation.series.field(series, SeriesField.tailChunk);
    const told = words[tail * PAGE_WORDS + PageField.sealed]!;
    if (tail !== page && told < Math.min(visible, MAX_SAMPLES_BEFORE)) {
      if (startTime + words[tail * PAGE_WORDS + PageField.firstTime]! <= minTime) {
        page = tail;
        before = told;
      }
    }
  }
  let left = visible - before;
  while (left > 0) {
    const at = page * PAGE_WORDS;
    // A chunk is sealed before the next one is linked to it: whoever sees the link may trust the seal.
    const next = words[at + PageField.nextChunk]!;
    const sealed = words[at + PageField.sealed]!;
    const time = startTime + words[at + PageField.firstTime]!;
    if (time > maxTime) return;
    chunk.page = page;
    chunk.before = visible - left;
    chunk.count = next === 0 ? left : Math.min(left, sealed & 0xffff);
    chunk.next = chunk.count === (sealed & 0xffff) ? next : 0;
    chunk.isOpen = next === 0;
    left -= chunk.count;
    // All samples of this chunk are before the first of the next.
    if (next === 0 || startTime + words[next * PAGE_WORDS + PageField.firstTime]! > minTime) {
      chunk.minTime = time;
      chunk.encoding = next === 0 ? openEncoding(generation, series, page) : sealed >>> 24;
      visit(chunk);
    }
    page = next;
  }
}

/** The kind of the series' newest chunk; where a newer one was begun just now, the seal tells. */
function openEncoding(generation: Generation, series: number, page: number): number {
  const encoding = (generation.series.field(series, SeriesField.state) >>> 8) & 0xff;
  const sealed = generation.arena.words[page * PAGE_WORDS + PageField.sealed]!;
  return sealed >>> 24 === 0 ? encoding : sealed >>> 24;
}

/** The most bytes a chunk of an open series may have grown to is not known: this counts what its pages can hold. */
export function chunkCapacityBytes(generation: Generation, page: number): number {
  const { words } = generation.arena;
  let bytes = 4 * (PAGE_WORDS - FIRST_PAGE_DATA_WORD);
  for (let next = words[page * PAGE_WORDS]!; next !== 0; next = words[next * PAGE_WORDS]!) {
    bytes += 4 * (PAGE_WORDS - PAGE_DATA_WORD);
  }
  return bytes;
}

/** Whether a chunk is full and all of it lies within the next `visible` samples. */
export function isWholeChunk(generation: Generation, page: number, visible: number): boolean {
  const { words } = generation.arena;
  const at = page * PAGE_WORDS;
  return words[at + PageField.nextChunk] !== 0 && visible >= (words[at + PageField.sealed]! & 0xffff);
}

/**
 * Copies a chunk's bits, page by page, to words of another memory.
 * @returns how many bytes that were, or -1 if they are more than `roomBytes`
 */
export function copyChunk(
  generation: Generation,
  page: number,
  roomBytes: number,
  target: Uint32Array,
  targetPointer: number,
): number {
  const { words } = generation.arena;
  const first = targetPointer / 4;
  const end = first + roomBytes / 4;
  let to = first;
  let from = page * PAGE_WORDS;
  let skipped = FIRST_PAGE_DATA_WORD;
  for (;;) {
    const next = words[from]!;
    if (to + PAGE_WORDS - skipped > end) return -1;
    for (let i = skipped; i < PAGE_WORDS; i++) target[to++] = words[from + i]!;
    if (next === 0) return 4 * (to - first);
    from = next * PAGE_WORDS;
    skipped = PAGE_DATA_WORD;
  }
}

/**
 * The exact size of a chunk's bits, for one that is full or of a sealed generation.
 * @param capacityBytes as `chunkCapacityBytes` said
 */
export function chunkSizeBytes(
  generation: Generation,
  series: number,
  page: number,
  capacityBytes: number,
): number {
  const sealed = generation.arena.words[page * PAGE_WORDS + PageField.sealed]!;
  const usedInLastPage =
    sealed >>> 24 !== 0
      ? (sealed >>> 16) & 0xff
      : ((generation.series.field(series, SeriesField.position) & 0xffff) + 7) >>> 3;
  return capacityBytes - (4 * PAGE_WORDS - usedInLastPage);
}

/**
 * A chunk as it would lie on disk: two bytes of sample count, then its bits.
 * @param sizeBytes how many bytes of bits are wanted, at most what `chunkCapacityBytes` said
 */
export function chunkBytes(
  generation: Generation,
  page: number,
  count: number,
  sizeBytes: number,
): Uint8Array {
  const bytes = new Uint8Array(2 + sizeBytes);
  bytes[0] = count >>> 8;
  bytes[1] = count;
  const { arena } = generation;
  let from = 4 * (page * PAGE_WORDS + FIRST_PAGE_DATA_WORD);
  let room = 4 * (PAGE_WORDS - FIRST_PAGE_DATA_WORD);
  for (let at = 2; ;) {
    const taken = Math.min(room, bytes.length - at);
    bytes.set(arena.bytes.subarray(from, from + taken), at);
    at += taken;
    if (at === bytes.length) return bytes;
    page = arena.words[page * PAGE_WORDS]!;
    from = 4 * (page * PAGE_WORDS + PAGE_DATA_WORD);
    room = 4 * (PAGE_WORDS - PAGE_DATA_WORD);
  }
}
