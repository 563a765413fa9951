import type { FastifyInstance } from "fastify";
import { Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { ApiError } from "../api-error.ts";
import { type Params } from "../params.ts";
import type { Ports, TargetMetadata } from "../ports.ts";
import { sendData } from "../responses.ts";
import { paramsOf } from "./query.ts";

/** What is scraped, and what the targets say of their metrics. */
export function targetsRoutes(app: FastifyInstance, { targets }: Ports): void {
  const config = { needsReady: true };

  app.get("/api/v1/targets", { config }, async (request, reply) => {
    const params = paramsOf(request);
    const state = params.getFromUrl("state").toLowerCase();
    const pool = params.getFromUrl("scrapePool");
    const isInPool = (target: { scrapePool?: string }) => pool === "" || target.scrapePool === pool;
    const showActive = state === "" || state === "any" || state === "active";
    const showDropped = state === "" || state === "any" || state === "dropped";
    const dropped = showDropped ? await targets.dropped() : null;
    return sendData(reply, {
      activeTargets: showActive ? (await targets.active()).filter(isInPool) : [],
      droppedTargets: dropped ? dropped.targets.filter(isInPool) : [],
      droppedTargetCounts: dropped ? dropped.counts : null,
    });
  });

  app.get("/api/v1/scrape_pools", { config }, async (_request, reply) =>
    sendData(reply, { scrapePools: [...(await targets.scrapePools())].sort() }),
  );

  app.get("/api/v1/scrape_pools/config", { config }, async (request, reply) => {
    const pool = paramsOf(request).get("scrapePool");
    if (pool === "") throw new ApiError("bad_data", "no scrapePool parameter provided");
    const yaml = await targets.scrapePoolConfig(pool);
    if (yaml === null) {
      throw new ApiError(
        "bad_data",
        `error retrieving scrape config: scrape pool ${JSON.stringify(pool)} not found`,
      );
    }
    return sendData(reply, { yaml });
  });

  app.get("/api/v1/targets/metadata", { config }, async (request, reply) => {
    const params = paramsOf(request);
    const limit = numberParam(params, "limit", -1);
    const metric = params.get("metric");
    const matchers = await matchTarget(params.get("match_target"));
    const found: unknown[] = [];
    for (const { target, metadata } of await targets.metadata()) {
      // Checked between targets only: one target's families may overshoot.
      if (limit >= 0 && found.length >= limit) break;
      const labels = Labels.fromRecord(target);
      if (!matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))) continue;
      for (const { metric: name, type, help, unit } of metadata) {
        if (metric === "") found.push({ target, metric: name, type, help, unit });
        else if (metric === name) found.push({ target, type, help, unit });
      }
    }
    return sendData(reply, found);
  });

  app.get("/api/v1/targets/relabel_steps", { config }, async (request, reply) => {
    const params = paramsOf(request);
    const pool = params.get("scrapePool");
    if (pool === "") throw new ApiError("bad_data", "no scrapePool parameter provided");
    if (params.get("labels") === "") throw new ApiError("bad_data", "no labels parameter provided");
    const labels = labelsOf(params.get("labels"));
    const steps = await targets.relabelSteps(pool, labels);
    if (steps === null) {
      throw new ApiError(
        "bad_data",
        `error retrieving scrape config: scrape pool ${JSON.stringify(pool)} not found`,
      );
    }
    return sendData(reply, steps);
  });

  app.get("/api/v1/metadata", { config }, async (request, reply) => {
    const params = paramsOf(request);
    const limit = numberParam(params, "limit", -1);
    const limitPerMetric = numberParam(params, "limit_per_metric", -1);
    const metric = params.get("metric");
    return sendData(reply, collectMetadata(await targets.metadata(), metric, limit, limitPerMetric));
  });

  app.get("/api/v1/alertmanagers", { config }, async (_request, reply) =>
    sendData(reply, await targets.alertmanagers()),
  );
}

/** @throws ApiError for what is no JSON object of strings */
function labelsOf(json: string): Record<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new ApiError("bad_data", `error parsing labels: ${(cause as Error).message}`);
  }
  const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
  if (isObject && Object.values(parsed as object).every((value) => typeof value === "string")) {
    return parsed as Record<string, string>;
  }
  throw new ApiError("bad_data", "error parsing labels: json: not an object whose values are strings");
}

/** The parser is loaded for this alone: queries are parsed on their own threads. */
async function matchTarget(text: string): Promise<readonly Matcher[]> {
  if (text === "") return [];
  const { parseMetricSelector } = await import("../../promql/parse/index.ts");
  try {
    return parseMetricSelector(text);
  } catch (cause) {
    throw ApiError.invalidParameter("match_target", (cause as Error).message);
  }
}

function numberParam(params: Params, name: string, absent: number): number {
  const text = params.get(name);
  if (text === "") return absent;
  if (!/^[+-]?\d+$/.test(text)) throw new ApiError("bad_data", `${name} must be a number`);
  return Number(text);
}

/** The distinct (type, unit, help) of each metric over all targets. */
function collectMetadata(
  targets: readonly { readonly metadata: readonly TargetMetadata[] }[],
  metric: string,
  limit: number,
  limitPerMetric: number,
): Record<string, { type: string; unit: string; help: string }[]> {
  const byMetric = new Map<string, { type: string; unit: string; help: string }[]>();
  for (const target of targets) {
    for (const { metric: name, type, unit, help } of target.metadata) {
      if (metric !== "" && name !== metric) continue;
      let entries = byMetric.get(name);
      if (!entries) {
        if (limit >= 0 && byMetric.size >= limit) continue;
        byMetric.set(name, (entries = []));
      }
      if (limitPerMetric > 0 && entries.length >= limitPerMetric) continue;
      if (!entries.some((entry) => entry.type === type && entry.unit === unit && entry.help === help)) {
        entries.push({ type, unit, help });
      }
    }
  }
  return Object.fromEntries(byMetric);
}
