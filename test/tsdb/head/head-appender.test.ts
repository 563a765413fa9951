import { beforeEach, describe, expect, test } from "vitest";
import { SeriesField } from "../../../src/kernels/append-kernel.ts";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../../src/model/sample.ts";
import { SampleOutcome, StorageError } from "../../../src/model/storage.ts";
import { ExemplarStorage } from "../../../src/tsdb/head/exemplars.ts";
import type { GenerationWriter } from "../../../src/tsdb/head/generation-writer.ts";
import { Head } from "../../../src/tsdb/head/head.ts";
import { HeadAppender, type HeadLog } from "../../../src/tsdb/head/head-appender.ts";

const RANGE = 7_200_000;
const START = 238_000 * RANGE;

/** Notes what it is given; fails when it is told to. */
class FakeLog implements HeadLog {
  readonly written: string[] = [];
  private open: string[] = [];
  isFull = false;

  series(writer: GenerationWriter): void {
    writer.unlogged.forEach((ref) => {
      const { pairs } = writer.generation.series.labels(ref);
      this.open.push(`series ${writer.logRef(ref)} ${pairs.join(" ")}`);
    });
  }
  samples(refs: Float64Array, timeMs: number, _words: Uint32Array, count: number): void {
    this.records++;
    for (let i = 0; i < count; i++) this.open.push(`sample ${refs[i]!} ${timeMs - START}`);
  }
  records = 0;
  timedSamples(
    refs: Float64Array,
    start: number,
    times: Uint32Array,
    _words: Uint32Array,
    count: number,
  ): void {
    for (let i = 0; i < count; i++) this.open.push(`timed ${refs[i]!} ${start + times[i]! - START}`);
  }
  histograms(entries: readonly { ref: number; timeMs: number }[]): void {
    for (const { ref, timeMs } of entries) this.open.push(`histogram ${ref} ${timeMs - START}`);
  }
  metadata(entries: readonly { ref: number; metadata: { help: string } }[]): void {
    for (const { ref, metadata } of entries) this.open.push(`metadata ${ref} ${metadata.help}`);
  }
  exemplars(): void {}
  late(floats: readonly { ref: number; timeMs: number }[]): void {
    for (const { ref, timeMs } of floats) this.open.push(`late ${ref} ${timeMs - START}`);
  }
  flush(): void {
    if (this.isFull) throw new StorageError("cannot write: no space left");
    this.written.push(...this.open.splice(0));
  }
  discard(): void {
    this.open = [];
  }
}

const labelsOf = (name: string) => Labels.fromRecord({ __name__: name });
let log: FakeLog;
let head: Head;
let appender: HeadAppender;

beforeEach(() => {
  log = new FakeLog();
  head = new Head({ blockRangeMs: RANGE, generationBytes: 8 * 1024 * 1024, outOfOrderWindowMs: 60_000 });
  appender = new HeadAppender(head, log, { exemplars: new ExemplarStorage(0), logsMetadata: true });
});

function appendScrape(timeMs: number, names: readonly string[]): number[] {
  const epoch = appender.epochAt(timeMs)!;
  const refs = Uint32Array.from(names, (name) =>
    name === "" ? 0 : appender.resolve(epoch, labelsOf(name)).ref,
  );
  const outcomes = new Uint8Array(names.length).fill(99);
  appender.appendFloats(epoch, refs, new Float64Array(names.length), names.length, timeMs, outcomes);
  return [...outcomes];
}

