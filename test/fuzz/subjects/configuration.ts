import { stringify } from "yaml";
import { ConfigError } from "../../../src/config/config-error.ts";
import { configToYaml, loadConfig } from "../../../src/config/load.ts";
import { loadRuleFile, RuleFileError } from "../../../src/config/rule-file.ts";
import { loadWebConfig } from "../../../src/config/web-config.ts";
import { parseExpr } from "../../../src/promql/parse/index.ts";
import { alertTemplateError } from "../../../src/rules/template/alert-template.ts";
import type { Random } from "../random.ts";
import { refusedOr, require, requireEqual, type Subject } from "../subject.ts";

const CONFIG = `global:
  scrape_interval: 15s
  scrape_timeout: 10s
  external_labels: {cluster: "a\${HOME}", b: x}
  scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0]
  body_size_limit: 15MB
  metric_name_validation_scheme: utf8
rule_files: ["rules/*.yml"]
alerting:
  alert_relabel_configs:
    - {regex: dc, action: labeldrop}
  alertmanagers:
    - scheme: https
      path_prefix: /am
      timeout: 5s
      api_version: v2
      static_configs: [{targets: ["am:9093"]}]
      tls_config: {insecure_skip_verify: true, min_version: TLS12}
storage: {tsdb: {out_of_order_time_window: 30m, retention: {time: 15d, size: 1GB}}, exemplars: {max_exemplars: 10}}
tracing: {endpoint: "localhost:4317", client_type: grpc, sampling_fraction: 0.5}
otlp: {promote_resource_attributes: [k8s.pod.name], translation_strategy: NoUTF8EscapingWithSuffixes}
remote_write:
  - url: http://r/push
    name: r
    queue_config: {capacity: 10, max_shards: 5}
    write_relabel_configs: [{source_labels: [a], regex: b, action: drop}]
    sigv4: {region: us-east-1}
remote_read: [{url: "http://r/read", read_recent: true, required_matchers: {a: b}}]
scrape_configs:
  - job_name: a
    honor_labels: true
    sample_limit: 10
    params: {module: [x, y]}
    basic_auth: {username: u, password: p}
    http_headers: {X-A: {values: [a], secrets: [b]}}
    proxy_url: http://p:1
    no_proxy: localhost
    relabel_configs:
      - &anchor {source_labels: [__address__], regex: '(.*):\\d+', target_label: host, replacement: $1}
      - *anchor
    metric_relabel_configs: [{source_labels: [__name__], regex: go_.*, action: drop}]
    static_configs: [{targets: ["x:1", y], labels: {l: v}}]
  - job_name: b
    oauth2: {client_id: a, client_secret: b, token_url: "http://t", scopes: [s], endpoint_params: {k: v}}
    file_sd_configs: [{files: [a/*.json], refresh_interval: 5m}]
    http_sd_configs: [{url: "http://h/sd"}]
    dns_sd_configs: [{names: [x.y], type: A, port: 1}]
    consul_sd_configs: [{server: "c:8500", services: [a], tags: [t]}]
    kubernetes_sd_configs: [{role: pod, namespaces: {names: [n]}, selectors: [{role: pod, label: "a=b"}]}]
    docker_sd_configs: [{host: "unix:///var/run/docker.sock", filters: [{name: a, values: [b]}]}]
    nomad_sd_configs: [{server: "http://n"}]
    ec2_sd_configs: [{region: r, access_key: a, secret_key: b}]
    native_histogram_bucket_limit: 5
`;
const RULES = `groups:
  - name: g
    interval: 30s
    limit: 5
    query_offset: 1m
    labels: {team: x}
    rules:
      - {record: "job:up:sum", expr: sum by (job) (up), labels: {a: b}}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 1h
        labels: {severity: "{{ $value }}"}
        annotations: {summary: "{{ $labels.instance | title }} is down"}
`;
const WEB = `tls_server_config:
  cert_file: c.pem
  key_file: k.pem
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  min_version: TLS12
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
http_server_config: {http2: true, headers: {X-Frame-Options: deny}}
basic_auth_users: {u: $2y$10$abcdefghijklmnopqrstuuPUY3l1iKmFlw8D8Wv1M4Nm2mKcTJW6q}
rate_limit: {burst: 5, interval: 1s}
`;
export const YAML_WORDS = [
  ...[
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "|\n",
    ">-\n",
    "---\n",
    "...\n",
    "? ",
  ],
  ...[
    "~",
    "null",
    "true",
    "yes",
    "0x1f",
    "1e3",
    ".inf",
    "'",
    '"',
    "#",
    "\n",
    "\n  ",
    "\t",
    "%YAML 1.2\n",
    "5m",
    "!!str",
  ],
];

