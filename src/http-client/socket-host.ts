/** The host of a URL as sockets take it: IPv6 addresses without their brackets. */
export function socketHost({ hostname }: { readonly hostname: string }): string {
  return hostname.replace(/^\[|\]$/g, "");
}
