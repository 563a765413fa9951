import type { QueryValue, VectorSample } from "../promql/value.ts";
import { Labels } from "../model/labels.ts";

/**
 * The samples a rule works on: those of a vector, or one without labels for a scalar.
 * @throws Error for any other value
 */
export function vectorOf(value: QueryValue): readonly VectorSample[] {
  switch (value.type) {
    case "vector":
      return value.samples;
    case "scalar":
      return [{ labels: Labels.empty, value: value.value, histogram: null }];
    case "string":
    case "matrix":
      throw new Error("rule result is not a vector or scalar");
  }
}
