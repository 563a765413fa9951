import type { Labels } from "../../model/labels.ts";
import { columnSampleCount, type InputAccount } from "../limits.ts";
import type { VectorMatching } from "../parse/ast.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { MatchSignature } from "./signature.ts";
import { ABSENT, StepColumn, type StepGrid } from "./step-column.ts";

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
    const { left } = this;
    return index < left.count ? left.dropsName(index) : this.right.dropsName(index - left.count);
  }

  read(index: number, out: StepColumn): void {
    this.account.exchange(
      () => this.compute(index, out),
      () => columnSampleCount(out),
    );
  }

  private compute(index: number, out: StepColumn): void {
    const { left, right, op } = this;
    if (op === "or") {
      if (index < left.count) return left.read(index, out);
      right.read(index - left.count, out);
      this.apply(out, this.mask(right.labels(index - left.count)), false);
      return;
    }
    left.read(index, out);
    if (out.presentCount > 0) this.apply(out, this.mask(left.labels(index)), op === "and");
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
