import { SeriesField } from "../../kernels/append-kernel.ts";
import type { Labels } from "../../model/labels.ts";
import { SampleOutcome, type SeriesRef } from "../../model/storage.ts";
import type { Matcher } from "../../model/matcher.ts";
import { deleteRange } from "./deletions.ts";
import { selectSeries } from "./select-series.ts";
import type { Generation } from "./generation.ts";
import { GenerationWriter } from "./generation-writer.ts";
import { HeadControl } from "./head-control.ts";
import type { KeptStartTimes } from "./start-times.ts";
import { RefSet } from "./ref-set.ts";
import { SeriesMetadata } from "./series-metadata.ts";
import { StaleSeries } from "./stale-series.ts";
import { emptyBuckets, type BucketCounts } from "../../telemetry/distribution.ts";

export interface HeadOptions {
  /** Length of a generation, and of the blocks made of them. */
  readonly blockRangeMs: number;
  /** How much later than at the earliest generations are sealed. */
  readonly sealDelayMs?: number;
  /** Address space of each generation, at most 4 GiB. */
  readonly generationBytes?: number;
  /** How far behind the newest sample out-of-order ones are still taken; 0 for not at all. */
  readonly outOfOrderWindowMs?: number;
  /** See `Head.staleThreshold`. */
  readonly staleThreshold?: number;
  /** Of which samples start times are kept; of none by default. */
  readonly startTimes?: KeptStartTimes;
  /** A generation was opened: other threads may attach to its memory. */
  readonly onOpen?: (generation: Generation) => void;
}

/** What the head has done, for metrics. */
export interface HeadStatistics {
  /** Series that the head did not know, and those that are in no generation any more. */
  seriesCreated: number;
  /** Series that a generation took over from another. */
  seriesCarried: number;
  seriesRemoved: number;
  chunksRemoved: number;
  floatsAppended: number;
  histogramsAppended: number;
  outOfOrderFloatsAppended: number;
  outOfOrderHistogramsAppended: number;
  outOfOrderRejected: number;
  outOfBoundsRejected: number;
  tooOldRejected: number;
  duplicatesRejected: number;
  outOfOrderHistogramsRejected: number;
  outOfBoundsHistogramsRejected: number;
  tooOldHistogramsRejected: number;
  duplicateHistogramsRejected: number;
  /** References to generations that are gone. */
  seriesNotFound: number;
  /** Batches begun. */
  batches: number;
  /** How far behind the newest sample of the head out-of-order ones came, in seconds, taken or not. */
  readonly outOfOrderDelaySeconds: BucketCounts;
}

const DELAY_BOUNDS_SECONDS = [600, 1800, 3600, 7200, 10800, 21600, 43200];

/** A series as the log knows it. */
export interface LoggedSeries {
  readonly logRef: number;
  readonly labels: Labels;
}

/** A deleted range of a series, both ends included. */
export interface DeletedRange {
  readonly ref: number;
  readonly minTime: number;
  readonly maxTime: number;
}

/**
 * The newest samples: a generation for each block range that still takes some. Everything here belongs to the one
 * thread that writes; others attach to the generations' memories and to `control`.
 */
export class Head {
  readonly control = HeadControl.create();
  readonly statistics: HeadStatistics = {
    seriesCreated: 0,
    seriesCarried: 0,
    seriesRemoved: 0,
    chunksRemoved: 0,
    floatsAppended: 0,
    histogramsAppended: 0,
    outOfOrderFloatsAppended: 0,
    outOfOrderHistogramsAppended: 0,
    outOfOrderRejected: 0,
    outOfBoundsRejected: 0,
    tooOldRejected: 0,
    duplicatesRejected: 0,
    outOfOrderHistogramsRejected: 0,
    outOfBoundsHistogramsRejected: 0,
    tooOldHistogramsRejected: 0,
    duplicateHistogramsRejected: 0,
    seriesNotFound: 0,
    batches: 0,
    outOfOrderDelaySeconds: emptyBuckets(DELAY_BOUNDS_SECONDS),
  };
  /** What the log knows of the metadata of series. */
  readonly metadata = new SeriesMetadata();
  /** Series that ended. */
  readonly stale = new StaleSeries();
  /** How many series there are, each counted once in however many generations it is. */
  seriesCount = 0;
  /** Whether a batch was begun and has not ended. */
  isAppending = false;
  readonly blockRangeMs: number;
  outOfOrderWindowMs: number;
  /** With this share of ended series the head is written out early; 0 for never. */
  staleThreshold: number;
  readonly startTimes: KeptStartTimes;
  /** Samples before this are in blocks. */
  minValidTime = -Infinity;
  /** The greatest sample time there has been. */
  maxTime = -Infinity;
  /** The greatest sample time of generations that were full before their time, which is the exception. */
  private closedMaxTime = -Infinity;
  /** What the next series that the log doesn't know is called there. Never 0. */
  private nextLogRef = 1;
  private nextEpoch = 1;
  /** Ascending by start. Sealed ones are still read but take no more samples. */
  private writers: GenerationWriter[] = [];
  private newest: GenerationWriter | null = null;
  private readonly generationBytes: number;

