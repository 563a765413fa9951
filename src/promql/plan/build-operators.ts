import type { FunctionImplementation, OperatorBuilder } from "../functions/contract.ts";
import { extendedRangeFunction } from "../functions/extended-range.ts";
import { functionImplementation } from "../functions/registry.ts";
import { AggregateOperator } from "../exec/aggregate.ts";
import { BinaryOperator } from "../exec/binary.ts";
import { isSetOperator, scalarOperation } from "../exec/binary-arithmetic.ts";
import { CountValuesOperator } from "../exec/count-values.ts";
import { QuantileAggregateOperator } from "../exec/quantile-aggregate.ts";
import { RankAggregateOperator } from "../exec/rank-aggregate.ts";
import { elementwiseOperator, histogramReadingOperator } from "../exec/call.ts";
import { MatrixSelectorSource } from "../exec/matrix-selector.ts";
import { negateOperator } from "../exec/negate.ts";
import type { ExecutionContext, ScalarOperator, StringOperator, VectorOperator } from "../exec/operator.ts";
import { RangeCallOperator } from "../exec/range-call.ts";
import type { RangeSource } from "../exec/range-source.ts";
import { ConstantOperator, ScalarCallOperator, StepInvariantScalar } from "../exec/scalar-operators.ts";
import { sampleTimesOperator } from "../exec/sample-times.ts";
import { selectorRead } from "../exec/selector-read.ts";
import { SetOperator } from "../exec/set-operators.ts";
import type { StepGrid } from "../exec/step-column.ts";
import { SmoothedSelectorOperator } from "../exec/smoothed-selector.ts";
import { StepInvariantVector } from "../exec/step-invariant.ts";
import { SubquerySource } from "../exec/subquery.ts";
import { VectorSelectorOperator, type SelectorYield } from "../exec/vector-selector.ts";
import { vectorScalarOperator } from "../exec/vector-scalar.ts";
import type {
  Aggregation,
  Binary,
  Call,
  Expr,
  MatrixSelector,
  Subquery,
  VectorSelector,
} from "../parse/ast.ts";
import { StepInvariantCounter, SubqueryCounter, type SampleCounter } from "../statistics.ts";
import type { Explainer } from "./explain.ts";
import { type HistogramNeeds, needsBelow, NO_NEEDS } from "./histogram-needs.ts";
import {
  instantGeometry,
  rangeGeometry,
  subqueryGeometry,
  timestampGeometry,
  type InstantGeometry,
} from "./geometry.ts";

export type AnyOperator = VectorOperator | ScalarOperator | StringOperator | RangeSource;

/**
 * Turns a logical plan into operators. `build` is the table of contents of exec/: which node becomes what.
 */
export class PlanBuilder implements OperatorBuilder {
  constructor(
    /** Of the part being built: subqueries and invariant parts count samples in their own way. */
    public context: ExecutionContext,
    private readonly defaultSubqueryStepMs: number,
    /** Watches every operator at work; null when nobody asks. */
    private readonly explainer: Explainer | null = null,
  ) {}

  /** What the nodes above the one being built take of histograms. */
  private needs: HistogramNeeds = NO_NEEDS;

  private readonly scalars: ScalarOperator[] = [];

  /** Evaluates scalars that nobody needed in the end, since a query with a fault in one of them fails all the same. */
  finish(): void {
    for (const scalar of this.scalars) scalar.values();
  }

  build(expr: Expr, grid: StepGrid): AnyOperator {
    const above = this.needs;
    this.needs = needsBelow(expr, above);
    try {
      const built =
        this.explainer === null || expr.kind === "paren"
          ? this.make(expr, grid)
          : this.explainer.build(expr, grid, () => this.make(expr, grid));
      if (built.type === "scalar") this.scalars.push(built);
      return built;
    } finally {
      this.needs = above;
    }
  }

  private make(expr: Expr, grid: StepGrid): AnyOperator {
    switch (expr.kind) {
      case "number":
        return new ConstantOperator(grid, expr.value);
      case "string":
        return { type: "string", value: expr.value };
      case "vectorSelector":
        return this.instantSelector(expr, grid, "value");
      case "matrixSelector":
        return this.rangeSelector(expr, grid);
      case "subquery":
        return this.subquery(expr, grid);
      case "call":
        return this.call(expr, grid);
      case "aggregation":
        return this.aggregation(expr, grid);
      case "binary":
        return this.binary(expr, grid);
      case "unary":
        return this.unary(expr.op, expr.expr, grid);
      case "stepInvariant":
        return this.stepInvariant(expr.expr, grid);
      case "paren":
        return this.build(expr.expr, grid);
    }
  }

