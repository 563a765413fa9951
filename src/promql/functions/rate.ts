import type { RangeWindow } from "../exec/range-window.ts";
import type { RangeFunction } from "./contract.ts";

export const rateFunctions: Readonly<Record<string, RangeFunction>> = {};
for (const name of ["rate", "increase", "delta", "irate", "idelta", "resets", "changes"] as const) {
  (rateFunctions as Record<string, RangeFunction>)[name] = {
    kind: "range",
    keepsName: false,
    kernel: name,
    wantsCounter: name === "rate" || name === "increase",
    evaluate: (_window: RangeWindow) => {
      throw new Error(`cannot compute ${name} yet`);
    },
  };
}
