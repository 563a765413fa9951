import { createHash } from "node:crypto";
import { isValidLabelValue } from "../model/label-name.ts";
import { formatDuration, parseDuration } from "../model/duration.ts";
import { LabelsBuilder, METRIC_NAME, type Labels } from "../model/labels.ts";
import { quote } from "../model/quote.ts";
import { relabelInPlace, type CompiledRelabelRules } from "../model/relabel.ts";
import { urlFault } from "../model/url-fault.ts";
import type { ScrapePoolOptions, TargetGroup } from "./options.ts";

/** Something to scrape: where it is, how often, and the labels its series get. */
export interface Target {
  readonly labels: Labels;
  readonly discoveredLabels: Labels;
  readonly url: string;
  /** Dial this instead of the URL's host. */
  readonly unixSocketPath: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Both as they are written. */
  readonly intervalText: string;
  readonly timeoutText: string;
  readonly scrapeNativeHistograms: boolean;
  readonly convertClassicHistogramsToNhcb: boolean;
  readonly alwaysScrapeClassicHistograms: boolean;
  /** The same for targets that are the same to scrape: labels, internal ones too, and URL. */
  readonly identity: string;
}

export interface TargetsOfGroups {
  readonly targets: readonly Target[];
  /** Discovered labels of targets that relabelling dropped. */
  readonly dropped: readonly Labels[];
  /** Why targets could not be built, a text each. */
  readonly failures: readonly string[];
}

/** Builds the targets of a job's groups; those with the same identity are one. */
export function targetsOf(
  groups: readonly TargetGroup[],
  options: ScrapePoolOptions,
  rules: CompiledRelabelRules,
): TargetsOfGroups {
  const targets = new Map<string, Target>();
  const dropped: Labels[] = [];
  const failures: string[] = [];
  for (const group of groups) {
    for (const [index, own] of group.targets.entries()) {
      const discoveredLabels = discoveredLabelsOf({ ...group.labels, ...own }, options);
      const builder = new LabelsBuilder(discoveredLabels);
      if (!relabelInPlace(builder, rules)) {
        dropped.push(discoveredLabels);
        continue;
      }
      try {
        const target = buildTarget(builder, discoveredLabels, options);
        if (!targets.has(target.identity)) targets.set(target.identity, target);
      } catch (error) {
        failures.push(`instance ${index} in group ${group.source}: ${(error as Error).message}`);
      }
    }
  }
  return { targets: [...targets.values()], dropped, failures };
}

const CONVERT = "__convert_classic_histograms_to_nhcb__";
const ALWAYS_CLASSIC = "__always_scrape_classic_histograms__";
const NATIVE = "__scrape_native_histograms__";
const PARAM = "__param_";

/** What discovery knows, and the job's settings where it is silent. */
function discoveredLabelsOf(found: Readonly<Record<string, string>>, options: ScrapePoolOptions): Labels {
  const builder = new LabelsBuilder();
  for (const [name, value] of Object.entries(found)) builder.set(name, value);
  const defaults: Record<string, string> = {
    job: options.jobName,
    __scrape_interval__: formatDuration(options.scrapeIntervalMs),
    __scrape_timeout__: formatDuration(options.scrapeTimeoutMs),
    __metrics_path__: options.metricsPath,
    __scheme__: options.scheme,
    [CONVERT]: String(options.convertClassicHistogramsToNhcb),
    [ALWAYS_CLASSIC]: String(options.alwaysScrapeClassicHistograms),
    [NATIVE]: String(options.scrapeNativeHistograms),
  };
  for (const [name, values] of Object.entries(options.params)) defaults[PARAM + name] = values[0] ?? "";
  for (const [name, value] of Object.entries(defaults))
    if (builder.get(name) === "") builder.set(name, value);
  return builder.labels();
}

