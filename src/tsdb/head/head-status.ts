import { METRIC_NAME } from "../../model/labels.ts";
import type { Generation } from "./generation.ts";
import type { Head } from "./head.ts";

export interface NamedCount {
  readonly name: string;
  readonly value: number;
}

/** What fills the head, by name: the numbers of `/api/v1/status/tsdb`. */
export interface HeadStatus {
  readonly headStats: {
    readonly numSeries: number;
    readonly numLabelPairs: number;
    readonly chunkCount: number;
    readonly minTime: number;
    readonly maxTime: number;
  };
  readonly seriesCountByMetricName: readonly NamedCount[];
  readonly labelValueCountByLabelName: readonly NamedCount[];
  readonly memoryInBytesByLabelName: readonly NamedCount[];
  readonly seriesCountByLabelValuePair: readonly NamedCount[];
}

/** The ends of an int64, the wrong way round: what Prometheus shows of an empty head. */
const EMPTY_MIN_TIME = 9223372036854775807;
const EMPTY_MAX_TIME = -9223372036854775808;

/**
 * Counts by the index alone, without walking series: a list knows how many it holds. Of several generations the
 * fullest is looked at: the newest holds few series while it is young.
 *
 * @param limit the most entries of each list
 */
export function headStatus(head: Head, limit: number): HeadStatus {
  const generations = head.generations.map(({ generation }) => generation);
  const { fullest } = head;
  const byMetric: NamedCount[] = [];
  const byLabel: NamedCount[] = [];
  const memory: NamedCount[] = [];
  const byPair: NamedCount[] = [];
  let pairs = 0;
  if (fullest) pairs = countPairs(fullest, { byMetric, byLabel, memory, byPair });
  const minTime = Math.min(...generations.map((generation) => generation.minTime));
  return {
    headStats: {
      numSeries: head.seriesCount,
      numLabelPairs: pairs,
      chunkCount: generations.reduce((sum, generation) => sum + generation.chunkCount, 0),
      minTime: Number.isFinite(minTime) ? minTime : EMPTY_MIN_TIME,
      maxTime: Number.isFinite(head.maxTime) ? head.maxTime : EMPTY_MAX_TIME,
    },
    seriesCountByMetricName: greatest(byMetric, limit),
    labelValueCountByLabelName: greatest(byLabel, limit),
    memoryInBytesByLabelName: greatest(memory, limit),
    seriesCountByLabelValuePair: greatest(byPair, limit),
  };
}

function countPairs(
  { postings, symbols }: Generation,
  into: Record<"byMetric" | "byLabel" | "memory" | "byPair", NamedCount[]>,
): number {
  let pairs = 0;
  for (const nameList of postings.nameLists()) {
    const nameSymbol = postings.nameOf(nameList);
    const name = symbols.text(nameSymbol);
    const nameBytes = symbols.place(nameSymbol).length;
    const valueLists = postings.read(nameList);
    pairs += valueLists.length;
    let bytes = 0;
    for (const list of valueLists) {
      const valueSymbol = postings.valueOf(list);
      const count = postings.count(list);
      const value = symbols.text(valueSymbol);
      bytes += count * (nameBytes + symbols.place(valueSymbol).length + 2);
      into.byPair.push({ name: `${name}=${value}`, value: count });
      if (name === METRIC_NAME) into.byMetric.push({ name: value, value: count });
    }
    into.byLabel.push({ name, value: valueLists.length });
    into.memory.push({ name, value: bytes });
  }
  return pairs;
}

function greatest(counts: NamedCount[], limit: number): NamedCount[] {
  return counts.sort((a, b) => b.value - a.value).slice(0, limit);
}
