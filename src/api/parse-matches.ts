import type { Matcher } from "../model/matcher.ts";
import { parseMetricSelector } from "../promql/parse/index.ts";
import { ApiError } from "./api-error.ts";

/**
 * The selectors of match[].
 *
 * @param wrap whether errors name the parameter
 * @throws ApiError for what is no selector, or selects everything
 */
export function parseMatches(matches: readonly string[], wrap: boolean): (readonly Matcher[])[] {
  const fail = (message: string) =>
    wrap ? ApiError.invalidParameter("match[]", message) : new ApiError("bad_data", message);
  return matches.map((text) => {
    let matchers: readonly Matcher[];
    try {
      matchers = parseMetricSelector(text);
    } catch (cause) {
      throw fail((cause as Error).message);
    }
    if (matchers.every((matcher) => matcher.matchesEmpty))
      throw fail("match[] must contain at least one non-empty matcher");
    return matchers;
  });
}
