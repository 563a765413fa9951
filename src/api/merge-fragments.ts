import { compareLabels, Labels } from "../model/labels.ts";
import { successEnvelope } from "./envelope.ts";
import type { JsonBytes } from "./json-bytes.ts";
import type { QueryStatistics } from "../promql/value.ts";
import type { QueryAnswer, QueryFragment, QueryReport } from "./query-tasks.ts";
import { MARKS_A_SERIES } from "./result-json.ts";

/**
 * Puts the fragments of a query that was divided by series or by steps together to its answer. Bytes are copied, not
 * looked at, but for labels where the fragments don't have the same series.
 * @param maxSamples the query's limit
 * @returns null where it cannot be told that this is what the whole query would give
 */
export function mergeFragments(
  answers: readonly QueryAnswer[],
  division: "series" | "steps",
  maxSamples: number,
): QueryAnswer | null {
  const fragments = answers.map((answer) => new FragmentReader(answer));
  const [first] = fragments;
  if (first === undefined || fragments.some(({ fragment }) => fragment.mustBeWhole)) return null;
  // Any of them alone is within the limit; so is the whole if all are together.
  if (sum(fragments, ({ fragment }) => fragment.peakSamples) > maxSamples) return null;
  const { warnings, infos } = first.fragment;
  if (!fragments.every(({ fragment }) => areEqual(fragment.warnings, warnings))) return null;
  if (!fragments.every(({ fragment }) => areEqual(fragment.infos, infos))) return null;
  const filled = fragments.filter(({ count }) => count > 0);
  if (division === "series" && !areInOrder(filled)) return null;
  const parts = successEnvelope(
    (out) => {
      out.ascii(`{"resultType":"matrix","result":[`);
      if (division === "series") writeOneByOne(out, filled);
      else writeSideBySide(out, filled);
      out.ascii("]}");
    },
    warnings,
    infos,
  );
  return { status: 200, parts, report: reportOf(answers) };
}

/** Samples of all parts; times of whichever took longest. */
function reportOf(answers: readonly QueryAnswer[]): QueryReport | null {
  const all = answers.flatMap(({ report }) => (report === null ? [] : [report.statistics]));
  if (all.length === 0) return null;
  const longest = (timeOf: (timings: QueryStatistics["timings"]) => number) =>
    Math.max(...all.map(({ timings }) => timeOf(timings)));
  return {
    statistics: {
      timings: {
        evalTotalTime: longest(({ evalTotalTime }) => evalTotalTime),
        resultSortTime: longest(({ resultSortTime }) => resultSortTime),
        queryPreparationTime: longest(({ queryPreparationTime }) => queryPreparationTime),
        innerEvalTime: longest(({ innerEvalTime }) => innerEvalTime),
        execQueueTime: longest(({ execQueueTime }) => execQueueTime),
        execTotalTime: longest(({ execTotalTime }) => execTotalTime),
      },
      samples: {
        totalQueryableSamples: sum(all, ({ samples }) => samples.totalQueryableSamples),
        samplesRead: sum(all, ({ samples }) => samples.samplesRead),
        peakSamples: sum(all, ({ samples }) => samples.peakSamples),
        totalQueryableSamplesPerStep: null,
        samplesReadPerStep: null,
      },
    },
    error: null,
  };
}

function sum<T>(things: readonly T[], numberOf: (thing: T) => number): number {
  return things.reduce((total, thing) => total + numberOf(thing), 0);
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

/** A fragment, read series by series. */
class FragmentReader {
  readonly fragment: QueryFragment;
  readonly bytes: Buffer;
  readonly count: number;
  /** The series it is at. */
  at = 0;

  constructor({ parts, fragment }: QueryAnswer) {
    if (fragment === undefined) throw new Error("cannot merge an answer that is no fragment");
    this.fragment = fragment;
    const [only] = parts;
    this.bytes =
      parts.length === 1 && only
        ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
        : Buffer.concat(parts);
    this.count = fragment.marks.length / MARKS_A_SERIES;
  }

  private mark(which: number, series = this.at): number {
    return this.fragment.marks[MARKS_A_SERIES * series + which]!;
  }

  /** `{"metric":{…}` */
  head(series = this.at): Buffer {
    return this.bytes.subarray(this.mark(0, series), this.mark(1, series));
  }

  labels(series = this.at): Labels {
    return Labels.fromRecord(
      (JSON.parse(`${this.head(series).toString()}}`) as { metric: Record<string, string> }).metric,
    );
  }

  values(): Buffer {
    return this.bytes.subarray(this.mark(2), this.mark(3));
  }

  histograms(): Buffer {
    return this.bytes.subarray(this.mark(4), this.mark(5));
  }
}

/** Whether each fragment's series come after those of the one before it. */
function areInOrder(fragments: readonly FragmentReader[]): boolean {
  return fragments.every((fragment, i) => {
    const before = fragments[i - 1];
    return before === undefined || compareLabels(before.labels(before.count - 1), fragment.labels(0)) < 0;
  });
}

function writeOneByOne(out: JsonBytes, fragments: readonly FragmentReader[]): void {
  fragments.forEach(({ bytes }, i) => {
    if (i > 0) out.ascii(",");
    out.bytes(bytes);
  });
}

/** Series that several fragments have become one, with the points of each fragment in turn. */
function writeSideBySide(out: JsonBytes, fragments: readonly FragmentReader[]): void {
  let isFirst = true;
  for (;;) {
    const least = leastSeries(fragments);
    const [one] = least;
    if (one === undefined) return;
    if (!isFirst) out.ascii(",");
    isFirst = false;
    out.bytes(one.head());
    writeList(
      out,
      "values",
      least.map((fragment) => fragment.values()),
    );
    writeList(
      out,
      "histograms",
      least.map((fragment) => fragment.histograms()),
    );
    out.ascii("}");
    for (const fragment of least) fragment.at++;
  }
}

/** The fragments that are at the series that comes first. */
function leastSeries(fragments: readonly FragmentReader[]): FragmentReader[] {
  let least: FragmentReader[] = [];
  for (const fragment of fragments) {
    if (fragment.at === fragment.count) continue;
    const [best] = least;
    // Fast path: they mostly have the same series.
    const order =
      best === undefined
        ? -1
        : fragment.head().equals(best.head())
          ? 0
          : compareLabels(fragment.labels(), best.labels());
    if (order < 0) least = [fragment];
    else if (order === 0) least.push(fragment);
  }
  return least;
}

function writeList(out: JsonBytes, name: string, lists: readonly Buffer[]): void {
  const filled = lists.filter(({ length }) => length > 0);
  if (filled.length === 0) return;
  out.ascii(`,"${name}":[`);
  filled.forEach((list, i) => {
    if (i > 0) out.ascii(",");
    out.bytes(list);
  });
  out.ascii("]");
}
