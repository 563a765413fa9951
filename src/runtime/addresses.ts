import { hostname } from "node:os";

/** `host:port`, `:port` or `[::1]:port` → what to listen on. @throws Error when it is none of them */
export function parseListenAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new Error(`cannot listen on ${JSON.stringify(text)}: expected host:port, such as 0.0.0.0:9090`);
  }
  return { host: match[1] ?? match[2] ?? "", port };
}

/** How users reach the server; no slash at the end of its path. @throws Error when the flag is no URL */
export function externalUrlOf(flag: string, listenAddress: string): URL {
  if (/^["']|["']$/.test(flag)) throw new Error("URL must not begin or end with quotes");
  const text = flag === "" ? `http://${hostname()}:${parseListenAddress(listenAddress).port}/` : flag;
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new Error(`cannot use ${JSON.stringify(flag)} as external URL: it is no URL`, { cause });
  }
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

/** "" or "/prefix", from the flag or, where that is empty, the external URL's path. */
export function routePrefixOf(flag: string, externalUrl: URL): string {
  const trimmed = (flag === "" ? externalUrl.pathname : flag).replace(/^\/+|\/+$/g, "");
  return trimmed === "" ? "" : `/${trimmed}`;
}

/** The path part of the external URL: "" or "/path". */
export function externalPathOf(externalUrl: URL): string {
  return externalUrl.pathname.replace(/\/+$/, "");
}

/** The URL as text without a slash at the end. */
export function externalUrlText(externalUrl: URL): string {
  return externalUrl.toString().replace(/\/+$/, "");
}
