import { Secret } from "../secret.ts";
import { RawScalar } from "../yaml-source.ts";
import * as z from "zod";
import {
  boolean,
  field,
  filePath,
  list,
  maybe,
  record,
  secret,
  section,
  text,
  url,
  type ConfigType,
  type Report,
  type SectionValue,
} from "./config-type.ts";

const NO_SECRET = new Secret("");

const TLS_VERSIONS = ["TLS10", "TLS11", "TLS12", "TLS13"];

const tlsVersion: ConfigType<string> = {
  ...text,
  schema: text.schema.refine((version) => TLS_VERSIONS.includes(version), {
    error: (issue) => `unknown TLS version: ${String(issue.input)}`,
  }),
};

export const tlsConfig = section(
  "config.plain",
  {
    ca: field(text, ""),
    cert: field(text, ""),
    key: field(secret, NO_SECRET),
    caFile: field(filePath, ""),
    certFile: field(filePath, ""),
    keyFile: field(filePath, ""),
    caRef: field(text, ""),
    certRef: field(text, ""),
    keyRef: field(text, ""),
    serverName: field(text, ""),
    insecureSkipVerify: field(boolean, false, { printsEmpty: true }),
    minVersion: field(tlsVersion, ""),
    maxVersion: field(tlsVersion, ""),
  },
  (tls, report) => {
    const { ca, caFile, caRef, cert, certFile, certRef, key, keyFile, keyRef } = tls;
    if (countSet(ca, caFile, caRef) > 1) report("at most one of ca, ca_file & ca_ref must be configured");
    if (countSet(cert, certFile, certRef) > 1) {
      report("at most one of cert, cert_file & cert_ref must be configured");
    }
    if (countSet(key, keyFile, keyRef) > 1) report("at most one of key and key_file must be configured");
    const hasCert = countSet(cert, certFile, certRef) > 0;
    const hasKey = countSet(key, keyFile, keyRef) > 0;
    if (hasCert && !hasKey) {
      report("exactly one of key or key_file must be configured when a client certificate is configured");
    }
    if (hasKey && !hasCert) {
      report("exactly one of cert or cert_file must be configured when a client key is configured");
    }
    if (tls.minVersion !== "" && tls.maxVersion !== "" && tls.maxVersion < tls.minVersion) {
      report(
        "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified",
      );
    }
    checkRefs(tls, report);
  },
);

export type TlsConfig = SectionValueOf<typeof tlsConfig>;

type SectionValueOf<C> = C extends ConfigType<infer T> ? T : never;

const NO_TLS = tlsConfig.schema.parse({});

const secretLists = record(list(secret));

const proxyFields = {
  proxyUrl: field(url, ""),
  noProxy: field(text, ""),
  proxyFromEnvironment: field(boolean, false),
  proxyConnectHeader: field(secretLists, {}),
};

const basicAuth = section(
  "config.plain",
  {
    username: field(text, ""),
    usernameFile: field(filePath, ""),
    usernameRef: field(text, ""),
    password: field(secret, NO_SECRET),
    passwordFile: field(filePath, ""),
    passwordRef: field(text, ""),
  },
  (value, report) => checkRefs(value, report),
);

const authorization = section("config.plain", {
  type: field(text, ""),
  credentials: field(secret, NO_SECRET),
  credentialsFile: field(filePath, ""),
  credentialsRef: field(text, ""),
});

/** JWT claims: any YAML, turned into what JSON would hold. */
const claims: ConfigType<Readonly<Record<string, unknown>>> = {
  schema: z.unknown().transform((raw) => jsonOf(raw) as Readonly<Record<string, unknown>>),
  print: (value) => yamlOf(value),
  isEmpty: (value) => Object.keys(value).length === 0,
};

function jsonOf(raw: unknown): unknown {
  if (raw instanceof RawScalar) {
    if (!raw.isPlain) return raw.text;
    if (raw.text === "true" || raw.text === "false") return raw.text === "true";
    return /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/.test(raw.text) ? Number(raw.text) : raw.text;
  }
  if (Array.isArray(raw)) return raw.map(jsonOf);
  if (typeof raw !== "object" || raw === null) return null;
  return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, jsonOf(value)]));
}

function yamlOf(value: unknown): ReturnType<typeof tlsConfig.print> {
  if (Array.isArray(value)) return value.map(yamlOf);
  if (typeof value !== "object" || value === null) return value as string | number | boolean | null;
  return new Map(Object.entries(value).map(([key, item]) => [key, yamlOf(item)]));
}

const JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const oauth2 = section(
  "config.plain",
  {
    clientId: field(text, "", { printsEmpty: true }),
    clientSecret: field(secret, NO_SECRET, { printsEmpty: true }),
    clientSecretFile: field(filePath, "", { printsEmpty: true }),
    clientSecretRef: field(text, ""),
    clientCertificateKeyId: field(text, ""),
    clientCertificateKey: field(secret, NO_SECRET),
    clientCertificateKeyFile: field(filePath, ""),
    clientCertificateKeyRef: field(text, ""),
    grantType: field(text, ""),
    signatureAlgorithm: field(text, ""),
    iss: field(text, ""),
    audience: field(text, ""),
    claims: field(claims, {}),
    scopes: field(list(text), []),
    tokenUrl: field(text, "", { printsEmpty: true }),
    endpointParams: field(record(text), {}),
    tlsConfig: field(tlsConfig, NO_TLS),
    ...proxyFields,
  },
  (value, report) => {
    checkProxy(value, report);
    checkRefs(value, report);
  },
);

const httpHeaders = record(
  section("config.plain", {
    values: field(list(text), []),
    secrets: field(list(secret), []),
    files: field(list(filePath), []),
  }),
);

