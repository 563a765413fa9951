import { METRIC_NAME, type Labels } from "../../model/labels.ts";
import { ExecutionError } from "../limits.ts";
import { ABSENT, type StepColumn } from "./step-column.ts";
import type { ExecutionContext } from "./operator.ts";
import { StepColumn as Column } from "./step-column.ts";

/** The labels that say what a sample measures; they go where a sample stops measuring that. */
export const NAME_LABELS: ReadonlySet<string> = new Set([METRIC_NAME, "__type__", "__unit__"]);
const METRIC_NAME_ONLY: ReadonlySet<string> = new Set([METRIC_NAME]);

export const DUPLICATE_LABELS = "vector cannot contain metrics with the same labelset";

/** What a series set tells about itself before any sample is read. */
interface KnownSeries {
  readonly count: number;
  labels(index: number): Labels;
  dropsName(index: number): boolean;
  readonly namesDiffer: boolean;
}

/**
 * What becomes of the labels: kept; name, type and unit dropped (at once, or marked when removal is delayed); only the
 * name dropped; or rewritten.
 */
export type LabelRule = "keep" | "drop" | "drop-metric-name" | Rewriting;

export interface Rewriting {
  labels(old: Labels): Labels;
  dropsName(old: Labels, marked: boolean): boolean;
}

/**
 * The output series of an operator that works on its input series by series, after their labels have changed. Inputs
 * whose new labels are equal become one output.
 */
export class DerivedSeries {
  readonly count: number;
  readonly namesDiffer: boolean;
  private readonly rewrite: ((labels: Labels) => Labels) | null;
  private readonly marks: "as-input" | "all" | Rewriting;
  /** The new labels of every input, where they had to be looked at. */
  private readonly rewritten: readonly Labels[] | null;
  /** The inputs of each output; null where they are the same. */
  private readonly members: readonly (readonly number[])[] | null;
  private scratch: StepColumn | null = null;

  constructor(
    private readonly input: KnownSeries,
    rule: LabelRule,
    private readonly context: ExecutionContext,
    /** Whether equal labels are an error even where the series never meet at a step. */
    private readonly mustDiffer: boolean,
  ) {
    const delayed = context.features.delayedNameRemoval;
    if (typeof rule === "object") {
      this.rewrite = (labels) => rule.labels(labels);
      this.marks = rule;
    } else if (rule === "keep") {
      this.rewrite = null;
      this.marks = "as-input";
    } else if (delayed) {
      this.rewrite = null;
      this.marks = "all";
    } else {
      const dropped = rule === "drop" ? NAME_LABELS : METRIC_NAME_ONLY;
      this.rewrite = (labels) => labels.without(dropped);
      this.marks = "as-input";
    }
    const mayMeet = this.rewrite !== null && (typeof rule === "object" || input.namesDiffer);
    this.rewritten = mayMeet ? rewriteAll(input, this.rewrite!) : null;
    this.members = this.rewritten === null ? null : groupEqual(this.rewritten);
    // Series that are equal now are an error even where they are at different steps, or not read by one part.
    if (this.members !== null) context.wholeness.mustBeWhole = true;
    this.namesDiffer = this.rewrite === null || typeof rule === "object" ? input.namesDiffer : false;
    this.count = this.members?.length ?? input.count;
  }

  labels(index: number): Labels {
    const member = this.firstMember(index);
    if (this.rewritten !== null) return this.rewritten[member]!;
    const labels = this.input.labels(member);
    return this.rewrite === null ? labels : this.rewrite(labels);
  }

  dropsName(index: number): boolean {
    if (this.marks === "all") return true;
    const member = this.firstMember(index);
    const marked = this.input.dropsName(member);
    return this.marks === "as-input" ? marked : this.marks.dropsName(this.input.labels(member), marked);
  }

  /** Fills `out` with output `index`: `compute` fills a column from one input. @throws ExecutionError on duplicates */
  read(index: number, out: StepColumn, compute: (member: number, column: StepColumn) => void): void {
    const members = this.members?.[index];
    if (members === undefined) return compute(index, out);
    compute(members[0]!, out);
    if (members.length === 1) return;
    this.scratch ??= new Column(this.context.memory, out.count);
    for (let i = 1; i < members.length; i++) {
      compute(members[i]!, this.scratch);
      if (this.mustDiffer && this.scratch.presentCount > 0 && out.presentCount > 0) {
        throw new ExecutionError(DUPLICATE_LABELS);
      }
      mergeColumn(out, this.scratch);
    }
  }

  private firstMember(index: number): number {
    return this.members === null ? index : this.members[index]![0]!;
  }
}

/** Adds the steps of `other` to `out`. @throws ExecutionError where both hold something */
export function mergeColumn(out: StepColumn, other: StepColumn): void {
  if (other.presentCount === 0) return;
  for (let step = 0; step < out.count; step++) {
    if (other.kinds[step] === ABSENT) continue;
    if (out.kinds[step] !== ABSENT) throw new ExecutionError(DUPLICATE_LABELS);
    out.copyStep(step, other, step);
  }
}

function rewriteAll(input: KnownSeries, rewrite: (labels: Labels) => Labels): Labels[] {
  const rewritten: Labels[] = [];
  for (let i = 0; i < input.count; i++) rewritten.push(rewrite(input.labels(i)));
  return rewritten;
}

/** Null where all are different. */
function groupEqual(labels: readonly Labels[]): number[][] | null {
  const groups = new Map<string, number[]>();
  labels.forEach(({ key }, i) => {
    const group = groups.get(key);
    if (group) group.push(i);
    else groups.set(key, [i]);
  });
  return groups.size === labels.length ? null : [...groups.values()];
}
