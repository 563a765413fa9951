import { createHash, createHmac } from "node:crypto";

/** Who signs. */
export interface AwsCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
  /** "" for credentials that don't expire. */
  readonly sessionToken: string;
}

export interface AwsRequest {
  readonly method: string;
  readonly url: string;
  /** Signed, all of them; the host is added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  readonly region: string;
  readonly service: string;
}

/**
 * The headers of a request with AWS's Signature Version 4 added: canonical request, string to sign, and a key that
 * is derived for the day, the region and the service.
 */
export function signAwsRequest(
  request: AwsRequest,
  credentials: AwsCredentials,
  nowMs: number,
): Record<string, string> {
  const url = new URL(request.url);
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
  const day = time.slice(0, 8);
  const bodyHash = sha256(request.body);
  const signed: Record<string, string> = { host: url.host, "x-amz-date": time };
  for (const [name, value] of Object.entries(request.headers))
    signed[name.toLowerCase()] = value.trim().replace(/ +/g, " ");
  if (credentials.sessionToken !== "") signed["x-amz-security-token"] = credentials.sessionToken;

  const names = Object.keys(signed).sort();
  const canonical = [
    request.method,
    canonicalPath(url.pathname),
    canonicalQuery(url.searchParams),
    ...names.map((name) => `${name}:${signed[name]}`),
    "",
    names.join(";"),
    bodyHash,
  ].join("\n");
  const scope = `${day}/${request.region}/${request.service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const key = [day, request.region, request.service, "aws4_request"].reduce<Buffer>(
    (derived, part) => hmac(derived, part),
    Buffer.from(`AWS4${credentials.secretKey}`),
  );
  const signature = hmac(key, toSign).toString("hex");
  // The host stands in the signature; the header itself is the client's to send.
  const headers = Object.fromEntries(Object.entries(signed).filter(([name]) => name !== "host"));
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}

/** Every part encoded once more, as all services but S3 want it. */
function canonicalPath(path: string): string {
  return path.split("/").map(encode).join("/");
}

function canonicalQuery(parameters: URLSearchParams): string {
  const pairs = [...parameters].map(([name, value]) => [encode(name), encode(value)] as const);
  pairs.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}
