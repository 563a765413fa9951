import { availableParallelism, hostname } from "node:os";
import type { Ports } from "../api/ports.ts";
import type { ActiveTargetBody, DroppedTargetBody, RelabelStepsData } from "../api/types.ts";
import { allScrapeConfigs } from "../config/all-scrape-configs.ts";
import { flagsAsText } from "../config/flags.ts";
import { Labels } from "../model/labels.ts";
import { compileRules, relabelSteps } from "../model/relabel.ts";
import type { TargetStatus } from "../scrape/index.ts";
import { familiesToJson } from "../telemetry/family-json.ts";
import { mergeFamilies, type MetricFamilies } from "../telemetry/merge.ts";
import { globalUrlOf } from "./global-url.ts";
import { retentionLimits, retentionText } from "./retention-settings.ts";
import { timeText } from "./rule-bodies.ts";
import type { Server } from "./server.ts";
import { featureList } from "./feature-list.ts";
import { version } from "./version.ts";

/** What the routes ask of the server, answered by the threads and parts that know. */
export function createPorts(server: Server): Ports {
  const { commandLine, registry } = server;
  const flags = commandLine.values;
  return {
    queries: {
      answerAtOnce: (task, origin, mayGzip) => server.answerAtOnce(task, origin, mayGzip),
      run: (task, origin, signal, mayGzip) => server.runQuery(task, origin, signal, mayGzip),
    },

    targets: {
      async active() {
        const { pools } = await server.ingest.call("targets");
        return pools.flatMap(({ active }) => active.map((target) => activeTarget(target, server)));
      },
      async dropped() {
        const { pools } = await server.ingest.call("targets");
        return {
          targets: pools.flatMap((pool) =>
            pool.dropped.map((discoveredLabels): DroppedTargetBody => ({
              discoveredLabels,
              scrapePool: pool.jobName,
            })),
          ),
          counts: Object.fromEntries(pools.map((pool) => [pool.jobName, pool.droppedCount])),
        };
      },
      scrapePools: async () => allScrapeConfigs(server.config).map((job) => job.jobName),
      async scrapePoolConfig(pool) {
        return server.loadedConfig.jobTexts.get(pool) ?? null;
      },
      metadata: () => server.ingest.call("metadata"),
      async relabelSteps(pool, labels): Promise<RelabelStepsData | null> {
        const job = allScrapeConfigs(server.config).find((one) => one.jobName === pool);
        if (!job) return null;
        const steps = relabelSteps(Labels.fromRecord(labels), compileRules(job.relabelConfigs));
        return {
          steps: steps.map(({ rule, output, keep }) => ({
            rule: {
              ...(rule.sourceLabels.length > 0 ? { source_labels: rule.sourceLabels } : {}),
              separator: rule.separator,
              regex: rule.regex,
              ...(rule.modulus > 0 ? { modulus: rule.modulus } : {}),
              ...(rule.targetLabel === "" ? {} : { target_label: rule.targetLabel }),
              replacement: rule.replacement,
              action: rule.action,
            },
            output: output.toRecord(),
            keep,
          })),
        };
      },
      alertmanagers: async () => ({
        activeAlertmanagers: server.notifier.activeUrls.map((url) => ({ url })),
        droppedAlertmanagers: server.notifier.droppedUrls.map((url) => ({ url })),
      }),
    },

    rules: { groups: () => server.rules.groups() },

    status: {
      buildInfo: {
        version: version.prometheus,
        revision: version.revision,
        branch: "",
        buildUser: "",
        buildDate: "",
        goVersion: `node${process.versions.node}`,
      },
      config: () => server.loadedConfig.text,
      flags: () => flagsAsText(flags),
      async runtimeInfo() {
        return {
          startTime: timeText(server.startedMs),
          CWD: process.cwd(),
          hostname: hostname(),
          serverTime: timeText(Date.now()),
          reloadConfigSuccess: server.lastReload.successful,
          lastConfigTime: timeText(Math.floor(server.lastReload.timeMs / 1000) * 1000),
          corruptionCount: server.ingest.corruptions,
          goroutineCount: server.threadCount,
          GOMAXPROCS: availableParallelism(),
          GOMEMLIMIT: 0,
          GOGC: "",
          GODEBUG: "",
          storageRetention: retentionText(retentionLimits(server.config, flags)),
        };
      },
      tsdb: (limit) => server.ingest.call("tsdbStatus", limit),
      blocks: async () => server.storage.blocks.map(({ meta }) => meta),
      walReplay: () => server.replayProgress,
      features: () => featureList(commandLine),
    },

    lifecycle: {
      get isEnabled() {
        return flags["web.enable-lifecycle"];
      },
      get state() {
        return server.state;
      },
      reload: () => server.reload(),
      quit: () => server.quit(),
    },

    admin: {
      isEnabled: flags["web.enable-admin-api"],
      async deleteSeries(matches, startMs, endMs) {
        const { deletionSelectors } = await import("./deletion-selectors.ts");
        const selectors = deletionSelectors(matches);
        await server.ingest.call("deleteSeries", selectors, startMs, endMs);
        await server.storage.deleteSeries(selectors, startMs, endMs);
      },
      cleanTombstones: () => server.storage.cleanTombstones(),
      snapshot: async (skipHead) =>
        server.storage.snapshot(skipHead ? [] : await server.ingest.call("openGenerations")),
    },

    notifications: server.notifications,

    metrics: {
      registry,
      async page() {
        const merged = await mergedRegistry(server);
        return { contentType: merged.contentType, body: await merged.metrics() };
      },
      async families(pattern) {
        const families = await (await mergedRegistry(server)).getMetricsAsJSON();
        const wanted = families.filter((family) => pattern === null || pattern.matches(family.name));
        return familiesToJson(wanted as unknown as MetricFamilies);
      },
    },
  };
}

async function mergedRegistry(server: Server) {
  const own = await server.registry.getMetricsAsJSON();
  const ingest = await server.ingest.call("metrics").catch((err: unknown) => {
    server.log.warn({ err }, "the ingest thread's metrics are missing");
    return [];
  });
  return mergeFamilies([own as never, ingest]);
}

function activeTarget(target: TargetStatus, { externalUrl, listenPort }: Server): ActiveTargetBody {
  return {
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.jobName,
    scrapeUrl: target.url,
    globalUrl: globalUrlOf(target.url, externalUrl, listenPort),
    lastError: target.lastError,
    lastScrape: timeText(target.lastScrapeMs === 0 ? null : target.lastScrapeMs),
    lastScrapeDuration: target.lastDurationSeconds,
    health: target.health,
    scrapeInterval: target.interval,
    scrapeTimeout: target.timeout,
  };
}