  vector(expr: Expr, grid: StepGrid): VectorOperator {
    const built = this.build(expr, grid);
    if (built.type !== "vector")
      throw new Error(`cannot evaluate ${expr.kind} as a vector: it is a ${built.type}`);
    return built;
  }

  scalar(expr: Expr, grid: StepGrid): ScalarOperator {
    const built = this.build(expr, grid);
    if (built.type !== "scalar")
      throw new Error(`cannot evaluate ${expr.kind} as a scalar: it is a ${built.type}`);
    return built;
  }

  string(expr: Expr): StringOperator {
    if (expr.kind === "paren" || expr.kind === "stepInvariant") return this.string(expr.expr);
    if (expr.kind !== "string") throw new Error(`cannot read ${expr.kind} as a string`);
    return { type: "string", value: expr.value };
  }

  range(expr: Expr, grid: StepGrid): RangeSource {
    const built = this.build(expr, grid);
    if (built.type !== "matrix")
      throw new Error(`cannot evaluate ${expr.kind} as a range: it is a ${built.type}`);
    return built;
  }

  sampleTimes(expr: Expr, grid: StepGrid, what: "timestamp" | "start-timestamp"): VectorOperator {
    if (expr.kind === "stepInvariant" && expr.expr.kind === "vectorSelector") {
      const single = { startMs: grid.startMs, stepMs: 0, count: 1 };
      const counter = new StepInvariantCounter(this.context.statistics, grid.count);
      const times = this.counting(counter, () => this.sampleTimes(expr.expr, single, what));
      return new StepInvariantVector(this.context, grid, times);
    }
    const times =
      expr.kind === "vectorSelector" ? this.instantSelector(expr, grid, what) : this.vector(expr, grid);
    return sampleTimesOperator(this.context, grid, times, what, expr.kind === "vectorSelector");
  }

  private instantSelector(selector: VectorSelector, grid: StepGrid, yields: SelectorYield): VectorOperator {
    let geometry = instantGeometry(selector, grid, this.context.lookbackMs);
    if (selector.extension === "smoothed" && yields === "value")
      return this.smoothedSelector(selector, grid, geometry);
    if (yields !== "value") geometry = timestampGeometry(selector, geometry);
    const read = selectorRead({
      matchers: selector.matchers,
      ...geometry,
      statisticsOnly: this.statisticsOnly,
    });
    return new VectorSelectorOperator(this.context, grid, read, yields);
  }

  /** Whether the selector being built may give histograms without their buckets. */
  private get statisticsOnly(): boolean {
    return this.needs.statistics && !this.needs.buckets;
  }

  private smoothedSelector(
    selector: VectorSelector,
    grid: StepGrid,
    geometry: InstantGeometry,
  ): VectorOperator {
    const { firstMs, stepMs } = geometry;
    const { statisticsOnly } = this;
    const read = selectorRead({ matchers: selector.matchers, ...geometry, statisticsOnly });
    const windows = { firstMs, stepMs, count: grid.count, rangeMs: 0 };
    const source = new MatrixSelectorSource(this.context, read, windows, "smoothed");
    return new SmoothedSelectorOperator(this.context, grid, source, selector.position);
  }

  private rangeSelector(node: MatrixSelector, grid: StepGrid): RangeSource {
    const { windows, minTime, maxTime } = rangeGeometry(node, grid, this.context.lookbackMs);
    const { matchers, extension } = node.selector;
    const { firstMs, stepMs } = windows;
    const { statisticsOnly } = this;
    const read = selectorRead({ matchers, firstMs, stepMs, lookbackMs: 0, minTime, maxTime, statisticsOnly });
    return new MatrixSelectorSource(this.context, read, windows, extension);
  }

  private subquery(node: Subquery, grid: StepGrid): RangeSource {
    const { windows, inner } = subqueryGeometry(node, grid, this.defaultSubqueryStepMs);
    this.context.limits.checkSteps(inner.count);
    this.context.collector.expectSteps(inner.count);
    const counter = new SubqueryCounter(this.context.statistics, inner, windows);
    const child = inner.count > 0 ? this.counting(counter, () => this.vector(node.expr, inner)) : null;
    return new SubquerySource(this.context, windows, child, counter);
  }

