import type { FloatHistogram } from "../../model/histogram.ts";
import { type Labels, LabelsBuilder } from "../../model/labels.ts";
import { quote } from "../../model/quote.ts";
import { parseBucketBound } from "../functions/bucket-bound.ts";
import { ClassicBuckets, mergeEqualBounds } from "../functions/classic-quantile.ts";
import type { Position } from "../parse/ast.ts";
import { DerivedSeries } from "./derived-series.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { FLOAT, HISTOGRAM, type StepColumn, type StepGrid } from "./step-column.ts";

/** What a number out of a histogram needs to leave a note. Reused from step to step. */
export interface HistogramPlace {
  step: number;
  timeMs: number;
  /** The histogram's name where the function may still know it, else "". */
  readonly metricName: string;
  /** False while a series is read again: what is to be said has been said. */
  readonly isFirstRead: boolean;
}

/** One number out of a histogram of either kind, such as a quantile. */
export interface HistogramEvaluation {
  /** Labels put on each result, beyond those of the histogram. */
  readonly label: { readonly name: string; readonly value: string } | null;
  /** Whether it gives anything at a step; absent for all. */
  isMeantFor?(step: number): boolean;
  /** @param buckets ascending, the last one infinite; may be changed */
  classic(buckets: ClassicBuckets, place: HistogramPlace): number;
  /** For a classic histogram without an infinite bucket. */
  incomplete(place: HistogramPlace): number;
  native(histogram: FloatHistogram, place: HistogramPlace): number;
}

/** One histogram of the argument: classic buckets that share their labels but `le`, and native ones of those labels. */
interface Group {
  readonly labels: Labels;
  /** By bound. */
  readonly buckets: { readonly bound: number; readonly member: number }[];
  readonly natives: number[];
}

/**
 * histogram_quantile and its kin: numbers out of histograms, classic ones put together from the series of their
 * buckets. Each evaluation gives one output for each histogram.
 */
