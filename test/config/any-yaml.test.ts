import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { ConfigError } from "../../src/config/config-error.ts";
import { configToYaml, loadConfig } from "../../src/config/load.ts";
import { loadRuleFile, RuleFileError } from "../../src/config/rule-file.ts";
import { loadWebConfig } from "../../src/config/web-config.ts";

const KEYS = [
  ...[
    "global",
    "scrape_configs",
    "job_name",
    "static_configs",
    "targets",
    "labels",
    "relabel_configs",
    "regex",
    "action",
  ],
  ...[
    "scrape_interval",
    "sample_limit",
    "body_size_limit",
    "alerting",
    "alertmanagers",
    "remote_write",
    "url",
    "oauth2",
  ],
  ...[
    "basic_auth",
    "username",
    "tls_config",
    "file_sd_configs",
    "files",
    "kubernetes_sd_configs",
    "role",
    "storage",
  ],
  ...[
    "tsdb",
    "retention",
    "external_labels",
    "params",
    "groups",
    "rules",
    "alert",
    "expr",
    "record",
    "for",
    "claims",
  ],
  ...[
    "tls_server_config",
    "basic_auth_users",
    "http_headers",
    "values",
    "__proto__",
    "constructor",
    "name",
    "x",
  ],
];

const scalar = fc.oneof(
  fc.constantFrom(
    "a",
    "5m",
    "512MB",
    "(",
    "$1",
    "keep",
    "pod",
    "http://x",
    "yes",
    "~",
    "",
    "é",
    "constructor",
    "toString",
  ),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    scalar,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom(...KEYS), tie("tree")), {
        maxLength: 5,
        selector: ([key]) => key,
      })
      .map((entries) => new Map(entries as [string, unknown][])),
  ),
}));

/** Mostly shaped like a configuration, so that the depths are reached. */
const shaped = fc.oneof(
  tree,
  fc.tuple(tree, tree).map(
    ([job, global]) =>
      new Map<string, unknown>([
        ["scrape_configs", [job]],
        ["global", global],
      ]),
  ),
  fc.tuple(fc.constantFrom(...KEYS), tree).map(
    ([key, value]) =>
      new Map([
        [
          "scrape_configs",
          [
            new Map<string, unknown>([
              ["job_name", "j"],
              [key, value],
            ]),
          ],
        ],
      ]),
  ),
);

/** Runs the loader; anything but the error it promises is a fault of ours. */
function outcome<T>(load: () => T, promised: new (...args: never[]) => Error): T | string {
  try {
    return load();
  } catch (error) {
    expect(error).toBeInstanceOf(promised);
    return (error as Error).message;
  }
}

describe("any YAML at all", () => {
  test("is loaded or refused with places that are in the file", () => {
    fc.assert(
      fc.property(shaped, (value) => {
        const text = stringify(value);
        const lineCount = text.split("\n").length;
        const found = outcome(() => loadConfig(text, { fileName: "p.yml", environment: {} }), ConfigError);
        if (typeof found !== "string") return;
        for (const line of found.split("\np.yml:")) {
          const place = /^(?:p\.yml:)?(\d+):(\d+): /.exec(line);
          expect(Number(place?.[1])).toBeGreaterThan(0);
          expect(Number(place?.[1])).toBeLessThanOrEqual(lineCount);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("so are rule files and web configurations", () => {
    fc.assert(
      fc.property(tree, (value) => {
        const text = stringify(value);
        outcome(() => loadRuleFile(text, { fileName: "r.yml" }), RuleFileError);
        outcome(() => loadWebConfig(text, "w.yml"), ConfigError);
      }),
      { numRuns: 1_000 },
    );
  });

  test("text that isn't YAML is refused, not choked on", () => {
    const noise = fc.string({ unit: fc.constantFrom(..."a:-[]{},&*!|>'\"#%@ \n\t?~<"), maxLength: 60 });
    fc.assert(
      fc.property(noise, (text) => {
        outcome(() => loadConfig(text, { fileName: "p.yml", environment: {} }), ConfigError);
      }),
      { numRuns: 2_000 },
    );
  });

  test("what was loaded prints as something that loads to the same", () => {
    fc.assert(
      fc.property(shaped, (value) => {
        const found = outcome(
          () => loadConfig(stringify(value), { fileName: "p.yml", environment: {} }),
          ConfigError,
        );
        if (typeof found === "string") return;
        const printed = configToYaml(found);
        const again = outcome(() => loadConfig(printed, { fileName: "p.yml", environment: {} }), ConfigError);
        expect(typeof again === "string" ? again : configToYaml(again)).toBe(printed);
      }),
      { numRuns: 1_000 },
    );
  });
});
