import type { Exemplar } from "../../src/model/exemplar.ts";
import type { FloatHistogram } from "../../src/model/histogram.ts";
import { Labels } from "../../src/model/labels.ts";
import type { Metadata } from "../../src/model/metadata.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../src/model/sample.ts";
import {
  NO_SERIES,
  SampleOutcome,
  type Appender,
  type SeriesInterner,
  type SeriesRef,
} from "../../src/model/storage.ts";

/** A stored sample as a test wants to see it. */
export interface FakeSample {
  readonly timeMs: number;
  readonly value: number | "stale" | FloatHistogram;
  /** The bits, where the value is a float. */
  readonly high?: number;
  readonly low?: number;
}

/**
 * An Appender that keeps everything in maps, with the order rules of a head that takes no out-of-order samples.
 * Epochs are stretches of `epochMs`.
 */
export class FakeAppender implements Appender {
  readonly samples = new Map<string, FakeSample[]>();
  readonly exemplars: { labels: Labels; exemplar: Exemplar }[] = [];
  readonly metadata = new Map<string, Metadata>();
  commits = 0;
  rollbacks = 0;
  failCommit: Error | null = null;
  private readonly epochs = new Map<number, { labels: Labels[]; refs: Map<string, SeriesRef> }>();
  private readonly labelsByKey = new Map<string, Labels>();
  private pending: { key: string; sample: FakeSample }[] | null = null;
  private exemplarsBefore = 0;
  private readonly newestPending = new Map<string, FakeSample>();

  constructor(private readonly epochMs = Infinity) {}

  epochAt(timeMs: number): number | null {
    const epoch = this.epochMs === Infinity ? 0 : Math.floor(timeMs / this.epochMs);
    if (!this.epochs.has(epoch)) this.epochs.set(epoch, { labels: [], refs: new Map() });
    return epoch;
  }

  /** How many series there are in an epoch, with samples or without. */
  seriesCount(epoch = 0): number {
    return this.epochs.get(epoch)?.labels.length ?? 0;
  }

  dropEpoch(epoch: number): void {
    this.epochs.delete(epoch);
  }

  carryOver(refs: Uint32Array, count: number, fromEpoch: number, toEpoch: number): void {
    const from = this.epochs.get(fromEpoch);
    for (let i = 0; i < count; i++) {
      if (refs[i] === NO_SERIES) continue;
      refs[i] = from ? this.resolve(toEpoch, from.labels[refs[i]! - 1]!).ref : NO_SERIES;
    }
  }

  resolve(epoch: number, labels: Labels): { ref: SeriesRef; created: boolean } {
    const { refs, labels: all } = this.epochs.get(epoch)!;
    const known = refs.get(labels.key);
    if (known !== undefined) return { ref: known, created: false };
    all.push(labels);
    refs.set(labels.key, all.length);
    this.labelsByKey.set(labels.key, labels);
    return { ref: all.length, created: true };
  }

  labelsOf(epoch: number, ref: SeriesRef): Labels {
    const labels = this.epochs.get(epoch)?.labels[ref - 1];
    if (!labels) throw new Error(`no series ${ref} in epoch ${epoch}`);
    return labels;
  }

  begin(): void {
    if (this.pending) throw new Error("begin within begin");
    this.pending = [];
    this.exemplarsBefore = this.exemplars.length;
  }

  appendFloats(
    epoch: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
    timeMs: number,
    outcomes: Uint8Array,
  ): number {
    const words = new Uint32Array(values.buffer, values.byteOffset, 2 * count);
    let refused = 0;
    for (let i = 0; i < count; i++) {
      if (refs[i] === NO_SERIES) continue;
      outcomes[i] = this.appendFloat(
        this.labelsOf(epoch, refs[i]!),
        timeMs,
        words[2 * i + 1]!,
        words[2 * i]!,
      );
      if (outcomes[i]! > SampleOutcome.repeated) refused++;
    }
    return refused;
  }

  appendFloat(labels: Labels, timeMs: number, high: number, low: number): SampleOutcome {
    const isStale = high === STALE_HIGH_WORD && low === STALE_LOW_WORD;
    const value = isStale ? "stale" : new Float64Array(new Uint32Array([low, high]).buffer)[0]!;
    return this.append(labels, { timeMs, value, high, low });
  }

