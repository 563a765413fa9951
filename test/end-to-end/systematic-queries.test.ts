import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient, type Series } from "../support/api-client.ts";
import { differences } from "../support/compare-results.ts";
import {
  isInstalled,
  removeFolder,
  startNarthex,
  startPrometheus,
  temporaryFolder,
} from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";
import { systematicQueries } from "../support/systematic-queries.ts";
import { writeVariedWal } from "../support/varied-fixture.ts";
import { versionDifferences } from "../support/version-differences.ts";

const HOUR_MS = 3_600_000;
const BEGIN_MS = 1_700_006_400_000;
const MIDDLE_MS = BEGIN_MS + 2 * HOUR_MS;
const END_MS = BEGIN_MS + 4 * HOUR_MS;
/**
 * Three seconds past a full minute, and steps that are multiples of five: so no sample and no step of a subquery lies at
 * the very beginning of a range, where 2.42 counts it in and 3.x does not.
 */
const ORIGIN_MS = BEGIN_MS + 3_000;
const INSTANTS = [2.6, 1.2, 3.4].map((hours) => ORIGIN_MS + hours * HOUR_MS);
/** Most of the data; finely where block and log meet; from before the first sample to after the last one. */
const RANGES = [
  { startMs: ORIGIN_MS + HOUR_MS, endMs: ORIGIN_MS + 3.9 * HOUR_MS, stepMs: 420_000 },
  { startMs: ORIGIN_MS + 1.9 * HOUR_MS, endMs: ORIGIN_MS + 2.15 * HOUR_MS, stepMs: 35_000 },
  { startMs: ORIGIN_MS - 0.2 * HOUR_MS, endMs: ORIGIN_MS + 4.2 * HOUR_MS, stepMs: 1_500_000 },
];
/** So many answers are waited for at once, each by both servers. */
const ASKED_AT_ONCE = 8;

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: unknown;
}

describe.skipIf(!isInstalled("prometheus"))("beside Prometheus 2.42 on copies of one data directory", () => {
  const folder = temporaryFolder("systematic");
  const servers: SpawnedServer[] = [];
  const differencesSeen = new Set<string>();
  let ours: ApiClient;
  let theirs: ApiClient;

  beforeAll(async () => {
    const config = "global: { evaluation_interval: 1m }\nscrape_configs: []\n";
    const flags = ["--storage.tsdb.retention.time=100y", "--enable-feature=native-histograms"];
    const directory = join(folder, "fixture");
    // The first half as a block that Prometheus has written, the second one as a log.
    const maker = await startPrometheusOn(join(folder, "older"), BEGIN_MS, MIDDLE_MS);
    const answer = await fetch(`${maker.url}/api/v1/admin/tsdb/snapshot`, { method: "POST" });
    const { data } = (await answer.json()) as { data: { name: string } };
    await maker.stop();
    cpSync(join(folder, "older/data/snapshots", data.name), directory, { recursive: true });
    writeVariedWal({ dataDirectory: directory, beginMs: BEGIN_MS, fromMs: MIDDLE_MS, toMs: END_MS });
    for (const name of ["narthex", "prometheus"]) {
      cpSync(directory, join(folder, name, "data"), { recursive: true });
    }
    servers.push(
      await startNarthex({
        config,
        folder: join(folder, "narthex"),
        flags: [flags[0]!, "--enable-feature=promql-experimental-functions"],
      }),
      await startPrometheus({ config, folder: join(folder, "prometheus"), flags }),
    );
    [ours, theirs] = servers.map((server) => new ApiClient(server.url)) as [ApiClient, ApiClient];

    function startPrometheusOn(home: string, fromMs: number, toMs: number): Promise<SpawnedServer> {
      writeVariedWal({ dataDirectory: join(home, "data"), beginMs: BEGIN_MS, fromMs, toMs });
      return startPrometheus({ config, folder: home, flags: [...flags, "--web.enable-admin-api"] });
    }
  });

  afterAll(async () => {
    for (const server of servers) await server.stop();
    removeFolder(folder);
  });

  const queries = systematicQueries();

  test("there are thousands of queries, each once", () => {
    expect(queries.length).toBeGreaterThan(4_000);
    expect(new Set(queries).size).toBe(queries.length);
  });

  test.each([
    ["at one time", (query: string, index: number) => instantOf(query, index)],
    ["over a range", (query: string, index: number) => rangeOf(query, index)],
  ])(
    "answers all of them alike %s, but for what differs between the versions",
    async (_, requestOf) => {
      const differing: string[] = [];
      let withResult = 0;
      let next = 0;
      const work = async () => {
        while (next < queries.length) {
          const index = next++;
          const query = queries[index]!;
          const [a, b] = await Promise.all([
            ask(ours, requestOf(query, index)),
            ask(theirs, requestOf(asIn2(query), index)),
          ]);
          const faults = faultsOf(query, a, b);
          if (!isEmpty(a)) withResult++;
          if (faults.length === 0) continue;
          const known = versionDifferences.find(({ concerns }) => concerns.test(query));
          if (known) differencesSeen.add(known.title);
          else differing.push(`${query}\n  ${faults.slice(0, 2).join("\n  ")}`);
        }
      };
      await Promise.all(Array.from({ length: ASKED_AT_ONCE }, work));
      expect(differing).toEqual([]);
      // Empty answers prove little.
      expect(withResult).toBeGreaterThan(queries.length * 0.8);
    },
    240_000,
  );

  test("nothing is listed as a difference that is none", () => {
    expect([...differencesSeen].sort()).toEqual(versionDifferences.map(({ title }) => title).sort());
  });
});

