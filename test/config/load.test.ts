import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/config-error.ts";
import { allScrapeConfigs } from "../../src/config/all-scrape-configs.ts";
import type { Config } from "../../src/config/effective-config.ts";
import { configToYaml, loadConfig, scrapeConfigToYaml, type LoadOptions } from "../../src/config/load.ts";
import { unsupported } from "../../src/config/unsupported.ts";

function load(text: string, options: Partial<LoadOptions> = {}): Config {
  return loadConfig(text, { fileName: "p.yml", environment: {}, ...options });
}

/** The lines of the error, or what was loaded where there is none. */
function faults(text: string, options: Partial<LoadOptions> = {}): string[] {
  try {
    load(text, options);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

const job = (fields: string) => `scrape_configs: [{job_name: j, ${fields}}]`;

describe("defaults", () => {
  test("an empty file is a whole configuration", () => {
    const { global, runtime, scrapeConfigs } = load("");
    expect([global.scrapeInterval, global.scrapeTimeout, global.evaluationInterval]).toEqual([
      60_000, 10_000, 60_000,
    ]);
    expect([runtime.gogc, scrapeConfigs]).toEqual([75, []]);
    expect(load("# nothing\n---\n")).toEqual(load(""));
  });

  test("a job takes what it lacks from the global section", () => {
    const [one] = load(`
global: {scrape_interval: 5s, sample_limit: 7, body_size_limit: 1MB, metric_name_validation_scheme: legacy}
scrape_configs: [{job_name: one}]
`).scrapeConfigs;
    expect(one).toMatchObject({
      scrapeInterval: 5_000,
      scrapeTimeout: 5_000,
      sampleLimit: 7,
      bodySizeLimit: 1_048_576,
      metricsPath: "/metrics",
      scheme: "http",
      honorTimestamps: true,
      metricNameValidationScheme: "legacy",
      metricNameEscapingScheme: "underscores",
      scrapeProtocols: [
        "OpenMetricsText1.0.0",
        "OpenMetricsText0.0.1",
        "PrometheusText1.0.0",
        "PrometheusText0.0.4",
      ],
    });
  });

  test("a job's own schemes win, and the escaping follows the job's validation", () => {
    const text = (own: string) =>
      `{global: {metric_name_escaping_scheme: values}, scrape_configs: [{job_name: j, ${own}}]}`;
    const escaping = (own: string) => load(text(own)).scrapeConfigs[0]!.metricNameEscapingScheme;
    expect(escaping("")).toBe("values");
    expect(escaping("metric_name_validation_scheme: legacy")).toBe("underscores");
    expect(escaping("metric_name_validation_scheme: utf8")).toBe("allow-utf-8");
    expect(escaping("metric_name_escaping_scheme: dots")).toBe("dots");
  });

  test("native histograms put protobuf first, and so does the command line", () => {
    const first = (text: string, options: Partial<LoadOptions> = {}) =>
      load(text, options).scrapeConfigs[0]!.scrapeProtocols[0];
    expect(first(job("scrape_native_histograms: true"))).toBe("PrometheusProto");
    expect(first(job("metrics_path: /m"), { protobufFirst: true })).toBe("PrometheusProto");
    expect(first(job("scrape_protocols: [PrometheusText0.0.4], scrape_native_histograms: true"))).toBe(
      "PrometheusText0.0.4",
    );
  });

  test("null leaves a section or a list as if it weren't there", () => {
    expect(load("global:\nscrape_configs:\nstorage: ~")).toEqual(load(""));
    expect(load(job("tls_config: , relabel_configs: ~, params: null"))).toEqual(load(job("scheme: http")));
    expect(load("global: {scrape_interval: }").global.scrapeInterval).toBe(60_000);
  });

  test("null is the zero value of a scalar, whatever it is when left out", () => {
    const text = job("honor_timestamps: , enable_compression: ~, metrics_path: null, follow_redirects: ~");
    const [written] = load(text).scrapeConfigs;
    expect(written).toMatchObject({ honorTimestamps: false, enableCompression: false, metricsPath: "" });
    expect(written).toMatchObject({ followRedirects: false, enableHttp2: true });
    expect(faults(job("relabel_configs: [{action: }]"))).toEqual([
      expect.stringContaining("relabel action cannot be empty"),
    ]);
  });
});

describe("scalars are read as their field asks", () => {
  test.each([
    ["017", 15],
    ["0x10", 16],
    ["1_000", 1_000],
    ["1e3", 1_000],
  ])("a limit of %s is %d", (text, expected) => {
    expect(load(job(`sample_limit: ${text}`)).scrapeConfigs[0]!.sampleLimit).toBe(expected);
  });

  test("a label of 017 or yes stays as it is written", () => {
    expect(load("global: {external_labels: {a: 017, b: yes, c: 1.50}}").global.externalLabels).toEqual({
      a: "017",
      b: "yes",
      c: "1.50",
    });
  });

  test.each([
    [job("honor_labels: yes"), true],
    [job("honor_labels: Off"), false],
  ])("%s", (text, expected) => {
    expect(load(text).scrapeConfigs[0]!.honorLabels).toBe(expected);
  });

  test.each([
    [job(`honor_labels: "true"`), "cannot unmarshal !!str `true` into bool"],
    [job("honor_labels: 1"), "cannot unmarshal !!int `1` into bool"],
    [job("sample_limit: -1"), "cannot unmarshal !!int `-1` into uint"],
    [job("sample_limit: lots-and-lots"), "cannot unmarshal !!str `lots-an...` into uint"],
    [job("metrics_path: {}"), "cannot unmarshal !!map into string"],
    [job("metrics_path: []"), "cannot unmarshal !!seq into string"],
    ["scrape_configs: 5", "cannot unmarshal !!int `5` into []string"],
    ["5", "cannot unmarshal !!int `5` into config.plain"],
  ])("%s is refused: %s", (text, message) => {
    expect(faults(text)).toEqual([expect.stringContaining(message)]);
  });

  test("null in a list or a map is the empty value of its type", () => {
    const text = "{global: {external_labels: {a: }}, scrape_configs: [{job_name: j, params: {a: , b: [~]}}]}";
    const { global, scrapeConfigs } = load(text);
    expect(global.externalLabels).toEqual({ a: "" });
    expect(scrapeConfigs[0]!.params).toEqual({ a: [], b: [""] });
  });

  test("a tag decides what a scalar is", () => {
    expect(load(job("sample_limit: !!int '5'")).scrapeConfigs[0]!.sampleLimit).toBe(5);
    expect(faults(job("sample_limit: !!str 5"))).toEqual([
      expect.stringContaining("cannot unmarshal !!str `5`"),
    ]);
  });

  test("anchors, aliases and merge keys work", () => {
    const { scrapeConfigs } = load(`
scrape_configs:
- &base {job_name: a, scrape_interval: 7s, scheme: https}
- <<: *base
  job_name: b
  scheme: http
`);
    expect(
      scrapeConfigs.map(({ jobName, scheme, scrapeInterval }) => [jobName, scheme, scrapeInterval]),
    ).toEqual([
      ["a", "https", 7_000],
      ["b", "http", 7_000],
    ]);
  });

  test("of a key and a merged one the later wins, and of a list of merged maps the first", () => {
    const { scrapeConfigs } = load(`
scrape_configs:
- &base {job_name: a, scheme: https, metrics_path: /a}
- scheme: http
  <<: [{scheme: ftp}, *base]
  job_name: c
- {metrics_path: /d, <<: *base, job_name: d}
`);
    expect(scrapeConfigs.map(({ jobName, scheme, metricsPath }) => [jobName, scheme, metricsPath])).toEqual([
      ["a", "https", "/a"],
      ["c", "ftp", "/a"],
      ["d", "https", "/a"],
    ]);
  });

  test("aliases that unfold without end are refused", () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}*l${i}]`,
    );
    expect(faults(`l0: &l0 [x]\n${levels.join("\n")}`)).toEqual([
      expect.stringMatching(/^p\.yml:\d+:\d+: yaml: document contains excessive aliasing$/),
    ]);
  });
});

describe("everything wrong is told at once, with its place", () => {
  test("in the order of sections, each with line, column and field", () => {
    expect(
      faults(`global:
  scrape_interval: 5
  bogus: 1
scrape_configs:
- job_name: a
  metrics_path: [x]
- job_name: b
  static_configs:
  - targets: [ok]
    label: {}
`),
    ).toEqual([
      'p.yml:2:20: global.scrape_interval: not a valid duration string: "5"',
      "p.yml:3:3: global.bogus: field bogus not found in type config.plain",
      "p.yml:6:17: scrape_configs[0].metrics_path: cannot unmarshal !!seq into string",
      "p.yml:10:5: scrape_configs[1].static_configs[0].label: field label not found in type targetgroup.plain",
    ]);
  });

  test("what doesn't go together is told where the field stands", () => {
    expect(
      faults(`global: {scrape_interval: 10s}
scrape_configs:
- job_name: a
  scrape_timeout: 11s
- job_name: a
`),
    ).toEqual([
      'p.yml:4:19: scrape_configs[0].scrape_timeout: scrape timeout greater than scrape interval for scrape config with job name "a"',
      'p.yml:5:13: scrape_configs[1].job_name: found multiple scrape configs with job name "a"',
    ]);
  });

  test("text that isn't YAML, and keys given twice", () => {
    expect(faults("a: [1")).toEqual([expect.stringMatching(/^p\.yml:1:\d+: yaml: /)]);
    expect(faults("global: {}\nglobal: {}")).toEqual(["p.yml:2:1: yaml: Map keys must be unique"]);
  });
});

const hashmod = "action: hashmod, source_labels: [a], target_label: b";

describe("what is refused", () => {
  test.each([
    // global
    ["global: {scrape_timeout: 2m}", "global scrape timeout greater than scrape interval"],
    ["global: {scrape_protocols: []}", "scrape_protocols cannot be empty for global config"],
    [
      "global: {scrape_protocols: [PrometheusProto, PrometheusProto]}",
      "duplicated protocol in scrape_protocols, got [PrometheusProto PrometheusProto] for global config",
    ],
    [
      "global: {scrape_protocols: [x]}",
      "scrape_protocols: unknown scrape protocol x, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0] for global config",
    ],
    [`global: {external_labels: {"": x}}`, '"" is not a valid label name'],
    [
      "global: {metric_name_escaping_scheme: x}",
      `unknown global name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got "x"`,
    ],
    [
      "global: {metric_name_escaping_scheme: allow-utf-8, metric_name_validation_scheme: legacy}",
      "utf8 metric names requested but validation scheme is not set to UTF8",
    ],
    ["rule_files: ['a/*/b.yml']", 'invalid rule file path "a/*/b.yml"'],
    ["scrape_config_files: ['a/*/b.yml']", 'invalid scrape config file path "a/*/b.yml"'],
    // jobs
    ["scrape_configs: [{metrics_path: /}]", "job_name is empty"],
    ["scrape_configs: [~]", "empty or null scrape config section"],
    ["rule_files: [a.yml, 'r/[']", "error retrieving rule files for r/[: syntax error in pattern"],
    ["scrape_config_files: ['a\\']", "error retrieving scrape config files for a\\: syntax error in pattern"],
    [job("relabel_configs: [~]"), "empty or null target relabeling rule in scrape config"],
    [job("metric_relabel_configs: [~]"), "empty or null metric relabeling rule in scrape config"],
    [job("static_configs: [~]"), "empty or null section in static_configs"],
    [job("file_sd_configs: [~]"), "empty or null section in file_sd_configs"],
    [job("static_configs: [{targets: ['http://x']}]"), '"http://x" is not a valid hostname'],
    [
      job("fallback_scrape_protocol: x"),
      'invalid fallback_scrape_protocol for scrape config with job name "j": unknown scrape protocol x',
    ],
    [job("scrape_protocols: []"), 'scrape_protocols cannot be empty for scrape config with job name "j"'],
    [job("metric_name_escaping_scheme: x"), "unknown scrape config name escaping method specified"],
    // HTTP clients
    [
      job("basic_auth: {username: a, username_file: b}"),
      "at most one of basic_auth username, username_file & username_ref must be configured",
    ],
    [
      job("basic_auth: {password: a, password_file: b}"),
      "at most one of basic_auth password, password_file & password_ref must be configured",
    ],
    [
      job("authorization: {credentials: a, credentials_file: b}"),
      "at most one of authorization credentials & credentials_file must be configured",
    ],
    [
      job("authorization: {type: Basic, credentials: a}"),
      'authorization type cannot be set to "basic", use "basic_auth" instead',
    ],
    [
      job("authorization: {credentials: a}, bearer_token: b"),
      "authorization is not compatible with bearer_token & bearer_token_file",
    ],
    [
      job("bearer_token: a, bearer_token_file: b"),
      "at most one of bearer_token & bearer_token_file must be configured",
    ],
    [
      job("basic_auth: {username: a}, bearer_token: b"),
      "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
    ],
    [
      job("basic_auth: {username: a}, authorization: {credentials: b}"),
      "at most one of basic_auth, oauth2 & authorization must be configured",
    ],
    [job("oauth2: {token_url: 'http://x'}"), "oauth2 client_id must be configured"],
    [job("oauth2: {client_id: x}"), "oauth2 token_url must be configured"],
    [
      job(
        "oauth2: {client_id: x, token_url: y, grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', signature_algorithm: ES256}",
      ),
      "valid signature algorithms are RS256, RS384 and RS512",
    ],
    [job("tls_config: {ca: a, ca_file: b}"), "at most one of ca, ca_file & ca_ref must be configured"],
    [
      job("tls_config: {cert: a, cert_file: b, key: k}"),
      "at most one of cert, cert_file & cert_ref must be configured",
    ],
    [job("tls_config: {cert: a, key: k, key_file: b}"), "at most one of key and key_file must be configured"],
    [
      job("tls_config: {cert_file: a}"),
      "exactly one of key or key_file must be configured when a client certificate is configured",
    ],
    [
      job("tls_config: {key_file: a}"),
      "exactly one of cert or cert_file must be configured when a client key is configured",
    ],
    [job("tls_config: {min_version: TLS14}"), "unknown TLS version: TLS14"],
    [
      job("tls_config: {min_version: TLS13, max_version: TLS12}"),
      "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified",
    ],
    [
      job("proxy_from_environment: true, proxy_url: 'http://x'"),
      "if proxy_from_environment is configured, proxy_url must not be configured",
    ],
    [
      job("proxy_from_environment: true, no_proxy: x"),
      "if proxy_from_environment is configured, no_proxy must not be configured",
    ],
    [job("no_proxy: x"), "if no_proxy is configured, proxy_url must also be configured"],
    [
      job("proxy_connect_header: {a: [b]}"),
      "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
    ],
    [job("http_headers: {user-agent: {values: [x]}}"), 'setting header "User-Agent" is not allowed'],
    [job("proxy_url: 'http://a:b:c'"), `parse "http://a:b:c": invalid port ":c" after host`],
    // relabelling
    [job("relabel_configs: [{action: ''}]"), "relabel action cannot be empty"],
    [job("relabel_configs: [{action: x}]"), 'unknown relabel action "x"'],
    [job(`relabel_configs: [{${hashmod}}]`), "relabel configuration for hashmod requires non-zero modulus"],
    [
      job("relabel_configs: [{action: Replace}]"),
      "relabel configuration for replace action requires 'target_label' value",
    ],
    [
      job("relabel_configs: [{action: lowercase, target_label: a, replacement: b}]"),
      "'replacement' can not be set for lowercase action",
    ],
    [
      job("relabel_configs: [{action: labelmap, replacement: ''}]"),
      `"" is invalid 'replacement' for labelmap action`,
    ],
    [
      job("relabel_configs: [{action: keepequal, target_label: a, regex: b}]"),
      "keepequal action requires only 'source_labels' and `target_label`, and no other fields",
    ],
    [
      job("relabel_configs: [{action: labeldrop, source_labels: [a]}]"),
      "labeldrop action requires only 'regex', and no other fields",
    ],
    [job("relabel_configs: [{regex: '(', target_label: a}]"), "error parsing regexp: missing closing ): `(`"],
    [
      job("metric_name_validation_scheme: legacy, relabel_configs: [{target_label: a.b}]"),
      `"a.b" is invalid 'target_label' for replace action`,
    ],
    // discovery
    [job("file_sd_configs: [{}]"), "file service discovery config must contain at least one path name"],
    [job("file_sd_configs: [{files: [a.txt]}]"), 'path name "a.txt" is not valid for file discovery'],
    [job("file_sd_configs: [{files: ['*/a.json']}]"), 'path name "*/a.json" is not valid for file discovery'],
    [job("http_sd_configs: [{}]"), "URL is missing"],
    [job("http_sd_configs: [{url: 'ftp://x'}]"), "URL scheme must be 'http' or 'https'"],
    [job("http_sd_configs: [{url: 'http:///x'}]"), "host is missing in URL"],
    [job("dns_sd_configs: [{}]"), "DNS-SD config must contain at least one SRV record name"],
    [
      job("dns_sd_configs: [{names: [a], type: A}]"),
      "a port is required in DNS-SD configs for all record types except SRV",
    ],
    [job("dns_sd_configs: [{names: [a], type: TXT}]"), "invalid DNS-SD records type TXT"],
    [job("consul_sd_configs: [{server: ''}]"), "consul SD configuration requires a server address"],
    [
      job("consul_sd_configs: [{username: a, basic_auth: {username: b}}]"),
      "at most one of consul SD configuration username and password and basic auth can be configured",
    ],
    [
      job("consul_sd_configs: [{token: a, authorization: {credentials: b}}]"),
      "at most one of consul SD token, authorization, or oauth2 can be configured",
    ],
    [
      job("kubernetes_sd_configs: [{}]"),
      "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)",
    ],
    [job("kubernetes_sd_configs: [{role: x}]"), 'unknown Kubernetes SD role "x"'],
    [
      job("kubernetes_sd_configs: [{role: pod, api_server: 'http://x', kubeconfig_file: y}]"),
      "cannot use 'kubeconfig_file' and 'api_server' simultaneously",
    ],
    [
      job("kubernetes_sd_configs: [{role: pod, follow_redirects: false}]"),
      "to use custom HTTP client configuration please provide the 'api_server' URL explicitly",
    ],
    [
      job("kubernetes_sd_configs: [{role: pod, bearer_token: a, kubeconfig_file: y}]"),
      "cannot use a custom HTTP client configuration together with 'kubeconfig_file'",
    ],
    [
      job("kubernetes_sd_configs: [{role: pod, api_server: 'http://x', namespaces: {own_namespace: true}}]"),
      "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously",
    ],
    [
      job("kubernetes_sd_configs: [{role: pod, selectors: [{role: pod}, {role: pod}]}]"),
      "duplicated selector role: pod",
    ],
    [
      job("kubernetes_sd_configs: [{role: pod, selectors: [{role: service}]}]"),
      "pod role supports only pod, node selectors",
    ],
    [job("docker_sd_configs: [{}]"), "host missing"],
    [job("dockerswarm_sd_configs: [{host: 'unix:///x'}]"), "role missing (one of: tasks, services, nodes)"],
    [
      job("dockerswarm_sd_configs: [{host: 'unix:///x', role: pods}]"),
      "invalid role pods, expected tasks, services, or nodes",
    ],
    [job("nomad_sd_configs: [{server: ''}]"), "nomad SD configuration requires a server address"],
    [job("eureka_sd_configs: [{}]"), "eureka_sd: empty or null eureka server"],
    [job("eureka_sd_configs: [{server: x}]"), "eureka_sd: invalid eureka server URL"],
    [job("marathon_sd_configs: [{}]"), "marathon_sd: must contain at least one Marathon server"],
    [
      job("marathon_sd_configs: [{servers: [a], auth_token: b, auth_token_file: c}]"),
      "marathon_sd: at most one of auth_token & auth_token_file must be configured",
    ],
    [job("hetzner_sd_configs: [{}]"), "role missing (one of: robot, hcloud)"],
    [job("aws_sd_configs: [{role: s3}]"), 'unknown AWS SD role "s3"'],
    [job("ec2_sd_configs: [{filters: [{name: a}]}]"), "EC2 SD configuration filter values cannot be empty"],
    [job("puppetdb_sd_configs: [{url: 'http://x'}]"), "query missing"],
    // alerting
    [
      "alerting: {alertmanagers: [{api_version: v1}]}",
      "expected Alertmanager api version to be one of [v2] but got v1",
    ],
    ["alerting: {alert_relabel_configs: [~]}", "empty or null alert relabeling rule"],
    [
      "alerting: {alertmanagers: [{relabel_configs: [~]}]}",
      "empty or null Alertmanager target relabeling rule",
    ],
    [
      "alerting: {alertmanagers: [{alert_relabel_configs: [~]}]}",
      "empty or null Alertmanager alert relabeling rule",
    ],
    [
      "alerting: {alertmanagers: [{basic_auth: {username: a}, sigv4: {region: b}}]}",
      "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured",
    ],
    // remote
    ["remote_write: [{}]", "url for remote_write is empty"],
    ["remote_write: [~]", "empty or null remote write config section"],
    [
      "remote_write: [{url: 'http://a', name: n}, {url: 'http://b', name: n}]",
      'found multiple remote write configs with job name "n"',
    ],
    [
      "remote_write: [{url: 'http://a'}, {url: 'http://a'}]",
      "duplicate remote write configs are not allowed, found duplicate for URL: http://a",
    ],
    [
      "remote_write: [{url: 'http://a', protobuf_message: x}]",
      "invalid protobuf_message value: unknown type for remote write protobuf message x, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request",
    ],
    [
      "remote_write: [{url: 'http://a', headers: {Authorization: x}}]",
      "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter",
    ],
    [
      "remote_write: [{url: 'http://a', headers: {Content-Type: x}}]",
      "Content-Type is a reserved header. It must not be changed",
    ],
    [
      "remote_write: [{url: 'http://a', write_relabel_configs: [~]}]",
      "empty or null relabeling rule in remote write config",
    ],
    [
      "remote_write: [{url: 'http://a', basic_auth: {username: x}, sigv4: {region: y}}]",
      "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. Currently configured: [basic_auth sigv4]",
    ],
    [
      "remote_write: [{url: 'http://a', queue_config: {capacity: 0}}]",
      "remote write queue capacity must be positive",
    ],
    [
      "remote_write: [{url: 'http://a', queue_config: {min_shards: 60}}]",
      "remote write queue min_shards must not be greater than max_shards",
    ],
    [
      "remote_write: [{url: 'http://a', queue_config: {max_backoff: 1ms}}]",
      "remote write queue max_backoff must not be less than min_backoff",
    ],
    ["remote_read: [{}]", "url for remote_read is empty"],
    // storage, tracing, OTLP
    [
      "storage: {tsdb: {chunk_encoding: {floats: zip}}}",
      `'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got "zip"`,
    ],
    [
      "storage: {tsdb: {retention: {size: -1KB}}}",
      "'storage.tsdb.retention.size' must be greater than or equal to 0, got -1KiB",
    ],
    [
      "storage: {tsdb: {retention: {percentage: 101}}}",
      "'storage.tsdb.retention.percentage' must be in the range [0, 100], got 101",
    ],
    ["tracing: {client_type: http}", "tracing endpoint must be set"],
    [
      "tracing: {endpoint: x, client_type: tcp}",
      "expected tracing client type to be to be http or grpc, but got tcp",
    ],
    [
      "tracing: {endpoint: x, compression: zip}",
      "invalid compression type zip provided, valid options: gzip",
    ],
    [
      "tracing: {endpoint: x, headers: {authorization: y}}",
      "custom authorization header configuration is not yet supported",
    ],
    [
      "otlp: {promote_all_resource_attributes: true, promote_resource_attributes: [a]}",
      "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously",
    ],
    [
      "otlp: {ignore_resource_attributes: [a]}",
      "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true",
    ],
    [
      "otlp: {promote_resource_attributes: [a, a]}",
      `invalid 'promote_resource_attributes': duplicated promoted OTel resource attribute "a"`,
    ],
    [
      "otlp: {promote_resource_attributes: ['']}",
      "invalid 'promote_resource_attributes': empty promoted OTel resource attribute",
    ],
    ["otlp: {translation_strategy: x}", 'unsupported OTLP translation strategy "x"'],
    [
      "{global: {metric_name_validation_scheme: legacy}, otlp: {translation_strategy: NoTranslation}}",
      'OTLP translation strategy "NoTranslation" is not allowed when UTF8 is disabled',
    ],
  ])("%s: %s", (text, message) => {
    expect(faults(text)).toContainEqual(expect.stringContaining(message));
  });

  test("alerting, rules and remote read in agent mode", () => {
    const text = "{alerting: {alertmanagers: [{}]}, rule_files: [a], remote_read: [{url: 'http://x'}]}";
    expect(faults(text)).toEqual([]);
    expect(
      faults(text, { agentMode: true }).map((line) => line.replace(/^p\.yml:\d+:\d+: \w+: /, "")),
    ).toEqual([
      "field alerting is not allowed in agent mode",
      "field rule_files is not allowed in agent mode",
      "field remote_read is not allowed in agent mode",
    ]);
  });
});

