const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * A target's URL as someone elsewhere can follow it: a loopback host is replaced by this server's own name, and where
 * the target is this server, by the address it is reached at from outside.
 */
export function globalUrlOf(scrapeUrl: string, externalUrl: URL, listenPort: number): string {
  let url: URL;
  try {
    url = new URL(scrapeUrl);
  } catch {
    return scrapeUrl;
  }
  if (!LOOPBACK.has(url.hostname)) return scrapeUrl;
  if (url.port === String(listenPort)) {
    url.protocol = externalUrl.protocol;
    url.host = externalUrl.host;
  } else url.hostname = externalUrl.hostname;
  return url.toString();
}
