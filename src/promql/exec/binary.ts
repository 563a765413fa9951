import { LabelsBuilder, type Labels } from "../../model/labels.ts";
import { columnSampleCount, ExecutionError, type InputAccount } from "../limits.ts";
import type { Binary, VectorMatching } from "../parse/ast.ts";
import {
  applyBinary,
  arithmeticOf,
  comparisonOf,
  isComparison,
  isFilter,
  isTrim,
  newPairResult,
} from "./binary-arithmetic.ts";
import { DUPLICATE_LABELS, NAME_LABELS } from "./derived-series.ts";
import { labelsText } from "./labels-text.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { MatchSignature } from "./signature.ts";
import { ABSENT, FLOAT, HISTOGRAM, StepColumn, type StepGrid } from "./step-column.ts";

/** The series of both sides that share a signature. */
interface MatchGroup {
  readonly many: number[];
  readonly one: number[];
  /** Where any series of the "one" side has a sample; filled when a fill value asks for it. */
  onePresence: Uint8Array | null;
  /** Where a series of either side has found one of the other that it goes with; likewise. */
  paired: Uint8Array | null;
}

/** Two series that meet, or one (the other −1) that meets a fill value where its partner is missing. */
interface Pair {
  readonly many: number;
  readonly one: number;
  readonly group: MatchGroup;
}

/** Two series at one step where only one may be. */
interface MatchFault {
  readonly step: number;
  /** The second of them, counted through the "one" side and then the many side. */
  readonly series: number;
  readonly error: () => ExecutionError;
}

interface Output {
  readonly labels: Labels;
  readonly dropsName: boolean;
  readonly pairs: Pair[];
}

function severalMatches(): ExecutionError {
  return new ExecutionError(
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
  );
}

/**
 * Vector with vector, one-to-one or with group_left / group_right. Which series meet is settled by their labels once;
 * then each output is computed from its pair of columns. Several series of one signature are fine as long as they
 * are not there at the same step: that is checked where a group has them.
 */
