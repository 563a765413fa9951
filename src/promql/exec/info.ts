import { compareLabels, type Labels, LabelsBuilder, METRIC_NAME } from "../../model/labels.ts";
import { Matcher } from "../../model/matcher.ts";
import type { InfoQuestion } from "../functions/info-selector.ts";
import { ExecutionError } from "../limits.ts";
import { DerivedSeries } from "./derived-series.ts";
import { labelsText } from "./labels-text.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { ABSENT, StepColumn, type StepGrid } from "./step-column.ts";

/** The labels by which a series and its info metrics belong together. */
export const IDENTIFYING_LABELS: readonly string[] = ["instance", "job"];

/** Selects info series; `values` gives their samples and `times`, in the same order, when those were taken. */
export type SelectInfo = (matchers: readonly Matcher[]) => {
  readonly values: VectorOperator;
  readonly times: VectorOperator;
};

/** An info series as the winner of its signature at some step. */
interface InfoSeries {
  readonly labels: Labels;
  readonly name: string;
}

/** What is added to a base series, and at which steps. */
interface Output {
  readonly base: number;
  readonly labels: Labels;
  /** The number of this variant in `variants`, which tells the variant at each step; null where there is one only. */
  readonly variant: number;
  readonly variants: Int32Array | null;
  /** A label that two info metrics want to set to different values. */
  readonly conflict: string | null;
}

/** The sets of info series that one identity meets on its way, and which of them counts at each step. */
interface InfoSets {
  readonly sets: readonly (readonly InfoSeries[])[];
  readonly atStep: Int32Array;
}