  constructor(private readonly options: HeadOptions) {
    this.blockRangeMs = options.blockRangeMs;
    this.outOfOrderWindowMs = options.outOfOrderWindowMs ?? 0;
    this.staleThreshold = options.staleThreshold ?? 0;
    this.startTimes = options.startTimes ?? "none";
    this.generationBytes = options.generationBytes ?? 2 ** 32;
  }

  get generations(): readonly GenerationWriter[] {
    return this.writers;
  }

  /** Samples before this, though they may come in order for their series, are out of bounds. */
  get minInOrderTime(): number {
    return Math.max(this.minValidTime, this.maxTime - this.blockRangeMs / 2);
  }

  /** Samples before this are not taken at all. */
  get minAcceptedTime(): number {
    return this.outOfOrderWindowMs > 0
      ? Math.min(this.minInOrderTime, this.maxTime - this.outOfOrderWindowMs)
      : this.minInOrderTime;
  }

  /** Whether an out-of-order sample of this time is still taken. */
  takesOutOfOrder(timeMs: number): boolean {
    return this.outOfOrderWindowMs > 0 && timeMs >= this.maxTime - this.outOfOrderWindowMs;
  }

  /** What becomes of a sample whose time no generation takes. */
  get refusalOfOld(): SampleOutcome {
    return this.outOfOrderWindowMs > 0 ? SampleOutcome.tooOld : SampleOutcome.outOfBounds;
  }

  /** The generation for a time, opened if need be; null where samples of that time are not taken. */
  at(timeMs: number): GenerationWriter | null {
    const { newest } = this;
    if (timeMs < this.minAcceptedTime) return null;
    if (newest?.takes(timeMs)) return newest;
    return this.find(timeMs) ?? this.open(timeMs);
  }

  private find(timeMs: number): GenerationWriter | undefined {
    return this.writers.find((writer) => !writer.isSealed && writer.takes(timeMs));
  }

  /** As `at`, for what the log holds: whatever its age. */
  atAnyAge(timeMs: number): GenerationWriter {
    return this.newest?.takes(timeMs) ? this.newest : (this.find(timeMs) ?? this.open(timeMs));
  }

  private open(timeMs: number): GenerationWriter {
    const startTime = Math.floor(timeMs / this.blockRangeMs) * this.blockRangeMs;
    const isLate = startTime + this.blockRangeMs <= this.minInOrderTime;
    const writer = GenerationWriter.create({
      epoch: this.nextEpoch,
      startTime,
      endTime: startTime + this.blockRangeMs,
      sizeBytes: isLate ? Math.min(this.generationBytes, LATE_GENERATION_BYTES) : this.generationBytes,
    });
    writer.keptStartTimes = this.startTimes;
    const { endTime } = writer.generation;
    writer.sealAtTime =
      Math.max(endTime + this.blockRangeMs / 2, this.maxTime + this.blockRangeMs) +
      (this.options.sealDelayMs ?? 0);
    this.nextEpoch++;
    this.writers.push(writer);
    this.writers.sort((a, b) => a.generation.startTime - b.generation.startTime);
    this.newest = this.newestOpen();
    this.options.onOpen?.(writer.generation);
    return writer;
  }