interface Request {
  readonly path: string;
  readonly parameters: Record<string, string>;
}

function instantOf(query: string, index: number): Request {
  return { path: "query", parameters: { query, time: String(INSTANTS[index % 3]! / 1000), stats: "all" } };
}

function rangeOf(query: string, index: number): Request {
  const { startMs, endMs, stepMs } = RANGES[index % 3]!;
  const [start, end, step] = [startMs, endMs, stepMs].map((ms) => String(ms / 1000)) as [
    string,
    string,
    string,
  ];
  return { path: "query_range", parameters: { query, start, end, step, stats: "all" } };
}

/** The function has another name since. */
function asIn2(query: string): string {
  return query.replaceAll("double_exponential_smoothing", "holt_winters");
}

function ask(api: ApiClient, { path, parameters }: Request): Promise<Answer> {
  return api.getBody(path, parameters);
}

interface QueryData {
  readonly resultType: string;
  readonly result: unknown[];
  readonly stats: { readonly samples: { readonly totalQueryableSamples: number } };
}

function resultOf(answer: Answer): QueryData {
  return answer.data as QueryData;
}

/** Operands that find no partner, and what `topk(0, …)` is to choose from, are not evaluated. */
function mayLeaveOut(query: string): boolean {
  const names = query.match(
    /\b(?:queue_length|requests_total|sparse|ended|odd|irregular|capacity|build_info|once|no_such_metric)\b/g,
  );
  return (names?.length ?? 0) > 1 || /^topk .*\(0,/.test(query);
}

function isEmpty(answer: Answer): boolean {
  return answer.status === "success" && resultOf(answer).result.length === 0;
}

/** What differs: the error, the result, or how many samples were looked at. */
function faultsOf(query: string, a: Answer, b: Answer): string[] {
  if (a.status === "error" || b.status === "error") {
    const [x, y] = [errorText(a), errorText(b)];
    return x === y ? [] : [`${x}; Prometheus: ${y}`];
  }
  const [x, y] = [resultOf(a), resultOf(b)];
  if (x.resultType !== y.resultType) return [`${x.resultType}, Prometheus gives ${y.resultType}`];
  const [ours, theirs] = [x.stats.samples.totalQueryableSamples, y.stats.samples.totalQueryableSamples];
  // 2.42 counts native histograms otherwise.
  const isComparable = !/native_|__name__!~/.test(query);
  if (isComparable && (ours > theirs || (ours < theirs && !mayLeaveOut(query)))) {
    return [`looks at ${ours} samples, Prometheus at ${theirs}`];
  }
  if (x.resultType === "vector" || x.resultType === "matrix") {
    return differences(x.result as Series[], y.result as Series[]);
  }
  const [text, other] = [JSON.stringify(x.result), JSON.stringify(y.result)];
  return text === other ? [] : [`${text}, Prometheus has ${other}`];
}

/** 2.42 names two series in any order, and does not say of which parameter the type is wrong. */
function errorText({ status, error = "" }: Answer): string {
  if (status === "success") return "no error";
  return error
    .replace(/^invalid parameter "query": /, "")
    .replace(/\[(\{.*\}), (\{.*\})\]/, (_, x: string, y: string) => [x, y].sort().join(", "));
}
