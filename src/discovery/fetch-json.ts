import type { HttpClient, HttpRequest, HttpResponse } from "../http-client/index.ts";
import { MAX_ANSWER_BYTES } from "./http.ts";
import { urlWithoutPassword } from "../http-client/url-without-password.ts";

/** Where a service answers, and how to get there. */
export interface Endpoint {
  readonly client: HttpClient;
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly request?: HttpRequest;
}

/**
 * The JSON that a service answers under a path, as the caller knows it to look.
 *
 * @throws Error for another status than 2xx, and for what isn't JSON
 */
export async function fetchJson<T>(endpoint: Endpoint, path: string, signal: AbortSignal): Promise<T> {
  return (await fetchJsonWithHeaders<T>(endpoint, path, signal)).body;
}

/** As `fetchJson`, with the headers of the answer. */
export async function fetchJsonWithHeaders<T>(
  endpoint: Endpoint,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly body: T; readonly headers: HttpResponse["headers"] }> {
  const text = await fetchText(endpoint, path, signal);
  try {
    return { body: JSON.parse(text.body) as T, headers: text.headers };
  } catch (cause) {
    throw new Error(
      `cannot read the answer of ${urlWithoutPassword(endpoint.baseUrl)}${path}: it is no JSON`,
      { cause },
    );
  }
}

/** The text that a service answers under a path. @throws Error for another status than 2xx */
export async function fetchText(
  endpoint: Endpoint,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly body: string; readonly headers: HttpResponse["headers"] }> {
  const response = await endpoint.client.request(endpoint.baseUrl + path, { ...endpoint.request, signal });
  if (response.status < 200 || response.status > 299) {
    response.body.destroy();
    throw new Error(`server returned HTTP status ${response.statusLine} for ${path}`);
  }
  return { body: (await response.read(MAX_ANSWER_BYTES)).toString(), headers: response.headers };
}

/** A query string with its question mark, or "" where there are no parameters. A null value stands without `=`. */
export function queryString(parameters: readonly (readonly [string, string | null])[]): string {
  const parts = parameters.map(([name, value]) =>
    value === null ? encodeURIComponent(name) : `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}
