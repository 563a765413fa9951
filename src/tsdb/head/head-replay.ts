import { SeriesField } from "../../kernels/append-kernel.ts";
import type { Exemplar } from "../../model/exemplar.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { Labels } from "../../model/labels.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../model/sample.ts";
import type { Metadata } from "../../model/metadata.ts";
import type { ReplaySink } from "../wal/replay.ts";
import type { ExemplarStorage } from "./exemplars.ts";
import { deleteRange } from "./deletions.ts";
import { GenerationWriter, type LateFloat, type PendingHistogram } from "./generation-writer.ts";
import type { HeadLog } from "./head-appender.ts";
import { ReplaySlots, type SlotOwner } from "./replay-slots.ts";
import type { RecoverySink, ReplayedSeries } from "./recover-head-chunks.ts";
import type { Head } from "./head.ts";

/** Entries of the log whose series it doesn't know, by kind. */
export interface UnknownRefs {
  samples: number;
  histograms: number;
  tombstones: number;
  exemplars: number;
  metadata: number;
}

/**
 * Fills a head from its log. Which generation a sample belongs to is told by its time, so logs of Prometheus, where a
 * series keeps its reference for ever, and our own, where it gets one in each generation, read alike.
 *
 * Series are first known to a registry, a generation that holds no samples: there each label set is once, whatever
 * references it has in the log. From it a series is carried over, by number, into each generation it has samples in.
 */
export class HeadReplay implements ReplaySink {
  /** Of the log, then of that of out-of-order samples. */
  readonly unknownRefs = zeroUnknownRefs();
  readonly unknownLateRefs = zeroUnknownRefs();
  private readonly registry: GenerationWriter;
  /** Knows which series of the registry a reference of the log means. */
  private readonly slots: ReplaySlots;
  /** For each generation: series of the registry → series of the generation, 0 where not carried over yet. */
  private readonly carried = new Map<GenerationWriter, Uint32Array>();
  /** The generation that had the last sample. */
  private writer: GenerationWriter | null = null;
  private greatestRef = 0;
  /** Whether it is the log of out-of-order samples that is read. */
  isLate = false;
  hasMarkers = false;
  /** The segment being read; from a checkpoint, the last it stands for. */
  segment = 0;
  /** Told of each segment of the log before it is read. */
  onProgress: ((segment: number) => void) | null = null;
  /** By epoch, the first segment of the log of out-of-order samples with some of that generation. */
  readonly firstLateSegments = new Map<number, number>();
  private readonly metadata = new Map<number, Metadata>();
  private readonly tombstones: { known: number; minTime: number; maxTime: number }[] = [];

  constructor(
    private readonly head: Head,
    private readonly exemplars: ExemplarStorage,
    generationBytes: number,
  ) {
    // Several generations of one range may have been full, each of other series.
    const registryBytes = Math.min(2 ** 32, 4 * generationBytes);
    this.registry = GenerationWriter.create({
      epoch: REGISTRY_EPOCH,
      startTime: 0,
      endTime: 0,
      sizeBytes: registryBytes,
      maxSeries: Math.floor(registryBytes / 256),
    });
    this.registry.generation.series.isIndexed = false;
    const owner: SlotOwner = {
      refIn: (writer, known) => {
        const ref = this.carriedTo(writer)[known] ?? 0;
        if (ref !== 0) return ref;
        if (!writer.generation.arena.isNearlyFull) return this.carry(writer, known);
        // It is closed with the commit.
        this.head.apply();
        return 0;
      },
      addSample: (logRef, timeMs, valueHigh, valueLow) =>
        this.addSample(logRef, timeMs, valueHigh, valueLow, 0),
      logRef: (known) => this.registry.logRef(known),
    };
    this.slots = new ReplaySlots(head, owner, head.minValidTime);
  }

  private get unknown(): UnknownRefs {
    return this.isLate ? this.unknownLateRefs : this.unknownRefs;
  }

  onSegment(index: number): void {
    this.segment = index;
    if (!this.isLate) this.onProgress?.(index);
  }

