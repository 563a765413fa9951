import type { QuerySampleColumns, QueryMemory } from "../kernels/index.ts";
import type { SampleColumns, SampleView } from "../model/storage.ts";
import { copySample, truncateColumns } from "./merge-runs.ts";

/** Samples lie in segments; the least recently used segment goes first. */
const MAX_SEGMENT_BYTES = 1024 * 1024;
/** What a series costs besides its samples: its object, its places in maps. */
const SERIES_BYTES = 512;
/** Room behind a series that still grows, so that new samples need not move the others. */
const SPARE_SAMPLES = 128;
/** Time columns with the same first time that a new one is compared with. */
const COMPARED_TIMES = 8;

/** A series as its sources know it, side by side: their numbers, its ids in them, its samples (`plainSamples`). */
export interface SeriesParts {
  readonly sources: readonly number[];
  readonly ids: readonly number[];
  readonly samples: readonly number[];
}

/** Times that series of one target share: a column that only ever grows at its end. */
interface KeptTimes {
  readonly segment: Segment;
  readonly pointer: number;
  readonly capacity: number;
  /** Times that stand there; a series may have fewer. */
  count: number;
  /** Series that have these times. */
  users: number;
}

/** All samples that the sources of a series have from `minTime` to `maxTime`, joined. */
export class KeptSeries implements SampleView {
  /** @internal */
  constructor(
    public parts: SeriesParts,
    readonly minTime: number,
    readonly maxTime: number,
    readonly times: KeptTimes,
    readonly segment: Segment,
    readonly valuesPointer: number,
    readonly capacity: number,
    public count: number,
    public hasStale: boolean,
  ) {
    this.partSamples = sumOf(parts.samples);
  }

  /** Samples of all parts together: as long as they are so many, this is what the parts hold. */
  partSamples: number;

  get timesPointer(): number {
    return this.times.pointer;
  }

  get isAlive(): boolean {
    return this.segment.isAlive && this.times.segment.isAlive;
  }
}

function sumOf(numbers: readonly number[]): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}

/**
 * Decoded samples of series that are read again and again, per thread: joined over blocks and head, as columns in the
 * part of the query memory that is kept, where kernels read them in place. What is sealed never changes, and a head
 * only adds; where anything else can happen to a series (deletions, samples out of order, histograms) it isn't kept.
 *
 * What the query before this one used is not driven out, so that a read larger than the cache finds a part of itself
 * there the next time instead of nothing.
 */
export class DecodedCache {
  private readonly numbers = new WeakMap<object, number>();
  private lastNumber = 0;
  private readonly series = new Map<number, Map<number, KeptSeries>>();
  private readonly timesByFirst = new Map<number, KeptTimes[]>();
  private readonly segments = new Set<Segment>();
  private readonly freeSlots: number[];
  private readonly segmentBytes: number;
  private readonly limitBytes: number;
  private open: Segment | null = null;
  private used = 0;
  private query = 1;

  /** Keeps in the `keptBytes` of `memory`, which is its own. */
  constructor(private readonly memory: QueryMemory) {
    this.limitBytes = memory.keptBytes;
    this.segmentBytes = Math.min(MAX_SEGMENT_BYTES, (this.limitBytes / 4) & ~15);
    const slots = this.segmentBytes === 0 ? 0 : Math.floor(this.limitBytes / this.segmentBytes);
    // The first slots are taken first: what was touched once is used again.
    this.freeSlots = Array.from({ length: slots }, (_, i) => slots - 1 - i);
  }

  /** Bytes in use, with an allowance for what lies on the heap. */
  get usedBytes(): number {
    return this.used;
  }

  /** A query begins. */
  beginQuery(): void {
    this.query++;
  }

  /** By which a block or generation is told from others here. @param source itself, not a query's view of it */
  numberOf(source: object): number {
    let number = this.numbers.get(source);
    if (number === undefined) this.numbers.set(source, (number = ++this.lastNumber));
    return number;
  }

