import type { ErrorType, ResponseBody, SuccessBody } from "../api/types.ts";
import { PATH_PREFIX } from "./path-prefix.ts";

/** A request the server refused or that never reached it; `kind` is the API's error type or `network`. */
export class ApiError extends Error {
  readonly kind: ErrorType | "network";

  constructor(kind: ErrorType | "network", message: string) {
    super(message);
    this.kind = kind;
  }
}

export type Parameters = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The URL of a path of the server (without leading slash), under whatever prefix it lives. */
export function serverUrl(path: string): string {
  return PATH_PREFIX + path;
}

function encodeParameters(parameters: Parameters): URLSearchParams {
  const encoded = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const one of value) encoded.append(name, one);
    else encoded.set(name, String(value));
  }
  return encoded;
}

async function request<Data>(url: string, init: RequestInit): Promise<SuccessBody<Data>> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError("network", "cannot reach the server: is it running, and is the network up?");
  }
  if (response.status === 204) return { status: "success", data: undefined as Data };
  const text = await response.text();
  let body: ResponseBody<Data>;
  try {
    body = JSON.parse(text) as ResponseBody<Data>;
  } catch {
    const excerpt = text.trim().slice(0, 200) || "an empty body";
    throw new ApiError("network", `unexpected answer with status ${response.status}: ${excerpt}`);
  }
  if (body.status !== "success") throw new ApiError(body.errorType, body.error);
  return body;
}

/** Asks `api/v1/<path>` with GET. Throws `ApiError`, or the abort of `signal`. */
export function apiGet<Data>(
  path: string,
  parameters: Parameters = {},
  signal?: AbortSignal,
): Promise<SuccessBody<Data>> {
  const query = encodeParameters(parameters).toString();
  return request(serverUrl(`api/v1/${path}${query && `?${query}`}`), signal ? { signal } : {});
}

/** Asks `api/v1/<path>` with a form in the body, for expressions longer than a URL may be. */
export function apiPost<Data>(
  path: string,
  parameters: Parameters,
  signal?: AbortSignal,
): Promise<SuccessBody<Data>> {
  return request(serverUrl(`api/v1/${path}`), {
    method: "POST",
    body: encodeParameters(parameters),
    ...(signal && { signal }),
  });
}