  onSeries(ref: number, labels: Labels): void {
    const known = this.registry.generation.series.resolve(labels).ref;
    this.slots.setNumber(ref, known);
    this.registry.setLogRef(known, ref);
    this.greatestRef = Math.max(this.greatestRef, ref);
  }

  onSampleRecord(record: Uint8Array): boolean {
    return !this.isLate && this.head.startTimes === "none" && this.slots.add(record);
  }

  onSamples(
    refs: Float64Array,
    times: Float64Array,
    valueWords: Uint32Array,
    startTimes: Float64Array | null,
    count: number,
  ): void {
    this.slots.flushAll();
    const starts = this.head.startTimes === "none" ? null : startTimes;
    for (let i = 0; i < count; i++) {
      this.addSample(refs[i]!, times[i]!, valueWords[2 * i + 1]!, valueWords[2 * i]!, starts?.[i] ?? 0);
    }
    if (this.isLate) this.head.apply();
  }

  /** Samples of one series, ascending in time, without start times: what a chunk holds. */
  onRun(logRef: number, times: Float64Array, valueWords: Uint32Array, count: number): void {
    this.slots.flushAll();
    for (let i = 0; i < count; i++) {
      this.addSample(logRef, times[i]!, valueWords[2 * i + 1]!, valueWords[2 * i]!, 0);
      i += this.addLike(logRef, times, valueWords, i + 1, count);
    }
  }

  /**
   * The fast path of a run: puts the samples from index `from` on into the batch that had the last one of the series,
   * up to the first that needs a closer look.
   * @returns how many
   */
  private addLike(
    logRef: number,
    times: Float64Array,
    valueWords: Uint32Array,
    from: number,
    count: number,
  ): number {
    const { writer } = this;
    if (writer === null || writer.isClosed || writer.pending === 0) return 0;
    const { arena, startTime, endTime } = writer.generation;
    const ref = this.carriedTo(writer)[this.slots.numberOf(logRef)] ?? 0;
    if (ref === 0) return 0;
    const { words } = arena;
    const end = Math.min(count, from + BATCH_SAMPLES - writer.pending);
    let refsAt = arena.batchRefs / 4 + writer.pending;
    let timesAt = arena.batchTimes / 4 + writer.pending;
    let valuesAt = arena.batchValues / 4 + 2 * writer.pending;
    let i = from;
    for (; i < end; i++) {
      const time = times[i]!;
      const high = valueWords[2 * i + 1]!;
      if (time >= endTime || high === STALE_HIGH_WORD) break;
      words[refsAt++] = ref;
      words[timesAt++] = time - startTime;
      words[valuesAt++] = valueWords[2 * i]!;
      words[valuesAt++] = high;
    }
    const added = Math.max(0, i - from);
    writer.pending += added;
    return added;
  }

  private addSample(
    logRef: number,
    time: number,
    valueHigh: number,
    valueLow: number,
    startMs: number,
  ): void {
    const { head } = this;
    if (time < head.minValidTime && !this.isLate) return;
    const known = this.slots.numberOf(logRef);
    if (known === 0) {
      this.unknown.samples++;
      return;
    }
    let writer = this.writer?.takes(time) ? this.writer : head.atAnyAge(time);
    let ref = this.carriedTo(writer)[known] ?? 0;
    if (ref === 0) {
      writer = this.withRoom(writer, time);
      ref = this.carriedTo(writer)[known] || this.carry(writer, known);
    }
    this.writer = writer;
    if (this.isLate) {
      this.noteLate(writer);
      writer.lateFloats.push({ ref, timeMs: time, valueHigh, valueLow, startMs });
      return;
    }
    if (writer.pending >= BATCH_SAMPLES) head.apply();
    if (valueHigh === STALE_HIGH_WORD && valueLow === STALE_LOW_WORD) {
      // A marker for a series of histograms may stand in the log as a float. What its newest sample is, is only
      // known once all before it is applied.
      if (writer.pending > 0 && writer.histograms.isHistogramSeries(ref)) head.apply();
      if (writer.histograms.isHistogramSeries(ref)) {
        this.onHistogram(logRef, time, writer.histograms.staleHistogram(ref), startMs);
        return;
      }
    }
    writer.addUnchecked(ref, time, valueHigh, valueLow, startMs);
  }

