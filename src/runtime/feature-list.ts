import { DISCOVERY_MECHANISMS, IDLE_MECHANISMS } from "../config/discovery-mechanisms.ts";
import { prometheusFunctions } from "../rules/template/functions.ts";
import type { CommandLine } from "../config/flags.ts";

/** What this server can do, by category: what clients ask of `/api/v1/features`. */
export function featureList({ values, features }: CommandLine): Record<string, Record<string, boolean>> {
  const has = (name: string) => features.includes(name);
  return {
    api: {
      admin: values["web.enable-admin-api"],
      exclude_alerts: true,
      label_values_match: true,
      lifecycle: values["web.enable-lifecycle"],
      query_explain: true,
      query_stats: true,
      query_warnings: true,
      time_range_labels: true,
      time_range_series: true,
    },
    promql: {
      anchored: has("promql-extended-range-selectors"),
      at_modifier: true,
      bool: true,
      by: true,
      delayed_name_removal: has("promql-delayed-name-removal"),
      duration_expr: true,
      fill: has("promql-binop-fill-modifiers"),
      fill_left: has("promql-binop-fill-modifiers"),
      fill_right: has("promql-binop-fill-modifiers"),
      group_left: true,
      group_right: true,
      ignoring: true,
      negative_offset: true,
      offset: true,
      on: true,
      per_query_lookback_delta: true,
      per_step_stats: has("promql-per-step-stats"),
      smoothed: has("promql-extended-range-selectors"),
      subqueries: true,
      type_and_unit_labels: has("type-and-unit-labels"),
      without: true,
    },
    prometheus: { agent_mode: false, auto_reload_config: values["config.auto-reload"], server_mode: true },
    rules: { concurrent_rule_eval: has("concurrent-rule-eval"), keep_firing_for: true, query_offset: true },
    scrape: { extra_scrape_metrics: true, type_and_unit_labels: has("type-and-unit-labels") },
    service_discovery_providers: Object.fromEntries(
      DISCOVERY_MECHANISMS.map((name) => [name, !IDLE_MECHANISMS.includes(name)]),
    ),
    templating_functions: Object.fromEntries([...prometheusFunctions.keys()].map((name) => [name, true])),
    tsdb: { isolation: true, native_histograms: true, xor2_encoding: true },
    ui: { ui_v3: true },
  };
}