  appendHistogram(labels: Labels, timeMs: number, histogram: FloatHistogram): SampleOutcome {
    return this.append(labels, { timeMs, value: histogram.isStale ? "stale" : histogram });
  }

  appendStale(epoch: number, refs: Uint32Array, timeMs: number): void {
    const marker = { timeMs, value: "stale", high: STALE_HIGH_WORD, low: STALE_LOW_WORD } as const;
    for (const ref of refs) if (ref !== NO_SERIES) this.append(this.labelsOf(epoch, ref), marker);
  }

  interner(epoch: number): SeriesInterner {
    const symbols: string[] = [];
    const pairs: [string, string][] = [];
    const numberOf = (text: string) => symbols.push(text);
    return {
      symbol: numberOf,
      symbolOfBytes: (bytes, start, end) => numberOf(Buffer.from(bytes.slice(start, end)).toString("utf8")),
      pair: (name, value) => pairs.push([symbols[name - 1]!, symbols[value - 1]!]),
      series: (numbers, count) => {
        const labels = Labels.fromSortedPairs([...numbers.subarray(0, count)].flatMap((i) => pairs[i - 1]!));
        return this.resolve(epoch, labels).ref;
      },
    };
  }

  private append(labels: Labels, sample: FakeSample): SampleOutcome {
    if (!this.pending) throw new Error("append outside of begin and commit");
    this.labelsByKey.set(labels.key, labels);
    const { key } = labels;
    const newest = this.newestPending.get(key) ?? this.samples.get(key)?.at(-1);
    if (newest && newest.timeMs > sample.timeMs) return SampleOutcome.outOfOrder;
    if (newest && newest.timeMs === sample.timeMs) {
      const isSame = newest.high === sample.high && newest.low === sample.low && newest.high !== undefined;
      return isSame ? SampleOutcome.repeated : SampleOutcome.duplicateTimestamp;
    }
    this.newestPending.set(key, sample);
    this.pending.push({ key, sample });
    return SampleOutcome.appended;
  }

  appendExemplar(labels: Labels, exemplar: Exemplar): boolean {
    const newest = this.exemplars.findLast((other) => other.labels.equals(labels));
    if (newest && newest.exemplar.timeMs > exemplar.timeMs) return false;
    this.exemplars.push({ labels, exemplar });
    return true;
  }

  updateMetadata(labels: Labels, metadata: Metadata): void {
    this.metadata.set(labels.key, metadata);
  }

  commit(): void {
    if (this.failCommit) throw this.failCommit;
    for (const { key, sample } of this.pending ?? []) {
      const samples = this.samples.get(key);
      if (samples) samples.push(sample);
      else this.samples.set(key, [sample]);
    }
    this.pending = null;
    this.newestPending.clear();
    this.commits++;
  }

  rollback(): void {
    this.pending = null;
    this.exemplars.length = this.exemplarsBefore;
    this.newestPending.clear();
    this.rollbacks++;
  }

  /** Everything stored: series as `name{a="b"}`, samples as `time value`. */
  get stored(): Record<string, string[]> {
    const all: Record<string, string[]> = {};
    for (const [key, samples] of this.samples) {
      all[describe(this.labelsByKey.get(key)!)] = samples.map(({ timeMs, value }) =>
        typeof value === "object" ? `${timeMs} histogram` : `${timeMs} ${value}`,
      );
    }
    return all;
  }

  /** Metadata as it was told, series as above. */
  get described(): Record<string, Metadata> {
    const all: Record<string, Metadata> = {};
    for (const [key, metadata] of this.metadata) all[describe(this.labelsByKey.get(key)!)] = metadata;
    return all;
  }

  /** Samples of the one series written like this, [] when there is none. */
  series(description: string): string[] {
    return this.stored[description] ?? [];
  }

  histograms(description: string): FloatHistogram[] {
    for (const [key, samples] of this.samples) {
      if (describe(this.labelsByKey.get(key)!) !== description) continue;
      return samples.flatMap(({ value }) => (typeof value === "object" ? [value] : []));
    }
    return [];
  }
}

function describe(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.pairs.length; i += 2) {
    if (labels.pairs[i] !== "__name__")
      parts.push(`${labels.pairs[i]}=${JSON.stringify(labels.pairs[i + 1])}`);
  }
  return `${labels.metricName}${parts.length ? `{${parts.join(",")}}` : ""}`;
}