  byEpoch(epoch: number): GenerationWriter | undefined {
    if (this.newest?.generation.epoch === epoch) return this.newest;
    return this.writers.find(({ generation }) => generation.epoch === epoch);
  }

  /** Whether a series' newest sample in this generation is its newest at all, where that is before `timeMs`. */
  isNewest({ generation }: GenerationWriter, timeMs: number): boolean {
    return generation.endTime > this.maxTime && timeMs > this.closedMaxTime;
  }

  /** Whether a generation after this one, or a full one of its range, has samples of the series not before `timeMs`. */
  hasNewerSamples(writer: GenerationWriter, ref: SeriesRef, timeMs: number): boolean {
    const { startTime, endTime } = writer.generation;
    const later = this.writers.filter(({ generation }) => generation.startTime >= endTime);
    if (later.length > 0 && this.hasSamplesIn(later, writer, ref)) return true;
    if (timeMs > this.closedMaxTime) return false;
    const labels = writer.generation.series.labels(ref);
    return this.writers.some(({ isClosed, generation }) => {
      if (!isClosed || generation.startTime !== startTime || generation === writer.generation) return false;
      const found = generation.series.find(labels);
      return (
        found !== 0 &&
        generation.series.field(found, SeriesField.samples) > 0 &&
        generation.lastTime(found) >= timeMs
      );
    });
  }

  /** A full generation is closed before it overflows: the next sample of its range opens another. */
  private closeFull(): void {
    for (const writer of this.writers) {
      if (writer.isClosed || writer.isSealed || !writer.generation.arena.isNearlyFull) continue;
      this.close(writer);
    }
  }

  private close(writer: GenerationWriter): void {
    writer.close();
    this.closedMaxTime = Math.max(this.closedMaxTime, writer.generation.maxTime);
    this.newest = this.newestOpen();
  }

  /**
   * Where too many series have ended, has the next `seal` give every generation: those that go on are carried to the
   * ones that come after them, and those that have ended stay behind.
   */
  private endEarly(): void {
    const { staleThreshold, seriesCount } = this;
    if (staleThreshold === 0 || seriesCount === 0) return;
    // While the disk does not take what ended early there is nothing to be won.
    if (this.writers.some(({ isSealed, isEarly }) => isSealed && isEarly)) return;
    if (this.staleSeriesCount < staleThreshold * seriesCount) return;
    for (const writer of this.writers) {
      if (writer.isSealed || !writer.generation.hasSamples) continue;
      if (!writer.isClosed) this.close(writer);
      // One whose time has come ends as it always does.
      writer.isEarly = this.maxTime < writer.sealAtTime;
      writer.sealAtTime = -Infinity;
    }
  }

  private newestOpen(): GenerationWriter | null {
    return this.writers.findLast(({ isSealed, isClosed }) => !isSealed && !isClosed) ?? null;
  }

  /** Whether other generations of this one's range are still to be written as blocks, those given left aside. */
  hasSiblings({ startTime, epoch }: Generation, besides: readonly Generation[]): boolean {
    return this.writers.some(
      ({ generation }) =>
        generation.startTime === startTime && generation.epoch !== epoch && !besides.includes(generation),
    );
  }

  private hasSamplesIn(
    others: readonly GenerationWriter[],
    { generation }: GenerationWriter,
    ref: SeriesRef,
  ): boolean {
    const labels = generation.series.labels(ref);
    return others.some(({ generation: { series } }) => {
      const found = series.find(labels);
      return found !== 0 && series.field(found, SeriesField.samples) > 0;
    });
  }

  /** The greatest reference that the log has, or had; 0 for none. */
  get lastLogRef(): number {
    return this.nextLogRef - 1;
  }

  /** References in the log up to this one are taken. */
  reserveRefs(greatest: number): void {
    this.nextLogRef = Math.max(this.nextLogRef, greatest + 1);
  }

  resolve(writer: GenerationWriter, labels: Labels): { readonly ref: SeriesRef; readonly created: boolean } {
    const resolved = writer.generation.series.resolve(labels);
    this.willLog(writer, resolved.ref, 0);
    return resolved;
  }

  /** As `resolve`, for labels that are known as lists of the writer's generation. */
  resolveLists(writer: GenerationWriter, lists: Uint32Array, size: number): SeriesRef {
    const { ref } = writer.generation.series.resolveLists(lists, size);
    this.willLog(writer, ref, 0);
    return ref;
  }