/** info(v, …): the series of v with the labels of the info metrics that have the same instance and job. */
export class InfoOperator implements VectorOperator {
  readonly type = "vector";
  private known: { readonly outputs: readonly Output[]; readonly series: DerivedSeries } | null = null;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly child: VectorOperator,
    private readonly question: InfoQuestion,
    private readonly selectInfo: SelectInfo,
  ) {}

  get count(): number {
    return this.prepared().series.count;
  }

  get namesDiffer(): boolean {
    return this.child.namesDiffer;
  }

  labels(index: number): Labels {
    return this.prepared().series.labels(index);
  }

  dropsName(index: number): boolean {
    return this.prepared().series.dropsName(index);
  }

  read(index: number, out: StepColumn): void {
    this.prepared().series.read(index, out, this.compute);
  }

  private readonly compute = (index: number, out: StepColumn): void => {
    const { base, variant, variants, conflict } = this.known!.outputs[index]!;
    this.child.read(base, out);
    if (variants !== null) {
      for (let step = 0; step < out.count; step++) if (variants[step] !== variant) out.remove(step);
    }
    if (conflict !== null && out.presentCount > 0) throw new ExecutionError(`conflicting label: ${conflict}`);
  };

  private prepared() {
    if (this.known !== null) return this.known;
    const { child } = this;
    const outputs = this.enrich().sort((a, b) => compareLabels(a.labels, b.labels));
    const known = {
      count: outputs.length,
      labels: (index: number) => outputs[index]!.labels,
      dropsName: (index: number) => child.dropsName(outputs[index]!.base),
      namesDiffer: true,
    };
    // Labels stay as they are here, yet series may have become equal.
    const rule = { labels: (labels: Labels) => labels, dropsName: (_: Labels, marked: boolean) => marked };
    return (this.known = { outputs, series: new DerivedSeries(known, rule, this.context, false) });
  }

  private enrich(): Output[] {
    const { child, question } = this;
    const outputs: Output[] = [];
    const bases: number[] = [];
    for (let i = 0, n = child.count; i < n; i++) {
      const labels = child.labels(i);
      const isInfoItself = question.nameMatchers.every((matcher) => matcher.matches(labels.metricName));
      if (!isInfoItself) bases.push(i);
      else outputs.push({ base: i, labels, variant: 0, variants: null, conflict: null });
    }
    const winners = this.winnersByIdentity(bases);
    const known = new Map<string, InfoSets>();
    for (const base of bases) {
      const labels = child.labels(base);
      const identity = identityOf(labels);
      let sets = known.get(identity);
      if (sets === undefined) known.set(identity, (sets = this.infoSets(winners.get(identity) ?? [])));
      outputs.push(...this.variantsOf(base, labels, sets));
    }
    return outputs;
  }

  /**
   * For each identity (instance and job) and each name of an info metric of it, the info series that counts at each
   * step: of several that one seen last.
   */
  private winnersByIdentity(bases: readonly number[]): Map<string, (InfoSeries | undefined)[][]> {
    const matchers = this.identityMatchers(bases);
    if (matchers === null) return new Map();
    const { context, grid, question } = this;
    const { values, times } = this.selectInfo([
      ...question.nameMatchers,
      ...question.dataMatchers,
      ...matchers,
    ]);
    const held = context.limits.heldSamples;
    const column = new StepColumn(context.memory, grid.count);
    const bySignature = new Map<
      string,
      { identity: string; winners: (InfoSeries | undefined)[]; times: Float64Array }
    >();
    for (let i = 0, n = values.count; i < n; i++) {
      const labels = values.labels(i);
      values.read(i, column);
      if (column.histograms !== null) {
        throw new ExecutionError(`this should be an info metric, with float samples: ${labelsText(labels)}`);
      }
      times.read(i, column);
      const series = { labels, name: labels.metricName };
      const identity = identityOf(labels);
      const signature = `${series.name}\u0000${identity}`;
      let entry = bySignature.get(signature);
      if (entry === undefined) {
        const winners = new Array<InfoSeries | undefined>(grid.count).fill(undefined);
        entry = { identity, winners, times: new Float64Array(grid.count) };
        bySignature.set(signature, entry);
      }
      for (let step = 0; step < column.count; step++) {
        if (column.kinds[step] === ABSENT) continue;
        const timeMs = Math.round(column.values[step]! * 1000);
        const earlier = entry.winners[step];
        if (earlier !== undefined && entry.times[step] === timeMs) {
          throw new ExecutionError(
            `found duplicate series for info metric: existing ${labelsText(earlier.labels)} @ ${timeMs}, ` +
              `new ${labelsText(labels)} @ ${timeMs}`,
          );
        }
        if (earlier !== undefined && entry.times[step]! > timeMs) continue;
        entry.winners[step] = series;
        entry.times[step] = timeMs;
      }
      context.limits.worked(column.count);
    }
    context.limits.releaseTo(held);
    const byIdentity = new Map<string, (InfoSeries | undefined)[][]>();
    for (const { identity, winners } of bySignature.values()) {
      byIdentity.set(identity, [...(byIdentity.get(identity) ?? []), winners]);
    }
    return byIdentity;
  }

  /** Matchers that leave out info series nobody asks for; null where no series has an identity. */
  private identityMatchers(bases: readonly number[]): Matcher[] | null {
    const matchers: Matcher[] = [];
    for (const name of IDENTIFYING_LABELS) {
      const values = new Set(bases.map((base) => this.child.labels(base).get(name)));
      values.delete("");
      if (values.size > 0) matchers.push(new Matcher("=~", name, [...values].map(quoteRegexp).join("|")));
    }
    return matchers.length === 0 ? null : matchers;
  }

  private infoSets(winners: readonly (InfoSeries | undefined)[][]): InfoSets {
    const atStep = new Int32Array(this.grid.count);
    const sets: InfoSeries[][] = [];
    const setsByKey = new Map<string, number>();
    const numbers = new Map<InfoSeries, number>();
    for (let step = 0; step < atStep.length; step++) {
      const infos = winners.map((list) => list[step]).filter((info) => info !== undefined);
      let key = "";
      for (const info of infos) {
        let number = numbers.get(info);
        if (number === undefined) numbers.set(info, (number = numbers.size));
        key += `${number},`;
      }
      let set = setsByKey.get(key);
      if (set === undefined) {
        set = sets.push(infos) - 1;
        setsByKey.set(key, set);
      }
      atStep[step] = set;
    }
    return { sets, atStep };
  }

  /** The outputs of one base series: one for each set of info series. */
  private variantsOf(base: number, labels: Labels, { sets, atStep }: InfoSets): Output[] {
    const isDroppedAlone = this.question.dataMatchers.some((matcher) => !matcher.matchesEmpty);
    const variants = sets.length === 1 ? null : atStep;
    return sets.flatMap((infos, variant) =>
      infos.length === 0 && isDroppedAlone
        ? []
        : [{ base, variant, variants, ...this.addLabels(labels, infos) }],
    );
  }

  private addLabels(
    labels: Labels,
    infos: readonly InfoSeries[],
  ): { readonly labels: Labels; readonly conflict: string | null } {
    const { dataMatchers } = this.question;
    const wanted = dataMatchers.length === 0 ? null : new Set(dataMatchers.map(({ name }) => name));
    const builder = new LabelsBuilder(labels);
    const collected = new Map<string, string>();
    for (const info of infos) {
      const { pairs } = info.labels;
      for (let i = 0; i < pairs.length; i += 2) {
        const name = pairs[i]!;
        const value = pairs[i + 1]!;
        if (name === METRIC_NAME || wanted?.has(name) === false) continue;
        const earlier = collected.get(name);
        if (earlier !== undefined && earlier !== value) return { labels, conflict: name };
        if (labels.has(name)) continue;
        collected.set(name, value);
        builder.set(name, value);
      }
    }
    return { labels: builder.labels(), conflict: null };
  }
}

function identityOf(labels: Labels): string {
  return IDENTIFYING_LABELS.map((name) => labels.get(name)).join("\u{10ffff}\u0000");
}

function quoteRegexp(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}
