import type { VectorSample } from "../../promql/value.ts";

/** The most different queries one expansion may ask. */
const MAX_QUERIES_PER_EXPANSION = 1_000;

/** How many results the expansions of one run share. */
const MAX_SHARED_RESULTS = 256;

type Outcome = { readonly samples: readonly VectorSample[] } | { readonly error: Error };

/**
 * The queries of templates at one time. A template runs without waiting: at a query whose result isn't known yet it
 * stops with `QueryNeeded`, and runs again from its start once the result is there. So the same text gives the same
 * result throughout an expansion, and alerts that ask the same question ask it once.
 */
export class QueryMemo {
  private readonly shared = new Map<string, Outcome>();

  constructor(private readonly query: (text: string) => Promise<readonly VectorSample[]>) {}

  /** Runs `attempt` as often as its queries demand. It must have no other effects. */
  async run<T>(attempt: (results: QueryResults) => T): Promise<T> {
    const known = new Map<string, Outcome>();
    const results: QueryResults = {
      get: (text) => {
        const outcome = known.get(text) ?? this.shared.get(text);
        if (outcome === undefined) throw new QueryNeeded(text);
        if ("error" in outcome) throw outcome.error;
        return outcome.samples;
      },
    };
    for (;;) {
      try {
        return attempt(results);
      } catch (error) {
        if (!(error instanceof QueryNeeded)) throw error;
        if (known.size >= MAX_QUERIES_PER_EXPANSION) {
          throw new Error(`cannot expand template: more than ${MAX_QUERIES_PER_EXPANSION} queries`);
        }
        const outcome = await this.ask(error.text);
        known.set(error.text, outcome);
        if (this.shared.size < MAX_SHARED_RESULTS) this.shared.set(error.text, outcome);
      }
    }
  }

  private async ask(text: string): Promise<Outcome> {
    try {
      return { samples: await this.query(text) };
    } catch (error) {
      return { error: error instanceof Error ? error : new Error(String(error)) };
    }
  }
}

export interface QueryResults {
  /** @throws QueryNeeded when the result isn't known yet; the error of the query when it failed */
  get(text: string): readonly VectorSample[];
}

/** Passes through every catch of the template's executor. */
export class QueryNeeded extends Error {
  override readonly name = "QueryNeeded";

  constructor(readonly text: string) {
    super(`query ${text} is needed`);
  }
}
