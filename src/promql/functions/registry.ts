/** Every function of PromQL by name: how it computes. Signatures stand in signatures.ts. */
import type { FunctionImplementation } from "./contract.ts";
import { histogramFunctions } from "./histogram.ts";
import { infoFunctions } from "./info.ts";
import { labelFunctions } from "./labels.ts";
import { mathFunctions } from "./math.ts";
import { overTimeFunctions } from "./over-time.ts";
import { rateFunctions } from "./rate.ts";
import { timeFunctions } from "./time.ts";
import { vectorFunctions } from "./vector.ts";

const implementations = new Map<string, FunctionImplementation>(
  [
    mathFunctions,
    timeFunctions,
    overTimeFunctions,
    rateFunctions,
    vectorFunctions,
    histogramFunctions,
    labelFunctions,
    infoFunctions,
  ].flatMap((functions) => Object.entries(functions)),
);

/** @throws Error for a name the parser should not have let through */
export function functionImplementation(name: string): FunctionImplementation {
  const implementation = implementations.get(name);
  if (implementation === undefined) throw new Error(`cannot call ${name}: no such function`);
  return implementation;
}
