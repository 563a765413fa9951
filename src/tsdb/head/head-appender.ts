import type { Exemplar } from "../../model/exemplar.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { Labels } from "../../model/labels.ts";
import type { Metadata } from "../../model/metadata.ts";
import { setStaleMarker, STALE_HIGH_WORD, STALE_LOW_WORD } from "../../model/sample.ts";
import {
  NO_SERIES,
  SampleOutcome,
  StorageError,
  type Appender,
  type SeriesInterner,
  type SeriesRef,
} from "../../model/storage.ts";
import type { ExemplarEntry, MetadataEntry } from "../wal/record.ts";
import { observe } from "../../telemetry/distribution.ts";
import type { ExemplarStorage } from "./exemplars.ts";
import type { GenerationWriter, LateFloat, PendingHistogram } from "./generation-writer.ts";
import { GenerationInterner } from "./generation-interner.ts";
import type { Head } from "./head.ts";

/** Where commits are written before they are applied. References are those of the log. */
export interface HeadLog {
  /** The series of a generation that are not logged yet. */
  series(writer: GenerationWriter): void;
  /** Samples of one time. @param startTimes null where all are unknown, here as below */
  samples(
    refs: Float64Array,
    timeMs: number,
    valueWords: Uint32Array,
    count: number,
    startTimes: Float64Array | null,
  ): void;
  /** Samples that each have a time of their own, in milliseconds since `startTime`. */
  timedSamples(
    refs: Float64Array,
    startTime: number,
    times: Uint32Array,
    valueWords: Uint32Array,
    count: number,
    startTimes: Float64Array | null,
  ): void;
  histograms(entries: readonly PendingHistogram[]): void;
  metadata(entries: readonly MetadataEntry[]): void;
  exemplars(entries: readonly ExemplarEntry[]): void;
  /** Out-of-order samples. */
  late(floats: readonly LateFloat[], histograms: readonly PendingHistogram[]): void;
  /** Ends a commit. @throws StorageError when it cannot be written; it is taken back then */
  flush(): void;
  /** Forgets what came since the last flush. */
  discard(): void;
}

/** What is kept beside samples. */
export interface AppenderExtras {
  readonly exemplars: ExemplarStorage;
  /** Whether metadata goes to the log. */
  readonly logsMetadata: boolean;
}

/** A part of a generation's batch that came in one call; timeMs null where each sample has its own. */
interface BatchPart {
  readonly writer: GenerationWriter;
  readonly from: number;
  to: number;
  readonly timeMs: number | null;
}

/** Collects what arrives between `begin` and `commit`, logs it and has the head apply it. */
export class HeadAppender implements Appender {
  private parts: BatchPart[] = [];
  private exemplars: { readonly labels: Labels; readonly exemplar: Exemplar }[] = [];
  private metadata: { readonly labels: Labels; readonly metadata: Metadata }[] = [];
  /** Series that a staleness marker of the batch ends. */
  private ended: { readonly writer: GenerationWriter; readonly refs: Uint32Array }[] = [];

  constructor(
    private readonly head: Head,
    private readonly log: HeadLog | null,
    private readonly extras: AppenderExtras,
  ) {}

  epochAt(timeMs: number): number | null {
    return this.head.at(timeMs)?.generation.epoch ?? null;
  }

  carryOver(refs: Uint32Array, count: number, fromEpoch: number, toEpoch: number): void {
    const from = this.head.byEpoch(fromEpoch)?.generation;
    const to = this.writerOf(toEpoch);
    for (let i = 0; i < count; i++) {
      const ref = refs[i]!;
      if (ref !== NO_SERIES && !from) this.head.statistics.seriesNotFound++;
      refs[i] = ref === NO_SERIES || !from ? NO_SERIES : this.head.carryOver(to, from, ref);
    }
  }

  resolve(epoch: number, labels: Labels): { readonly ref: SeriesRef; readonly created: boolean } {
    return this.head.resolve(this.writerOf(epoch), labels);
  }

  labelsOf(epoch: number, ref: SeriesRef): Labels {
    return this.writerOf(epoch).generation.series.labels(ref);
  }

  interner(epoch: number): SeriesInterner {
    return new GenerationInterner(this.head, this.writerOf(epoch));
  }

  private writerOf(epoch: number): GenerationWriter {
    const writer = this.head.byEpoch(epoch);
    if (!writer) throw new StorageError(`cannot use epoch ${epoch}: its generation is gone`);
    return writer;
  }

  begin(): void {
    this.head.statistics.batches++;
    // A batch that was neither committed nor rolled back (its owner failed) must not reach the next commit.
    this.rollback();
    this.head.isAppending = true;
  }

