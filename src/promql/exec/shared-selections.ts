import type { Matcher } from "../../model/matcher.ts";
import type { Querier, SeriesSet } from "../../model/storage.ts";

/** Looks up series as `querier` does, but the same selector over the same stretch of time only once a query. */
export function sharedSelections(querier: Pick<Querier, "select">): Pick<Querier, "select"> {
  const sets = new Map<string, SeriesSet>();
  return {
    select(matchers: readonly Matcher[], minTime: number, maxTime: number): SeriesSet {
      let key = `${minTime} ${maxTime}`;
      // With their lengths, texts cannot be taken for each other.
      for (const { name, type, value } of matchers)
        key += ` ${name.length} ${name}${type}${value.length} ${value}`;
      let set = sets.get(key);
      if (set === undefined) sets.set(key, (set = querier.select(matchers, minTime, maxTime)));
      return set;
    },
  };
}
