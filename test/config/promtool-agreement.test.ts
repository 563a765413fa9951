import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/config-error.ts";
import { loadConfig } from "../../src/config/load.ts";

const job = (fields: string) => `scrape_configs: [{job_name: j, ${fields}}]`;

/** What Prometheus 2.42 and 3 judge alike. */
const cases = [
  "",
  "global:",
  "global: {}",
  "scrape_configs:",
  "scrape_configs: []",
  "global: {scrape_interval: 1.5s}",
  "global: {scrape_interval: 15}",
  "global: {scrape_interval: '15s'}",
  "global: {scrape_interval: 1h1d}",
  "global: {scrape_interval: 0s}",
  "global: {scrape_interval: -1s}",
  "global: {evaluation_interval: 1y}",
  "global: {external_labels: {a: 1}}",
  "global: {external_labels: {a: true}}",
  "global: {external_labels: {a: [1]}}",
  "global: {external_labels: {a: null}}",
  "global: {external_labels: [a]}",
  job("honor_labels: yes"),
  job("honor_labels: 'yes'"),
  job("honor_labels: 1"),
  job("sample_limit: 017"),
  job("sample_limit: 1_000"),
  job("sample_limit: 1e3"),
  job("sample_limit: 1.5"),
  job("sample_limit: '5'"),
  job("sample_limit: 0x10"),
  job("sample_limit: 0b11"),
  job("sample_limit: 0o17"),
  job("sample_limit: -1"),
  job("body_size_limit: 10"),
  job("body_size_limit: 10MB"),
  job("body_size_limit: 1.5GiB"),
  job("body_size_limit: 0"),
  job("body_size_limit: 10mb"),
  job("body_size_limit: -5KB"),
  job("params: {a: b}"),
  job("params: {a: [b]}"),
  job("params: {a: [1, true]}"),
  job("params: {a: }"),
  job("params: {a: [null]}"),
  job("metrics_path: 5"),
  job("metrics_path: "),
  job("scheme: ftp"),
  job("scheme: HTTPS"),
  job("static_configs: [{targets: [a]}]"),
  job("static_configs: [{targets: a}]"),
  job("static_configs: [{targets: [5]}]"),
  job("static_configs: [{}]"),
  job("static_configs: {}"),
  job("static_configs: "),
  job("static_configs: [{targets: [a], labels: {b: 5}}]"),
  job("static_configs: [{targets: [a/b]}]"),
  job("relabel_configs: [{}]"),
  job("relabel_configs: [{target_label: a}]"),
  job("relabel_configs: [{target_label: a, regex: }]"),
  job("relabel_configs: [{target_label: a, regex: '['}]"),
  job("relabel_configs: [{target_label: a, regex: '(?=x)'}]"),
  job("relabel_configs: [{action: KEEP}]"),
  job("relabel_configs: [{action: labelmap}]"),
  job("relabel_configs: [{action: labelmap, regex: a, target_label: b}]"),
  job("relabel_configs: [{action: labeldrop, regex: a, replacement: b}]"),
  job("relabel_configs: [{action: hashmod, target_label: a, modulus: 5}]"),
  job("relabel_configs: [{action: hashmod, target_label: a, modulus: -5}]"),
  job("relabel_configs: [{action: hashmod, modulus: 5}]"),
  job("relabel_configs: [{action: lowercase, source_labels: [a]}]"),
  job("relabel_configs: [{action: lowercase, source_labels: [a], target_label: b}]"),
  job("relabel_configs: [{action: keepequal, source_labels: [a], target_label: b}]"),
  job("relabel_configs: [{action: keepequal, source_labels: [a], target_label: b, separator: x}]"),
  job("relabel_configs: [{action: drop, target_label: b}]"),
  job("relabel_configs: [{source_labels: a, target_label: b}]"),
  job("relabel_configs: [{source_labels: [], target_label: '${1}_x'}]"),
  job("relabel_configs: [{action: }]"),
  job("relabel_configs: [{separator: 5, target_label: a}]"),
  job("relabel_configs: [{modulus: 5, target_label: a}]"),
  job("basic_auth: {}"),
  job("basic_auth: {username: a, password: b, password_file: c}"),
  job("basic_auth: {username: a}, oauth2: {client_id: a, token_url: b}"),
  job("authorization: {}"),
  job("authorization: {type: basic}"),
  job("authorization: {type: Basic, credentials: x}"),
  job("bearer_token: a, bearer_token_file: b"),
  job("bearer_token: a, authorization: {credentials: b}"),
  job("oauth2: {}"),
  job("oauth2: {client_id: a}"),
  job("oauth2: {client_id: a, token_url: 5, client_secret: s, scopes: [a]}"),
  job("tls_config: {min_version: TLS12}"),
  job("tls_config: {min_version: TLS9}"),
  job("tls_config: {insecure_skip_verify: 1}"),
  job("tls_config: "),
  job("proxy_url: 'http://x:y'"),
  job("proxy_url: ':x'"),
  job("proxy_url: '%zz'"),
  job("proxy_url: 'http://%zz/'"),
  job("proxy_url: 5"),
  job("file_sd_configs: [{files: [a.json, 'x/*.yml']}]"),
  job("file_sd_configs: [{files: ['x*/a.yml']}]"),
  job("file_sd_configs: [{files: [a]}]"),
  job("file_sd_configs: [{files: a.yml}]"),
  job("dns_sd_configs: [{names: [a]}]"),
  job("dns_sd_configs: [{names: [a], type: a, port: 5}]"),
  job("dns_sd_configs: [{names: [a], type: srv}]"),
  job("dns_sd_configs: [{names: [a], type: A}]"),
  job("http_sd_configs: [{url: 'http://x'}]"),
  job("http_sd_configs: [{url: x}]"),
  job("http_sd_configs: [{url: 'http:x'}]"),
  job("http_sd_configs: [{url: 'http://x', refresh_interval: 0s}]"),
  job("docker_sd_configs: [{host: x}]"),
  job("docker_sd_configs: [{host: 'unix:///x'}]"),
  job("docker_sd_configs: [{host: 'http://x', filters: [{name: a}]}]"),
  job("dockerswarm_sd_configs: [{host: 'unix:///x', role: node}]"),
  job("eureka_sd_configs: [{server: 'http://x'}]"),
  job("eureka_sd_configs: [{server: 'x:80'}]"),
  job("marathon_sd_configs: [{servers: [a], basic_auth: {username: x}, auth_token: y}]"),
  job("puppetdb_sd_configs: [{url: 'http://x', query: ''}]"),
  job("triton_sd_configs: [{account: a, dns_suffix: b, endpoint: c, role: x}]"),
  job("uyuni_sd_configs: [{server: 'http://x', username: a}]"),
  job("ec2_sd_configs: [{region: x, filters: [{name: a, values: []}]}]"),
  job("gce_sd_configs: [{project: x}]"),
  job("hetzner_sd_configs: [{role: x}]"),
  job("openstack_sd_configs: [{role: instance}]"),
  job("serverset_sd_configs: [{servers: [a], paths: [b]}]"),
  job("azure_sd_configs: [{subscription_id: x, authentication_method: ManagedIdentity}]"),
  job("azure_sd_configs: [{subscription_id: x}]"),
  job("ionos_sd_configs: [{bearer_token: x}]"),
  "alerting: {alertmanagers: [{}]}",
  "alerting: {alertmanagers: [{path_prefix: /x, scheme: https, timeout: 5s}]}",
  "alerting: {alertmanagers: [{static_configs: [{targets: [a/b]}]}]}",
  "alerting: {alertmanagers: [{timeout: 5}]}",
  "alerting: {alertmanagers: {}}",
  "remote_write: [{url: 'http://x'}]",
  "remote_write: [{url: x}]",
  "remote_write: [{url: 'http://x', headers: {a: b}}]",
  "remote_write: [{url: 'http://x', headers: {X-Prometheus-Remote-Write-Version: b}}]",
  "remote_write: [{url: 'http://x', queue_config: {max_shards: x}}]",
  "remote_write: [{url: 'http://x', write_relabel_configs: [{}]}]",
  "remote_read: [{url: 'http://x', required_matchers: {a: b}}]",
  "remote_read: [{url: 'http://x'}, {url: 'http://x'}]",
  "remote_read: [{}]",
  "storage: {tsdb: {out_of_order_time_window: 5m}}",
  "storage: {exemplars: {max_exemplars: -1}}",
  "storage: {tsdb: }",
  "tracing: {endpoint: x}",
  "tracing: {}",
  "tracing: {endpoint: x, sampling_fraction: a}",
  "tracing: {endpoint: x, headers: {Authorization: a}}",
  "tracing: {endpoint: x, client_type: HTTP}",
  "rule_files: [a/*.yml]",
  "rule_files: ['a*/b']",
  "rule_files: a",
  "bogus: 1",
  "global: {bogus: }",
  "a: b: c",
  "- a",
  "5",
  "global: {scrape_interval: 5s}\nglobal: {}",
  "scrape_configs: [{job_name: a}, {job_name: a}]",
  "scrape_configs: [{job_name: ''}]",
  "scrape_configs: [{job_name: 5}]",
  "scrape_configs: [{}]",
  job("scrape_timeout: 2m"),
  job("scrape_interval: 5s"),
  job("scrape_interval: 5s, scrape_timeout: 6s"),
  "x-anchor: &a {}",
  "%YAML 1.1\n---\nglobal: {}",
  "global: &g {scrape_interval: 5s}\n",
  "\tglobal: {}",
  "global: {}\n...\nfoo",
  'global: {external_labels: {a: "\\x41"}}',
  "global: {external_labels: {a: !!str 5}}",
  "global: {scrape_interval: !!str 5s}",
  job("sample_limit: !!int '5'"),
  "? global\n: {}",
  "global: {external_labels: {on: x}}",
  "{}",
  "null",
  "~",
  "---",
  "# only a comment",
];

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
const folder = mkdtempSync(join(tmpdir(), "narthex-promtool-"));
const run = promisify(execFile);

afterAll(() => rmSync(folder, { recursive: true }));

/** Two at a time: each is a process of its own. */
async function verdicts(): Promise<Map<string, boolean>> {
  const found = new Map<string, boolean>();
  const queue = cases.entries();
  const work = async () => {
    for (const [i, text] of queue) {
      const file = join(folder, `${i}.yml`);
      writeFileSync(file, text);
      const accepted = run("promtool", ["check", "config", "--syntax-only", file]);
      found.set(text, await accepted.then(() => true).catch(() => false));
    }
  };
  await Promise.all([work(), work()]);
  return found;
}

function isAccepted(text: string): boolean {
  try {
    loadConfig(text, { fileName: "p.yml", environment: {} });
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

describe.skipIf(!hasPromtool)("a configuration", () => {
  test("is accepted exactly where promtool accepts it", { timeout: 120_000 }, async () => {
    const theirs = await verdicts();
    const differing = cases.filter((text) => isAccepted(text) !== theirs.get(text));
    expect(differing).toEqual([]);
    expect([...theirs.values()].filter(Boolean).length).toBeGreaterThan(50);
  });
});
