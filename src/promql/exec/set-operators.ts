import type { Labels } from "../../model/labels.ts";
import { columnSampleCount, type InputAccount } from "../limits.ts";
import type { VectorMatching } from "../parse/ast.ts";
import { mergeColumn } from "./derived-series.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { MatchSignature } from "./signature.ts";
import { ABSENT, StepColumn, type StepGrid } from "./step-column.ts";

/** Series of `or` that are one: the right one of each left one. */
interface Twins {
  readonly ofLeft: Map<number, number>;
  readonly onRight: Set<number>;
}

/**
 * and, or, unless: samples pass untouched, or not, by whether the other side has any sample of the same signature at
 * that step.
 */
export class SetOperator implements VectorOperator {
  readonly type = "vector";
  private readonly signature: MatchSignature;
  /** Series of the masking side by signature: the right side, or for `or` the left. */
  private maskSeries: ReadonlyMap<string, readonly number[]> | null = null;
  private readonly masks = new Map<string, Uint8Array>();
  private twins: Twins | null = null;
  private readonly scratch: StepColumn;
  private readonly account: InputAccount;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly op: "and" | "or" | "unless",
    matching: VectorMatching,
    private readonly left: VectorOperator,
    private readonly right: VectorOperator,
  ) {
    this.signature = new MatchSignature(matching);
    this.scratch = new StepColumn(context.memory, grid.count);
    this.account = context.limits.account();
  }

  get count(): number {
    return this.op === "or" ? this.left.count + this.right.count : this.left.count;
  }

  get namesDiffer(): boolean {
    return this.op === "or" || this.left.namesDiffer;
  }

  labels(index: number): Labels {
    const { left } = this;
    return index < left.count ? left.labels(index) : this.right.labels(index - left.count);
  }

  dropsName(index: number): boolean {
    const { left, right } = this;
    if (index >= left.count) return right.dropsName(index - left.count);
    const twin = this.knownTwins().ofLeft.get(index);
    if (twin === undefined) return left.dropsName(index);
    // The mark of a series is that of its first sample.
    const { collector, columns } = this.context;
    const column = columns.take(this.grid.count);
    const firstStep = (read: () => void): number => {
      collector.withoutCounting(read);
      const step = column.kinds.findIndex((kind) => kind !== ABSENT);
      return step < 0 ? Infinity : step;
    };
    const leftStep = firstStep(() => left.read(index, column));
    const rightStep = firstStep(() => this.readUnmasked(twin, column));
    columns.give(column);
    return leftStep <= rightStep ? left.dropsName(index) : right.dropsName(twin);
  }

  read(index: number, out: StepColumn): void {
    this.account.exchange(
      () => this.compute(index, out),
      () => columnSampleCount(out),
    );
  }

  private compute(index: number, out: StepColumn): void {
    const { left, op } = this;
    if (op === "or") {
      const { ofLeft, onRight } = this.knownTwins();
      if (index >= left.count) {
        if (onRight.has(index - left.count)) out.clear();
        else this.readUnmasked(index - left.count, out);
        return;
      }
      left.read(index, out);
      const twin = ofLeft.get(index);
      if (twin === undefined) return;
      const column = this.context.columns.take(out.count);
      this.readUnmasked(twin, column);
      mergeColumn(out, column);
      this.context.columns.give(column);
      return;
    }
    left.read(index, out);
    if (out.presentCount > 0) this.apply(out, this.mask(left.labels(index)), op === "and");
  }

  /** A series of the right side of `or`, where the left side has none of its signature. */
  private readUnmasked(index: number, out: StepColumn): void {
    this.right.read(index, out);
    this.apply(out, this.mask(this.right.labels(index)), false);
  }

  /**
   * Series that both sides of `or` have, one of them with a name that waits for its removal: they are one series, with
   * one mark.
   */
  private knownTwins(): Twins {
    if (this.twins !== null) return this.twins;
    const twins: Twins = (this.twins = { ofLeft: new Map(), onRight: new Set() });
    if (!this.context.features.delayedNameRemoval) return twins;
    const { left, right } = this;
    const byLabels = new Map<string, number>();
    for (let i = 0, n = left.count; i < n; i++) byLabels.set(left.labels(i).key, i);
    for (let i = 0, n = right.count; i < n; i++) {
      const twin = byLabels.get(right.labels(i).key);
      if (twin === undefined || left.dropsName(twin) === right.dropsName(i)) continue;
      twins.ofLeft.set(twin, i);
      twins.onRight.add(i);
    }
    return twins;
  }

  private apply(out: StepColumn, mask: Uint8Array | null, keepWhereMasked: boolean): void {
    if (mask === null) {
      if (keepWhereMasked) out.clear();
      return;
    }
    for (let step = 0; step < out.count; step++) {
      if (out.kinds[step] !== ABSENT && (mask[step] !== ABSENT) !== keepWhereMasked) out.remove(step);
    }
  }

  /** Where the masking side has a sample with this signature; null where it never has. */
  private mask(labels: Labels): Uint8Array | null {
    const masking = this.op === "or" ? this.left : this.right;
    this.maskSeries ??= bySignature(masking, this.signature);
    const key = this.signature.key(labels);
    const series = this.maskSeries.get(key);
    if (series === undefined) return null;
    let mask = this.masks.get(key);
    if (mask === undefined) {
      mask = new Uint8Array(this.grid.count);
      for (const index of series) {
        // The left side of `or` is read once more as output: that reading counts.
        if (this.op === "or") this.context.collector.withoutCounting(() => masking.read(index, this.scratch));
        else masking.read(index, this.scratch);
        for (let step = 0; step < mask.length; step++) mask[step]! |= this.scratch.kinds[step]!;
        this.context.limits.worked(mask.length);
      }
      this.masks.set(key, mask);
    }
    return mask;
  }
}

/** The series of an operator by signature, in order. */
export function bySignature(operator: VectorOperator, signature: MatchSignature): Map<string, number[]> {
  const map = new Map<string, number[]>();
  for (let i = 0, count = operator.count; i < count; i++) {
    const key = signature.key(operator.labels(i));
    const group = map.get(key);
    if (group === undefined) map.set(key, [i]);
    else group.push(i);
  }
  return map;
}