  /** As `resolve`, with the labels that `ref` has in another generation. */
  carryOver(writer: GenerationWriter, from: Generation, ref: SeriesRef): SeriesRef {
    const carried = writer.carryOver(from, ref);
    if (carried.created) this.statistics.seriesCarried++;
    this.willLog(writer, carried.ref, this.writerOf(from)?.logRef(ref) ?? 0);
    return carried.ref;
  }

  private writerOf(generation: Generation): GenerationWriter | undefined {
    return this.writers.find((writer) => writer.generation === generation);
  }

  /**
   * A series is handed out: the log has to know it before it sees samples of it. There it keeps one reference through
   * all generations, for a second record of a series has Prometheus forget its samples that came before.
   *
   * @param known its reference, where the caller has it from another generation; else 0
   */
  private willLog(writer: GenerationWriter, ref: SeriesRef, known: number): void {
    if (writer.logRef(ref) !== 0) return;
    let logRef = known === 0 ? this.logRefElsewhere(writer, ref) : known;
    if (logRef === 0) {
      logRef = this.nextLogRef++;
      writer.unlogged.push(ref);
      this.seriesCount++;
      this.statistics.seriesCreated++;
    }
    writer.setLogRef(ref, logRef);
  }

  /** The log's reference of a series, 0 if the head does not have it. */
  logRefOf(labels: Labels): number {
    for (const writer of this.writers.toReversed()) {
      const series = writer.generation.series.find(labels);
      if (series !== 0 && writer.logRef(series) !== 0) return writer.logRef(series);
    }
    return 0;
  }

  private logRefElsewhere(writer: GenerationWriter, ref: SeriesRef): number {
    for (const other of this.writers) {
      if (other === writer) continue;
      const series = other.generation.series.findSame(writer.generation, ref);
      if (series !== 0 && other.logRef(series) !== 0) return other.logRef(series);
    }
    return 0;
  }

  /** Ends a replay: counts what the log gave. */
  countReplayed(): void {
    this.seriesCount = this.countSeries();
    this.statistics.seriesCreated = this.seriesCount;
    this.stale.noteAll(this.writers);
  }

  /** The log has one reference for a series. */
  private countSeries(): number {
    if (this.writers.length === 1) return this.writers[0]!.generation.series.count;
    return this.loggedRefs().size;
  }

  private loggedRefs(): RefSet {
    const known = new RefSet();
    for (const writer of this.writers) {
      for (let ref = 1; ref <= writer.generation.series.count; ref++) known.add(writer.logRef(ref));
    }
    return known;
  }

  get staleSeriesCount(): number {
    return this.stale.count(this.writers);
  }

  /** Series whose newest sample is a native histogram, and how many buckets those have together. */
  get nativeHistograms(): { readonly series: number; readonly buckets: number } {
    const bucketsOf = new Map<number, number>();
    let buckets = 0;
    for (const [i, writer] of this.writers.entries()) {
      const later = this.writers.slice(i + 1);
      writer.histograms.forEachNewest((ref, { positiveBuckets, negativeBuckets }) => {
        if (later.length > 0 && this.hasSamplesIn(later, writer, ref)) return;
        bucketsOf.set(writer.logRef(ref), positiveBuckets.length + negativeBuckets.length);
      });
    }
    for (const count of bucketsOf.values()) buckets += count;
    return { series: bucketsOf.size, buckets };
  }

  /** Every series that the log must know, each once. */
  *loggedSeries(): Generator<LoggedSeries> {
    const given = new RefSet();
    for (const writer of [...this.writers]) {
      const { series } = writer.generation;
      for (let ref = 1; ref <= series.count; ref++) {
        const logRef = writer.logRef(ref);
        if (logRef === 0 || given.has(logRef)) continue;
        given.add(logRef);
        yield { logRef, labels: series.labels(ref) };
      }
    }
  }