describe("external labels", () => {
  test("take values of the environment", () => {
    const warnings: string[] = [];
    const { global } = load(
      `global: {external_labels: {a: "$ZONE", b: "x\${ZONE}y", c: "$$ZONE", d: "$MISSING", e: "5$", f: "$-x"}}`,
      {
        environment: { ZONE: "eu" },
        onWarning: (message, fields) => warnings.push(`${message} ${fields["name"] ?? fields["label"]}`),
      },
    );
    expect(global.externalLabels).toEqual({ a: "eu", b: "xeuy", c: "$ZONE", d: "", e: "5$", f: "x" });
    expect(warnings).toContain("Empty environment variable MISSING");
  });

  test("nothing else does", () => {
    expect(
      load(job("metrics_path: /$ZONE"), { environment: { ZONE: "eu" } }).scrapeConfigs[0]!.metricsPath,
    ).toBe("/$ZONE");
  });
});

describe("files", () => {
  test("relative paths are taken from the configuration's folder", () => {
    const config = load(
      `
global: {query_log_file: q.log}
rule_files: [rules/*.yml, /abs.yml]
scrape_configs:
- job_name: j
  tls_config: {ca_file: ca.pem}
  basic_auth: {username: u, password_file: pw}
  file_sd_configs: [{files: [t.json]}]
`,
      { fileName: "/etc/narthex/p.yml" },
    );
    const [one] = config.scrapeConfigs;
    expect(config.ruleFiles).toEqual(["/etc/narthex/rules/*.yml", "/abs.yml"]);
    expect(config.global.queryLogFile).toBe("/etc/narthex/q.log");
    expect(one!.tlsConfig.caFile).toBe("/etc/narthex/ca.pem");
    expect(one!.basicAuth!.passwordFile).toBe("/etc/narthex/pw");
    expect(one!.fileConfigs[0]!.files).toEqual(["/etc/narthex/t.json"]);
  });

  const files: Record<string, string> = {
    "/etc/jobs/a.yml": "scrape_configs: [{job_name: a, tls_config: {ca_file: ca.pem}}]",
    "/etc/jobs/b.yml": "scrape_configs: [{job_name: b}]",
  };
  const reading = {
    fileName: "/etc/p.yml",
    expandGlob: (pattern: string) => (pattern === "/etc/jobs/*.yml" ? Object.keys(files) : []),
    readFile: (path: string) => files[path]!,
  };

  test("jobs of other files join in, with the global section's defaults and their own folder", () => {
    const config = load("{global: {scrape_interval: 3s}, scrape_config_files: ['jobs/*.yml']}", reading);
    expect(config.scrapeConfigs).toEqual([]);
    expect(allScrapeConfigs(config).map(({ jobName, scrapeInterval }) => [jobName, scrapeInterval])).toEqual([
      ["a", 3_000],
      ["b", 3_000],
    ]);
    expect(config.includedScrapeConfigs[0]!.tlsConfig.caFile).toBe("/etc/jobs/ca.pem");
  });

  test("a job's name is unique over all files", () => {
    expect(faults("{scrape_configs: [{job_name: b}], scrape_config_files: ['jobs/*.yml']}", reading)).toEqual(
      [
        '/etc/jobs/b.yml:1:29: scrape_configs[0].job_name: "/etc/jobs/b.yml": found multiple scrape configs with job name "b", first found in main config file',
      ],
    );
  });

  test("a job file with a fault is told with its own name", () => {
    const broken = { ...reading, readFile: () => "scrape_configs: [{job_name: x, foo: 1}]\nglobal: {}" };
    expect(faults("scrape_config_files: ['jobs/*.yml']", broken).slice(0, 2)).toEqual([
      "/etc/jobs/a.yml:1:32: scrape_configs[0].foo: field foo not found in type config.plain",
      "/etc/jobs/a.yml:2:1: global: field global not found in type config.ScrapeConfigs",
    ]);
  });
});

