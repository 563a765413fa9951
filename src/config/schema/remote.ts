import { Secret } from "../secret.ts";
import {
  boolean,
  duration,
  field,
  filePath,
  integer,
  maybe,
  record,
  secret,
  section,
  text,
  unsigned,
  url,
  type ConfigType,
  type Report,
  type SectionValue,
  type ValueOf,
} from "./config-type.ts";
import { labelMap } from "./discovery.ts";
import { finishHttpClient, httpClientFields, type HttpClientConfig } from "./http-client.ts";
import { relabelRules } from "./relabel.ts";

const NO_SECRET = new Secret("");
const SECOND = 1_000;
const MINUTE = 60_000;

export const sigV4 = section(
  "sigv4.plain",
  {
    region: field(text, ""),
    accessKey: field(text, ""),
    secretKey: field(secret, NO_SECRET),
    profile: field(text, ""),
    roleArn: field(text, ""),
    externalId: field(text, ""),
    useFipsStsEndpoint: field(boolean, false),
    serviceName: field(text, ""),
  },
  ({ accessKey, secretKey }, report) => {
    if ((accessKey === "") !== secretKey.isEmpty) {
      report(
        "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config",
      );
    }
  },
);

const azureAd = section("azuread.plain", {
  cloud: field(text, "AzurePublic"),
  managedIdentity: maybe(section("azuread.ManagedIdentityConfig", { clientId: field(text, "") })),
  workloadIdentity: maybe(
    section("azuread.WorkloadIdentityConfig", {
      clientId: field(text, ""),
      tenantId: field(text, ""),
      tokenFilePath: field(filePath, ""),
    }),
  ),
  oauth: maybe(
    section("azuread.OAuthConfig", {
      clientId: field(text, ""),
      clientSecret: field(secret, NO_SECRET),
      tenantId: field(text, ""),
    }),
  ),
  sdk: maybe(section("azuread.SDKConfig", { tenantId: field(text, "") })),
  certificate: maybe(
    section("azuread.CertificateConfig", {
      clientId: field(text, ""),
      tenantId: field(text, ""),
      certificatePath: field(filePath, ""),
      certificatePassword: field(secret, NO_SECRET),
    }),
  ),
  scope: field(text, ""),
});

const googleIam = section("googleiam.Config", { credentialsFile: field(filePath, "") });

const queueFields = {
  capacity: field(integer, 10_000),
  maxShards: field(integer, 50),
  minShards: field(integer, 1),
  maxSamplesPerSend: field(integer, 2_000),
  batchSendDeadline: field(duration, 5 * SECOND),
  minBackoff: field(duration, 30),
  maxBackoff: field(duration, 5 * SECOND),
  retryOnHttp429: field(boolean, false, { key: "retry_on_http_429" }),
  sampleAgeLimit: field(duration, 0),
};

type QueueConfig = SectionValue<typeof queueFields>;

const queueConfig = section("config.plain", queueFields, (queue, report) => {
  const positive: readonly [keyof QueueConfig, string][] = [
    ["capacity", "capacity"],
    ["maxShards", "max_shards"],
    ["minShards", "min_shards"],
    ["maxSamplesPerSend", "max_samples_per_send"],
    ["batchSendDeadline", "batch_send_deadline"],
    ["minBackoff", "min_backoff"],
    ["maxBackoff", "max_backoff"],
  ];
  for (const [name, key] of positive) {
    if ((queue[name] as number) <= 0) report(`remote write queue ${key} must be positive`, [key]);
  }
  if (queue.minShards > queue.maxShards) {
    report("remote write queue min_shards must not be greater than max_shards");
  }
  if (queue.maxBackoff < queue.minBackoff) {
    report("remote write queue max_backoff must not be less than min_backoff");
  }
});

const metadataConfig = section("config.MetadataConfig", {
  send: field(boolean, true, { printsEmpty: true }),
  sendInterval: field(duration, MINUTE, { printsEmpty: true }),
  maxSamplesPerSend: field(integer, 2_000),
});

export const REMOTE_WRITE_MESSAGES = ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"] as const;
export type RemoteWriteMessage = (typeof REMOTE_WRITE_MESSAGES)[number];

