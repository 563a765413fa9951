import { QueryMemory } from "../../src/kernels/index.ts";
import type { Queryable } from "../../src/model/storage.ts";
import { PromqlEngine, type EngineOptions } from "../../src/promql/engine.ts";
import { everyParserOption } from "../../src/promql/parse/index.ts";

/** Engines as the server runs them by default, but that all of PromQL is on; they share one working memory. */
export function testEngine() {
  const memory = new QueryMemory(2 ** 28);
  const engineOver = (queryable: Queryable, options: Partial<EngineOptions> = {}): PromqlEngine =>
    new PromqlEngine({
      queryable,
      memory,
      parserOptions: everyParserOption,
      lookbackMs: 300_000,
      defaultSubqueryStepMs: 60_000,
      maxSamples: 50_000_000,
      features: { delayedNameRemoval: false, useStartTimestamps: false, typeAndUnitLabels: false },
      now: () => 1_000_000,
      ...options,
    });
  return { engineOver, memory };
}
