import { Counter, Gauge, Registry } from "prom-client";

/**
 * A room counts in plain numbers and knows nothing of metrics; whoever places it on a thread gives those numbers
 * names here. Each is read when the page is asked for.
 */
export interface NumberMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  /** The names of the labels, where there are any. */
  readonly labelNames?: readonly string[];
  /** One number, or one for each label set; later, where it has to be asked for. */
  readonly read: () => NumberReading | Promise<NumberReading>;
}

export type NumberReading = number | readonly LabelledNumber[];

export interface LabelledNumber {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function exportNumbers(registry: Registry, metrics: readonly NumberMetric[]): void {
  for (const { name, help, type, read, labelNames = [] } of metrics) {
    const options = { name, help, labelNames: [...labelNames], registers: [registry] };
    if (type === "gauge") {
      new Gauge({
        ...options,
        async collect() {
          const now = await read();
          if (typeof now === "number") return this.set(now);
          this.reset();
          for (const { labels, value } of now) this.set({ ...labels }, value);
        },
      });
    } else {
      new Counter({
        ...options,
        async collect() {
          const now = await read();
          this.reset();
          if (typeof now === "number") return this.inc(now);
          for (const { labels, value } of now) this.inc({ ...labels }, value);
        },
      });
    }
  }
}

export { Registry };