  /** The source is gone: what was kept of series that ended with it is not found any more, and makes room in its turn. */
  forget(source: object): void {
    const number = this.numberOf(source);
    for (const kept of this.series.get(number)?.values() ?? []) this.release(kept);
    this.series.delete(number);
  }

  clear(): void {
    for (const segment of this.segments) this.drop(segment);
    this.series.clear();
    this.timesByFirst.clear();
    this.open = null;
    this.used = 0;
  }

  /** Has what a query reads stay until after the next one. */
  noteUse(kept: KeptSeries): void {
    kept.segment.lastQuery = this.query;
    kept.times.segment.lastQuery = this.query;
  }

  /**
   * What is kept of a series, brought up to date: all its samples from `minTime` to `maxTime` are in it.
   * @param readTail reads what the newest source has from a time on into columns
   */
  find(
    parts: SeriesParts,
    minTime: number,
    maxTime: number,
    readTail: (fromTime: number) => QuerySampleColumns | null,
  ): KeptSeries | null {
    const last = parts.ids.length - 1;
    const kept = this.series.get(parts.sources[last]!)?.get(parts.ids[last]!);
    if (!kept?.isAlive || kept.minTime > minTime || kept.maxTime < maxTime) return null;
    const grown = growthOf(kept.parts, parts);
    if (grown < 0) return null;
    if (grown > 0 && !this.extend(kept, grown, parts, readTail)) {
      this.series.get(parts.sources[last]!)?.delete(parts.ids[last]!);
      this.release(kept);
      return null;
    }
    this.noteUse(kept);
    return kept;
  }

  private extend(
    kept: KeptSeries,
    grown: number,
    parts: SeriesParts,
    readTail: (fromTime: number) => QuerySampleColumns | null,
  ): boolean {
    const { memory } = this;
    const { times, count } = kept;
    if (kept.maxTime !== Infinity || count + grown > Math.min(kept.capacity, times.capacity)) return false;
    const tail = readTail(memory.floats[(times.pointer >>> 3) + count - 1]! + 1);
    if (tail === null || tail.count !== grown || tail.histograms !== null || tail.startTimes !== null)
      return false;
    const flags = this.inspect(tail);
    if (flags & NOT_ASCENDING || !this.holdTimes(times, count, tail.times.byteOffset, grown)) return false;
    const values = tail.values.byteOffset;
    memory.bytes.copyWithin(kept.valuesPointer + 8 * count, values, values + 8 * grown);
    kept.count += grown;
    if (flags & HAS_STALE) kept.hasStale = true;
    // A kept series may join more sources than were asked for: their counts stay.
    kept.parts = { ...kept.parts, samples: [...kept.parts.samples.slice(0, -1), parts.samples.at(-1)!] };
    kept.partSamples += grown;
    return true;
  }

  /**
   * Keeps the samples of columns, all that the parts have from `minTime` to `maxTime` (Infinity: whatever comes), in
   * place of what was kept of the series.
   * @returns null where there is no room, or where these are not floats at ascending times
   */
  keep(parts: SeriesParts, columns: QuerySampleColumns, minTime: number, maxTime: number): KeptSeries | null {
    const { count } = columns;
    if (count === 0 || columns.histograms !== null || columns.startTimes !== null) return null;
    const flags = this.inspect(columns);
    if (flags & NOT_ASCENDING) return null;
    const last = parts.ids.length - 1;
    const source = parts.sources[last]!;
    const id = parts.ids[last]!;
    // Blocks don't count their samples: what counts is a head, and grows.
    const capacity = count + (parts.samples[last]! > 0 && maxTime === Infinity ? SPARE_SAMPLES : 0);
    const segment = this.allocate(8 * capacity + SERIES_BYTES);
    if (segment === null) return null;
    const valuesPointer = segment.take(capacity);
    const times = this.timesLike(columns, count) ?? this.keepTimes(columns, count, capacity);
    if (times === null) return null;
    const { memory } = this;
    const values = columns.values.byteOffset;
    memory.bytes.copyWithin(valuesPointer, values, values + 8 * count);
    const hasStale = (flags & HAS_STALE) !== 0;
    const kept = new KeptSeries(
      parts,
      minTime,
      maxTime,
      times,
      segment,
      valuesPointer,
      capacity,
      count,
      hasStale,
    );
    let ofSource = this.series.get(source);
    if (!ofSource) this.series.set(source, (ofSource = new Map<number, KeptSeries>()));
    const before = ofSource.get(id);
    if (before) this.release(before);
    ofSource.set(id, kept);
    segment.live++;
    if (times.users++ === 0) times.segment.live++;
    segment.keys.push(source, id);
    this.noteUse(kept);
    this.used += SERIES_BYTES;
    segment.heapBytes += SERIES_BYTES;
    return kept;
  }