/** @throws Error in the words operators know */
function buildTarget(builder: LabelsBuilder, discoveredLabels: Labels, options: ScrapePoolOptions): Target {
  const address = builder.get("__address__");
  if (address === "") throw new Error("no address");
  if (address.includes("/")) throw new Error(`${quote(address)} is not a valid hostname`);
  const intervalText = builder.get("__scrape_interval__");
  const timeoutText = builder.get("__scrape_timeout__");
  const intervalMs = positiveDuration(intervalText, "scrape interval");
  const timeoutMs = positiveDuration(timeoutText, "scrape timeout");
  if (timeoutMs > intervalMs) {
    throw new Error(
      `scrape timeout cannot be greater than scrape interval (${quote(timeoutText)} > ${quote(intervalText)})`,
    );
  }
  const convertClassicHistogramsToNhcb = boolean(builder.get(CONVERT), "convert classic histograms to nhcb");
  const alwaysScrapeClassicHistograms = boolean(
    builder.get(ALWAYS_CLASSIC),
    "always scrape classic histograms",
  );
  const scrapeNativeHistograms = boolean(builder.get(NATIVE), "scrape native histograms");

  for (const name of builder.names()) if (name.startsWith("__meta_")) builder.delete(name);
  if (builder.get("instance") === "") builder.set("instance", address);
  const all = builder.labels();
  for (let i = 0; i < all.pairs.length; i += 2) {
    if (!isValidLabelValue(all.pairs[i + 1]!)) {
      throw new Error(`invalid label value for ${quote(all.pairs[i]!)}: ${quote(all.pairs[i + 1]!)}`);
    }
  }
  const url = urlOf(all, options.params);
  return {
    labels: all.without(new Set(builder.names().filter((name) => name.startsWith("__")))),
    discoveredLabels,
    url,
    unixSocketPath: all.get("__unix_socket__"),
    intervalMs,
    timeoutMs,
    intervalText,
    timeoutText,
    scrapeNativeHistograms,
    convertClassicHistogramsToNhcb,
    alwaysScrapeClassicHistograms,
    identity: `${all.key}\n${url}`,
  };
}

function positiveDuration(text: string, what: string): number {
  let durationMs: number;
  try {
    durationMs = parseDuration(text);
  } catch (cause) {
    throw new Error(`error parsing ${what}: ${(cause as Error).message}`, { cause });
  }
  if (durationMs === 0) throw new Error(`${what} cannot be 0`);
  return durationMs;
}

function boolean(text: string, what: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw new Error(`error parsing ${what}: strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
}

/** Scheme, address, path and parameters; a `__param_` label stands for the first value of its parameter. */
function urlOf(labels: Labels, params: Readonly<Record<string, readonly string[]>>): string {
  const values = new Map<string, string[]>(Object.entries(params).map(([name, list]) => [name, [...list]]));
  for (let i = 0; i < labels.pairs.length; i += 2) {
    const name = labels.pairs[i]!;
    if (!name.startsWith(PARAM)) continue;
    const list = values.get(name.slice(PARAM.length));
    if (list && list.length > 0) list[0] = labels.pairs[i + 1]!;
    else values.set(name.slice(PARAM.length), [labels.pairs[i + 1]!]);
  }
  const query = [...values.keys()]
    .sort()
    .flatMap((name) => values.get(name)!.map((value) => `${escapeQuery(name)}=${escapeQuery(value)}`))
    .join("&");
  const path = labels.get("__metrics_path__");
  const rooted = path === "" || path.startsWith("/") ? path : `/${path}`;
  const scheme = labels.get("__scheme__");
  const origin = `${scheme === "" ? "" : `${scheme}:`}//${labels.get("__address__")}`;
  return `${origin}${escapePath(rooted)}${query ? `?${query}` : ""}`;
}

function escapeQuery(text: string): string {
  return escapeStrictly(text).replaceAll("%20", "+");
}

function escapePath(path: string): string {
  return escapeStrictly(path).replace(/%(24|26|2B|2C|2F|3A|3B|3D|40)/g, (_whole, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function escapeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Where a target is asked: an address that is a port alone, or that of a socket, means this host. */
export function dialledUrl({ url }: Target): URL {
  const dialled = url.replace(/^(https?:\/\/)(?=:)/, "$1localhost");
  try {
    return new URL(dialled);
  } catch (cause) {
    throw new Error(whyNotDialled(url), { cause });
  }
}

function whyNotDialled(url: string): string {
  if (url.startsWith("//")) return `Get ${quote(url)}: unsupported protocol scheme ""`;
  const fault = urlFault(url);
  if (fault !== null) return `parse ${quote(url)}: ${fault}`;
  const port = /^[a-z]+:\/\/[^/]*:(\d+)(?:\/|$)/i.exec(url)?.[1];
  return Number(port) > 65_535
    ? `Get ${quote(url)}: dial tcp: address ${port}: invalid port`
    : `parse ${quote(url)}: invalid URL`;
}

/** Labels of one of the series that report on a target's scrapes. */
export function reportLabels(target: Target, metric: string): Labels {
  return new LabelsBuilder(target.labels).set(METRIC_NAME, metric).labels();
}

/**
 * When within its interval a target is scraped, in milliseconds: the same for the same target and seed in every run,
 * and spread evenly over targets, so that load is.
 */
export function offsetOf(target: Target, seed: string): number {
  // 53 bits of the digest, as many as a number holds.
  const digest = createHash("md5").update(seed).update("\n").update(target.identity).digest();
  return (digest.readUIntBE(0, 6) * 32 + (digest[6]! >> 3)) % target.intervalMs;
}
