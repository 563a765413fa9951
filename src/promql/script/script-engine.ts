import { QueryMemory } from "../../kernels/index.ts";
import type { Queryable } from "../../model/storage.ts";
import { PromqlEngine } from "../engine.ts";
import { everyParserOption } from "../parse/index.ts";
import type { ScriptEngine } from "./run-script.ts";

/** The working memory of all script engines of a thread; a query leaves nothing in it. */
let memory: QueryMemory | null = null;

/** An engine as scripts expect it: everything experimental on, samples limited to 10,000. */
export function createScriptEngine(queryable: Queryable): ScriptEngine {
  memory ??= new QueryMemory(256 * 1024 * 1024);
  return new PromqlEngine({
    queryable,
    memory,
    parserOptions: everyParserOption,
    lookbackMs: 5 * 60_000,
    defaultSubqueryStepMs: 60_000,
    maxSamples: 10_000,
    features: { delayedNameRemoval: true, useStartTimestamps: true, typeAndUnitLabels: false },
    now: Date.now,
  });
}
