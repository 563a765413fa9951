import type { DiscoveryConfigOf } from "./schema/discovery.ts";
import { Secret } from "./secret.ts";

/** Every mechanism by name, in the order of names. */
export const DISCOVERY_MECHANISMS = [
  "aws",
  "azure",
  "consul",
  "digitalocean",
  "dns",
  "docker",
  "dockerswarm",
  "ec2",
  "ecs",
  "elasticache",
  "eureka",
  "file",
  "gce",
  "hetzner",
  "http",
  "ionos",
  "kubernetes",
  "kuma",
  "lightsail",
  "linode",
  "marathon",
  "msk",
  "nerve",
  "nomad",
  "oci",
  "openstack",
  "outscale",
  "ovhcloud",
  "puppetdb",
  "rds",
  "scaleway",
  "serverset",
  "stackit",
  "static",
  "triton",
  "uyuni",
  "vultr",
] as const;

export type DiscoveryMechanismName = (typeof DISCOVERY_MECHANISMS)[number];

/** The key of a mechanism's list: `static_configs`, `file_sd_configs`. */
export function discoveryKey(mechanism: DiscoveryMechanismName): string {
  return mechanism === "static" ? "static_configs" : `${mechanism}_sd_configs`;
}

/** A text that is equal for equal configurations of a mechanism, secrets included: not for people. */
export function discoveryIdentity<M extends DiscoveryMechanismName>(
  name: M,
  config: DiscoveryConfigOf<M>,
): string {
  return JSON.stringify([name, config], function (this: Record<string, unknown>, key, value: unknown) {
    // By now a secret has become its stars: look at what stood there.
    const original = this[key];
    return original instanceof Secret ? { secret: original.reveal() } : value;
  });
}

/** Mechanisms that are read and checked, but find no targets yet. */
export const IDLE_MECHANISMS: readonly DiscoveryMechanismName[] = [
  "azure",
  "ecs",
  "elasticache",
  "gce",
  "linode",
  "msk",
  "nerve",
  "oci",
  "openstack",
  "outscale",
  "ovhcloud",
  "rds",
  "serverset",
  "stackit",
  "uyuni",
];
