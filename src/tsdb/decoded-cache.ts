import type { SampleColumns } from "../model/storage.ts";
import { copySample, truncateColumns } from "./merge-runs.ts";

/** Samples lie in segments; the least recently used segment goes first. */
const FIRST_SEGMENT_BYTES = 64 * 1024;
const MAX_SEGMENT_BYTES = 1024 * 1024;
/** What a run costs besides its samples: its object, its views, its place in a map. */
const RUN_BYTES = 512;
/** Time columns of a source that the next run is compared with. */
const REMEMBERED_TIMES = 32;
/** Places for series that were read once; two that meet in one forget each other. */
const SEEN_PLACES = 2 ** 17;

/**
 * Decoded samples of series that are read again and again, per thread. What is sealed never changes: the samples of
 * a series' full chunks are kept as columns, bits untouched, and copied out the next time. It lies beneath
 * everything that can change what a read gives: deletions, out-of-order samples and the open chunk come on top.
 *
 * Only what is read a second time is kept; what the query before this one used is not driven out, so that a read
 * larger than the cache finds a part of itself there the next time instead of nothing.
 */
export class DecodedCache {
  private sources = new WeakMap<object, DecodedColumns>();
  private readonly segments = new Set<Segment>();
  private used = 0;
  private query = 1;
  private sourceCount = 0;
  private seen: Uint32Array | null = null;

  /** @param limitBytes 0 keeps nothing */
  constructor(private readonly limitBytes: number) {}

  get usedBytes(): number {
    return this.used;
  }

  /** @internal */
  get currentQuery(): number {
    return this.query;
  }

  /** A query begins. */
  beginQuery(): void {
    this.query++;
  }

  /** What is kept of a source. @param source the generation or block itself, not a query's view of it */
  of(source: object): DecodedColumns {
    let columns = this.sources.get(source);
    if (!columns) this.sources.set(source, (columns = new DecodedColumns(this, ++this.sourceCount)));
    return columns;
  }

  /** The source is gone. */
  forget(source: object): void {
    const columns = this.sources.get(source);
    if (!columns) return;
    this.sources.delete(source);
    for (const segment of this.segments) if (segment.owner === columns) this.drop(segment);
  }

  clear(): void {
    for (const segment of this.segments) this.drop(segment);
    this.sources = new WeakMap();
    this.seen = null;
  }

  /** Whether a series was read before, which is noted now. @internal */
  isSeen(source: number, id: number): boolean {
    if (this.limitBytes === 0) return false;
    this.seen ??= new Uint32Array(SEEN_PLACES);
    const mixed = Math.imul(Math.imul(source, 0x9e3779b1) ^ id, 0x85ebca6b);
    const hash = (mixed ^ (mixed >>> 15)) >>> 0;
    // Another hash tells those of one place apart; never 0, which is nobody.
    const place = hash % SEEN_PLACES;
    const mark = (Math.imul(id, 0xc2b2ae35) ^ source) >>> 0 || 1;
    const isSeen = this.seen[place] === mark;
    this.seen[place] = mark;
    return isSeen;
  }

  /** @internal */
  touch(segment: Segment): void {
    segment.lastQuery = this.query;
  }

  /** Room for `words` 64-bit words. @internal @returns null if that would drive out what is in use */
  allocate(owner: DecodedColumns, words: number): Segment | null {
    const open = owner.open;
    if (open?.isAlive && open.room >= words) {
      this.touch(open);
      return this.makeRoom(RUN_BYTES) ? open : null;
    }
    const least = Math.min(FIRST_SEGMENT_BYTES * 2 ** owner.segmentCount, MAX_SEGMENT_BYTES);
    const bytes = Math.max(8 * words, Math.min(least, (this.limitBytes - RUN_BYTES) & ~7));
    if (bytes > MAX_SEGMENT_BYTES || !this.makeRoom(bytes + RUN_BYTES)) return null;
    const segment = new Segment(owner, bytes, this.query);
    owner.open = segment;
    owner.segmentCount++;
    this.segments.add(segment);
    this.used += bytes;
    return segment;
  }

  /** @internal */
  charge(segment: Segment, bytes: number): void {
    segment.extraBytes += bytes;
    this.used += bytes;
  }

  private makeRoom(bytes: number): boolean {
    while (this.used + bytes > this.limitBytes) {
      let oldest: Segment | null = null;
      for (const segment of this.segments) {
        if (oldest === null || segment.lastQuery < oldest.lastQuery) oldest = segment;
      }
      if (oldest === null || oldest.lastQuery >= this.query - 1) return false;
      this.drop(oldest);
    }
    return true;
  }

  private drop(segment: Segment): void {
    segment.isAlive = false;
    this.segments.delete(segment);
    this.used -= segment.bytes + segment.extraBytes;
    segment.owner.lose(segment);
  }
}

class Segment {
  readonly buffer: ArrayBuffer;
  usedWords = 0;
  extraBytes = 0;
  isAlive = true;
  /** Series whose runs have their values or their times here. */
  readonly ids: number[] = [];

  constructor(
    readonly owner: DecodedColumns,
    readonly bytes: number,
    public lastQuery: number,
  ) {
    this.buffer = new ArrayBuffer(bytes);
  }

  get room(): number {
    return this.bytes / 8 - this.usedWords;
  }
}

/**
 * Neighbouring samples of one series: all that its source has of it, of what can be kept, from `minTime` to
 * `maxTime`.
 */
export interface DecodedRun {
  readonly times: Float64Array;
  readonly valueWords: Uint32Array;
  readonly minTime: number;
  readonly maxTime: number;
  /** For the source: how many samples of the series end with this run, and where reading goes on. */
  readonly through: number;
  readonly resume: number;
}