  /** The generation to carry another series to. */
  private withRoom(writer: GenerationWriter, time: number): GenerationWriter {
    if (!writer.generation.arena.isNearlyFull) return writer;
    // It is closed with the commit.
    this.head.apply();
    return this.head.atAnyAge(time);
  }

  private carriedTo(writer: GenerationWriter): Uint32Array {
    return this.carried.get(writer) ?? NOT_CARRIED;
  }

  private carry(writer: GenerationWriter, known: number): number {
    let carried = this.carriedTo(writer);
    if (known >= carried.length) {
      const grown = new Uint32Array(Math.max(1024, 2 * known));
      grown.set(carried);
      carried = grown;
      this.carried.set(writer, grown);
    }
    // Not by way of the head: the log knows the series.
    const { ref } = writer.carryOver(this.registry.generation, known);
    writer.setLogRef(ref, this.registry.logRef(known));
    return (carried[known] = ref);
  }

  onHistogram(logRef: number, timeMs: number, histogram: FloatHistogram, startMs: number): void {
    const { head } = this;
    if (timeMs < head.minValidTime && !this.isLate) return;
    const known = this.slots.numberOf(logRef);
    if (known === 0) {
      this.unknown.histograms++;
      return;
    }
    this.slots.flush(known);
    const writer = this.withRoom(head.atAnyAge(timeMs), timeMs);
    // Floats of the same series that came before it must stand before it.
    if (writer.pending > 0) head.apply();
    const ref = this.carriedTo(writer)[known] || this.carry(writer, known);
    if (this.isLate) this.noteLate(writer);
    (this.isLate ? writer.lateHistograms : writer.pendingHistograms).push({
      ref,
      timeMs,
      histogram,
      startMs,
    });
    head.apply();
  }

  onTombstone(ref: number, minTime: number, maxTime: number): void {
    this.greatestRef = Math.max(this.greatestRef, ref);
    const known = this.slots.numberOf(ref);
    if (known === 0) {
      this.unknownRefs.tombstones++;
      return;
    }
    // Over all of time it says that Prometheus let the series go from its memory, which deletes nothing.
    if (minTime < -MAX_TIME) return;
    this.tombstones.push({ known, minTime, maxTime });
  }

  private noteLate({ generation: { epoch } }: GenerationWriter): void {
    if (!this.firstLateSegments.has(epoch)) this.firstLateSegments.set(epoch, this.segment);
  }

  onExemplar(ref: number, exemplar: Exemplar): void {
    const known = this.slots.numberOf(ref);
    if (known === 0) this.unknownRefs.exemplars++;
    else this.exemplars.append(this.registry.generation.series.labels(known), exemplar);
  }

  onMetadata(ref: number, metadata: Metadata): void {
    const known = this.slots.numberOf(ref);
    if (known === 0) this.unknownRefs.metadata++;
    else this.metadata.set(known, metadata);
  }

  /** They name places in files of Prometheus's, which are gone when the replay is done. */
  onMmapMarker(): void {
    this.hasMarkers = true;
  }

  /** What follows is the log of out-of-order samples. */
  beginLate(): void {
    this.slots.leave();
    this.head.apply();
    this.isLate = true;
  }

  /** The series, for those who look for what the log may have lost. */
  get replayed(): ReplayedSeries {
    const { head, slots, registry } = this;
    return {
      numberOf: (ref) => slots.numberOf(ref),
      count: registry.generation.series.count,
      labels: (known) => registry.generation.series.labels(known),
      placesOf: (known) =>
        head.generations.flatMap((writer) => {
          const ref = this.carriedTo(writer)[known] ?? 0;
          return ref === 0 ? [] : [{ writer, ref }];
        }),
      minValidTime: head.minValidTime,
    };
  }

