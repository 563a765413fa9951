import { Registry } from "prom-client";
import { errorEnvelope, successEnvelope } from "../../src/api/envelope.ts";
import { ApiError } from "../../src/api/api-error.ts";
import type { ApiOptions, Ports } from "../../src/api/ports.ts";
import type { QueryTask } from "../../src/api/query-tasks.ts";
import type { RuleGroupBody } from "../../src/api/types.ts";

/** A server that answers nothing in particular, for tests of the HTTP surface alone. Tasks asked are kept. */
export function fakePorts(over: {
  ruleGroups?: readonly RuleGroupBody[];
  lifecycle?: Partial<Ports["lifecycle"]>;
  admin?: Partial<Ports["admin"]>;
  targets?: Partial<Ports["targets"]>;
  notifications?: Ports["notifications"];
}): { ports: Ports; tasks: QueryTask[] } {
  const tasks: QueryTask[] = [];
  const registry = new Registry();
  const ports: Ports = {
    queries: {
      answerAtOnce: () => null,
      run: async (task) => {
        tasks.push(task);
        if ("query" in task && task.query === "broken(") {
          const error = new ApiError(
            "bad_data",
            `invalid parameter "query": 1:8: parse error: unclosed left parenthesis`,
          );
          return { status: 400, parts: errorEnvelope(error), report: null };
        }
        return { status: 200, parts: successEnvelope((out) => out.json([])), report: null };
      },
    },
    targets: {
      active: async () => [],
      dropped: async () => ({ targets: [], counts: {} }),
      scrapePools: async () => ["b", "a"],
      scrapePoolConfig: async (pool) => (pool === "a" ? "job_name: a\n" : null),
      metadata: async () => [],
      relabelSteps: async () => null,
      alertmanagers: async () => ({ activeAlertmanagers: [], droppedAlertmanagers: [] }),
      ...over.targets,
    },
    rules: { groups: () => over.ruleGroups ?? [] },
    notifications: over.notifications ?? { current: () => [], follow: () => null },
    status: {
      buildInfo: { version: "1", revision: "", branch: "", buildUser: "", buildDate: "", goVersion: "" },
      config: () => "global: {}\n",
      flags: () => ({ "web.listen-address": "0.0.0.0:9090" }),
      runtimeInfo: async () => ({
        startTime: "2026-01-02T15:04:05Z",
        CWD: "/",
        hostname: "here",
        serverTime: "2026-01-02T15:04:06Z",
        reloadConfigSuccess: true,
        lastConfigTime: "2026-01-02T15:04:05Z",
        corruptionCount: 0,
        goroutineCount: 1,
        GOMAXPROCS: 1,
        GOMEMLIMIT: 0,
        GOGC: "",
        GODEBUG: "",
        storageRetention: "15d",
      }),
      tsdb: async () => ({
        headStats: { numSeries: 0, numLabelPairs: 0, chunkCount: 0, minTime: 0, maxTime: 0 },
        seriesCountByMetricName: [],
        labelValueCountByLabelName: [],
        memoryInBytesByLabelName: [],
        seriesCountByLabelValuePair: [],
      }),
      blocks: async () => [],
      walReplay: () => ({ min: 0, max: 0, current: 0 }),
      features: () => ({}),
    },
    lifecycle: {
      isEnabled: true,
      state: "ready",
      reload: async () => {},
      quit: () => true,
      ...over.lifecycle,
    },
    admin: {
      isEnabled: true,
      deleteSeries: async () => {},
      cleanTombstones: async () => {},
      snapshot: async () => "20260102T150405Z-0123456789abcdef",
      ...over.admin,
    },
    metrics: {
      registry,
      page: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
      families: async () => [],
    },
  };
  return { ports, tasks };
}

export const apiOptions: ApiOptions = {
  routePrefix: "",
  externalPath: "",
  pageTitle: "Narthex",
  corsOrigin: null,
  uiDirectory: null,
  now: () => 1_700_000_000_000,
};
