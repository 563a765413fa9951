import { AppendKernel, SeriesField } from "../../kernels/append-kernel.ts";
import { SLOT_BYTES } from "../../kernels/log-samples-kernel.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import { SampleOutcome, StorageError, type SeriesRef } from "../../model/storage.ts";
import { Header } from "./arena.ts";
import { Generation, type GenerationOptions } from "./generation.ts";
import { insertFloat, insertHistogram } from "./out-of-order.ts";
import { hasStartTimes, type KeptStartTimes, StartTimes } from "./start-times.ts";
import { HistogramChunks } from "./histogram-chunks.ts";
import { RefList } from "./ref-list.ts";

export interface PendingHistogram {
  readonly ref: SeriesRef;
  readonly timeMs: number;
  readonly histogram: FloatHistogram;
  /** 0 where unknown, here as everywhere. */
  readonly startMs: number;
}

export interface LateFloat {
  readonly ref: SeriesRef;
  readonly timeMs: number;
  readonly valueHigh: number;
  readonly valueLow: number;
  readonly startMs: number;
}

/** Where in a batch another round ends: behind so many of its floats and of its histograms. */
export interface BatchRound {
  readonly floats: number;
  readonly histograms: number;
}

/**
 * The writing side of a generation: samples gather in its batch columns and are applied all together at a commit.
 * Only one thread may own it.
 */
export class GenerationWriter {
  private readonly kernel: AppendKernel;
  /** Samples in the batch columns, judged good when they were added. */
  pending = 0;
  private sealed = false;
  private closed = false;
  /** When the head has samples of this time, this generation is to be sealed. */
  sealAtTime = Infinity;
  /** It ends before its range does: samples of the range are still to come. */
  isEarly = false;
  readonly histograms: HistogramChunks;
  /** Histograms of the batch. */
  readonly pendingHistograms: PendingHistogram[] = [];
  /**
   * The rounds before the one that is open. In each floats come before histograms, so where a float comes after a
   * histogram of its series another round begins.
   */
  private readonly endedRounds: BatchRound[] = [];
  /** By series, 1 where the open round has a histogram of it. */
  private hasHistogram = new Uint8Array(0);
  /** Out-of-order samples of the batch. */
  readonly lateFloats: LateFloat[] = [];
  readonly lateHistograms: PendingHistogram[] = [];
  /** Series to be logged with the next commit. */
  readonly unlogged = new RefList();
  /** What is told of others is let go. */
  keptStartTimes: KeptStartTimes = "none";
  private readonly startTimes: StartTimes;
  /** Start times of the batch, 0 beyond its end; as long as need be. */
  private batchStarts = new Float64Array(0);
  private hasBatchStarts = false;
  /** References in the log by series; 0 for those that were never handed out. Only the writer needs them. */
  private logRefs = new Float64Array(1024);
  /** For generations that were filled by `carryOver`: the other generation's lists in this one's numbers. */
  private carriedFrom = 0;
  private carriedLists = new Uint32Array(0);

  constructor(readonly generation: Generation) {
    const { arena, startTime } = generation;
    this.histograms = new HistogramChunks(generation);
    this.startTimes = new StartTimes(generation);
    this.kernel = new AppendKernel(arena.memory, arena.records, arena.counters, startTime);
  }

  static create(options: GenerationOptions): GenerationWriter {
    return new GenerationWriter(Generation.create(options));
  }

  /** Whether a sample at this time belongs here. */
  takes(timeMs: number): boolean {
    return !this.closed && timeMs >= this.generation.startTime && timeMs < this.generation.endTime;
  }