  /** Takes what the log had lost, and writes it there. The log must be open for writing by now. */
  recoverInto(log: HeadLog): RecoverySink {
    const { head, registry } = this;
    const inOrder: LateFloat[] = [];
    const inOrderHistograms: PendingHistogram[] = [];
    const late: LateFloat[] = [];
    const lateHistograms: PendingHistogram[] = [];
    const placeOf = (known: number, timeMs: number) => {
      const writer = this.withRoom(head.atAnyAge(timeMs), timeMs);
      const ref = this.carriedTo(writer)[known] || this.carry(writer, known);
      const isNewest =
        (writer.generation.series.field(ref, SeriesField.samples) === 0 ||
          timeMs > writer.generation.lastTime(ref)) &&
        !head.hasNewerSamples(writer, ref, timeMs);
      return { writer, ref, logRef: registry.logRef(known), isNewest };
    };
    return {
      addFloat: (known, timeMs, valueHigh, valueLow, startMs) => {
        const { writer, ref, logRef, isNewest } = placeOf(known, timeMs);
        const float = { ref, timeMs, valueHigh, valueLow, startMs };
        if (writer.isFull) head.apply();
        if (isNewest) writer.addUnchecked(ref, timeMs, valueHigh, valueLow, startMs);
        else writer.lateFloats.push(float);
        (isNewest ? inOrder : late).push({ ...float, ref: logRef });
      },
      addHistogram: (known, timeMs, histogram, startMs) => {
        const { writer, ref, logRef, isNewest } = placeOf(known, timeMs);
        const entry = { ref, timeMs, histogram, startMs };
        (isNewest ? writer.pendingHistograms : writer.lateHistograms).push(entry);
        (isNewest ? inOrderHistograms : lateHistograms).push({ ...entry, ref: logRef });
      },
      commit: () => {
        head.apply();
        const startTime = inOrder[0]?.timeMs ?? 0;
        if (inOrder.length > 0) {
          log.timedSamples(
            Float64Array.from(inOrder, ({ ref }) => ref),
            startTime,
            Uint32Array.from(inOrder, ({ timeMs }) => timeMs - startTime),
            Uint32Array.from(inOrder.flatMap(({ valueLow, valueHigh }) => [valueLow, valueHigh])),
            inOrder.length,
            Float64Array.from(inOrder, ({ startMs }) => startMs),
          );
        }
        if (inOrderHistograms.length > 0) log.histograms(inOrderHistograms);
        if (late.length + lateHistograms.length > 0) log.late(late, lateHistograms);
        log.flush();
        for (const list of [inOrder, inOrderHistograms, late, lateHistograms]) list.length = 0;
      },
    };
  }

  /** Ends the replay: everything is in the head, and new references won't meet those of the log. */
  finish(): void {
    this.slots.leave();
    this.head.apply();
    this.writer = null;
    this.hideDeleted();
    this.head.reserveRefs(this.greatestRef);
    this.head.countReplayed();
    for (const [known, metadata] of this.metadata) {
      this.head.metadata.set(this.registry.logRef(known), metadata);
    }
    this.metadata.clear();
    this.carried.clear();
  }

  /** Only now: out-of-order samples, which may be deleted too, come last of all. */
  private hideDeleted(): void {
    for (const { known, minTime, maxTime } of this.tombstones) {
      for (const writer of this.head.generations) {
        const series = this.carriedTo(writer)[known] ?? 0;
        if (series !== 0) deleteRange(writer.generation, series, minTime, maxTime);
      }
    }
  }
}

function zeroUnknownRefs(): UnknownRefs {
  return { samples: 0, histograms: 0, tombstones: 0, exemplars: 0, metadata: 0 };
}

/** Not an epoch of the head's. */
const REGISTRY_EPOCH = 0xffffffff;
/** No time is earlier than minus this, in milliseconds. */
const MAX_TIME = 2 ** 53;
const NOT_CARRIED = new Uint32Array(0);

/** So many samples of a generation are applied together; few enough to stay in the processor's cache meanwhile. */
const BATCH_SAMPLES = 1024;
