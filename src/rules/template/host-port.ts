import { isIP } from "node:net";

/** The two halves of `host:port` or `[host]:port`; null where the text isn't of that form. */
export function splitHostPort(address: string): { readonly host: string; readonly port: string } | null {
  const colon = address.lastIndexOf(":");
  if (colon < 0) return null;
  const port = address.slice(colon + 1);
  if (address.startsWith("[")) {
    const bracket = address.indexOf("]");
    if (bracket < 0 || bracket + 1 !== colon || address.indexOf("[", 1) >= 0) return null;
    return port.includes("]") ? null : { host: address.slice(1, bracket), port };
  }
  const host = address.slice(0, colon);
  return /[:[\]]/.test(host) || /[[\]]/.test(port) ? null : { host, port };
}

/** Brackets around hosts that have colons themselves. */
export function joinHostPort(host: string, port: string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether the text is an IP address of either version, without a zone. */
export function isIpAddress(host: string): boolean {
  return isIP(host) !== 0 && !host.includes("%");
}