/** Lines and words of the example, moved about; or a tree with its keys in any place. */
function yamlFrom(random: Random, example: string): string {
  const lines = example.split("\n");
  const words = example.match(/[\w$"./-]+/g)!;
  if (random.chance(0.15)) {
    const tree = (depth: number): unknown => {
      const kind = depth === 0 ? 0 : random.below(4);
      if (kind === 0) return random.pick([...words, 1, true, null, 0.5, ""]);
      if (kind === 1) return random.list(4, () => tree(depth - 1));
      return new Map(random.list(6, () => [random.pick(words), tree(depth - 1)] as const));
    };
    return stringify(tree(5));
  }
  for (let changes = random.below(4); changes > 0; changes--) {
    const at = random.below(lines.length);
    const line = lines[at]!;
    switch (random.below(5)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(random.below(lines.length), 0, line);
        break;
      case 2:
        lines[at] = (random.chance(0.5) ? "  " : "") + line.slice(random.below(3));
        break;
      default:
        lines[at] = line.replace(/[\w$./-]+/g, (word) => (random.chance(0.2) ? random.pick(words) : word));
    }
  }
  if (random.chance(0.02)) {
    // Aliases that stand for ever more.
    const bomb = Array.from(
      { length: 12 },
      (_, i) => `b${i}: &b${i} [${`*b${i - 1},`.repeat(i === 0 ? 0 : 9)}]`,
    );
    lines.unshift(...bomb);
  }
  return lines.join("\n");
}

/** Every problem must lie in the file. */
function checkPlaces(text: string, places: readonly { readonly line: number }[]): void {
  const lineCount = text.split(/\r\n|\n|\r/).length;
  for (const { line } of places) {
    require(line >= 0 && line <= lineCount, () => `a problem on line ${line} of ${lineCount}`);
  }
}

const fileName = "p.yml";
const environment = { HOME: "/home" };

const config: Subject = {
  name: "config",
  words: YAML_WORDS,
  make: (random) => Buffer.from(yamlFrom(random, CONFIG)),
  run: (input) => {
    const text = input.toString();
    const load = (from: string) => loadConfig(from, { fileName, environment, expandGlob: () => [] });
    const loaded = refusedOr(() => load(text), ConfigError);
    if ("refusal" in loaded) {
      const { problems } = loaded.refusal as ConfigError;
      require(problems.length > 0, () => "refused without a reason");
      checkPlaces(text, problems);
      return false;
    }
    const printed = configToYaml(loaded.result);
    // A dollar that an external label has after its expansion would be expanded again.
    const { externalLabels } = loaded.result.global;
    if (Object.values(externalLabels).some((value) => value.includes("$"))) return true;
    const again = refusedOr(() => configToYaml(load(printed)), ConfigError);
    // Secrets print as `<secret>`, which some fields cannot be.
    if ("result" in again) requireEqual(again.result, printed, "what is printed and what that loads to");
    else
      require(printed.includes("<secret>"), () => `what was printed does not load: ${again.refusal.message}`);
    return true;
  },
};

const rules: Subject = {
  name: "rule-file",
  words: YAML_WORDS,
  make: (random) => Buffer.from(yamlFrom(random, RULES)),
  run: (input) => {
    const outcome = refusedOr(
      () =>
        loadRuleFile(input.toString(), {
          fileName,
          checkExpression: (text) => void parseExpr(text),
          checkTemplate: (text, alert) => {
            const fault = alertTemplateError(alert, text);
            if (fault !== null) throw new Error(fault);
          },
        }),
      RuleFileError,
    );
    return "result" in outcome;
  },
};

const web: Subject = {
  name: "web-config",
  words: YAML_WORDS,
  make: (random) => Buffer.from(yamlFrom(random, WEB)),
  run: (input) => {
    const text = input.toString();
    const outcome = refusedOr(() => loadWebConfig(text, fileName), ConfigError);
    if ("refusal" in outcome) checkPlaces(text, (outcome.refusal as ConfigError).problems);
    return "result" in outcome;
  },
};

export const configuration: readonly Subject[] = [config, rules, web];
