import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { ApiError } from "../api-error.ts";
import { type Params, parseGoBoolean, parseGoInteger } from "../params.ts";
import type { Ports } from "../ports.ts";
import { sendData } from "../responses.ts";
import type { RuleBody, RuleGroupBody } from "../types.ts";
import { paramsOf } from "./query.ts";

export function rulesRoutes(app: FastifyInstance, { rules }: Ports): void {
  const config = { needsReady: true };
  app.get("/api/v1/rules", { config }, async (request, reply) => {
    const params = paramsOf(request);
    params.requireWellFormed();
    const selects = await labelFilter(params.getAll("match[]"));
    return sendData(reply, page(filterGroups(rules.groups(), params, selects), params));
  });
  app.get("/api/v1/alerts", { config }, (_request, reply) => {
    const alerts = rules
      .groups()
      .flatMap((group) => group.rules)
      .flatMap((rule) => (rule.type === "alerting" ? (rule.alerts ?? []) : []));
    return sendData(reply, { alerts });
  });
}

/** Whether any of the selectors fits a rule by the labels it was given; all fit where there are none. */
async function labelFilter(matches: readonly string[]): Promise<(rule: RuleBody) => boolean> {
  if (matches.length === 0) return () => true;
  const { parseMatches } = await import("../parse-matches.ts");
  const selectors = parseMatches(matches, false);
  return ({ labels }) =>
    selectors.some((matchers) => matchers.every((matcher) => matcher.matches(labels[matcher.name] ?? "")));
}

function filterGroups(
  groups: readonly RuleGroupBody[],
  params: Params,
  selects: (rule: RuleBody) => boolean,
): RuleGroupBody[] {
  const type = params.getFromUrl("type").toLowerCase();
  if (type !== "" && type !== "alert" && type !== "record") {
    throw ApiError.invalidParameter(
      "type",
      `not supported value ${JSON.stringify(params.getFromUrl("type"))}`,
    );
  }
  const names = new Set(params.getAll("rule_name[]"));
  const groupNames = new Set(params.getAll("rule_group[]"));
  const files = new Set(params.getAll("file[]"));
  let excludeAlerts = false;
  const excludeText = params.getFromUrl("exclude_alerts");
  if (excludeText !== "") {
    try {
      excludeAlerts = parseGoBoolean(excludeText.toLowerCase());
    } catch (cause) {
      throw ApiError.invalidParameter(
        "exclude_alerts",
        `error converting exclude_alerts: ${(cause as Error).message}`,
      );
    }
  }
  const isWanted = (rule: RuleBody) =>
    (type === "" || (type === "alert") === (rule.type === "alerting")) &&
    (names.size === 0 || names.has(rule.name)) &&
    selects(rule);
  return groups
    .filter((group) => groupNames.size === 0 || groupNames.has(group.name))
    .filter((group) => files.size === 0 || files.has(group.file))
    .map((group) => ({
      ...group,
      rules: group.rules
        .filter(isWanted)
        .map((rule) => (excludeAlerts && rule.type === "alerting" ? { ...rule, alerts: null } : rule)),
    }))
    .filter((group) => group.rules.length > 0);
}

function page(groups: RuleGroupBody[], params: Params): { groups: RuleGroupBody[]; groupNextToken?: string } {
  const limitText = params.getFromUrl("group_limit");
  const token = params.getFromUrl("group_next_token");
  if (limitText === "") {
    if (token === "") return { groups };
    throw ApiError.invalidParameter(
      "group_next_token",
      "group_limit needs to be present in order to paginate over the groups",
    );
  }
  let limit: number;
  try {
    limit = parseGoInteger(limitText);
  } catch (cause) {
    throw ApiError.invalidParameter(
      "group_limit",
      `group_limit needs to be a valid number: ${(cause as Error).message}`,
    );
  }
  if (limit <= 0) throw ApiError.invalidParameter("group_limit", "group_limit needs to be greater than 0");
  const start = token === "" ? 0 : groups.findIndex((group) => tokenOf(group) === token);
  if (start < 0) {
    throw ApiError.invalidParameter(
      "group_next_token",
      `invalid group_next_token '${token}'. were rule groups changed?`,
    );
  }
  const next = groups[start + limit];
  const shown = groups.slice(start, start + limit);
  return next ? { groups: shown, groupNextToken: tokenOf(next) } : { groups: shown };
}

function tokenOf(group: RuleGroupBody): string {
  return createHash("sha256").update(`${group.file};${group.name}`).digest("hex");
}
