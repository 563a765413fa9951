import type { Exemplar } from "../../../src/model/exemplar.ts";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import type { Labels } from "../../../src/model/labels.ts";
import type { Metadata } from "../../../src/model/metadata.ts";
import type { ReplaySink } from "../../../src/tsdb/wal/replay.ts";

/** What a log held, entry by entry; values as hexadecimal bits. */
export class RecordingSink implements ReplaySink {
  readonly series = new Map<number, Record<string, string>>();
  readonly samples: { ref: number; timeMs: number; bits: string; startMs?: number }[] = [];
  readonly histograms: { ref: number; timeMs: number; histogram: FloatHistogram; startMs: number }[] = [];
  readonly tombstones: [number, number, number][] = [];
  readonly exemplars: { ref: number; exemplar: Exemplar }[] = [];
  readonly metadata = new Map<number, Metadata>();
  readonly markers: [number, number, number][] = [];
  readonly segments: string[] = [];

  onSegment(index: number, isCheckpoint: boolean): void {
    this.segments.push(isCheckpoint ? `checkpoint ${index}` : String(index));
  }
  onSeries(ref: number, labels: Labels): void {
    this.series.set(ref, labels.toRecord());
  }
  onSamples(
    refs: Float64Array,
    times: Float64Array,
    valueWords: Uint32Array,
    startTimes: Float64Array | null,
    count: number,
  ): void {
    for (let i = 0; i < count; i++) {
      const bits = hexWord(valueWords[2 * i + 1]!) + hexWord(valueWords[2 * i]!);
      const sample = { ref: refs[i]!, timeMs: times[i]!, bits };
      this.samples.push(startTimes ? { ...sample, startMs: startTimes[i]! } : sample);
    }
  }
  onHistogram(ref: number, timeMs: number, histogram: FloatHistogram, startMs: number): void {
    this.histograms.push({ ref, timeMs, histogram, startMs });
  }
  onTombstone(ref: number, minTime: number, maxTime: number): void {
    this.tombstones.push([ref, minTime, maxTime]);
  }
  onExemplar(ref: number, exemplar: Exemplar): void {
    this.exemplars.push({ ref, exemplar });
  }
  onMetadata(ref: number, metadata: Metadata): void {
    this.metadata.set(ref, metadata);
  }
  onMmapMarker(ref: number, file: number, offset: number): void {
    this.markers.push([ref, file, offset]);
  }
}

function hexWord(word: number): string {
  return word.toString(16).padStart(8, "0");
}

/** The bits of a float as `RecordingSink` shows them. */
export function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}
