import type { Registry } from "prom-client";
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from "prom-client";

/** The families of one registry as plain data, which can cross to another thread. */
export type MetricFamilies = MetricObjectWithValues<MetricValue<string>>[];

/** One registry out of those of all threads: equal series are added up. */
export function mergeFamilies(perThread: readonly MetricFamilies[]): Registry {
  return AggregatorRegistry.aggregate([...perThread]);
}