  private inspect(columns: QuerySampleColumns): number {
    const { byteOffset } = columns.times;
    return this.memory.exports["inspectColumns"]!(byteOffset, columns.values.byteOffset, columns.count);
  }

  private same(a: number, b: number, count: number): boolean {
    return count === 0 || this.memory.exports["sameColumn"]!(a, b, count) !== 0;
  }

  /** Puts times behind the first `from` of a shared column, where others may have put the same. */
  private holdTimes(times: KeptTimes, from: number, pointer: number, count: number): boolean {
    const shared = Math.min(times.count - from, count);
    if (from + count > times.capacity || !this.same(times.pointer + 8 * from, pointer, shared)) return false;
    if (count > shared) {
      const at = times.pointer + 8 * (from + shared);
      this.memory.bytes.copyWithin(at, pointer + 8 * shared, pointer + 8 * count);
      times.count = from + count;
    }
    return true;
  }

  private timesLike(columns: QuerySampleColumns, count: number): KeptTimes | null {
    for (const times of this.timesByFirst.get(columns.times[0]!) ?? []) {
      // A short series would begin a column that a long one cannot go on in.
      if (!times.segment.isAlive || times.count > count + SPARE_SAMPLES) continue;
      if (this.holdTimes(times, 0, columns.times.byteOffset, count)) return times;
    }
    return null;
  }

  private keepTimes(columns: QuerySampleColumns, count: number, capacity: number): KeptTimes | null {
    const segment = this.allocate(8 * capacity);
    if (segment === null) return null;
    const pointer = segment.take(capacity);
    const from = columns.times.byteOffset;
    this.memory.bytes.copyWithin(pointer, from, from + 8 * count);
    const times: KeptTimes = { segment, pointer, capacity, count, users: 0 };
    const known = this.timesByFirst.get(columns.times[0]!)?.filter((one) => one.segment.isAlive) ?? [];
    this.timesByFirst.set(columns.times[0]!, [times, ...known].slice(0, COMPARED_TIMES));
    segment.firstTimes.push(columns.times[0]!);
    return times;
  }

  /** A segment with so much room. @returns null if that would drive out what is in use */
  private allocate(bytes: number): Segment | null {
    if (this.open?.isAlive && this.open.room >= bytes && this.used + SERIES_BYTES <= this.limitBytes) {
      return this.open;
    }
    if (bytes > this.segmentBytes) return null;
    this.dropDead();
    while (this.freeSlots.length === 0 || this.used + this.segmentBytes + SERIES_BYTES > this.limitBytes) {
      if (!this.dropOldest()) return null;
    }
    const slot = this.freeSlots.pop()!;
    const pointer = this.memory.keptPointer + slot * this.segmentBytes;
    this.open = new Segment(slot, pointer, this.segmentBytes, this.query);
    this.segments.add(this.open);
    this.used += this.segmentBytes;
    return this.open;
  }