  appendFloats(
    epoch: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
    timeMs: number,
    outcomes: Uint8Array,
    startTimes: Float64Array | null = null,
  ): number {
    const { head } = this;
    const writer = head.byEpoch(epoch);
    if (!writer || !this.takes(writer, timeMs)) {
      outcomes.fill(head.refusalOfOld, 0, count);
      return this.countRefusals(refs, outcomes, count, timeMs);
    }
    const valueWords = new Uint32Array(values.buffer, values.byteOffset, 2 * count);
    if (timeMs < head.minInOrderTime) outcomes.fill(SampleOutcome.outOfOrder, 0, count);
    else {
      const from = writer.pending;
      const fitting = head.isNewest(writer, timeMs)
        ? refs
        : this.withoutOvertaken(writer, refs, count, timeMs);
      const added = writer.addAll(fitting, valueWords, count, timeMs, outcomes, startTimes);
      if (added > 0) this.addPart(writer, from, timeMs);
      if (added === count) return 0;
      if (fitting !== refs) {
        for (let i = 0; i < count; i++) if (fitting[i] !== refs[i]) outcomes[i] = SampleOutcome.outOfOrder;
      }
    }
    if (head.outOfOrderWindowMs > 0) {
      for (let i = 0; i < count; i++) {
        if (outcomes[i] !== SampleOutcome.outOfOrder || refs[i] === NO_SERIES) continue;
        const [valueHigh, valueLow] = [valueWords[2 * i + 1]!, valueWords[2 * i]!];
        const startMs = startTimes?.[i] ?? 0;
        outcomes[i] = this.appendLate(writer, { ref: refs[i]!, timeMs, valueHigh, valueLow, startMs });
      }
    }
    return this.countRefusals(refs, outcomes, count, timeMs);
  }

  /** What came behind the last part and is of its kind becomes one record with it: a page and the report on it. */
  private addPart(writer: GenerationWriter, from: number, timeMs: number | null): void {
    const last = this.parts.at(-1);
    const goesOn = last?.writer === writer && last.timeMs === timeMs && last.from >= writer.roundStart;
    if (goesOn && last.to === from) last.to = writer.pending;
    else this.parts.push({ writer, from, to: writer.pending, timeMs });
  }

  /** The references without those of series that have newer samples elsewhere already. */
  private withoutOvertaken(
    writer: GenerationWriter,
    refs: Uint32Array,
    count: number,
    timeMs: number,
  ): Uint32Array {
    return refs
      .slice(0, count)
      .map((ref) => (ref !== NO_SERIES && this.head.hasNewerSamples(writer, ref, timeMs) ? NO_SERIES : ref));
  }

  /** Whether a sample of this time may be its series' newest, before its generation is asked. */
  private mayBeNewest(writer: GenerationWriter, ref: SeriesRef, timeMs: number): boolean {
    if (timeMs < this.head.minInOrderTime) return false;
    return this.head.isNewest(writer, timeMs) || !this.head.hasNewerSamples(writer, ref, timeMs);
  }

  private appendLate(writer: GenerationWriter, late: LateFloat): SampleOutcome {
    if (!this.head.takesOutOfOrder(late.timeMs)) return SampleOutcome.tooOld;
    writer.lateFloats.push(late);
    this.observeDelay(late.timeMs);
    return SampleOutcome.appended;
  }

  /** @returns how many samples were refused; NO_SERIES entries end as not refused */
  private countRefusals(refs: Uint32Array, outcomes: Uint8Array, count: number, timeMs: number): number {
    let refused = 0;
    for (let i = 0; i < count; i++) {
      if (outcomes[i]! <= SampleOutcome.repeated) continue;
      if (refs[i] === NO_SERIES) {
        outcomes[i] = SampleOutcome.appended;
        continue;
      }
      refused++;
      this.countRefusal(outcomes[i] as SampleOutcome, timeMs);
    }
    return refused;
  }

  appendFloat(
    labels: Labels,
    timeMs: number,
    valueHigh: number,
    valueLow: number,
    startMs = 0,
  ): SampleOutcome {
    const writer = this.head.at(timeMs);
    if (!writer) return this.refuseOld(timeMs);
    const { ref } = this.head.resolve(writer, labels);
    return this.appendOne(writer, ref, timeMs, valueHigh, valueLow, startMs);
  }

  private refuseOld(timeMs: number, isHistogram = false): SampleOutcome {
    const outcome = this.head.refusalOfOld;
    this.countRefusal(outcome, timeMs, isHistogram);
    return outcome;
  }