/** The options of an HTTP client, to be spread among a section's own fields. */
export const httpClientFields = {
  basicAuth: maybe(basicAuth),
  authorization: maybe(authorization),
  oauth2: maybe(oauth2, { key: "oauth2" }),
  bearerToken: field(secret, NO_SECRET),
  bearerTokenFile: field(filePath, ""),
  tlsConfig: field(tlsConfig, NO_TLS),
  followRedirects: field(boolean, true, { printsEmpty: true }),
  enableHttp2: field(boolean, true, { key: "enable_http2", printsEmpty: true }),
  ...proxyFields,
  httpHeaders: field(httpHeaders, {}),
};

export type HttpClientConfig = SectionValue<typeof httpClientFields>;

/** What the fields are where nothing is configured. */
export const DEFAULT_HTTP_CLIENT = section("config.HTTPClientConfig", httpClientFields).schema.parse({});

const RESERVED_HEADERS = new Set(
  [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
  ].map((name) => name.toLowerCase()),
);

/**
 * Reports what doesn't go together among the options of an HTTP client, and gives them with what is implied: the
 * old bearer tokens become an authorization, and that has a type.
 */
export function finishHttpClient<T extends HttpClientConfig>(client: T, report: Report): T {
  const { authorization, basicAuth, bearerToken, bearerTokenFile, oauth2 } = client;
  const bearerCount = countSet(bearerToken, bearerTokenFile);
  if (bearerCount > 1) report("at most one of bearer_token & bearer_token_file must be configured");
  const kinds = [basicAuth, authorization, oauth2].filter((kind) => kind !== undefined).length;
  if ((basicAuth !== undefined || oauth2 !== undefined) && bearerCount > 0) {
    report("at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  }
  if (basicAuth !== undefined) {
    if (countSet(basicAuth.username, basicAuth.usernameFile, basicAuth.usernameRef) > 1) {
      report("at most one of basic_auth username, username_file & username_ref must be configured");
    }
    if (countSet(basicAuth.password, basicAuth.passwordFile, basicAuth.passwordRef) > 1) {
      report("at most one of basic_auth password, password_file & password_ref must be configured");
    }
  }
  if (authorization !== undefined) {
    if (bearerCount > 0) report("authorization is not compatible with bearer_token & bearer_token_file");
    if (
      countSet(authorization.credentials, authorization.credentialsFile, authorization.credentialsRef) > 1
    ) {
      report("at most one of authorization credentials & credentials_file must be configured");
    }
    if (authorization.type.trim().toLowerCase() === "basic") {
      report(`authorization type cannot be set to "basic", use "basic_auth" instead`);
    }
    checkRefs(authorization, report);
  }
  if (kinds > 1) report("at most one of basic_auth, oauth2 & authorization must be configured");
  if (oauth2 !== undefined) checkOAuth2(oauth2, report);
  checkProxy(client, report);
  for (const name of Object.keys(client.httpHeaders)) {
    if (RESERVED_HEADERS.has(name.toLowerCase())) {
      report(`setting header ${JSON.stringify(canonicalHeader(name))} is not allowed`, [
        "http_headers",
        name,
      ]);
    }
  }
  const implied =
    authorization ??
    (bearerCount > 0
      ? { type: "", credentials: bearerToken, credentialsFile: bearerTokenFile, credentialsRef: "" }
      : undefined);
  return {
    ...client,
    authorization: implied && { ...implied, type: implied.type.trim() || "Bearer" },
    bearerToken: NO_SECRET,
    bearerTokenFile: "",
  };
}

type OAuth2Config = NonNullable<HttpClientConfig["oauth2"]>;

function checkOAuth2(oauth2: OAuth2Config, report: Report): void {
  const problem = (message: string) => report(message, ["oauth2"]);
  if (oauth2.clientId === "") problem("oauth2 client_id must be configured");
  if (oauth2.tokenUrl === "") problem("oauth2 token_url must be configured");
  if (oauth2.grantType === JWT_GRANT) {
    if (countSet(oauth2.clientCertificateKey, oauth2.clientCertificateKeyFile) > 1) {
      problem(
        "at most one of oauth2 client_certificate_key & client_certificate_key_file must be configured",
      );
    }
    if (!["", "RS256", "RS384", "RS512"].includes(oauth2.signatureAlgorithm)) {
      problem("valid signature algorithms are RS256, RS384 and RS512");
    }
  }
  if (countSet(oauth2.clientSecret, oauth2.clientSecretFile) > 1) {
    problem("at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured");
  }
}

export type ProxyConfig = SectionValue<typeof proxyFields>;

function checkProxy(
  { proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader }: ProxyConfig,
  report: Report,
) {
  if (proxyFromEnvironment && proxyUrl !== "") {
    report("if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (proxyFromEnvironment && noProxy !== "") {
    report("if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (!proxyFromEnvironment && noProxy !== "" && proxyUrl === "") {
    report("if no_proxy is configured, proxy_url must also be configured");
  }
  if (Object.keys(proxyConnectHeader).length > 0 && proxyUrl === "" && !proxyFromEnvironment) {
    report(
      "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
    );
  }
}

/** The `*_ref` fields name secrets of a secret manager, and there is none. */
function checkRefs(value: Readonly<Record<string, unknown>>, report: Report): void {
  for (const [name, ref] of Object.entries(value)) {
    if (name.endsWith("Ref") && ref !== "")
      report("secret manager is not configured: references cannot be used");
  }
}

function countSet(...values: readonly (string | Secret)[]): number {
  return values.filter((value) => (value instanceof Secret ? !value.isEmpty : value !== "")).length;
}

function canonicalHeader(name: string): string {
  return name
    .toLowerCase()
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("-");
}
