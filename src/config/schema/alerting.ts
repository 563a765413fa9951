import { quote } from "../../model/quote.ts";
import { choice, duration, field, list, maybe, section, text, type ValueOf } from "./config-type.ts";
import { discoveryFields } from "./discovery.ts";
import { finishHttpClient, httpClientFields } from "./http-client.ts";
import { relabelRules } from "./relabel.ts";
import { sigV4 } from "./remote.ts";

export const alertmanagerConfig = section(
  "config.plain",
  {
    ...httpClientFields,
    sigv4: maybe(sigV4),
    scheme: field(text, "http"),
    pathPrefix: field(text, ""),
    timeout: field(duration, 10_000),
    apiVersion: field(
      choice(["v2"], (version) => `expected Alertmanager api version to be one of [v2] but got ${version}`),
      "v2",
    ),
    relabelConfigs: field(relabelRules("empty or null Alertmanager target relabeling rule"), []),
    alertRelabelConfigs: field(relabelRules("empty or null Alertmanager alert relabeling rule"), []),
    ...discoveryFields,
  },
  (alertmanager, report) => {
    const { authorization, basicAuth, oauth2, relabelConfigs, sigv4, staticConfigs } = alertmanager;
    if (sigv4 !== undefined && (basicAuth ?? authorization ?? oauth2) !== undefined) {
      report("at most one of basic_auth, authorization, oauth2, & sigv4 must be configured");
    }
    if (relabelConfigs.length === 0) {
      for (const [i, { targets }] of staticConfigs.entries()) {
        for (const [j, target] of targets.entries()) {
          if (target.includes("/")) {
            report(`${quote(target)} is not a valid hostname`, ["static_configs", i, "targets", j]);
          }
        }
      }
    }
    return finishHttpClient(alertmanager, report);
  },
);

export type AlertmanagerConfig = ValueOf<typeof alertmanagerConfig>;

export const alertingConfig = section("config.plain", {
  alertRelabelConfigs: field(relabelRules("empty or null alert relabeling rule"), []),
  alertmanagers: field(list(alertmanagerConfig, "empty or null Alertmanager section"), []),
});

export type AlertingConfig = ValueOf<typeof alertingConfig>;
