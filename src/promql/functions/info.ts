import { InfoOperator } from "../exec/info.ts";
import { selectorRead } from "../exec/selector-read.ts";
import { VectorSelectorOperator } from "../exec/vector-selector.ts";
import { instantGeometry } from "../plan/geometry.ts";
import type { FunctionImplementation } from "./contract.ts";
import { infoQuestion, infoSelector } from "./info-selector.ts";

export const infoFunctions: Readonly<Record<string, FunctionImplementation>> = {
  info: {
    kind: "operator",
    build: (call, grid, builder) => {
      const { context } = builder;
      const question = infoQuestion(call.args[1]);
      const geometry = instantGeometry(infoSelector(call), grid, context.lookbackMs);
      return new InfoOperator(context, grid, builder.vector(call.args[0]!, grid), question, (matchers) => {
        const read = selectorRead({ matchers, ...geometry, statisticsOnly: false });
        return {
          values: new VectorSelectorOperator(context, grid, read, "value"),
          times: new VectorSelectorOperator(context, grid, read, "timestamp"),
        };
      });
    },
  },
};
