import { readFileSync } from "node:fs";
import { Resolver } from "node:dns/promises";
import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, type LabelRecord, type TargetGroup } from "./target-group.ts";

/** Where names are looked up: servers and the rules for short names, as resolv.conf tells them. */
export interface ResolverConfig {
  /** Null takes those of the system. */
  readonly servers: readonly string[] | null;
  readonly search: readonly string[];
  /** A name with this many dots is tried as it is before the search list. */
  readonly ndots: number;
}

/** Targets as DNS records name them. A name that doesn't exist has no targets; a server's failure keeps the last ones. */
export function dnsDiscovery(
  config: DiscoveryConfigOf<"dns">,
  configName: string,
  surroundings: DiscoverySurroundings,
  resolverConfig: () => ResolverConfig = systemResolverConfig,
): Mechanism {
  const type = config.type.toUpperCase() as RecordType;
  /** What each name gave when it was last answered. */
  const lastGroups = new Map<string, TargetGroup>();
  return pollingMechanism(
    {
      mechanism: "dns",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async () => {
        const resolver = resolverConfig();
        await Promise.all(config.names.map((name) => lookUp(name, resolver)));
        return [...lastGroups.values()];
      },
    },
    surroundings,
  );

  /** A failure keeps what the name gave before. */
  async function lookUp(name: string, resolver: ResolverConfig): Promise<void> {
    surroundings.counters.add("dns_lookups_total");
    try {
      const records = await resolveWithSearchList(name, type, resolver);
      const targets = records.map((record) => labelsOf(name, record, config.port));
      lastGroups.set(name, { source: name, targets, labels: {} });
    } catch (err) {
      surroundings.counters.add("dns_lookup_failures_total");
      surroundings.log.error({ name, err }, "Error refreshing DNS targets");
    }
  }
}

type RecordType = "A" | "AAAA" | "SRV" | "MX" | "NS";

/** A record's host, with the final dot where it is a name. */
type DnsRecord =
  | { readonly type: "A" | "AAAA" | "MX" | "NS"; readonly host: string }
  | { readonly type: "SRV"; readonly host: string; readonly port: number };

function labelsOf(name: string, record: DnsRecord, port: number): LabelRecord {
  const host = record.host.replace(/\.+$/, "");
  return {
    __address__: joinHostPort(host, record.type === "SRV" ? record.port : port),
    __meta_dns_name: name,
    __meta_dns_srv_record_target: record.type === "SRV" ? record.host : "",
    __meta_dns_srv_record_port: record.type === "SRV" ? String(record.port) : "",
    __meta_dns_mx_record_target: record.type === "MX" ? record.host : "",
    __meta_dns_ns_record_target: record.type === "NS" ? record.host : "",
  };
}

/** Tries the names in turn: the first that exists answers; if none does, that is an answer too. */
async function resolveWithSearchList(
  name: string,
  type: RecordType,
  config: ResolverConfig,
): Promise<DnsRecord[]> {
  const resolver = new Resolver({ timeout: 5_000, tries: 2 });
  if (config.servers !== null) resolver.setServers([...config.servers]);
  let failure: unknown = null;
  for (const candidate of candidates(name, config)) {
    try {
      return await resolve(resolver, candidate, type);
    } catch (error) {
      const { code } = error as { code?: string };
      // The name exists, without records of this type.
      if (code === "ENODATA") return [];
      if (code !== "ENOTFOUND") failure = error;
    }
  }
  if (failure !== null) throw new Error(`could not resolve ${JSON.stringify(name)}`, { cause: failure });
  return [];
}

function candidates(name: string, { ndots, search }: ResolverConfig): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const searched = search.map((domain) => `${name}.${domain.replace(/\.$/, "")}`);
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}

async function resolve(resolver: Resolver, name: string, type: RecordType): Promise<DnsRecord[]> {
  switch (type) {
    case "A":
      return (await resolver.resolve4(name)).map((host) => ({ type, host }));
    case "AAAA":
      return (await resolver.resolve6(name)).map((host) => ({ type, host }));
    case "SRV":
      return (await resolver.resolveSrv(name)).map((record) => ({
        type,
        host: `${record.name}.`,
        port: record.port,
      }));
    case "MX":
      return (await resolver.resolveMx(name)).map(({ exchange }) => ({ type, host: `${exchange}.` }));
    case "NS":
      return (await resolver.resolveNs(name)).map((host) => ({ type, host: `${host}.` }));
  }
}

function systemResolverConfig(): ResolverConfig {
  let text = "";
  try {
    text = readFileSync("/etc/resolv.conf", "utf8");
  } catch {
    // Without the file there is no search list, and the system's own servers stand.
  }
  return { servers: null, ...parseSearchRules(text) };
}

/** The search list and the number of dots of a resolv.conf; later lines win over earlier ones. */
export function parseSearchRules(text: string): Pick<ResolverConfig, "search" | "ndots"> {
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === "search" || keyword === "domain") search = words;
    if (keyword === "options") {
      for (const option of words) {
        const count = /^ndots:([0-9]+)$/.exec(option)?.[1];
        if (count !== undefined) ndots = Math.min(15, Number(count));
      }
    }
  }
  return { search, ndots };
}
