import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { fromFolderOf, readAs } from "./load.ts";
import { quote } from "../model/quote.ts";
import {
  boolean,
  choice,
  field,
  filePath,
  integer,
  list,
  record,
  secret,
  section,
  text,
  type ConfigType,
} from "./schema/config-type.ts";
import { Secret } from "./secret.ts";
import { YamlSource } from "./yaml-source.ts";

/** Who must show a certificate, and whether it is verified. */
export type ClientAuthType =
  | "NoClientCert"
  | "RequestClientCert"
  | "RequireAnyClientCert"
  | "VerifyClientCertIfGiven"
  | "RequireAndVerifyClientCert";

export type WebTlsVersion = "TLS10" | "TLS11" | "TLS12" | "TLS13";

/** How the server meets its own clients: TLS, users, headers, rate limit. Files are named from where they can be opened. */
export interface WebConfig {
  /** Null serves plain HTTP. */
  readonly tls: WebTlsConfig | null;
  /** Offered to TLS clients. */
  readonly http2: boolean;
  /** Added to every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** User → bcrypt hash; empty lets everybody in. */
  readonly users: Readonly<Record<string, string>>;
  /** Null where requests aren't limited. */
  readonly rateLimit: { readonly burst: number; readonly intervalMs: number } | null;
}

export interface WebTlsConfig {
  /** PEM text, or the file that holds it; one of the two is "". */
  readonly cert: string;
  readonly certFile: string;
  readonly key: string;
  readonly keyFile: string;
  readonly clientCa: string;
  readonly clientCaFile: string;
  readonly clientAuthType: ClientAuthType;
  /** Where not empty, one of a client's alternative names must be among these. */
  readonly clientAllowedSans: readonly string[];
  readonly minVersion: WebTlsVersion;
  readonly maxVersion: WebTlsVersion;
  /** In OpenSSL's names; empty leaves the choice to the TLS library. */
  readonly cipherSuites: readonly string[];
  /** In OpenSSL's names; empty leaves the choice to the TLS library. */
  readonly curves: readonly string[];
  readonly preferServerCipherSuites: boolean;
}

const NO_SECRET = new Secret("");

const tlsVersion = (fallback: WebTlsVersion) =>
  field(
    choice(["TLS10", "TLS11", "TLS12", "TLS13"], (version) => `unknown TLS version: ${version}`),
    fallback,
  );

const tlsServerConfig = section("web.TLSConfig", {
  cert: field(text, ""),
  key: field(secret, NO_SECRET),
  clientCa: field(text, ""),
  certFile: field(filePath, ""),
  keyFile: field(filePath, ""),
  clientAuthType: field(text, ""),
  clientCaFile: field(filePath, ""),
  cipherSuites: field(list(text), []),
  curvePreferences: field(list(text), []),
  minVersion: tlsVersion("TLS12"),
  maxVersion: tlsVersion("TLS13"),
  preferServerCipherSuites: field(boolean, true),
  clientAllowedSans: field(list(text), []),
});

const FREE_HEADERS = ["Strict-Transport-Security", "X-XSS-Protection", "Content-Security-Policy"];
const WORDED_HEADERS: Readonly<Record<string, readonly string[]>> = {
  "X-Content-Type-Options": ["nosniff"],
  "X-Frame-Options": ["deny", "sameorigin"],
};

const httpServerConfig = section(
  "web.HTTPConfig",
  { http2: field(boolean, true), headers: field(record(text), {}) },
  ({ headers }, report) => {
    for (const [name, value] of Object.entries(headers)) {
      const words = WORDED_HEADERS[name];
      if (words === undefined && !FREE_HEADERS.includes(name)) {
        report(`HTTP header ${quote(name)} can not be configured`, ["headers", name]);
      } else if (words !== undefined && !words.includes(value)) {
        const expected = words.map(quote).join(" ");
        report(`invalid value for ${name}. Expected one of: [${expected}], but got: ${quote(value)}`, [
          "headers",
          name,
        ]);
      }
    }
  },
);

/** A duration in Go's own notation, where parts may have decimals: "1.5s", "100ms". */
const goDuration: ConfigType<number> = {
  schema: text.schema.transform((value, context) => {
    const ms = parseGoDuration(value);
    if (ms === null) context.addIssue({ code: "custom", message: `time: invalid duration ${quote(value)}` });
    return ms ?? 0;
  }),
  print: (value) => `${value}ms`,
  isEmpty: (value) => value === 0,
};

const GO_UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 3.6e6,
};

function parseGoDuration(value: string): number | null {
  if (/^[-+]?0$/.test(value)) return 0;
  const whole = /^([-+]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+)$/.exec(value);
  if (whole === null) return null;
  let total = 0;
  for (const [, count, unit] of whole[2]!.matchAll(/([0-9.]+)([a-zµ]+)/g))
    total += Number(count) * GO_UNITS_MS[unit!]!;
  return whole[1] === "-" ? -total : total;
}

const webConfig = section("web.Config", {
  tlsServerConfig: field(tlsServerConfig, tlsServerConfig.schema.parse({})),
  httpServerConfig: field(httpServerConfig, { http2: true, headers: {} }),
  basicAuthUsers: field(record(secret), {}),
  rateLimit: field(
    section("web.RateLimiterConfig", { burst: field(integer, 0), interval: field(goDuration, 0) }),
    {
      burst: 0,
      interval: 0,
    },
  ),
});

