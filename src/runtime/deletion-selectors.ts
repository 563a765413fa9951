import { ApiError } from "../api/api-error.ts";
import { parseMetricSelector } from "../promql/parse/index.ts";
import type { PlainMatcher } from "./compaction-messages.ts";

/**
 * What is to be deleted, in a form that can cross to other threads. `{}` selects nothing here, as in Prometheus: a slip
 * must not cost all there is.
 *
 * @throws ApiError for what is no selector
 */
export function deletionSelectors(matches: readonly string[]): (readonly PlainMatcher[])[] {
  try {
    return matches
      .map((text) => parseMetricSelector(text).map(({ type, name, value }) => [type, name, value] as const))
      .filter((matchers) => matchers.length > 0);
  } catch (cause) {
    throw ApiError.invalidParameter("match[]", (cause as Error).message);
  }
}
