import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchText } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, sanitizeLabelName, type LabelRecord } from "./target-group.ts";
import { child, childText, parseXml, type XmlElement } from "./xml.ts";

const INSTANCE = "__meta_eureka_app_instance_";

/** Targets as the instances of applications that register with Eureka. */
export function eurekaDiscovery(
  config: DiscoveryConfigOf<"eureka">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const endpoint = {
    client,
    baseUrl: config.server.replace(/\/$/, ""),
    request: { timeoutMs: config.refreshInterval, headers: { accept: "application/xml" } },
  };
  return pollingMechanism(
    {
      mechanism: "eureka",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const { body } = await fetchText(endpoint, "/apps", signal);
        const targets = parseXml(body)
          .children.filter(({ name }) => name === "application")
          .flatMap((application) => {
            const instances = application.children.filter(({ name }) => name === "instance");
            return instances.map((instance) => labelsOf(childText(application, "name"), instance));
          });
        return [{ source: "eureka", targets, labels: {} }];
      },
      close: () => client.close(),
    },
    surroundings,
  );
}

function labelsOf(application: string, instance: XmlElement): LabelRecord {
  const text = (name: string) => childText(instance, name);
  const port = child(instance, "port");
  const securePort = child(instance, "securePort");
  const dataCenter = child(instance, "dataCenterInfo");
  const labels: Record<string, string> = {
    __address__: joinHostPort(text("hostName"), port?.text.trim() ?? "80"),
    instance: text("instanceId"),
    __meta_eureka_app_name: application,
    [`${INSTANCE}hostname`]: text("hostName"),
    [`${INSTANCE}homepage_url`]: text("homePageUrl"),
    [`${INSTANCE}statuspage_url`]: text("statusPageUrl"),
    [`${INSTANCE}healthcheck_url`]: text("healthCheckUrl"),
    [`${INSTANCE}ip_addr`]: text("ipAddr"),
    [`${INSTANCE}vip_address`]: text("vipAddress"),
    [`${INSTANCE}secure_vip_address`]: text("secureVipAddress"),
    [`${INSTANCE}status`]: text("status"),
    [`${INSTANCE}country_id`]: text("countryId") || "0",
    [`${INSTANCE}id`]: text("instanceId"),
  };
  if (port !== undefined) {
    labels[`${INSTANCE}port`] = port.text.trim();
    labels[`${INSTANCE}port_enabled`] = port.attributes["enabled"] ?? "false";
  }
  if (securePort !== undefined) {
    labels[`${INSTANCE}secure_port`] = securePort.text.trim();
    labels[`${INSTANCE}secure_port_enabled`] = securePort.attributes["enabled"] ?? "false";
  }
  if (dataCenter !== undefined) {
    labels[`${INSTANCE}datacenterinfo_name`] = childText(dataCenter, "name");
    addMetadata(labels, `${INSTANCE}datacenterinfo_metadata_`, child(dataCenter, "metadata"));
  }
  addMetadata(labels, `${INSTANCE}metadata_`, child(instance, "metadata"));
  return labels;
}

function addMetadata(labels: Record<string, string>, prefix: string, metadata: XmlElement | undefined): void {
  for (const { name, text } of metadata?.children ?? [])
    labels[prefix + sanitizeLabelName(name)] = text.trim();
}