  private call(call: Call, grid: StepGrid): VectorOperator | ScalarOperator {
    const implementation: FunctionImplementation = functionImplementation(call.func.name);
    const scalars = (args: readonly Expr[]) => args.map((arg) => this.scalar(arg, grid));
    switch (implementation.kind) {
      case "elementwise": {
        const [vector, ...rest] = call.args;
        return elementwiseOperator(
          this.context,
          grid,
          implementation,
          this.vector(vector!, grid),
          scalars(rest),
        );
      }
      case "histogram":
        return histogramReadingOperator(this.context, grid, implementation, this.vector(call.args[0]!, grid));
      case "scalar":
        return new ScalarCallOperator(grid, scalars(call.args), implementation.apply);
      case "range": {
        const rangeIndex = call.func.argTypes.indexOf("matrix");
        const others = call.args.filter((_, i) => i !== rangeIndex);
        const source = this.range(call.args[rangeIndex]!, grid);
        const { extension } = source;
        const func =
          extension === null
            ? implementation
            : extendedRangeFunction(call.func.name, implementation, extension);
        return new RangeCallOperator(this.context, grid, call, func, source, scalars(others));
      }
      case "operator":
        return implementation.build(call, grid, this);
    }
  }

  private aggregation(node: Aggregation, grid: StepGrid): VectorOperator {
    const child = this.vector(node.expr, grid);
    switch (node.op) {
      case "sum":
      case "avg":
      case "min":
      case "max":
      case "count":
      case "group":
      case "stddev":
      case "stdvar":
        return new AggregateOperator(this.context, grid, node, node.op, child);
      case "topk":
      case "bottomk":
      case "limitk":
      case "limit_ratio":
        return new RankAggregateOperator(
          this.context,
          grid,
          node,
          node.op,
          child,
          this.scalar(node.param!, grid),
        );
      case "quantile":
        return new QuantileAggregateOperator(this.context, grid, node, child, this.scalar(node.param!, grid));
      case "count_values":
        return new CountValuesOperator(this.context, grid, node, child, this.string(node.param!).value);
    }
  }

  private binary(node: Binary, grid: StepGrid): VectorOperator | ScalarOperator {
    const left = this.build(node.left, grid);
    const right = this.build(node.right, grid);
    if (left.type === "scalar" && right.type === "scalar") {
      const apply = scalarOperation(node.op);
      return new ScalarCallOperator(grid, [left, right], (_, [a, b]) => apply(a!, b!));
    }
    if (left.type === "vector" && right.type === "scalar") {
      return vectorScalarOperator(this.context, grid, node, left, right, false);
    }
    if (left.type === "scalar" && right.type === "vector") {
      return vectorScalarOperator(this.context, grid, node, right, left, true);
    }
    if (left.type !== "vector" || right.type !== "vector") {
      throw new Error(`cannot combine ${left.type} ${node.op} ${right.type}`);
    }
    if (isSetOperator(node.op)) {
      return new SetOperator(this.context, grid, node.op, node.matching!, left, right);
    }
    return new BinaryOperator(this.context, grid, node, node.matching!, left, right);
  }

  private unary(op: "+" | "-", expr: Expr, grid: StepGrid): VectorOperator | ScalarOperator {
    const operand = this.build(expr, grid);
    if (operand.type === "scalar") {
      return op === "+" ? operand : new ScalarCallOperator(grid, [operand], (_, [value]) => -value!);
    }
    if (operand.type !== "vector") throw new Error(`cannot negate a ${operand.type}`);
    return op === "+" ? operand : negateOperator(this.context, grid, operand);
  }

  /** Builds a part whose samples are counted by `counter`. */
  private counting<T>(statistics: SampleCounter, build: () => T): T {
    const outer = this.context;
    this.context = { ...outer, statistics };
    try {
      return build();
    } finally {
      this.context = outer;
    }
  }

  private stepInvariant(expr: Expr, grid: StepGrid): AnyOperator {
    // A range held still needs no single step: its windows do not move.
    if (expr.kind === "matrixSelector" || expr.kind === "subquery") return this.build(expr, grid);
    if (grid.count === 1 && grid.endsLater !== true) return this.build(expr, grid);
    const counter = new StepInvariantCounter(this.context.statistics, grid.count);
    const single = this.counting(counter, () =>
      this.build(expr, { startMs: grid.startMs, stepMs: 0, count: 1 }),
    );
    if (single.type === "vector") return new StepInvariantVector(this.context, grid, single);
    if (single.type === "scalar") return new StepInvariantScalar(grid, single);
    return single;
  }
}