  /** It is as good as full: what comes for its range goes to another generation. */
  close(): void {
    this.closed = true;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** The reference under which the log knows a series, 0 if none was given yet. */
  logRef(series: SeriesRef): number {
    return series < this.logRefs.length ? this.logRefs[series]! : 0;
  }

  setLogRef(series: SeriesRef, logRef: number): void {
    if (series >= this.logRefs.length) {
      const grown = new Float64Array(Math.ceil(1.5 * (series + 1)));
      grown.set(this.logRefs);
      this.logRefs = grown;
    }
    this.logRefs[series] = logRef;
  }

  /** Whether it takes no more samples. */
  get isSealed(): boolean {
    return this.sealed;
  }

  seal(): void {
    this.sealed = true;
    this.generation.arena.setHeader(Header.sealed, 1);
  }

  /**
   * Adds samples, all at one time, to the batch, and says of each what will become of it. Those that are not newer
   * than their series' newest are left out.
   *
   * @param valueWords two words a sample
   * @param outcomes a `SampleOutcome` a sample
   * @param startTimes null where all are unknown
   * @returns how many were added
   */
  addAll(
    refs: Uint32Array,
    valueWords: Uint32Array,
    count: number,
    timeMs: number,
    outcomes: Uint8Array,
    startTimes: Float64Array | null = null,
  ): number {
    const { arena, startTime } = this.generation;
    this.makeRoom(count);
    this.keepOrder(refs, count);
    const at = this.pending;
    arena.words.set(refs.subarray(0, count), arena.batchRefs / 4 + at);
    arena.words.set(valueWords.subarray(0, 2 * count), arena.batchValues / 4 + 2 * at);
    arena.words.fill(timeMs - startTime, arena.batchTimes / 4 + at, arena.batchTimes / 4 + at + count);
    const kept = this.kernel.check(
      arena.batchRefs + 4 * at,
      arena.batchValues + 8 * at,
      arena.batchTimes + 4 * at,
      count,
      arena.batchOutcomes,
    );
    outcomes.set(arena.bytes.subarray(arena.batchOutcomes, arena.batchOutcomes + count));
    if (startTimes && this.keptStartTimes !== "none") {
      // The kernel moved together what it kept.
      for (let i = 0, to = at; i < count; i++) {
        if (refs[i] !== 0 && outcomes[i] === SampleOutcome.appended) this.setBatchStart(to++, startTimes[i]!);
      }
    }
    this.pending += kept;
    return kept;
  }

  /** As `addAll`, for one sample. @returns its `SampleOutcome` */
  add(ref: SeriesRef, timeMs: number, valueHigh: number, valueLow: number, startMs = 0): number {
    const { arena, startTime } = this.generation;
    this.makeRoom(1);
    if (this.hasHistogram[ref] === 1) this.endRound();
    const at = this.pending;
    arena.words[arena.batchRefs / 4 + at] = ref;
    arena.words[arena.batchTimes / 4 + at] = timeMs - startTime;
    arena.words[arena.batchValues / 4 + 2 * at] = valueLow;
    arena.words[arena.batchValues / 4 + 2 * at + 1] = valueHigh;
    const kept = this.kernel.check(
      arena.batchRefs + 4 * at,
      arena.batchValues + 8 * at,
      arena.batchTimes + 4 * at,
      1,
      arena.batchOutcomes,
    );
    if (kept > 0) this.setBatchStart(at, startMs);
    this.pending += kept;
    return arena.bytes[arena.batchOutcomes]!;
  }

  /** Adds a histogram to the batch, if it can be appended. */
  addHistogram(ref: SeriesRef, timeMs: number, histogram: FloatHistogram, startMs: number): SampleOutcome {
    const outcome = this.histograms.judge(ref, timeMs, histogram);
    if (outcome !== SampleOutcome.appended) return outcome;
    this.pendingHistograms.push({ ref, timeMs, histogram, startMs });
    if (ref >= this.hasHistogram.length) {
      const grown = new Uint8Array(Math.ceil(1.5 * (this.generation.series.count + 1)));
      grown.set(this.hasHistogram);
      this.hasHistogram = grown;
    }
    this.hasHistogram[ref] = 1;
    return outcome;
  }

  /** The newest sample of a series in the open round, if that is a histogram. */
  newestPending(ref: SeriesRef): FloatHistogram | null {
    if (this.hasHistogram[ref] !== 1) return null;
    return this.pendingHistograms.findLast((pending) => pending.ref === ref)!.histogram;
  }

  /** Has floats that are about to be added come after the histograms of their series. */
  private keepOrder(refs: Uint32Array, count: number): void {
    const { hasHistogram } = this;
    if (this.pendingHistograms.length === (this.endedRounds.at(-1)?.histograms ?? 0)) return;
    for (let i = 0; i < count; i++) {
      if (hasHistogram[refs[i]!] !== 1) continue;
      this.endRound();
      return;
    }
  }

  private endRound(): void {
    this.forgetHistograms();
    this.endedRounds.push({ floats: this.pending, histograms: this.pendingHistograms.length });
  }

  private forgetHistograms(): void {
    for (let i = this.endedRounds.at(-1)?.histograms ?? 0; i < this.pendingHistograms.length; i++) {
      this.hasHistogram[this.pendingHistograms[i]!.ref] = 0;
    }
  }

  /** How many floats of the batch stand before the open round. */
  get roundStart(): number {
    return this.endedRounds.at(-1)?.floats ?? 0;
  }

  /** The rounds of the batch, in the order in which they are to be logged and applied. */
  get rounds(): BatchRound[] {
    return [...this.endedRounds, { floats: this.pending, histograms: this.pendingHistograms.length }];
  }

  private setBatchStart(index: number, startMs: number): void {
    if (startMs === 0 || this.keptStartTimes === "none") return;
    this.reserveBatchStarts(index + 1);
    this.batchStarts[index] = startMs;
    this.hasBatchStarts = true;
  }

  private reserveBatchStarts(count: number): void {
    if (count <= this.batchStarts.length) return;
    const grown = new Float64Array(Math.max(1024, 2 * count));
    grown.set(this.batchStarts);
    this.batchStarts = grown;
  }

  /** Start times of the batch's samples from one index to another, null where all are unknown. */
  pendingStartTimes(from: number, to: number): Float64Array | null {
    if (!this.hasBatchStarts) return null;
    this.reserveBatchStarts(to);
    return this.batchStarts.subarray(from, to);
  }

  /** Puts a sample into the batch without a look at what is there: for the replay, where the last check decides. */
  addUnchecked(ref: SeriesRef, timeMs: number, valueHigh: number, valueLow: number, startMs = 0): void {
    const { arena, startTime } = this.generation;
    const at = this.pending++;
    this.setBatchStart(at, startMs);
    arena.words[arena.batchRefs / 4 + at] = ref;
    arena.words[arena.batchTimes / 4 + at] = timeMs - startTime;
    arena.words[arena.batchValues / 4 + 2 * at] = valueLow;
    arena.words[arena.batchValues / 4 + 2 * at + 1] = valueHigh;
  }

  get isFull(): boolean {
    return this.pending >= this.generation.arena.maxBatch;
  }

  private makeRoom(count: number): void {
    const { arena } = this.generation;
    if (this.pending + count > arena.maxBatch) {
      throw new StorageError(
        `cannot take more than ${arena.maxBatch} samples in one commit: ${this.pending} are there, ${count} came`,
      );
    }
  }

  get hasPending(): boolean {
    return this.pending > 0 || this.pendingHistograms.length > 0 || this.hasLate;
  }

  get hasLate(): boolean {
    return this.lateFloats.length > 0 || this.lateHistograms.length > 0;
  }

  /** Adds the out-of-order floats of the batch to their series. @returns how many were added */
  applyLateFloats(commit: number): number {
    let added = 0;
    for (const late of this.lateFloats) {
      const startMs = this.keptStartTimes === "none" ? 0 : late.startMs;
      if (insertFloat(this.generation, { ...late, startMs }, commit)) added++;
    }
    this.lateFloats.length = 0;
    return added;
  }

  applyLateHistograms(commit: number): number {
    let added = 0;
    for (const late of this.lateHistograms) {
      const startMs = this.histogramStart(late);
      if (insertHistogram(this.generation, { ...late, startMs }, commit)) added++;
    }
    this.lateHistograms.length = 0;
    return added;
  }

  private histogramStart({ startMs }: PendingHistogram): number {
    return this.keptStartTimes === "all" ? startMs : 0;
  }

  /** Makes the batch part of its series, as commit number `commit`. @returns how many samples were appended */
  apply(commit: number): BatchRound {
    const { rounds } = this;
    const histograms = this.pendingHistograms.slice();
    this.forgetBatch();
    const appended = { floats: 0, histograms: 0 };
    let from: BatchRound = { floats: 0, histograms: 0 };
    for (const round of rounds) {
      appended.floats += this.applyFloats(from.floats, round.floats, commit);
      for (let i = from.histograms; i < round.histograms; i++) {
        if (this.applyHistogram(histograms[i]!, commit)) appended.histograms++;
      }
      from = round;
    }
    this.forgetBatchStarts(from.floats);
    return appended;
  }

  private applyHistogram(pending: PendingHistogram, commit: number): boolean {
    const { ref, timeMs, histogram } = pending;
    const startMs = this.histogramStart(pending);
    if (startMs !== 0 || hasStartTimes(this.generation)) {
      const outcome = this.histograms.judge(ref, timeMs, histogram);
      if (outcome === SampleOutcome.appended) this.startTimes.note(ref, timeMs, startMs);
    }
    return this.histograms.append(ref, timeMs, histogram, commit);
  }

  private applyFloats(from: number, to: number, commit: number): number {
    const { arena } = this.generation;
    const count = to - from;
    if (count === 0) return 0;
    if (this.hasBatchStarts || hasStartTimes(this.generation)) this.noteStartTimes(from, to);
    const appended = this.kernel.append(
      arena.batchRefs + 4 * from,
      arena.batchValues + 8 * from,
      arena.batchTimes + 4 * from,
      count,
      commit,
    );
    if (appended < 0) {
      throw new StorageError(
        `cannot append ${count + 1 + appended} of ${count} samples: the generation's memory is full`,
      );
    }
    arena.setHeader(Header.floatSamples, arena.header(Header.floatSamples) + appended);
    return appended;
  }

  /** How many runs `applyRuns` takes at once. */
  get maxRuns(): number {
    const { arena } = this.generation;
    return Math.floor((arena.records - arena.batchRefs) / (SLOT_BYTES + 5));
  }

  /**
   * Makes samples of neighbouring slots part of their series, without start times; the batch must be empty, as they
   * take its place.
   * @param slots some of `LogSamplesKernel.slots`
   * @param counts how many samples are in each of these
   * @param refs the series of each slot; whatever for empty ones
   * @returns how many samples were appended
   */
  applyRuns(slots: Uint32Array, counts: Uint8Array, refs: Uint32Array, commit: number): number {
    const { arena } = this.generation;
    const count = counts.length;
    const runs = arena.batchRefs;
    const refsAt = runs + SLOT_BYTES * count;
    const countsAt = refsAt + 4 * count;
    arena.words.set(slots, runs / 4);
    arena.words.set(refs, refsAt / 4);
    arena.bytes.set(counts, countsAt);
    const appended = this.kernel.appendRuns(runs, countsAt, refsAt, count, commit);
    if (appended < 0) {
      throw new StorageError(
        `cannot append samples of ${count + 1 + appended} of ${count} series: the generation's memory is full`,
      );
    }
    arena.setHeader(Header.floatSamples, arena.header(Header.floatSamples) + appended);
    return appended;
  }

  /** Of the samples that the kernel will append. */
  private noteStartTimes(from: number, to: number): void {
    const { arena, series, startTime } = this.generation;
    const { batchStarts } = this;
    /** The newest time of each series by now. */
    const newest = new Map<SeriesRef, number>();
    for (let i = from; i < to; i++) {
      const ref = arena.words[arena.batchRefs / 4 + i]!;
      const time = arena.words[arena.batchTimes / 4 + i]!;
      const before =
        series.field(ref, SeriesField.samples) > 0 ? series.field(ref, SeriesField.lastTime) : -1;
      const last = newest.get(ref) ?? before;
      if (time <= last) continue;
      newest.set(ref, time);
      this.startTimes.note(ref, startTime + time, batchStarts[i] ?? 0);
    }
  }

  private forgetBatchStarts(count: number): void {
    if (!this.hasBatchStarts) return;
    this.batchStarts.fill(0, 0, count);
    this.hasBatchStarts = false;
  }

  /** Forgets the batch. */
  discard(): void {
    this.forgetBatchStarts(this.pending);
    this.forgetBatch();
    if (this.hasLate) this.lateFloats.length = this.lateHistograms.length = 0;
  }

  private forgetBatch(): void {
    this.pending = 0;
    // Rounds end behind histograms.
    if (this.pendingHistograms.length === 0) return;
    this.forgetHistograms();
    this.endedRounds.length = this.pendingHistograms.length = 0;
  }

  /** The log's references of the batch's samples from one index to another. The next call overwrites them. */
  pendingLogRefs(from: number, to: number): Float64Array {
    const { arena } = this.generation;
    const { logRefs } = this;
    if (pendingLogRefs.length < to - from) pendingLogRefs = new Float64Array(2 * (to - from));
    const at = arena.batchRefs / 4;
    for (let i = from; i < to; i++) pendingLogRefs[i - from] = logRefs[arena.words[at + i]!]!;
    return pendingLogRefs;
  }

  /** Times in the batch, milliseconds since the generation's start. */
  get pendingTimes(): Uint32Array {
    const { arena } = this.generation;
    return arena.words.subarray(arena.batchTimes / 4, arena.batchTimes / 4 + this.pending);
  }

  get pendingValueWords(): Uint32Array {
    const { arena } = this.generation;
    return arena.words.subarray(arena.batchValues / 4, arena.batchValues / 4 + 2 * this.pending);
  }

  /**
   * The series of this generation with the labels that series `ref` has in another one. Label pairs are translated
   * by number, so that no text is looked at for pairs met before.
   */
  carryOver(from: Generation, ref: SeriesRef): { readonly ref: SeriesRef; readonly created: boolean } {
    if (this.carriedFrom !== from.epoch) {
      this.carriedFrom = from.epoch;
      this.carriedLists = new Uint32Array(0);
    }
    if (this.carriedLists.length <= from.postings.listCount) {
      const grown = new Uint32Array(Math.ceil(1.5 * (from.postings.listCount + 1)));
      grown.set(this.carriedLists);
      this.carriedLists = grown;
    }
    const run = from.series.field(ref, SeriesField.labels);
    const size = from.arena.words[run]!;
    if (carriedSeries.length < size) carriedSeries = new Uint32Array(2 * size);
    for (let i = 0; i < size; i++) {
      const theirs = from.arena.words[run + 1 + i]!;
      let ours = this.carriedLists[theirs]!;
      if (ours === 0) {
        const { symbols, postings } = this.generation;
        const name = symbols.intern(from.symbols.text(from.postings.nameOf(theirs)));
        ours = postings.intern(name, symbols.intern(from.symbols.text(from.postings.valueOf(theirs))));
        this.carriedLists[theirs] = ours;
      }
      carriedSeries[i] = ours;
    }
    return this.generation.series.resolveLists(carriedSeries, size);
  }
}

/** One thread writes, one commit at a time. */
let pendingLogRefs = new Float64Array(1024);

/** The label set being carried over; one thread, one at a time. */
let carriedSeries = new Uint32Array(64);
