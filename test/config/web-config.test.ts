import { describe, expect, test } from "vitest";
import { loadWebConfig } from "../../src/config/web-config.ts";

const HASH = "$2y$10$" + "a".repeat(53);

describe("a web configuration", () => {
  test("that is empty serves everybody over plain HTTP", () => {
    expect(loadWebConfig("", "w.yml")).toEqual({
      tls: null,
      http2: true,
      headers: {},
      users: {},
      rateLimit: null,
    });
  });

  test("gives TLS with defaults, files from its own folder", () => {
    const { tls, users, rateLimit, headers, http2 } = loadWebConfig(
      `
tls_server_config:
  cert_file: c.pem
  key_file: /k.pem
  client_auth_type: RequireClientCert
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  curve_preferences: [CurveP256]
http_server_config: {http2: false, headers: {X-Frame-Options: deny}}
basic_auth_users: {alice: ${HASH}}
rate_limit: {burst: 5, interval: 1.5s}
`,
      "/etc/w.yml",
    );
    expect(tls).toMatchObject({
      certFile: "/etc/c.pem",
      keyFile: "/k.pem",
      clientAuthType: "RequireAnyClientCert",
      minVersion: "TLS12",
      maxVersion: "TLS13",
      cipherSuites: ["ECDHE-RSA-AES128-GCM-SHA256"],
      curves: ["prime256v1"],
      preferServerCipherSuites: true,
    });
    expect([users, rateLimit, headers, http2]).toEqual([
      { alice: HASH },
      { burst: 5, intervalMs: 1_500 },
      { "X-Frame-Options": "deny" },
      false,
    ]);
  });

  test.each([
    ["tls_server_config: {key_file: k}", "missing one of cert or cert_file"],
    ["tls_server_config: {cert_file: k}", "missing one of key or key_file"],
    ["tls_server_config: {cert_file: c, key_file: k, client_auth_type: x}", "invalid ClientAuth: x"],
    [
      "tls_server_config: {cert_file: c, key_file: k, client_ca_file: x}",
      "client CA's have been configured without a Client Auth Policy",
    ],
    ["tls_server_config: {cert_file: c, key_file: k, min_version: x}", "unknown TLS version: x"],
    ["tls_server_config: {cert_file: c, key_file: k, cipher_suites: [x]}", "unknown cipher: x"],
    ["http_server_config: {headers: {Server: x}}", 'HTTP header "Server" can not be configured'],
    [
      "http_server_config: {headers: {X-Frame-Options: x}}",
      'invalid value for X-Frame-Options. Expected one of: ["deny" "sameorigin"], but got: "x"',
    ],
    ["basic_auth_users: {a: b}", "hashedSecret too short to be a bcrypted password"],
    ["rate_limit: {interval: 5}", 'time: invalid duration "5"'],
    ["bogus: 1", "field bogus not found in type web.Config"],
  ])("%s is refused: %s", (text, message) => {
    expect(() => loadWebConfig(text, "w.yml")).toThrow(message);
  });
});
