import { allScrapeConfigs } from "./all-scrape-configs.ts";
import type { Config } from "./effective-config.ts";
import { discoveryKey, IDLE_MECHANISMS } from "./discovery-mechanisms.ts";
import type { DiscoveryConfigs } from "./schema/discovery.ts";

/** A sentence for each part of a configuration that is read and checked, but has no effect yet. */
export function unsupported(config: Config): string[] {
  const sentences: string[] = [];
  for (const job of allScrapeConfigs(config)) {
    for (const key of idleLists(job)) sentences.push(`${key} of job ${job.jobName} finds no targets yet`);
  }
  for (const [i, alertmanager] of config.alerting.alertmanagers.entries()) {
    for (const key of idleLists(alertmanager)) {
      sentences.push(`${key} of alerting.alertmanagers[${i}] finds no Alertmanagers yet`);
    }
    if (alertmanager.sigv4)
      sentences.push(`sigv4 of alerting.alertmanagers[${i}] does not sign requests yet`);
  }
  for (const [i, remote] of config.remoteWrite.entries()) {
    for (const key of ["sigv4", "azuread", "googleIam"] as const) {
      if (remote[key]) {
        const yamlKey = key === "googleIam" ? "google_iam" : key;
        sentences.push(`${yamlKey} of remote_write[${i}] does not authenticate requests yet`);
      }
    }
  }
  if (config.tracing) sentences.push("tracing exports no spans yet");
  return sentences;
}

function idleLists(section: DiscoveryConfigs): string[] {
  const idle = IDLE_MECHANISMS.filter((mechanism) => section[`${mechanism}Configs`].length > 0).map(
    discoveryKey,
  );
  const idleRoles = section.awsConfigs
    .map(({ role }) => role)
    .filter((role) => role !== "ec2" && role !== "lightsail");
  return [...idle, ...idleRoles.map((role) => `aws_sd_configs with role ${role}`)];
}