  private appendOne(
    writer: GenerationWriter,
    ref: SeriesRef,
    timeMs: number,
    valueHigh: number,
    valueLow: number,
    startMs = 0,
  ): SampleOutcome {
    // A series of histograms ends with one.
    const isStale = valueHigh === STALE_HIGH_WORD && valueLow === STALE_LOW_WORD;
    const pendingHistogram = isStale ? writer.newestPending(ref) : null;
    if (isStale && (pendingHistogram || writer.histograms.isHistogramSeries(ref))) {
      const stale = writer.histograms.staleHistogram(ref, pendingHistogram);
      return this.appendOneHistogram(writer, ref, timeMs, stale, startMs);
    }
    const from = writer.pending;
    let outcome: SampleOutcome = SampleOutcome.outOfOrder;
    if (this.mayBeNewest(writer, ref, timeMs)) {
      outcome = writer.add(ref, timeMs, valueHigh, valueLow, startMs) as SampleOutcome;
    }
    if (outcome === SampleOutcome.outOfOrder && this.head.outOfOrderWindowMs > 0) {
      outcome = this.appendLate(writer, { ref, timeMs, valueHigh, valueLow, startMs });
    }
    if (writer.pending > from) {
      this.addPart(writer, from, null);
      if (isStale) this.ended.push({ writer, refs: Uint32Array.of(ref) });
    } else this.countRefusal(outcome, timeMs);
    return outcome;
  }

  private observeDelay(timeMs: number): void {
    const { statistics, maxTime } = this.head;
    observe(statistics.outOfOrderDelaySeconds, Math.max(0, maxTime - timeMs) / 1000);
  }

  private countRefusal(outcome: SampleOutcome, timeMs: number, isHistogram = false): void {
    const { statistics } = this.head;
    switch (outcome) {
      case SampleOutcome.appended:
      case SampleOutcome.repeated:
        return;
      case SampleOutcome.duplicateTimestamp:
        statistics[isHistogram ? "duplicateHistogramsRejected" : "duplicatesRejected"]++;
        return;
      case SampleOutcome.outOfOrder:
        statistics[isHistogram ? "outOfOrderHistogramsRejected" : "outOfOrderRejected"]++;
        break;
      case SampleOutcome.outOfBounds:
        statistics[isHistogram ? "outOfBoundsHistogramsRejected" : "outOfBoundsRejected"]++;
        break;
      case SampleOutcome.tooOld:
        statistics[isHistogram ? "tooOldHistogramsRejected" : "tooOldRejected"]++;
    }
    this.observeDelay(timeMs);
  }

  appendHistogram(labels: Labels, timeMs: number, histogram: FloatHistogram, startMs = 0): SampleOutcome {
    const writer = this.head.at(timeMs);
    if (!writer) return this.refuseOld(timeMs, true);
    const { ref } = this.head.resolve(writer, labels);
    // The caller may use its buckets again.
    const kept = {
      ...histogram,
      positiveBuckets: histogram.positiveBuckets.slice(),
      negativeBuckets: histogram.negativeBuckets.slice(),
    };
    return this.appendOneHistogram(writer, ref, timeMs, kept, startMs);
  }

  private appendOneHistogram(
    writer: GenerationWriter,
    ref: SeriesRef,
    timeMs: number,
    histogram: FloatHistogram,
    startMs: number,
  ): SampleOutcome {
    let outcome: SampleOutcome = SampleOutcome.outOfOrder;
    if (this.mayBeNewest(writer, ref, timeMs)) outcome = writer.addHistogram(ref, timeMs, histogram, startMs);
    if (outcome === SampleOutcome.outOfOrder && this.head.outOfOrderWindowMs > 0) {
      if (this.head.takesOutOfOrder(timeMs)) {
        writer.lateHistograms.push({ ref, timeMs, histogram, startMs });
        this.observeDelay(timeMs);
        outcome = SampleOutcome.appended;
      } else outcome = SampleOutcome.tooOld;
    }
    if (histogram.isStale && outcome === SampleOutcome.appended) {
      this.ended.push({ writer, refs: Uint32Array.of(ref) });
    }
    this.countRefusal(outcome, timeMs, true);
    return outcome;
  }

  appendStale(epoch: number, refs: Uint32Array, timeMs: number): void {
    const writer = this.head.byEpoch(epoch);
    const histograms = writer && this.takes(writer, timeMs) ? writer.histograms : null;
    for (let from = 0; from < refs.length; from += STALE_BATCH) {
      // Those of histograms, one by one, leave a gap among the others.
      const floats = refs.slice(from, from + STALE_BATCH);
      for (let i = 0; writer && i < floats.length; i++) {
        const ref = floats[i]!;
        if (ref === NO_SERIES || !histograms?.isHistogramSeries(ref)) continue;
        floats[i] = NO_SERIES;
        this.appendOne(writer, ref, timeMs, STALE_HIGH_WORD, STALE_LOW_WORD);
      }
      this.appendFloats(epoch, floats, staleValues, floats.length, timeMs, staleOutcomes);
      const isAppended = (ref: SeriesRef, i: number) =>
        ref !== NO_SERIES && staleOutcomes[i] === SampleOutcome.appended;
      if (writer) this.ended.push({ writer, refs: floats.filter(isAppended) });
    }
  }

