import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { AwsService } from "./aws-access.ts";
import { queryString } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, sanitizeLabelName, type LabelRecord } from "./target-group.ts";
import { child, childText, parseXml, type XmlElement } from "./xml.ts";

const API_VERSION = "2016-11-15";
const PAGE_SIZE = 1_000;

/** Targets as the instances of Amazon's EC2 in a region. */
export function ec2Discovery(
  config: DiscoveryConfigOf<"ec2">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const ec2 = new AwsService("ec2", config, surroundings);
  /** Zones never change their ids. */
  let zoneIds: ReadonlyMap<string, string> | null = null;

  async function call(
    action: string,
    parameters: readonly (readonly [string, string])[],
    signal: AbortSignal,
  ) {
    const body = queryString([["Action", action], ["Version", API_VERSION], ...parameters]).slice(1);
    return parseXml(
      await ec2.post(body, { "content-type": "application/x-www-form-urlencoded; charset=utf-8" }, signal),
    );
  }

  async function findZoneIds(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const answer = await call("DescribeAvailabilityZones", [], signal);
    return new Map(
      items(answer, "availabilityZoneInfo").map((zone) => [
        childText(zone, "zoneName"),
        childText(zone, "zoneId"),
      ]),
    );
  }

  return pollingMechanism(
    {
      mechanism: "ec2",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        // Without the right to ask for zones, instances only lack their zone's id.
        zoneIds ??= await findZoneIds(signal).catch((err: unknown) => {
          surroundings.log.warn({ err }, "Unable to describe availability zones");
          return null;
        });
        const targets: LabelRecord[] = [];
        const filters = config.filters.flatMap(({ name, values }, i) => [
          [`Filter.${i + 1}.Name`, name] as const,
          ...values.map((value, j) => [`Filter.${i + 1}.Value.${j + 1}`, value] as const),
        ]);
        let nextToken = "";
        do {
          const page = nextToken === "" ? [] : [["NextToken", nextToken] as const];
          const answer = await call(
            "DescribeInstances",
            [...filters, ["MaxResults", String(PAGE_SIZE)], ...page],
            signal,
          );
          for (const reservation of items(answer, "reservationSet")) {
            const owner = childText(reservation, "ownerId");
            for (const instance of items(reservation, "instancesSet")) {
              const labels = labelsOf(instance, owner, ec2.region, config.port, zoneIds ?? new Map());
              if (labels !== null) targets.push(labels);
            }
          }
          nextToken = childText(answer, "nextToken");
        } while (nextToken !== "");
        return [{ source: ec2.region, targets, labels: {} }];
      },
      close: () => ec2.client.close(),
    },
    surroundings,
  );
}

/** The entries of a list in the answer. */
function items(element: XmlElement, list: string): readonly XmlElement[] {
  return child(element, list)?.children.filter(({ name }) => name === "item") ?? [];
}

/** Null for an instance without any address. */
function labelsOf(
  instance: XmlElement,
  owner: string,
  region: string,
  port: number,
  zoneIds: ReadonlyMap<string, string>,
): LabelRecord | null {
  const text = (name: string) => childText(instance, name);
  const interfaces = items(instance, "networkInterfaceSet");
  const addresses = interfaces.flatMap((network) =>
    items(network, "ipv6AddressesSet").map((entry) => ({ network, entry })),
  );
  const ipv6 = addresses.map(({ entry }) => childText(entry, "ipv6Address"));
  const defaultIpv6 = text("ipv6Address") || ipv6[0] || "";
  const privateIp = text("privateIpAddress");
  if (privateIp === "" && defaultIpv6 === "") return null;
  const zone = childText(child(instance, "placement"), "availabilityZone");
  const isPublic = text("ipAddress") !== "";
  const labels: Record<string, string> = {
    __address__: joinHostPort(privateIp || defaultIpv6, port),
    __meta_ec2_instance_id: text("instanceId"),
    __meta_ec2_region: region,
    ...present({
      __meta_ec2_owner_id: owner,
      __meta_ec2_private_ip: privateIp,
      __meta_ec2_default_ipv6_address: defaultIpv6,
      __meta_ec2_private_dns_name: text("privateDnsName"),
      __meta_ec2_platform: text("platform"),
      __meta_ec2_public_ip: text("ipAddress"),
      __meta_ec2_ami: text("imageId"),
      __meta_ec2_availability_zone: zone,
      __meta_ec2_availability_zone_id: zoneIds.get(zone) ?? "",
      __meta_ec2_instance_state: childText(child(instance, "instanceState"), "name"),
      __meta_ec2_instance_type: text("instanceType"),
      __meta_ec2_instance_lifecycle: text("instanceLifecycle"),
      __meta_ec2_architecture: text("architecture"),
      __meta_ec2_vpc_id: text("vpcId"),
    }),
    ...(isPublic ? { __meta_ec2_public_dns_name: text("dnsName") } : {}),
  };
  if (text("vpcId") !== "") {
    const subnets = new Set(
      interfaces.map((network) => childText(network, "subnetId")).filter((id) => id !== ""),
    );
    labels["__meta_ec2_primary_subnet_id"] = text("subnetId");
    labels["__meta_ec2_subnet_id"] = wrapped([...subnets]);
    if (ipv6.length > 0) labels["__meta_ec2_ipv6_addresses"] = wrapped(ipv6);
    const primary: string[] = [];
    for (const { entry, network } of addresses) {
      if (childText(entry, "isPrimaryIpv6") !== "true") continue;
      // The place in the list is the index of the device; what has none stays empty.
      const index = Math.min(Number(childText(child(network, "attachment"), "deviceIndex")), MAX_DEVICES);
      while (primary.length <= index) primary.push("");
      primary[index] = childText(entry, "ipv6Address");
    }
    if (primary.length > 0) labels["__meta_ec2_primary_ipv6_addresses"] = wrapped(primary);
  }
  for (const tag of items(instance, "tagSet")) {
    labels[`__meta_ec2_tag_${sanitizeLabelName(childText(tag, "key"))}`] = childText(tag, "value");
  }
  return labels;
}

/** No instance has more network devices. */
const MAX_DEVICES = 256;

/** The labels whose value isn't empty: what the answer lacks gives no label. */
function present(labels: LabelRecord): LabelRecord {
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ""));
}

function wrapped(values: readonly string[]): string {
  return `,${values.join(",")},`;
}
