import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { AwsService } from "./aws-access.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, sanitizeLabelName, type LabelRecord } from "./target-group.ts";

interface Instance {
  readonly name: string;
  readonly supportCode?: string;
  readonly blueprintId?: string;
  readonly bundleId?: string;
  readonly privateIpAddress?: string;
  readonly publicIpAddress?: string;
  readonly ipv6Addresses?: readonly string[];
  readonly location?: { readonly availabilityZone?: string };
  readonly state?: { readonly name?: string };
  readonly tags?: readonly { readonly key?: string; readonly value?: string }[];
}

interface Page {
  readonly instances?: readonly Instance[];
  readonly nextPageToken?: string;
}

/** Targets as the instances of Amazon's Lightsail in a region. */
export function lightsailDiscovery(
  config: DiscoveryConfigOf<"lightsail">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const lightsail = new AwsService("lightsail", config, surroundings);
  const headers = {
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": "Lightsail_20161128.GetInstances",
  };
  return pollingMechanism(
    {
      mechanism: "lightsail",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const targets: LabelRecord[] = [];
        let pageToken: string | undefined;
        do {
          const page = JSON.parse(
            await lightsail.post(JSON.stringify({ pageToken }), headers, signal),
          ) as Page;
          for (const instance of page.instances ?? []) {
            if (instance.privateIpAddress) targets.push(labelsOf(instance, lightsail.region, config.port));
          }
          pageToken = page.nextPageToken;
        } while (pageToken);
        return [{ source: lightsail.region, targets, labels: {} }];
      },
      close: () => lightsail.client.close(),
    },
    surroundings,
  );
}

function labelsOf(instance: Instance, region: string, port: number): LabelRecord {
  const address = instance.privateIpAddress!;
  const labels: Record<string, string> = {
    __address__: joinHostPort(address, port),
    __meta_lightsail_availability_zone: instance.location?.availabilityZone ?? "",
    __meta_lightsail_blueprint_id: instance.blueprintId ?? "",
    __meta_lightsail_bundle_id: instance.bundleId ?? "",
    __meta_lightsail_instance_name: instance.name,
    __meta_lightsail_instance_state: instance.state?.name ?? "",
    __meta_lightsail_instance_support_code: instance.supportCode ?? "",
    __meta_lightsail_private_ip: address,
    __meta_lightsail_region: region,
  };
  if (instance.publicIpAddress) labels["__meta_lightsail_public_ip"] = instance.publicIpAddress;
  const ipv6 = instance.ipv6Addresses ?? [];
  if (ipv6.length > 0) labels["__meta_lightsail_ipv6_addresses"] = `,${ipv6.join(",")},`;
  for (const { key, value } of instance.tags ?? []) {
    if (key !== undefined && value !== undefined)
      labels[`__meta_lightsail_tag_${sanitizeLabelName(key)}`] = value;
  }
  return labels;
}