export class HistogramOperator implements VectorOperator {
  readonly type = "vector";
  private known: { readonly groups: readonly Group[]; readonly series: DerivedSeries } | null = null;
  /** Per child series: whether it was found to hold no native histogram. */
  private withoutNatives = new Set<number>();
  private readonly wasRead = new Set<number>();

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly child: VectorOperator,
    /** Where the vector argument stands. */
    private readonly position: Position,
    /** Made when the operator is asked for the first time. */
    private readonly createEvaluations: () => readonly HistogramEvaluation[],
  ) {}

  get count(): number {
    return this.prepared().series.count;
  }

  get namesDiffer(): boolean {
    return this.prepared().series.namesDiffer;
  }

  labels(index: number): Labels {
    return this.prepared().series.labels(index);
  }

  dropsName(index: number): boolean {
    return this.prepared().series.dropsName(index);
  }

  read(index: number, out: StepColumn): void {
    this.prepared().series.read(index, out, this.compute);
    this.context.limits.hold(out.presentCount);
  }

  private evaluations: readonly HistogramEvaluation[] = [];

  private prepared() {
    if (this.known !== null) return this.known;
    this.evaluations = this.createEvaluations();
    const groups = this.gatherGroups();
    const { evaluations } = this;
    const outputs = {
      count: groups.length * evaluations.length,
      labels: (index: number): Labels => {
        const { labels } = groups[index % groups.length]!;
        const { label } = evaluations[Math.floor(index / groups.length)]!;
        return label === null ? labels : new LabelsBuilder(labels).set(label.name, label.value).labels();
      },
      dropsName: () => false,
      namesDiffer: true,
    };
    return (this.known = { groups, series: new DerivedSeries(outputs, "drop", this.context, false) });
  }

  private gatherGroups(): Group[] {
    const groups = new Map<string, Group>();
    const groupOf = (labels: Labels): Group => {
      let group = groups.get(labels.key);
      if (group === undefined) groups.set(labels.key, (group = { labels, buckets: [], natives: [] }));
      return group;
    };
    const { child } = this;
    const malformed: number[] = [];
    const carrying: number[] = [];
    for (let member = 0, n = child.count; member < n; member++) {
      const labels = child.labels(member);
      const bound = parseBucketBound(labels.get("le"));
      if (bound === null) malformed.push(member);
      else {
        groupOf(labels.without(BOUND_LABEL)).buckets.push({ bound, member });
        carrying.push(member);
      }
    }
    for (const member of malformed) groupOf(child.labels(member)).natives.push(member);
    // A native histogram may carry `le` too; last, since by then it is known whether these are any.
    for (const member of carrying) groupOf(child.labels(member)).natives.push(member);
    for (const group of groups.values()) group.buckets.sort((a, b) => a.bound - b.bound);
    return [...groups.values()];
  }

  private readonly compute = (output: number, out: StepColumn): void => {
    const { groups } = this.known!;
    const group = groups[output % groups.length]!;
    const evaluation = this.evaluations[Math.floor(output / groups.length)]!;
    const isFirstRead = !this.wasRead.has(output);
    this.wasRead.add(output);
    const { context, grid } = this;
    const held = context.limits.heldSamples;
    const native = this.readNative(group, isFirstRead);
    const bucketColumns = group.buckets.map(({ member }) => this.readMember(member));
    out.clear();
    if (native === null && bucketColumns.length === 0) return context.limits.releaseTo(held);
    const metricName = context.features.delayedNameRemoval ? group.labels.metricName : "";
    const buckets = new ClassicBuckets(group.buckets.length);
    const place: HistogramPlace = { step: 0, timeMs: 0, metricName, isFirstRead };
    for (let step = 0; step < grid.count; step++) {
      if (evaluation.isMeantFor?.(step) === false) continue;
      place.step = step;
      place.timeMs = grid.startMs + step * grid.stepMs;
      const histogram = native !== null && native.kinds[step] === HISTOGRAM ? native.histogramAt(step) : null;
      buckets.size = 0;
      for (let i = 0; i < bucketColumns.length; i++) {
        const column = bucketColumns[i]!;
        if (column.kinds[step] === FLOAT) buckets.add(group.buckets[i]!.bound, column.values[step]!);
      }
      if (buckets.size === 0) {
        if (histogram !== null) out.setFloat(step, evaluation.native(histogram, place));
      } else if (histogram !== null) this.warnMixed(group);
      else if (mergeEqualBounds(buckets)) out.setFloat(step, evaluation.classic(buckets, place));
      else out.setFloat(step, evaluation.incomplete(place));
    }
    for (const column of bucketColumns) context.columns.give(column);
    if (native !== null) context.columns.give(native);
    context.limits.releaseTo(held);
  };

  /** The native histograms of a group; floats where no bound is known are complained of. */
  private readNative(group: Group, isFirstRead: boolean): StepColumn | null {
    let found: StepColumn | null = null;
    for (const member of group.natives) {
      if (this.withoutNatives.has(member)) continue;
      const column = this.readMember(member);
      const labels = this.child.labels(member);
      const bound = labels.get("le");
      if (isFirstRead && parseBucketBound(bound) === null && column.kinds.includes(FLOAT)) {
        this.context.annotations.warn(
          `bucket label "le" is missing or has a malformed value of ${quote(bound)}${forMetric(labels.metricName)}`,
          this.position,
        );
      }
      if (found === null && column.histograms !== null) found = column;
      else this.context.columns.give(column);
    }
    return found;
  }

  private readMember(member: number): StepColumn {
    const column = this.context.columns.take(this.grid.count);
    this.child.read(member, column);
    if (column.histograms === null) this.withoutNatives.add(member);
    return column;
  }

  private warnMixed(group: Group): void {
    this.context.annotations.warn(
      `vector contains a mix of classic and native histograms${forMetric(group.labels.metricName)}`,
      this.position,
    );
  }
}

const BOUND_LABEL: ReadonlySet<string> = new Set(["le"]);

/** ` for metric name "x"`, or nothing where the name is gone. */
export function forMetric(name: string): string {
  return name === "" ? "" : ` for metric name ${quote(name)}`;
}