  /** What was kept is not found any more, for something else has taken its place. */
  private release(kept: KeptSeries): void {
    kept.segment.live--;
    if (--kept.times.users === 0) kept.times.segment.live--;
  }

  /** A query that has seen what lies in a segment may do so again: such segments wait for the next one. */
  private dropDead(): void {
    for (const segment of this.segments) {
      if (segment.live === 0 && segment !== this.open && segment.lastQuery < this.query) this.drop(segment);
    }
  }

  private dropOldest(): boolean {
    let oldest: Segment | null = null;
    for (const segment of this.segments) {
      if (oldest === null || segment.lastQuery < oldest.lastQuery) oldest = segment;
    }
    if (oldest === null || oldest.lastQuery >= this.query - 1) return false;
    this.drop(oldest);
    return true;
  }

  private drop(segment: Segment): void {
    segment.isAlive = false;
    this.segments.delete(segment);
    this.freeSlots.push(segment.slot);
    this.used -= segment.bytes + segment.heapBytes;
    for (let i = 0; i < segment.keys.length; i += 2) {
      const ofSource = this.series.get(segment.keys[i]!);
      const kept = ofSource?.get(segment.keys[i + 1]!);
      if (!kept || kept.isAlive) continue;
      ofSource!.delete(segment.keys[i + 1]!);
      this.release(kept);
    }
    for (const first of segment.firstTimes) {
      const alive = this.timesByFirst.get(first)?.filter((times) => times.segment.isAlive) ?? [];
      if (alive.length > 0) this.timesByFirst.set(first, alive);
      else this.timesByFirst.delete(first);
    }
  }
}

/** What `inspectColumns` finds. */
const NOT_ASCENDING = 1;
const HAS_STALE = 2;

/** How many samples the newest part has gained while the others are the same; -1 where anything else is different. */
function growthOf(kept: SeriesParts, now: SeriesParts): number {
  let at = kept.ids.length - 1;
  let grown = 0;
  // A kept series may join more sources than a query looks at: what they hold lies outside what it asks for.
  for (let i = now.ids.length - 1; i >= 0; i--, at--) {
    while (at >= 0 && (kept.sources[at] !== now.sources[i] || kept.ids[at] !== now.ids[i])) at--;
    if (at < 0) return -1;
    const more = now.samples[i]! - kept.samples[at]!;
    if (more === 0) continue;
    if (more < 0 || at !== kept.ids.length - 1) return -1;
    grown = more;
  }
  return grown;
}

class Segment {
  usedWords = 0;
  heapBytes = 0;
  /** Series that are found here, and columns of times that series found anywhere have. */
  live = 0;
  isAlive = true;
  /** Source and id of each series that was kept here, one behind the other. */
  readonly keys: number[] = [];
  readonly firstTimes: number[] = [];

  constructor(
    readonly slot: number,
    private readonly pointer: number,
    readonly bytes: number,
    public lastQuery: number,
  ) {}

  get room(): number {
    return this.bytes - 8 * this.usedWords;
  }

  /** @returns where so many 64-bit words lie */
  take(words: number): number {
    const pointer = this.pointer + 8 * this.usedWords;
    this.usedWords += words;
    return pointer;
  }
}

/** Cuts columns, from index `first` on ascending, to the samples from `minTime` to `maxTime`. */
export function cutColumns(columns: SampleColumns, first: number, minTime: number, maxTime: number): void {
  const { times, valueWords, count } = columns;
  let from = first;
  while (from < count && times[from]! < minTime) from++;
  let to = count;
  while (to > from && times[to - 1]! > maxTime) to--;
  if (from > first) {
    if (columns.histograms !== null || columns.startTimes !== null) {
      for (let i = from; i < to; i++) copySample(columns, i, first + i - from);
    } else {
      times.copyWithin(first, from, to);
      valueWords.copyWithin(2 * first, 2 * from, 2 * to);
    }
  }
  truncateColumns(columns, first + to - from);
}