describe("the configuration as YAML", () => {
  const text = `
global: {external_labels: {zone: "$ZONE"}}
scrape_configs:
- job_name: j
  bearer_token: tok
  params: {b: [x], a: [y, z]}
  relabel_configs: [{source_labels: [a, b], target_label: c}, {regex: ~, action: labeldrop}]
  static_configs: [{targets: ['h:1'], labels: {n: "1"}}]
remote_write: [{url: 'http://u:pw@h/'}]
`;

  test("shows defaults, expanded labels and stars for secrets", () => {
    const yaml = configToYaml(load(text, { environment: { ZONE: "eu" } }));
    expect(yaml).toBe(`global:
  scrape_interval: 1m
  scrape_timeout: 10s
  evaluation_interval: 1m
  external_labels:
    zone: eu
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  scrape_native_histograms: false
  convert_classic_histograms_to_nhcb: false
  always_scrape_classic_histograms: false
  extra_scrape_metrics: false
runtime:
  gogc: 75
scrape_configs:
- job_name: j
  honor_timestamps: true
  track_timestamps_staleness: false
  params:
    a:
    - "y"
    - z
    b:
    - x
  scrape_interval: 1m
  scrape_timeout: 10s
  scrape_protocols:
  - OpenMetricsText1.0.0
  - OpenMetricsText0.0.1
  - PrometheusText1.0.0
  - PrometheusText0.0.4
  scrape_native_histograms: false
  always_scrape_classic_histograms: false
  convert_classic_histograms_to_nhcb: false
  extra_scrape_metrics: false
  metrics_path: /metrics
  scheme: http
  enable_compression: true
  metric_name_validation_scheme: utf8
  metric_name_escaping_scheme: allow-utf-8
  authorization:
    type: Bearer
    credentials: <secret>
  follow_redirects: true
  enable_http2: true
  relabel_configs:
  - source_labels: [a, b]
    separator: ;
    target_label: c
    replacement: $1
    action: replace
  - separator: ;
    regex: null
    replacement: $1
    action: labeldrop
  static_configs:
  - targets:
    - h:1
    labels:
      "n": "1"
remote_write:
- url: http://u:xxxxx@h/
  remote_timeout: 30s
  protobuf_message: prometheus.WriteRequest
  follow_redirects: true
  enable_http2: false
  queue_config:
    capacity: 10000
    max_shards: 50
    min_shards: 1
    max_samples_per_send: 2000
    batch_send_deadline: 5s
    min_backoff: 30ms
    max_backoff: 5s
  metadata_config:
    send: true
    send_interval: 1m
    max_samples_per_send: 2000
otlp:
  translation_strategy: UnderscoreEscapingWithSuffixes
  label_name_underscore_sanitization: true
  label_name_preserve_multiple_underscores: true
`);
  });

  test("one job can be shown alone", () => {
    const [one] = load("scrape_configs: [{job_name: j}]").scrapeConfigs;
    expect(scrapeConfigToYaml(one!)).toMatch(/^job_name: j\nhonor_timestamps: true\n/);
  });

  test("loaded again, it is the same configuration but for the secrets", () => {
    const once = configToYaml(load(text, { environment: { ZONE: "eu" } }));
    expect(configToYaml(load(once))).toBe(once);
  });
});

describe("what has no effect yet", () => {
  test("is named", () => {
    const config = load(`
scrape_configs: [{job_name: j, gce_sd_configs: [{project: x, zone: y}], aws_sd_configs: [{role: ecs}, {role: ec2}], static_configs: [{targets: [a]}]}]
tracing: {endpoint: x}
`);
    expect(unsupported(config)).toEqual([
      "gce_sd_configs of job j finds no targets yet",
      "aws_sd_configs with role ecs of job j finds no targets yet",
      "tracing exports no spans yet",
    ]);
    expect(unsupported(load(""))).toEqual([]);
  });
});