/**
 * Reads a web configuration file.
 *
 * @throws ConfigError with everything that is wrong, each with file, line, column and field
 */
export function loadWebConfig(fileText: string, fileName: string): WebConfig {
  const problems: ConfigProblem[] = [];
  const source = new YamlSource(fileText, fileName);
  const written = readAs(webConfig, source, problems);
  if (written === null) throw new ConfigError(problems);
  const report = (message: string, ...path: string[]) => problems.push(source.problem(path, message));
  const tls = checkTls(
    webConfig.mapPaths!(written, (path) => fromFolderOf(fileName, path)).tlsServerConfig,
    report,
  );
  const users: Record<string, string> = {};
  for (const [name, hash] of Object.entries(written.basicAuthUsers)) {
    users[name] = hash.reveal();
    const fault = bcryptFault(hash.reveal());
    if (fault !== null) report(fault, "basic_auth_users", name);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const { burst, interval } = written.rateLimit;
  return {
    tls,
    ...written.httpServerConfig,
    users,
    rateLimit: interval > 0 ? { burst, intervalMs: interval } : null,
  };
}

type Written = ReturnType<typeof tlsServerConfig.schema.parse>;

function checkTls(tls: Written, report: (message: string, ...path: string[]) => void): WebTlsConfig | null {
  const { cert, certFile, clientAuthType, clientCa, clientCaFile, key, keyFile } = tls;
  const texts = [cert, certFile, clientAuthType, clientCa, clientCaFile, keyFile, key.reveal()];
  if (texts.every((value) => value === "")) return null;
  const section = "tls_server_config";
  const problem = (message: string, key?: string) => report(message, ...(key ? [section, key] : [section]));
  if (cert === "" && certFile === "") problem("missing one of cert or cert_file");
  if (key.isEmpty && keyFile === "") problem("missing one of key or key_file");
  const authType = CLIENT_AUTH_TYPES[clientAuthType];
  if (authType === undefined) problem(`invalid ClientAuth: ${clientAuthType}`, "client_auth_type");
  const hasClientCa = clientCa !== "" || clientCaFile !== "";
  if (hasClientCa && authType === "NoClientCert") {
    problem("client CA's have been configured without a Client Auth Policy");
  }
  return {
    cert,
    certFile,
    key: key.reveal(),
    keyFile,
    clientCa,
    clientCaFile,
    clientAuthType: authType ?? "NoClientCert",
    clientAllowedSans: tls.clientAllowedSans,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    cipherSuites: translate(tls.cipherSuites, CIPHER_SUITES, (name) =>
      problem(`unknown cipher: ${name}`, "cipher_suites"),
    ),
    curves: translate(tls.curvePreferences, CURVES, (name) =>
      problem(`unknown curve: ${name}`, "curve_preferences"),
    ),
    preferServerCipherSuites: tls.preferServerCipherSuites,
  };
}

function translate(
  names: readonly string[],
  known: Readonly<Record<string, string>>,
  onUnknown: (name: string) => void,
): string[] {
  return names.flatMap((name) => {
    const translated = known[name];
    if (translated === undefined) onUnknown(name);
    return translated ?? [];
  });
}

const CLIENT_AUTH_TYPES: Readonly<Record<string, ClientAuthType>> = {
  "": "NoClientCert",
  NoClientCert: "NoClientCert",
  RequestClientCert: "RequestClientCert",
  RequireClientCert: "RequireAnyClientCert",
  RequireAnyClientCert: "RequireAnyClientCert",
  VerifyClientCertIfGiven: "VerifyClientCertIfGiven",
  RequireAndVerifyClientCert: "RequireAndVerifyClientCert",
};

/** Go's names, and what OpenSSL calls them. */
const CIPHER_SUITES: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
  TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
  TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_RSA_WITH_AES_128_CBC_SHA: "AES128-SHA",
  TLS_RSA_WITH_AES_256_CBC_SHA: "AES256-SHA",
  TLS_RSA_WITH_AES_128_GCM_SHA256: "AES128-GCM-SHA256",
  TLS_RSA_WITH_AES_256_GCM_SHA384: "AES256-GCM-SHA384",
};

const CURVES: Readonly<Record<string, string>> = {
  CurveP256: "prime256v1",
  CurveP384: "secp384r1",
  CurveP521: "secp521r1",
  X25519: "X25519",
};

function bcryptFault(hash: string): string | null {
  if (hash.length < 59) return "crypto/bcrypt: hashedSecret too short to be a bcrypted password";
  if (!hash.startsWith("$")) {
    return `crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with '${hash[0]}'`;
  }
  const cost = /^\$2[a-z]?\$([0-9]{2})\$/.exec(hash)?.[1];
  if (cost === undefined) return "crypto/bcrypt: the hash is not of a version this understands";
  if (Number(cost) < 4 || Number(cost) > 31) {
    return `crypto/bcrypt: cost ${Number(cost)} is outside allowed inclusive range 4..31`;
  }
  return null;
}