const remoteWriteMessage: ConfigType<RemoteWriteMessage> = {
  ...(text as ConfigType<RemoteWriteMessage>),
  schema: text.schema.transform((value, context): RemoteWriteMessage => {
    const known = REMOTE_WRITE_MESSAGES.find((message) => message === value);
    if (known === undefined) {
      context.addIssue({
        code: "custom",
        message: `invalid protobuf_message value: unknown type for remote write protobuf message ${value}, supported: ${REMOTE_WRITE_MESSAGES.join(", ")}`,
      });
    }
    return known ?? "prometheus.WriteRequest";
  }),
};

export const remoteWriteConfig = section(
  "config.plain",
  {
    url: field(url, "", { printsEmpty: true }),
    remoteTimeout: field(duration, 30 * SECOND),
    headers: field(record(text), {}),
    writeRelabelConfigs: field(relabelRules("empty or null relabeling rule in remote write config"), []),
    name: field(text, ""),
    sendExemplars: field(boolean, false),
    sendNativeHistograms: field(boolean, false),
    roundRobinDns: field(boolean, false),
    failedRequestLogging: field(boolean, false),
    protobufMessage: field(remoteWriteMessage, "prometheus.WriteRequest"),
    ...httpClientFields,
    enableHttp2: field(boolean, false, { key: "enable_http2", printsEmpty: true }),
    queueConfig: field(queueConfig, queueConfig.schema.parse({})),
    metadataConfig: field(metadataConfig, metadataConfig.schema.parse({})),
    sigv4: maybe(sigV4),
    azuread: maybe(azureAd),
    googleIam: maybe(googleIam),
  },
  (remote, report) => {
    if (remote.url === "") report("url for remote_write is empty");
    checkRemoteHeaders(remote.headers, report);
    const kinds = {
      basic_auth: remote.basicAuth,
      authorization: remote.authorization,
      oauth2: remote.oauth2,
      sigv4: remote.sigv4,
      azuread: remote.azuread,
      google_iam: remote.googleIam,
    };
    const given = Object.entries(kinds).flatMap(([name, kind]) => (kind === undefined ? [] : [name]));
    // Clashes among the ordinary kinds alone are told by the HTTP client's own check.
    if (given.length > 1 && (remote.sigv4 ?? remote.azuread ?? remote.googleIam) !== undefined) {
      report(
        `at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. Currently configured: [${given.join(" ")}]`,
      );
    }
    return finishHttpClient(remote, report);
  },
);

export type RemoteWriteConfig = ValueOf<typeof remoteWriteConfig>;

export const remoteReadConfig = section(
  "config.plain",
  {
    url: field(url, "", { printsEmpty: true }),
    remoteTimeout: field(duration, MINUTE),
    chunkedReadLimit: field(unsigned, 50_000_000),
    headers: field(record(text), {}),
    readRecent: field(boolean, false),
    name: field(text, ""),
    ...httpClientFields,
    requiredMatchers: field(labelMap, {}),
    filterExternalLabels: field(boolean, true),
  },
  (remote, report) => {
    if (remote.url === "") report("url for remote_read is empty");
    checkRemoteHeaders(remote.headers, report);
    return finishHttpClient(remote, report);
  },
);

export type RemoteReadConfig = ValueOf<typeof remoteReadConfig>;

const RESERVED_HEADERS = new Set([
  "content-encoding",
  "content-length",
  "content-type",
  "user-agent",
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "www-authenticate",
  "accept-encoding",
  "x-prometheus-remote-write-version",
  "x-prometheus-remote-read-version",
  "x-amz-date",
  "x-amz-security-token",
  "x-amz-content-sha256",
]);

function checkRemoteHeaders(
  headers: HttpClientConfig["httpHeaders"] | Readonly<Record<string, string>>,
  report: Report,
) {
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    if (lower === "authorization") {
      report(
        "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter",
        ["headers", name],
      );
    } else if (RESERVED_HEADERS.has(lower)) {
      report(`${name} is a reserved header. It must not be changed`, ["headers", name]);
    }
  }
}
