import { BlockList, isIP } from "node:net";
import type { ProxyOptions } from "./options.ts";
import { socketHost } from "./socket-host.ts";
import { urlWithoutPassword } from "./url-without-password.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy a request goes through, or null for none. A lone `url` takes every request; with `noProxy`, and when the
 * environment decides, loopback hosts are always reached directly, as Go's programs do.
 */
export function chooseProxy(
  options: ProxyOptions | undefined,
  target: URL,
  environment: Environment,
): URL | null {
  if (options === undefined) return null;
  if (options.fromEnvironment) {
    const isTls = target.protocol === "https:";
    const address = isTls
      ? environment["HTTPS_PROXY"] || environment["https_proxy"]
      : environment["HTTP_PROXY"] || environment["http_proxy"];
    const noProxy = environment["NO_PROXY"] || environment["no_proxy"] || "";
    return address && !isDirect(target, noProxy) ? parseProxyUrl(address) : null;
  }
  if (!options.url) return null;
  if (options.noProxy && isDirect(target, options.noProxy)) return null;
  return parseProxyUrl(options.url);
}

const PROXY_SCHEMES: ReadonlySet<string> = new Set(["http:", "https:", "socks5:", "socks5h:"]);

function parseProxyUrl(address: string): URL {
  let proxy: URL;
  try {
    proxy = new URL(address.includes("://") ? address : `http://${address}`);
  } catch (cause) {
    throw new Error(`invalid proxy address ${JSON.stringify(urlWithoutPassword(address))}`, { cause });
  }
  if (PROXY_SCHEMES.has(proxy.protocol)) return proxy;
  throw new Error(`unsupported proxy scheme ${JSON.stringify(proxy.protocol.slice(0, -1))}`);
}

/** Whether a host is exempt: `*`, an address, a network `10.0.0.0/8`, a domain with its subdomains, `.domain` for these alone; each with an optional port. */
function isDirect(target: URL, noProxy: string): boolean {
  const host = socketHost(target).toLowerCase();
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  const family = isIP(host);
  if (host === "localhost" || (family === 4 && host.startsWith("127.")) || host === "::1") return true;
  for (const entry of noProxy.split(",")) {
    const rule = entry.trim().toLowerCase();
    if (rule === "") continue;
    if (rule === "*") return true;
    if (family !== 0 && rule.includes("/")) {
      if (isInNetwork(host, family, rule)) return true;
      continue;
    }
    const { name, port: rulePort } = splitPort(rule);
    if (rulePort !== "" && rulePort !== port) continue;
    if (family !== 0 ? name === host : matchesDomain(host, name)) return true;
  }
  return false;
}

function isInNetwork(host: string, family: number, rule: string): boolean {
  const [network = "", bits = ""] = rule.split("/");
  if (isIP(network) !== family) return false;
  const list = new BlockList();
  const type = family === 4 ? "ipv4" : "ipv6";
  try {
    list.addSubnet(network, Number(bits), type);
  } catch {
    return false;
  }
  return list.check(host, type);
}

function splitPort(rule: string): { name: string; port: string } {
  if (isIP(rule)) return { name: rule, port: "" };
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(rule);
  if (bracketed) return { name: bracketed[1]!, port: bracketed[2] ?? "" };
  const colon = rule.lastIndexOf(":");
  return colon < 0 ? { name: rule, port: "" } : { name: rule.slice(0, colon), port: rule.slice(colon + 1) };
}

function matchesDomain(host: string, rule: string): boolean {
  const domain = rule.startsWith("*.") ? rule.slice(1) : rule;
  if (domain.startsWith(".")) return host.endsWith(domain);
  return host === domain || host.endsWith(`.${domain}`);
}