  /** Applies every generation's batch as one commit. */
  apply(): void {
    const commit = this.control.nextCommit;
    for (const writer of this.writers) {
      if (!writer.hasPending) continue;
      const { floats, histograms } = writer.apply(commit);
      this.statistics.floatsAppended += floats;
      this.statistics.histogramsAppended += histograms;
      this.statistics.outOfOrderFloatsAppended += writer.applyLateFloats(commit);
      this.statistics.outOfOrderHistogramsAppended += writer.applyLateHistograms(commit);
      this.maxTime = Math.max(this.maxTime, writer.generation.maxTime);
    }
    this.control.publish(commit);
    this.closeFull();
  }

  /** Applies runs of floats of one generation as a commit. See `GenerationWriter.applyRuns`. */
  applyRuns(writer: GenerationWriter, slots: Uint32Array, counts: Uint8Array, refs: Uint32Array): void {
    const commit = this.control.nextCommit;
    this.statistics.floatsAppended += writer.applyRuns(slots, counts, refs, commit);
    this.maxTime = Math.max(this.maxTime, writer.generation.maxTime);
    this.control.publish(commit);
    this.closeFull();
  }

  discard(): void {
    for (const writer of this.writers) writer.discard();
    // Series that were created stay.
    this.closeFull();
  }

  /**
   * Seals the generations that take no more samples, and gives those that were not sealed before: when the range
   * after theirs is half over, or, if they were opened late for out-of-order samples, when they were open for a range.
   * All of them, where too many series have ended.
   */
  seal(): GenerationWriter[] {
    this.endEarly();
    const sealed: GenerationWriter[] = [];
    const open = this.writers.filter((writer) => !writer.isSealed);
    for (const [i, writer] of open.entries()) {
      const isExcess =
        open.length - i > MAX_OPEN_GENERATIONS && writer.generation.endTime <= this.minInOrderTime;
      // What is not in the log yet would not come there when it is gone.
      const isBusy = writer.hasPending || writer.unlogged.length > 0;
      if (isBusy || (this.maxTime < writer.sealAtTime && !isExcess)) continue;
      writer.seal();
      sealed.push(writer);
    }
    if (sealed.length > 0) this.newest = this.newestOpen();
    return sealed;
  }

  /** Lets go of a generation whose samples are in a block now. */
  drop(epoch: number): void {
    const writer = this.byEpoch(epoch);
    if (!writer) return;
    this.statistics.chunksRemoved += writer.generation.chunkCount;
    const { generation } = writer;
    if (!writer.isEarly && !this.hasSiblings(generation, [])) {
      this.minValidTime = Math.max(this.minValidTime, generation.endTime);
    }
    this.writers = this.writers.filter((candidate) => candidate !== writer);
    this.newest = this.newestOpen();
    if (this.metadata.size > 0) this.metadata.keepOnly(this.loggedRefs());
    const left = this.countSeries();
    this.statistics.seriesRemoved += this.seriesCount - left;
    this.seriesCount = left;
  }

  /** @returns what was deleted, for the log: references are the log's */
  deleteSeries(matchers: readonly Matcher[], minTime: number, maxTime: number): DeletedRange[] {
    const deleted: DeletedRange[] = [];
    for (const writer of this.writers) {
      const { generation } = writer;
      if (generation.minTime > maxTime || generation.maxTime < minTime) continue;
      for (const series of selectSeries(generation, matchers)) {
        const range = deleteRange(generation, series, minTime, maxTime);
        if (range) deleted.push({ ref: writer.logRef(series), ...range });
      }
    }
    return deleted;
  }

  /** The generation with the most series: those before and after it share most of theirs with it. */
  get fullest(): Generation | null {
    let fullest: Generation | null = null;
    for (const { generation } of this.writers) {
      if (generation.series.count > (fullest?.series.count ?? 0)) fullest = generation;
    }
    return fullest;
  }

  get chunkCount(): number {
    return this.writers.reduce((total, { generation }) => total + generation.chunkCount, 0);
  }

  /** The least sample time there is, Infinity for an empty head. */
  get minTime(): number {
    return this.writers.reduce((least, { generation }) => Math.min(least, generation.minTime), Infinity);
  }
}

/** Out-of-order samples are few, and may lie in many ranges: each of these gets less address space. */
const LATE_GENERATION_BYTES = 2 ** 30;

/** With more than this, generations of out-of-order samples are sealed early. */
const MAX_OPEN_GENERATIONS = 16;
