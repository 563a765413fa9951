import { describe, expect, test } from "vitest";
import { compileRules, DEFAULT_RELABEL_RULE, type RelabelRule } from "../../src/model/relabel.ts";
import { alertmanagerEndpoints } from "../../src/rules/alertmanager-endpoints.ts";
import type { LabelRecord } from "../support/rule-fixtures.ts";

function endpoints(
  targets: readonly LabelRecord[],
  options: {
    labels?: LabelRecord;
    scheme?: string;
    pathPrefix?: string;
    rules?: readonly Partial<RelabelRule>[];
  } = {},
) {
  const { labels = {}, scheme = "http", pathPrefix = "", rules = [] } = options;
  const compiled = compileRules(rules.map((rule) => ({ ...DEFAULT_RELABEL_RULE, ...rule })));
  return alertmanagerEndpoints({ targets, labels }, { scheme, pathPrefix, rules: compiled });
}

describe("where alerts are posted to", () => {
  test("is the second version of the API of each target, below the prefix", () => {
    expect(endpoints([{ __address__: "am:9093" }]).active).toEqual(["http://am:9093/api/v2/alerts"]);
    expect(endpoints([{ __address__: "am" }], { scheme: "https", pathPrefix: "/a/b/" }).active).toEqual([
      "https://am/a/b/api/v2/alerts",
    ]);
    expect(endpoints([{ __address__: "am" }], { pathPrefix: "a" }).active).toEqual([
      "http://am/a/api/v2/alerts",
    ]);
  });

  test("can be changed by labels of the target, less so by those of its group", () => {
    const rules = [{ sourceLabels: ["zone"], targetLabel: "__alerts_path__", replacement: "/$1/alerts" }];
    const group = { labels: { zone: "group", __scheme__: "https" }, rules };
    expect(endpoints([{ __address__: "a" }, { __address__: "b", zone: "own" }], group).active).toEqual([
      "http://a/group/alerts",
      "http://b/own/alerts",
    ]);
  });

  test("leaves out what relabelling drops, and tells of it", () => {
    const rules = [{ sourceLabels: ["__address__"], regex: "b.*", action: "drop" as const }];
    expect(endpoints([{ __address__: "a" }, { __address__: "b" }], { rules })).toEqual({
      active: ["http://a/api/v2/alerts"],
      dropped: ["http://b/api/v2/alerts"],
    });
  });

  test("is nowhere for the whole group when one address is none", () => {
    expect(() => endpoints([{ __address__: "a" }, { __address__: "b/c" }])).toThrow(
      '"b/c" is not a valid hostname',
    );
  });
});