export class BinaryOperator implements VectorOperator {
  readonly type = "vector";
  readonly namesDiffer: boolean;
  private readonly matching: VectorMatching;
  private readonly signature: MatchSignature;
  private readonly manyIsLeft: boolean;
  private readonly many: VectorOperator;
  private readonly one: VectorOperator;
  private readonly fillMany: number | null;
  private readonly fillOne: number | null;
  private readonly scratch: StepColumn;
  private readonly matched: Uint8Array;
  private readonly result = newPairResult();
  private outputs: Output[] | null = null;
  private readonly account: InputAccount;
  private readonly oneColumns = new Map<number, StepColumn>();
  private anyMany: Uint8Array | null = null;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly node: Binary,
    matching: VectorMatching,
    left: VectorOperator,
    right: VectorOperator,
  ) {
    this.matching = matching;
    this.signature = new MatchSignature(matching);
    this.manyIsLeft = matching.cardinality !== "one-to-many";
    this.many = this.manyIsLeft ? left : right;
    this.one = this.manyIsLeft ? right : left;
    this.fillOne = matching.fillRight;
    this.fillMany = matching.fillLeft;
    this.namesDiffer = true;
    this.scratch = new StepColumn(context.memory, grid.count);
    this.matched = new Uint8Array(grid.count);
    this.account = context.limits.account();
  }

  get count(): number {
    return this.prepared().length;
  }

  labels(index: number): Labels {
    return this.prepared()[index]!.labels;
  }

  dropsName(index: number): boolean {
    return this.prepared()[index]!.dropsName;
  }

  read(index: number, out: StepColumn): void {
    const { pairs } = this.prepared()[index]!;
    const compute = () =>
      pairs.length === 1 ? this.computePair(pairs[0]!, out, null) : this.mergePairs(pairs, out);
    this.account.exchange(compute, () => columnSampleCount(out));
  }

  private prepared(): Output[] {
    return (this.outputs ??= this.join());
  }

  // ── which series meet ──

  private join(): Output[] {
    const groups = new Map<string, MatchGroup>();
    const groupOf = (labels: Labels): MatchGroup => {
      const key = this.signature.key(labels);
      let group = groups.get(key);
      if (group === undefined) {
        groups.set(key, (group = { many: [], one: [], onePresence: null, paired: null }));
      }
      return group;
    };
    const { many, one } = this;
    const manyGroups: MatchGroup[] = [];
    const oneGroups: MatchGroup[] = [];
    for (let i = 0, n = one.count; i < n; i++) {
      const group = groupOf(one.labels(i));
      group.one.push(i);
      oneGroups.push(group);
    }
    for (let i = 0, n = many.count; i < n; i++) {
      const group = groupOf(many.labels(i));
      group.many.push(i);
      manyGroups.push(group);
    }
    const outputs = new Map<string, Output>();
    const addPair = (pair: Pair) => {
      const { labels, dropsName } = this.resultLabels(pair);
      const key = labels.key;
      const output = outputs.get(key);
      if (output === undefined) outputs.set(key, { labels, dropsName, pairs: [pair] });
      else output.pairs.push(pair);
    };
    manyGroups.forEach((group, i) => {
      for (const j of group.one) addPair({ many: i, one: j, group });
      if (this.fillOne !== null) addPair({ many: i, one: -1, group });
    });
    if (this.fillMany !== null) oneGroups.forEach((group, j) => addPair({ many: -1, one: j, group }));
    const held = this.context.limits.heldSamples;
    this.context.collector.withoutCounting(() => this.checkGroups(groups.values()));
    this.context.limits.releaseTo(held);
    return [...outputs.values()];
  }

  /** @throws ExecutionError the fault of the earliest step; of several there, that which step by step comes first */
  private checkGroups(groups: Iterable<MatchGroup>): void {
    const oneToOne = this.matching.cardinality === "one-to-one";
    let first: MatchFault | null = null;
    const consider = (fault: MatchFault | null) => {
      if (fault === null) return;
      const { step, series } = first ?? { step: Infinity, series: Infinity };
      if (fault.step < step || (fault.step === step && fault.series < series)) first = fault;
    };
    for (const group of groups) {
      if (group.one.length > 1) consider(this.faultOfOneSide(group));
      const mayPair = group.one.length > 0 || this.fillOne !== null;
      if (oneToOne && group.many.length > 1 && mayPair) consider(this.faultOfManySide(group));
    }
    if (first !== null) throw (first as MatchFault).error();
  }

  private resultLabels({ many, one }: Pair): { labels: Labels; dropsName: boolean } {
    const { matching, node } = this;
    const manyLabels = many >= 0 ? this.many.labels(many) : this.signature.group(this.one.labels(one));
    let labels = manyLabels;
    const changes = node.returnBool || !isFilter(node.op);
    const dropsName = node.returnBool && this.context.features.delayedNameRemoval;
    if (changes && !dropsName) labels = labels.without(NAME_LABELS);
    if (matching.cardinality === "one-to-one") {
      const names = new Set(matching.labels);
      labels = matching.on ? labels.only(names) : labels.without(names);
    }
    if (matching.include.length > 0) {
      const oneLabels = one >= 0 ? this.one.labels(one) : this.signature.group(manyLabels);
      const builder = new LabelsBuilder(labels);
      for (const name of matching.include) builder.set(name, oneLabels.get(name));
      labels = builder.labels();
    }
    return { labels, dropsName };
  }

  // ── what must not meet ──

  /** Where two series of the "one" side are there at the same step. */
  private faultOfOneSide(group: MatchGroup): MatchFault | null {
    const owner = new Int32Array(this.grid.count).fill(-1);
    let first: MatchFault | null = null;
    for (const j of group.one) {
      this.one.read(j, this.scratch);
      this.context.limits.worked(owner.length);
      for (let step = 0; step < (first?.step ?? owner.length); step++) {
        if (this.scratch.kinds[step] === ABSENT) continue;
        const earlier = owner[step]!;
        if (earlier >= 0 && this.someManyAt(step)) {
          first = { step, series: j, error: () => this.duplicateError(earlier, j) };
        }
        owner[step] = j;
      }
    }
    return first;
  }

  /** Matching is not even tried at a step where the other side is empty and nothing fills in. */
  private someManyAt(step: number): boolean {
    if (this.fillMany !== null || this.fillOne !== null) return true;
    if (this.anyMany === null) {
      this.anyMany = new Uint8Array(this.grid.count);
      const column = this.context.columns.take(this.grid.count);
      for (let i = 0, n = this.many.count; i < n; i++) {
        this.many.read(i, column);
        for (let k = 0; k < column.count; k++) this.anyMany[k]! |= column.kinds[k]!;
      }
      this.context.columns.give(column);
    }
    return this.anyMany[step] !== ABSENT;
  }

  private duplicateError(a: number, b: number): ExecutionError {
    const texts = [labelsText(this.one.labels(a)), labelsText(this.one.labels(b))].sort();
    const group = labelsText(this.signature.group(this.one.labels(a)));
    return new ExecutionError(
      `found duplicate series for the match group ${group} on the ${this.manyIsLeft ? "right" : "left"} hand-side of the operation: [${texts.join(", ")}];many-to-many matching not allowed: matching labels must be unique on one side`,
    );
  }

  /** One-to-one: where two series find the same partner at the same step, be it a fill value. */
  private faultOfManySide(group: MatchGroup): MatchFault | null {
    const partners = this.fillOne === null ? group.one : [...group.one, -1];
    const taken = new Uint8Array(this.grid.count);
    const column = this.context.columns.take(this.grid.count);
    let first: MatchFault | null = null;
    for (const many of group.many) {
      for (const one of partners) {
        this.computePair({ many, one, group }, column, this.matched);
        for (let step = 0; step < (first?.step ?? taken.length); step++) {
          if (this.matched[step] === 0) continue;
          if (taken[step] !== 0) {
            // The "one" side is looked at first, so its faults go before this.
            first = { step, series: this.one.count + many, error: severalMatches };
          }
          taken[step] = 1;
        }
      }
    }
    this.context.columns.give(column);
    return first;
  }

  private mergePairs(pairs: readonly Pair[], out: StepColumn): void {
    const column = this.context.columns.take(this.grid.count);
    const takenBy = new Int32Array(out.count).fill(-1);
    out.clear();
    pairs.forEach((pair, index) => {
      this.computePair(pair, column, this.matched);
      for (let step = 0; step < out.count; step++) {
        if (this.matched[step] === 0) continue;
        const earlier = pairs[takenBy[step]!];
        if (earlier !== undefined) {
          // Within one signature the labels copied from the "one" side fail to tell them apart.
          const grouped = this.matching.cardinality !== "one-to-one" && earlier.group === pair.group;
          if (grouped) {
            throw new ExecutionError(
              "multiple matches for labels: grouping labels must ensure unique matches",
            );
          }
          if (column.kinds[step] !== ABSENT && out.kinds[step] !== ABSENT)
            throw new ExecutionError(DUPLICATE_LABELS);
        }
        takenBy[step] = index;
        if (column.kinds[step] !== ABSENT) out.copyStep(step, column, step);
      }
    });
    this.context.columns.give(column);
  }

  // ── computing ──

  /** Fills `out` with one pair; `matched`, if given, with where both sides were there and went together. */
  private computePair(pair: Pair, out: StepColumn, matched: Uint8Array | null): void {
    const { many, one, group } = pair;
    let partner = this.scratch;
    if (many < 0) {
      // The sample of the "one" side stands; the fill value takes the place of the many side.
      const paired = this.pairedSteps(group);
      this.one.read(one, partner);
      this.fillAbsent(out, this.fillMany!, partner, paired);
    } else {
      this.many.read(many, out);
      if (one < 0) this.fillAbsent(partner, this.fillOne!, out, this.onePresence(group));
      else partner = this.oneColumn(one, group);
    }
    if (out.histograms === null && partner.histograms === null && !isTrim(this.node.op)) {
      this.combineFloats(out, partner, matched);
    } else {
      this.combineEach(out, partner, matched);
    }
  }

  /** A column of the fill value wherever `present` has a sample and `blocked` has none. */
  private fillAbsent(column: StepColumn, fill: number, present: StepColumn, blocked: Uint8Array): void {
    column.clear();
    for (let step = 0; step < column.count; step++) {
      if (present.kinds[step] !== ABSENT && blocked[step] === ABSENT) column.setFloat(step, fill);
    }
  }

  private onePresence(group: MatchGroup): Uint8Array {
    return (group.onePresence ??= this.gather(group.one.length, (i, column) => {
      this.one.read(group.one[i]!, column);
      return column.kinds;
    }));
  }

  /** A pair whose types don't go together is none: the fill value gets its turn with the "one" side then. */
  private pairedSteps(group: MatchGroup): Uint8Array {
    const { many, one } = group;
    const matched = new Uint8Array(this.grid.count);
    return (group.paired ??= this.gather(many.length * one.length, (i, column) => {
      const pair = { many: many[Math.floor(i / one.length)]!, one: one[i % one.length]!, group };
      this.computePair(pair, column, matched);
      return matched;
    }));
  }

  /** Where any of `count` readings is not zero. */
  private gather(count: number, read: (i: number, column: StepColumn) => Uint8Array): Uint8Array {
    const anywhere = new Uint8Array(this.grid.count);
    if (count === 0) return anywhere;
    const column = this.context.columns.take(this.grid.count);
    for (let i = 0; i < count; i++) {
      const here = read(i, column);
      for (let step = 0; step < anywhere.length; step++) anywhere[step]! |= here[step]!;
    }
    this.context.columns.give(column);
    return anywhere;
  }

  /** A series of the "one" side; kept once read where several of the many side meet it. */
  private oneColumn(index: number, group: MatchGroup): StepColumn {
    if (group.many.length === 1) {
      this.one.read(index, this.scratch);
      return this.scratch;
    }
    let column = this.oneColumns.get(index);
    if (column === undefined) {
      column = this.context.columns.take(this.grid.count);
      this.one.read(index, column);
      this.oneColumns.set(index, column);
    }
    return column;
  }

  /** Fast path: no histograms. `out` holds the many side and takes the result. */
  private combineFloats(out: StepColumn, partner: StepColumn, matched: Uint8Array | null): void {
    const { op, returnBool } = this.node;
    const { values, kinds, count } = out;
    const partnerValues = partner.values;
    const partnerKinds = partner.kinds;
    const left = this.manyIsLeft ? values : partnerValues;
    const right = this.manyIsLeft ? partnerValues : values;
    let present = 0;
    if (isComparison(op)) {
      const compare = comparisonOf(op);
      for (let step = 0; step < count; step++) {
        const both = kinds[step]! & partnerKinds[step]!;
        if (matched) matched[step] = both;
        if (both === 0) {
          kinds[step] = ABSENT;
          continue;
        }
        const holds = compare(left[step]!, right[step]!);
        if (returnBool) values[step] = holds ? 1 : 0;
        else {
          values[step] = left[step]!;
          if (!holds) kinds[step] = ABSENT;
        }
        present += kinds[step]!;
      }
    } else {
      const apply = arithmeticOf(op);
      for (let step = 0; step < count; step++) {
        const both = kinds[step]! & partnerKinds[step]!;
        if (matched) matched[step] = both;
        kinds[step] = both;
        present += both;
        if (both !== 0) values[step] = apply(left[step]!, right[step]!);
      }
    }
    out.presentCount = present;
  }

  private combineEach(out: StepColumn, partner: StepColumn, matched: Uint8Array | null): void {
    const { node, result } = this;
    const left = this.manyIsLeft ? out : partner;
    const right = this.manyIsLeft ? partner : out;
    for (let step = 0; step < out.count; step++) {
      if (matched) matched[step] = 0;
      const leftKind = left.kinds[step]!;
      const rightKind = right.kinds[step]!;
      if (leftKind === ABSENT || rightKind === ABSENT) {
        out.remove(step);
        continue;
      }
      const leftHistogram = leftKind === HISTOGRAM ? left.histogramAt(step) : null;
      const rightHistogram = rightKind === HISTOGRAM ? right.histogramAt(step) : null;
      applyBinary(
        node,
        left.values[step]!,
        leftHistogram,
        right.values[step]!,
        rightHistogram,
        this.context.annotations,
        result,
      );
      if (matched) matched[step] = Number(result.kind !== ABSENT);
      if (result.kind === ABSENT) out.remove(step);
      else if (node.returnBool) out.setFloat(step, result.keep ? 1 : 0);
      else if (!result.keep) out.remove(step);
      else if (result.kind === FLOAT) out.setFloat(step, result.value);
      else out.setHistogram(step, result.histogram!);
    }
  }
}
