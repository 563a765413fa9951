import { describe, expect, test } from "vitest";
import { configToYaml, loadConfig } from "../../src/config/load.ts";
import { fromPlain, toPlain } from "../../src/config/plain-config.ts";
import { Secret } from "../../src/config/secret.ts";
import { discoveryIdentity } from "../../src/config/discovery-mechanisms.ts";
import { httpClientOptions } from "../../src/config/http-client-options.ts";

const text = `
global: { external_labels: { zone: eu }, query_log_file: queries.log }
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: secrets
    basic_auth: { username: u, password: open sesame }
    http_headers: { X-Key: { values: [plain], secrets: [hidden, ""] } }
    proxy_url: http://proxy:3128
    proxy_connect_header: { Proxy-Key: [connected] }
    relabel_configs:
      - { source_labels: [a, b], regex: "(.*)-x", target_label: c, replacement: "$1" }
    consul_sd_configs: [{ server: "consul:8500", token: consul token }]
    static_configs: [{ targets: ["a:1", "b:2"], labels: { rack: "7" } }]
  - job_name: tokens
    oauth2: { client_id: me, client_secret: oauth secret, token_url: "http://t/", scopes: [a] }
    tls_config: { cert: c, key: tls key, insecure_skip_verify: true }
remote_write: [{ url: "http://w/", queue_config: { capacity: 5 } }]
`;

describe("a configuration on its way to another thread", () => {
  const config = loadConfig(text, { fileName: "folder/p.yml", environment: {} });
  const cloned = structuredClone(toPlain(config));
  const arrived = fromPlain(cloned) as typeof config;

  test("arrives whole, defaults included", () => {
    expect(arrived).toEqual(config);
    expect(configToYaml(arrived)).toBe(configToYaml(config));
  });

  test("has its secrets, which are as hidden there as they were", () => {
    const [secrets, tokens] = arrived.scrapeConfigs;
    expect(httpClientOptions(secrets!, "agent")).toEqual(
      httpClientOptions(config.scrapeConfigs[0]!, "agent"),
    );
    expect(httpClientOptions(tokens!, "agent")).toMatchObject({
      oauth2: { clientSecret: "oauth secret" },
      tls: { key: "tls key" },
    });
    expect(secrets!.basicAuth!.password).toBeInstanceOf(Secret);
    expect(JSON.stringify(arrived)).not.toContain("sesame");
  });

  test("asks for the same discovery as before", () => {
    const identityIn = ({ scrapeConfigs }: typeof config) =>
      discoveryIdentity("consul", scrapeConfigs[0]!.consulConfigs[0]!);
    expect(identityIn(arrived)).toBe(identityIn(config));
    expect(identityIn(arrived)).toContain("consul token");
  });
});
