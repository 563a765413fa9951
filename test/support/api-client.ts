/** The least of an API client: what the end-to-end tests ask of a server, Narthex and Prometheus alike. */
export type Labels = Record<string, string>;
export type Point = [timestampSeconds: number, value: string];

/** Counts and bounds are texts, a bucket is `[boundary rule, low, high, count]`. */
export type HistogramPoint = [
  timestampSeconds: number,
  histogram: { count: string; sum: string; buckets?: [number, string, string, string][] },
];

export interface Series {
  metric: Labels;
  value?: Point;
  values?: Point[];
  histogram?: HistogramPoint;
  histograms?: HistogramPoint[];
}

export class ApiClient {
  constructor(readonly url: string) {}

  async get<Data>(path: string, parameters: Record<string, string | readonly string[]> = {}): Promise<Data> {
    const body = await this.getBody(path, parameters);
    if (body.status !== "success") throw new Error(`${path}: ${body.errorType}: ${body.error}`);
    return body.data as Data;
  }

  async getBody(path: string, parameters: Record<string, string | readonly string[]> = {}) {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) {
      for (const one of typeof value === "string" ? [value] : value) search.append(name, one);
    }
    const response = await fetch(`${this.url}/api/v1/${path}?${search.toString()}`);
    return (await response.json()) as {
      status: "success" | "error";
      data?: unknown;
      errorType?: string;
      error?: string;
      warnings?: string[];
      infos?: string[];
    };
  }

  async instant(query: string, timeMs?: number): Promise<Series[]> {
    const time: Record<string, string> = timeMs === undefined ? {} : { time: String(timeMs / 1000) };
    const data = await this.get<{ result: Series[] }>("query", { query, ...time });
    return data.result;
  }

  async range(query: string, startMs: number, endMs: number, stepMs: number): Promise<Series[]> {
    const data = await this.get<{ result: Series[] }>("query_range", {
      query,
      start: String(startMs / 1000),
      end: String(endMs / 1000),
      step: String(stepMs / 1000),
    });
    return data.result;
  }
}

/** Polls until `probe` gives something, and gives that. @throws Error naming `what` when the time is over */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | null | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  while (Date.now() < deadline) {
    try {
      const found = await probe();
      if (found) return found;
    } catch (error) {
      lastError = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not come true within ${timeoutMs} ms`, { cause: lastError });
}
