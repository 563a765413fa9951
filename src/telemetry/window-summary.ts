import {
  Summary,
  type LabelValues,
  type MetricObjectWithValues,
  type MetricValue,
  type Registry,
} from "prom-client";

/** Quantiles speak of what was observed in this time. */
const WINDOW_MS = 10 * 60_000;
/** And of at most so many observations of a label set, the newest. */
const KEPT_VALUES = 1_024;

export interface WindowSummaryOptions<T extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly T[];
  /** None leave a sum and a count. */
  readonly quantiles: readonly number[];
  readonly registers: readonly Registry[];
  /** Called before it is read, to observe what has not been yet. */
  readonly collect?: () => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * A summary as Prometheus's clients keep it: sum and count since the start, and quantiles of the last ten minutes,
 * which are NaN when nothing was observed in them. (That of prom-client gives 0 then, or forgets its count.)
 */
export class WindowSummary<T extends string = string> extends Summary<T> {
  private readonly distributions = new Map<string, Distribution>();
  private readonly quantiles: readonly number[];
  private readonly names: readonly T[];
  private readonly metricName: string;
  private readonly helpText: string;
  private readonly beforeReading: () => void;
  private readonly now: () => number;

  constructor({
    collect = () => {},
    help,
    labelNames = [],
    name,
    now = Date.now,
    quantiles,
    registers,
  }: WindowSummaryOptions<T>) {
    super({ name, help, labelNames: [...labelNames], percentiles: [], registers: [...registers] });
    this.metricName = name;
    this.helpText = help;
    this.names = labelNames;
    this.quantiles = quantiles;
    this.beforeReading = collect;
    this.now = now;
    if (labelNames.length === 0) this.zero({});
  }

  /** Makes the series of a label set, without an observation. */
  zero(labels: LabelValues<T>): void {
    this.distribution(labels);
  }

  /** What takes the observations of a label set, found once where there are many. */
  observer(labels: LabelValues<T>): (value: number) => void {
    const distribution = this.distribution(labels);
    return (value) => distribution.observe(value, this.now());
  }

  override observe(labelsOrValue: LabelValues<T> | number, value?: number): void {
    const hasLabels = typeof labelsOrValue === "object";
    const observed = hasLabels ? value! : labelsOrValue;
    this.distribution(hasLabels ? labelsOrValue : {}).observe(observed, this.now());
  }

  override remove(...of: unknown[]): void {
    const values = typeof of[0] === "object" ? this.names.map((name) => (of[0] as LabelValues<T>)[name]) : of;
    this.distributions.delete(JSON.stringify(values.map(String)));
  }

  override get(): Promise<MetricObjectWithValues<MetricValue<T>>> {
    this.beforeReading();
    const values: (MetricValue<T> & { metricName?: string })[] = [];
    for (const { labels, distribution } of this.entries()) {
      const found = distribution.quantiles(this.quantiles, this.now());
      for (const [i, quantile] of this.quantiles.entries()) {
        values.push({ labels: { quantile, ...labels } as never, value: found[i]! });
      }
      values.push({ metricName: `${this.metricName}_sum`, labels, value: distribution.sum });
      values.push({ metricName: `${this.metricName}_count`, labels, value: distribution.count });
    }
    const { helpText: help, metricName: name } = this;
    const summary = { name, help, type: "summary", values, aggregator: "sum" };
    // The type asks for a function too, which no metric of prom-client gives.
    return Promise.resolve(summary as unknown as MetricObjectWithValues<MetricValue<T>>);
  }

  private distribution(labels: LabelValues<T>): Distribution {
    const key = JSON.stringify(this.names.map((name) => String(labels[name])));
    let distribution = this.distributions.get(key);
    if (distribution === undefined) this.distributions.set(key, (distribution = new Distribution()));
    return distribution;
  }

  private *entries(): Iterable<{ labels: LabelValues<T>; distribution: Distribution }> {
    for (const [key, distribution] of this.distributions) {
      const values = JSON.parse(key) as string[];
      const labels = Object.fromEntries(this.names.map((name, i) => [name, values[i]!])) as LabelValues<T>;
      yield { labels, distribution };
    }
  }
}

/** The observations of one label set: a ring of the newest with their times. */
class Distribution {
  sum = 0;
  count = 0;
  private values = new Float64Array(8);
  private times = new Float64Array(8);
  private next = 0;
  private size = 0;

  observe(value: number, nowMs: number): void {
    this.sum += value;
    this.count++;
    if (this.size === this.values.length && this.size < KEPT_VALUES) this.grow();
    this.values[this.next] = value;
    this.times[this.next] = nowMs;
    this.next = (this.next + 1) % this.values.length;
    this.size = Math.min(this.size + 1, this.values.length);
  }

  /** The smallest observation that is not below the wanted share of those in the window; NaN where there are none. */
  quantiles(wanted: readonly number[], nowMs: number): number[] {
    const recent = this.values
      .subarray(0, this.size)
      .filter((_, i) => nowMs - this.times[i]! < WINDOW_MS)
      .sort();
    return wanted.map((quantile) => recent[Math.max(0, Math.ceil(quantile * recent.length) - 1)] ?? NaN);
  }

  /** Only a full ring grows, and a ring is full for the first time when it is about to begin anew at 0. */
  private grow(): void {
    const values = new Float64Array(this.values.length * 2);
    const times = new Float64Array(this.times.length * 2);
    values.set(this.values);
    times.set(this.times);
    this.next = this.size;
    this.values = values;
    this.times = times;
  }
}