  private takes(writer: GenerationWriter, timeMs: number): boolean {
    return !writer.isSealed && writer.takes(timeMs) && timeMs >= this.head.minAcceptedTime;
  }

  appendExemplar(labels: Labels, exemplar: Exemplar): boolean {
    const { exemplars } = this.extras;
    if (!exemplars.isEnabled) return true;
    this.exemplars.push({ labels, exemplar });
    return !exemplars.isLate(labels, exemplar);
  }

  updateMetadata(labels: Labels, metadata: Metadata): void {
    if (this.extras.logsMetadata) this.metadata.push({ labels, metadata });
  }

  commit(): void {
    if (this.log) this.writeLog(this.log);
    this.parts = [];
    this.head.apply();
    for (const { labels, exemplar } of this.exemplars) this.extras.exemplars.append(labels, exemplar);
    this.exemplars = [];
    this.metadata = [];
    for (const { writer, refs } of this.ended) for (const ref of refs) this.head.stale.note(writer, ref);
    this.ended = [];
    this.head.isAppending = false;
  }

  /** The log's reference of a series in the newest generation that has it, or null. */
  private logRefOf(labels: Labels): number | null {
    const writer = this.head.generations.findLast(
      (candidate) => !candidate.isSealed && candidate.generation.series.find(labels) !== 0,
    );
    return writer ? writer.logRef(this.head.resolve(writer, labels).ref) : null;
  }

  private writeLog(log: HeadLog): void {
    try {
      const metadata = this.metadata.flatMap((entry) => {
        const ref = this.logRefOf(entry.labels);
        return ref === null ? [] : [{ ref, metadata: entry.metadata }];
      });
      const exemplars = this.exemplars.flatMap(({ labels, exemplar }) => {
        const ref = this.logRefOf(labels);
        return ref === null ? [] : [{ ref, exemplar }];
      });
      for (const writer of this.head.generations) if (writer.unlogged.length > 0) log.series(writer);
      if (metadata.length > 0) log.metadata(metadata);
      for (const writer of this.head.generations) this.logBatch(log, writer);
      if (exemplars.length > 0) log.exemplars(exemplars);
      log.flush();
      for (const writer of this.head.generations) writer.unlogged.clear();
      for (const entry of metadata) this.head.metadata.set(entry.ref, entry.metadata);
    } catch (error) {
      log.discard();
      this.rollback();
      throw error;
    }
  }

  private logBatch(log: HeadLog, writer: GenerationWriter): void {
    if (!writer.hasPending) return;
    const inLog = <T extends { readonly ref: SeriesRef }>(entries: readonly T[]) =>
      entries.map((entry) => ({ ...entry, ref: writer.logRef(entry.ref) }));
    const parts = this.parts.filter((part) => part.writer === writer);
    let histogramsFrom = 0;
    let next = 0;
    for (const { floats, histograms } of writer.rounds) {
      for (; next < parts.length && parts[next]!.to <= floats; next++) this.logPart(log, parts[next]!);
      const inRound = writer.pendingHistograms.slice(histogramsFrom, histograms);
      if (inRound.length > 0) log.histograms(inLog(inRound));
      histogramsFrom = histograms;
    }
    if (writer.hasLate) log.late(inLog(writer.lateFloats), inLog(writer.lateHistograms));
  }

  private logPart(log: HeadLog, { writer, from, to, timeMs }: BatchPart): void {
    const { startTime } = writer.generation;
    const refs = writer.pendingLogRefs(from, to);
    const valueWords = writer.pendingValueWords.subarray(2 * from, 2 * to);
    const startTimes = writer.pendingStartTimes(from, to);
    if (timeMs !== null) log.samples(refs, timeMs, valueWords, to - from, startTimes);
    else {
      const times = writer.pendingTimes.subarray(from, to);
      log.timedSamples(refs, startTime, times, valueWords, to - from, startTimes);
    }
  }

  rollback(): void {
    this.parts = [];
    this.exemplars = [];
    this.metadata = [];
    this.ended = [];
    this.head.isAppending = false;
    this.head.discard();
  }
}

/** Series that are ended at once. */
const STALE_BATCH = 4096;
const staleValues = new Float64Array(STALE_BATCH);
const staleWords = new Uint32Array(staleValues.buffer);
for (let i = 0; i < STALE_BATCH; i++) setStaleMarker(staleWords, i);
const staleOutcomes = new Uint8Array(STALE_BATCH);
