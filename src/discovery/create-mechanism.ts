import type { DiscoveryMechanismName } from "../config/discovery-mechanisms.ts";
import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { consulDiscovery } from "./consul.ts";
import { digitalOceanDiscovery } from "./digitalocean.ts";
import { dnsDiscovery } from "./dns.ts";
import { dockerDiscovery } from "./docker.ts";
import { dockerSwarmDiscovery } from "./docker-swarm.ts";
import { ec2Discovery } from "./ec2.ts";
import { eurekaDiscovery } from "./eureka.ts";
import { fileDiscovery } from "./file.ts";
import { hetznerDiscovery } from "./hetzner.ts";
import { httpDiscovery } from "./http.ts";
import { ionosDiscovery } from "./ionos.ts";
import { kumaDiscovery } from "./kuma.ts";
import { lightsailDiscovery } from "./lightsail.ts";
import { puppetDbDiscovery } from "./puppetdb.ts";
import { kubernetesDiscovery } from "./kubernetes/kubernetes.ts";
import { marathonDiscovery } from "./marathon.ts";
import type { DiscoverySurroundings, Mechanism } from "./mechanism.ts";
import { nomadDiscovery } from "./nomad.ts";
import { scalewayDiscovery } from "./scaleway.ts";
import { staticDiscovery } from "./static.ts";
import { tritonDiscovery } from "./triton.ts";
import { vultrDiscovery } from "./vultr.ts";

/** The configuration of some mechanism; of `static` all lists of a job. */
export type AnyDiscoveryConfig =
  DiscoveryConfigOf<DiscoveryMechanismName> | readonly DiscoveryConfigOf<"static">[];

/**
 * Builds a mechanism from its configuration.
 *
 * @param configName the job it is for, in metrics
 * @throws Error where it can't be built: no such mechanism, or credentials that can't be read
 */
export function createMechanism(
  name: DiscoveryMechanismName,
  given: AnyDiscoveryConfig,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const config = withPause(given);
  switch (name) {
    case "static":
      return staticDiscovery(config as readonly DiscoveryConfigOf<"static">[]);
    case "file":
      return fileDiscovery(config as DiscoveryConfigOf<"file">, surroundings);
    case "http":
      return httpDiscovery(config as DiscoveryConfigOf<"http">, configName, surroundings);
    case "dns":
      return dnsDiscovery(config as DiscoveryConfigOf<"dns">, configName, surroundings);
    case "consul":
      return consulDiscovery(config as DiscoveryConfigOf<"consul">, surroundings);
    case "kubernetes":
      return kubernetesDiscovery(config as DiscoveryConfigOf<"kubernetes">, surroundings);
    case "docker":
      return dockerDiscovery(config as DiscoveryConfigOf<"docker">, configName, surroundings);
    case "dockerswarm":
      return dockerSwarmDiscovery(config as DiscoveryConfigOf<"dockerswarm">, configName, surroundings);
    case "nomad":
      return nomadDiscovery(config as DiscoveryConfigOf<"nomad">, configName, surroundings);
    case "eureka":
      return eurekaDiscovery(config as DiscoveryConfigOf<"eureka">, configName, surroundings);
    case "marathon":
      return marathonDiscovery(config as DiscoveryConfigOf<"marathon">, configName, surroundings);
    case "ec2":
      return ec2Discovery(config as DiscoveryConfigOf<"ec2">, configName, surroundings);
    case "lightsail":
      return lightsailDiscovery(config as DiscoveryConfigOf<"lightsail">, configName, surroundings);
    case "aws":
      return awsDiscovery(config as DiscoveryConfigOf<"aws">, configName, surroundings);
    case "kuma":
      return kumaDiscovery(config as DiscoveryConfigOf<"kuma">, configName, surroundings);
    case "puppetdb":
      return puppetDbDiscovery(config as DiscoveryConfigOf<"puppetdb">, configName, surroundings);
    case "digitalocean":
      return digitalOceanDiscovery(config as DiscoveryConfigOf<"digitalocean">, configName, surroundings);
    case "hetzner":
      return hetznerDiscovery(config as DiscoveryConfigOf<"hetzner">, configName, surroundings);
    case "scaleway":
      return scalewayDiscovery(config as DiscoveryConfigOf<"scaleway">, configName, surroundings);
    case "vultr":
      return vultrDiscovery(config as DiscoveryConfigOf<"vultr">, configName, surroundings);
    case "triton":
      return tritonDiscovery(config as DiscoveryConfigOf<"triton">, configName, surroundings);
    case "ionos":
      return ionosDiscovery(config as DiscoveryConfigOf<"ionos">, configName, surroundings);
    default:
      throw new Error(`discovery by ${name} finds no targets yet`);
  }
}

/** Without a pause a source would be asked day and night; Prometheus ends with a panic then. */
const LEAST_REFRESH_INTERVAL_MS = 1_000;

function withPause(config: AnyDiscoveryConfig): AnyDiscoveryConfig {
  const hasPause = !("refreshInterval" in config) || config.refreshInterval > 0;
  return hasPause ? config : { ...config, refreshInterval: LEAST_REFRESH_INTERVAL_MS };
}

/** Amazon's services under one name: the role says which. */
function awsDiscovery(
  config: DiscoveryConfigOf<"aws">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  if (config.role === "ec2") return ec2Discovery(config, configName, surroundings);
  if (config.role === "lightsail") return lightsailDiscovery(config, configName, surroundings);
  throw new Error(`discovery of ${config.role} finds no targets yet`);
}
