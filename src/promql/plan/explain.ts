import type { WindowGrid } from "../../kernels/index.ts";
import type { Labels } from "../../model/labels.ts";
import type { VectorOperator } from "../exec/operator.ts";
import type { RangeSamples, RangeSource } from "../exec/range-source.ts";
import type { StepColumn, StepGrid } from "../exec/step-column.ts";
import type { Expr, RangeExtension } from "../parse/ast.ts";
import { printExpr } from "../parse/print.ts";
import type { AnyOperator } from "./build-operators.ts";

/** A node of an evaluated plan: what it is and what it took. Times and bytes include the nodes below. */
export interface ExplainNode {
  /** The kind of node, and for calls, aggregations and binary operators their name. */
  readonly name: string;
  readonly expr: string;
  /** Milliseconds since the epoch; a node below `stepInvariant` or a subquery has steps of its own. */
  readonly steps: StepGrid;
  /** Output series that may have samples; null where nothing was run. */
  series: number | null;
  /** Samples that came out: points of vectors, raw samples of range selectors. */
  samples: number;
  seconds: number;
  peakBytes: number;
  readonly children: ExplainNode[];
}

/** Gathers the figures of a query while it runs: every operator gets a stopwatch around it. */
export class Explainer {
  private readonly open: ExplainNode[] = [];
  root: ExplainNode | null = null;

  constructor(
    /** A clock in seconds, fine enough to time one series. */
    private readonly seconds: () => number,
    private readonly usedBytes: () => number,
  ) {}

  /** Builds the operator of a node; what is built meanwhile are its children. */
  build(expr: Expr, grid: StepGrid, make: () => AnyOperator): AnyOperator {
    const node: ExplainNode = {
      name: nodeName(expr),
      expr: printExpr(expr),
      steps: grid,
      series: null,
      samples: 0,
      seconds: 0,
      peakBytes: 0,
      children: [],
    };
    const parent = this.open.at(-1);
    if (parent === undefined) this.root = node;
    else parent.children.push(node);
    this.open.push(node);
    const operator = this.timed(node, make);
    this.open.pop();
    if (operator.type === "vector") return new TimedVector(operator, node, this);
    return operator.type === "matrix" ? new TimedSource(operator, node, this) : operator;
  }

  timed<T>(node: ExplainNode, work: () => T): T {
    const began = this.seconds();
    const bytes = this.usedBytes();
    try {
      return work();
    } finally {
      node.seconds += this.seconds() - began;
      node.peakBytes += Math.max(0, this.usedBytes() - bytes);
    }
  }
}

function nodeName(expr: Expr): string {
  switch (expr.kind) {
    case "call":
      return expr.func.name;
    case "aggregation":
    case "binary":
    case "unary":
      return expr.op;
    default:
      return expr.kind;
  }
}

class TimedVector implements VectorOperator {
  readonly type = "vector";
  readonly grid: StepGrid;

  constructor(
    private readonly inner: VectorOperator,
    private readonly node: ExplainNode,
    private readonly explainer: Explainer,
  ) {
    this.grid = inner.grid;
  }

  get count(): number {
    return (this.node.series = this.explainer.timed(this.node, () => this.inner.count));
  }

  get namesDiffer(): boolean {
    return this.inner.namesDiffer;
  }

  labels(index: number): Labels {
    return this.inner.labels(index);
  }

  dropsName(index: number): boolean {
    return this.inner.dropsName(index);
  }

  read(index: number, out: StepColumn): void {
    this.explainer.timed(this.node, () => this.inner.read(index, out));
    this.node.samples += out.presentCount;
  }
}

class TimedSource implements RangeSource {
  readonly type = "matrix";
  readonly windows: WindowGrid;
  readonly extension: RangeExtension | null;

  constructor(
    private readonly inner: RangeSource,
    private readonly node: ExplainNode,
    private readonly explainer: Explainer,
  ) {
    this.windows = inner.windows;
    this.extension = inner.extension;
  }

  get count(): number {
    return (this.node.series = this.explainer.timed(this.node, () => this.inner.count));
  }

  get namesDiffer(): boolean {
    return this.inner.namesDiffer;
  }

  get commonName(): string | null {
    return this.inner.commonName;
  }

  get countsOwnReads(): boolean {
    return this.inner.countsOwnReads;
  }

  labels(index: number): Labels {
    return this.inner.labels(index);
  }

  dropsName(index: number): boolean {
    return this.inner.dropsName(index);
  }

  read(index: number): RangeSamples {
    const samples = this.explainer.timed(this.node, () => this.inner.read(index));
    this.node.samples += samples.count;
    return samples;
  }
}