interface KeptRun extends DecodedRun {
  readonly timesSegment: Segment;
  readonly valuesSegment: Segment;
}

interface TimesColumn {
  readonly times: Float64Array;
  readonly segment: Segment;
}

/** What is kept of one source, by series. */
export class DecodedColumns {
  private readonly runs = new Map<number, KeptRun>();
  /** Time columns of the newest runs: series of one target have the same. */
  private recentTimes: TimesColumn[] = [];
  private nextRecent = 0;
  private notedIn = 0;
  private notedTimes: Segment | null = null;
  private notedValues: Segment | null = null;
  /** @internal */
  open: Segment | null = null;
  /** @internal */
  segmentCount = 0;

  constructor(
    private readonly cache: DecodedCache,
    private readonly source: number,
  ) {}

  get(id: number): DecodedRun | null {
    const run = this.runs.get(id);
    if (run === undefined) return null;
    this.noteUse(run);
    return run;
  }

  /** Neighbouring series mostly share segments: then there is nothing to do, and nothing of them to look at. */
  private noteUse({ timesSegment, valuesSegment }: KeptRun): void {
    if (this.notedIn !== this.cache.currentQuery) {
      this.notedIn = this.cache.currentQuery;
      this.notedTimes = this.notedValues = null;
    }
    if (timesSegment !== this.notedTimes) this.cache.touch((this.notedTimes = timesSegment));
    if (valuesSegment !== this.notedValues) this.cache.touch((this.notedValues = valuesSegment));
  }

  /** Whether a series that had to be decoded is worth keeping: from the second time on. */
  isWanted(id: number): boolean {
    return this.cache.isSeen(this.source, id);
  }

  /**
   * Keeps the samples of the columns from index `from` to before `to`, in place of what was kept of the series. Does
   * nothing where there is no room, or where times don't ascend.
   */
  keep(
    id: number,
    columns: SampleColumns,
    from: number,
    to: number,
    bounds: Pick<DecodedRun, "minTime" | "maxTime" | "through" | "resume">,
  ): void {
    const count = to - from;
    if (count === 0 || columns.histograms !== null) return;
    const { times, valueWords } = columns;
    if (times[from]! < bounds.minTime || times[to - 1]! > bounds.maxTime) return;
    for (let i = from + 1; i < to; i++) if (!(times[i]! > times[i - 1]!)) return;
    const values = this.cache.allocate(this, count);
    if (values === null) return;
    const kept = new Uint32Array(values.buffer, 8 * values.usedWords, 2 * count);
    values.usedWords += count;
    kept.set(valueWords.subarray(2 * from, 2 * to));
    const shared = this.timesLike(times, from, count) ?? this.keepTimes(times, from, count);
    if (shared === null) {
      values.usedWords -= count;
      return;
    }
    values.ids.push(id);
    if (shared.segment !== values) shared.segment.ids.push(id);
    this.cache.charge(values, RUN_BYTES);
    this.runs.set(id, {
      ...bounds,
      times: shared.times,
      valueWords: kept,
      timesSegment: shared.segment,
      valuesSegment: values,
    });
  }

  private timesLike(times: Float64Array, from: number, count: number): TimesColumn | null {
    for (const known of this.recentTimes) {
      if (known.times.length !== count || known.times[0] !== times[from] || !known.segment.isAlive) continue;
      let i = 1;
      while (i < count && known.times[i] === times[from + i]) i++;
      if (i === count) {
        this.cache.touch(known.segment);
        return known;
      }
    }
    return null;
  }

  private keepTimes(times: Float64Array, from: number, count: number): TimesColumn | null {
    const segment = this.cache.allocate(this, count);
    if (segment === null) return null;
    const kept = new Float64Array(segment.buffer, 8 * segment.usedWords, count);
    segment.usedWords += count;
    kept.set(times.subarray(from, from + count));
    const column = { times: kept, segment };
    this.recentTimes[this.nextRecent] = column;
    this.nextRecent = (this.nextRecent + 1) % REMEMBERED_TIMES;
    return column;
  }

  /** @internal */
  lose(segment: Segment): void {
    for (const id of segment.ids) {
      const run = this.runs.get(id);
      if (run?.valuesSegment === segment || run?.timesSegment === segment) this.runs.delete(id);
    }
    this.notedTimes = this.notedValues = null;
    this.recentTimes = this.recentTimes.filter((column) => column.segment !== segment);
    this.nextRecent = this.recentTimes.length % REMEMBERED_TIMES;
    this.segmentCount--;
    if (this.open === segment) this.open = null;
  }
}

/** Appends the samples of a run from `minTime` to `maxTime` to columns. */
export function appendRun(run: DecodedRun, minTime: number, maxTime: number, columns: SampleColumns): void {
  const { times, valueWords } = run;
  const from = times[0]! >= minTime ? 0 : firstNotBefore(times, minTime);
  const to = times[times.length - 1]! <= maxTime ? times.length : firstAfter(times, maxTime);
  if (from >= to) return;
  const at = columns.count;
  columns.reserve(at + to - from);
  const isWhole = from === 0 && to === times.length;
  columns.times.set(isWhole ? times : times.subarray(from, to), at);
  columns.valueWords.set(isWhole ? valueWords : valueWords.subarray(2 * from, 2 * to), 2 * at);
  columns.count = at + to - from;
  columns.startTimes?.fill(0, at, columns.count);
}

/** Whether a run has a sample from `minTime` to `maxTime`. */
export function hasSample({ times }: DecodedRun, minTime: number, maxTime: number): boolean {
  return times[firstNotBefore(times, minTime)]! <= maxTime;
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

/** Index of the first of ascending times that is not before `time`. */
function firstNotBefore(times: Float64Array, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAfter(times: Float64Array, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