describe("a commit", () => {
  test("logs what came in several calls for one time as one record, and other times apart", () => {
    appender.begin();
    appendScrape(START, ["a", "b"]);
    appendScrape(START, ["up"]);
    appendScrape(START + 1, ["a"]);
    appender.appendFloat(labelsOf("c"), START + 2, 0, 0);
    appendScrape(START + 1, ["b"]);
    appender.commit();
    const samples = log.written.filter((line) => !line.startsWith("series"));
    expect(samples).toEqual([
      "sample 1 0",
      "sample 2 0",
      "sample 3 0",
      "sample 1 1",
      "timed 4 2",
      "sample 2 1",
    ]);
    expect(log.records).toBe(3);
  });

  test("logs new series once, then samples; entries without a series are skipped", () => {
    appender.begin();
    expect(appendScrape(START, ["a", "", "b"])).toEqual([0, 0, 0]);
    appender.appendFloat(labelsOf("c"), START + 5, 0, 0);
    appender.updateMetadata(labelsOf("a"), { type: "counter", unit: "", help: "things" });
    appender.commit();
    expect(log.written.splice(0)).toEqual([
      "series 1 __name__ a",
      "series 2 __name__ b",
      "series 3 __name__ c",
      "metadata 1 things",
      "sample 1 0",
      "sample 2 0",
      "timed 3 5",
    ]);
    appender.begin();
    appendScrape(START + 10, ["a"]);
    appender.commit();
    expect(log.written).toEqual(["sample 1 10"]);
  });

  test("logs out-of-order samples as such, and of refused ones nothing", () => {
    appender.begin();
    appendScrape(START + RANGE - 1, ["a"]);
    appender.commit();
    log.written.length = 0;
    appender.begin();
    expect(appendScrape(START + RANGE - 2, ["a", "b"])).toEqual([0, 0]);
    expect(appendScrape(START + RANGE - 1, ["a", "b"])).toEqual([SampleOutcome.repeated, 0]);
    expect(appendScrape(START + RANGE - 60_002, ["a", "c"])).toEqual([SampleOutcome.tooOld, 0]);
    appender.commit();
    expect(log.written).toEqual([
      "series 2 __name__ b",
      "series 3 __name__ c",
      `sample 2 ${RANGE - 2}`,
      `sample 2 ${RANGE - 1}`,
      `sample 3 ${RANGE - 60_002}`,
      `late 1 ${RANGE - 2}`,
    ]);
  });

  test("that cannot be logged leaves nothing behind, and the next one logs the series it had", () => {
    log.isFull = true;
    appender.begin();
    appendScrape(START, ["a"]);
    expect(() => appender.commit()).toThrow(StorageError);
    expect(head.generations[0]!.generation.hasSamples).toBe(false);
    log.isFull = false;
    appender.begin();
    expect(appendScrape(START, ["a"])).toEqual([0]);
    appender.commit();
    expect(log.written).toEqual(["series 1 __name__ a", "sample 1 0"]);
    expect(head.statistics.floatsAppended).toBe(1);
  });

  test("that was never made is forgotten with the next beginning", () => {
    appender.begin();
    appendScrape(START, ["a"]);
    appender.begin();
    appendScrape(START + 1, ["b"]);
    appender.commit();
    expect(log.written).toEqual(["series 1 __name__ a", "series 2 __name__ b", "sample 2 1"]);
  });

  test("takes samples of two generations together, under the one reference the log knows", () => {
    appender.begin();
    appendScrape(START + RANGE - 1, ["a"]);
    appendScrape(START + RANGE, ["a"]);
    appender.commit();
    expect(log.written).toEqual(["series 1 __name__ a", `sample 1 ${RANGE - 1}`, `sample 1 ${RANGE}`]);
    expect(head.maxTime).toBe(START + RANGE);
  });

  test("judges samples by the series' newest in the next range, too", () => {
    head.outOfOrderWindowMs = 0;
    appender.begin();
    appendScrape(START + RANGE - 100, ["a", "b"]);
    appender.commit();
    appender.begin();
    appendScrape(START + RANGE, ["a"]);
    appender.commit();
    appender.begin();
    expect(appendScrape(START + RANGE - 50, ["a", "b", ""])).toEqual([SampleOutcome.outOfOrder, 0, 0]);
    expect(appender.appendFloat(labelsOf("a"), START + RANGE - 1, 0, 0)).toBe(SampleOutcome.outOfOrder);
    expect(appender.appendFloat(labelsOf("c"), START + RANGE - 1, 0, 0)).toBe(SampleOutcome.appended);
    appender.commit();
    expect(head.statistics.outOfOrderRejected).toBe(2);
    head.outOfOrderWindowMs = 1000;
    appender.begin();
    expect(appender.appendFloat(labelsOf("a"), START + RANGE - 1, 0, 0)).toBe(SampleOutcome.appended);
    appender.commit();
    expect(head.statistics.outOfOrderFloatsAppended).toBe(1);
  });

  test("refuses what belongs to no generation, whole scrapes included", () => {
    appender.begin();
    appendScrape(START, ["a"]);
    appender.commit();
    const epoch = appender.epochAt(START)!;
    const outcomes = new Uint8Array(2);
    const refs = Uint32Array.of(1, 0);
    expect(appender.appendFloats(epoch, refs, new Float64Array(2), 2, START + RANGE, outcomes)).toBe(1);
    expect([...outcomes]).toEqual([SampleOutcome.tooOld, SampleOutcome.appended]);
    expect(appender.appendFloats(4711, refs, new Float64Array(2), 2, START, outcomes)).toBe(1);
    expect(() => appender.resolve(4711, labelsOf("a"))).toThrow(/its generation is gone/);
  });

  const histogramOf = (count: number): FloatHistogram => ({
    isInteger: true,
    counterResetHint: "unknown",
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: count,
    count,
    sum: count / 2,
    isStale: false,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: new Float64Array(0),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  });

  test("keeps floats and histograms of a series in the order in which they came, in the log and in memory", () => {
    const float = (name: string, at: number) => appender.appendFloat(labelsOf(name), START + at, 0, 0);
    const histogram = (name: string, at: number) =>
      appender.appendHistogram(labelsOf(name), START + at, histogramOf(at));
    appender.begin();
    expect([histogram("a", 1), histogram("b", 1), float("c", 1), float("a", 2), histogram("a", 3)]).toEqual([
      0, 0, 0, 0, 0,
    ]);
    // A page's floats, which come together: of one series there is a histogram.
    expect(appendScrape(START + 4, ["c", "a", "b"])).toEqual([0, 0, 0]);
    expect(histogram("b", 5)).toBe(0);
    expect(appender.appendFloat(labelsOf("b"), START + 6, STALE_HIGH_WORD, STALE_LOW_WORD)).toBe(0);
    appender.commit();
    expect(log.written.filter((line) => !line.startsWith("series"))).toEqual([
      "timed 3 1",
      "histogram 1 1",
      "histogram 2 1",
      "timed 1 2",
      "histogram 1 3",
      "sample 3 4",
      "sample 1 4",
      "sample 2 4",
      "histogram 2 5",
      "histogram 2 6",
    ]);
    expect(head.statistics).toMatchObject({ floatsAppended: 5, histogramsAppended: 5 });
    const [{ generation }] = head.generations as [GenerationWriter];
    expect([1, 2, 3].map((series) => generation.lastTime(series) - START)).toEqual([4, 6, 4]);
    expect([1, 2, 3].map((series) => generation.series.field(series, SeriesField.samples))).toEqual([
      4, 4, 2,
    ]);
  });

  test("that is taken back leaves no trace of the order it had", () => {
    appender.begin();
    appender.appendHistogram(labelsOf("a"), START + 1, histogramOf(1));
    appender.appendFloat(labelsOf("a"), START + 2, 0, 0);
    appender.rollback();
    appender.begin();
    appender.appendFloat(labelsOf("a"), START + 3, 0, 0);
    appender.commit();
    expect(log.written).toEqual(["series 1 __name__ a", "timed 1 3"]);
    expect(head.statistics).toMatchObject({ floatsAppended: 1, histogramsAppended: 0 });
  });

  test("that spans two ranges logs the older first, whatever kinds its samples are of", () => {
    appender.begin();
    appender.appendFloat(labelsOf("a"), START + RANGE, 0, 0);
    appender.appendHistogram(labelsOf("b"), START + RANGE - 1, histogramOf(1));
    appender.appendFloat(labelsOf("b"), START + RANGE, 0, 0);
    appender.commit();
    expect(log.written.filter((line) => !line.startsWith("series"))).toEqual([
      `histogram 2 ${RANGE - 1}`,
      `timed 1 ${RANGE}`,
      `timed 2 ${RANGE}`,
    ]);
  });
});
