import type { EvalCommand } from "./parse-script.ts";

/** Other ways to ask the same, which must give the same result. */
export function variantsOf(_command: EvalCommand): EvalCommand[] {
  return [];
}
