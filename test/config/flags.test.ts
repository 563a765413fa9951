import { describe, expect, test } from "vitest";
import { FlagError, flagsAsMarkdown, flagsAsText, helpText, parseFlags } from "../../src/config/flags.ts";

function failure(...args: string[]): { exitCode: number; message: string } {
  try {
    parseFlags(args);
  } catch (error) {
    if (error instanceof FlagError)
      return { exitCode: error.exitCode, message: error.message.split("\n")[0]! };
    throw error;
  }
  throw new Error("expected a failure");
}

describe("flags", () => {
  test("have Prometheus's defaults", () => {
    const { values, given, warnings, action } = parseFlags([]);
    expect(values).toMatchObject({
      "config.file": "prometheus.yml",
      "web.listen-address": ["0.0.0.0:9090"],
      "storage.tsdb.path": "data/",
      "storage.tsdb.wal-segment-size": 134_217_728,
      "query.lookback-delta": 300_000,
      "query.max-samples": 50_000_000,
      "auto-gomemlimit.ratio": 0.9,
    });
    expect([given, warnings, action]).toEqual([[], [], "run"]);
  });

  test("take values after = or as the next argument", () => {
    const { values, given } = parseFlags([
      "--config.file=a.yml",
      "--storage.tsdb.path",
      "/d",
      "--query.timeout=1m30s",
      "--storage.tsdb.retention.size=1.5GB",
      "--auto-gomemlimit.ratio=0.5",
      "--query.max-samples=5e7",
      "--query.max-memory=64MB",
    ]);
    expect(values["query.max-memory"]).toBe(67_108_864);
    expect(values["config.file"]).toBe("a.yml");
    expect(values["storage.tsdb.path"]).toBe("/d");
    expect(values["query.timeout"]).toBe(90_000);
    expect(values["storage.tsdb.retention.size"]).toBe(1_610_612_736);
    expect(values["auto-gomemlimit.ratio"]).toBe(0.5);
    expect(given).toContain("query.max-samples");
  });

  test("--config is --config.file", () => {
    expect(parseFlags(["--config", "x.yml"]).values["config.file"]).toBe("x.yml");
    expect(parseFlags(["--config=x.yml"]).values["config.file"]).toBe("x.yml");
  });

  test("truth values are given, negated, or spelt out", () => {
    const adminOf = (...args: string[]) => parseFlags(args).values["web.enable-admin-api"];
    expect([adminOf("--web.enable-admin-api"), adminOf("--web.enable-admin-api=false")]).toEqual([
      true,
      false,
    ]);
    expect(parseFlags(["--no-storage.tsdb.wal-compression"]).values["storage.tsdb.wal-compression"]).toBe(
      false,
    );
    expect(parseFlags(["--storage.tsdb.no-lockfile"]).values["storage.tsdb.no-lockfile"]).toBe(true);
    expect(parseFlags(["--no-storage.tsdb.no-lockfile"]).values["storage.tsdb.no-lockfile"]).toBe(false);
  });

  test("repeatable ones add up, and replace the default", () => {
    expect(
      parseFlags(["--web.listen-address=:1", "--web.listen-address=:2"]).values["web.listen-address"],
    ).toEqual([":1", ":2"]);
    const { features, warnings } = parseFlags([
      "--enable-feature=exemplar-storage,promql-per-step-stats",
      "--enable-feature=bogus",
      "--enable-feature=native-histograms",
    ]);
    expect(features).toEqual(["exemplar-storage", "promql-per-step-stats", "bogus", "native-histograms"]);
    expect(warnings).toEqual([
      "unknown option for --enable-feature: bogus",
      "feature native-histograms is always on: naming it has no effect",
    ]);
  });

  test.each([
    [["--bogus"], 2, "unknown long flag '--bogus'"],
    [["--no-config.file"], 2, "unknown long flag '--no-config.file'"],
    [["-config.file=x"], 2, "unknown short flag '-c'"],
    [["x"], 2, "unexpected x"],
    [["--config.file"], 2, "expected argument for flag '--config.file'"],
    [["--config.file=a", "--config.file=b"], 2, "flag 'config.file' cannot be repeated"],
    [["--query.timeout=5"], 2, 'not a valid duration string: "5"'],
    [["--storage.tsdb.retention.size=5"], 2, "units: missing unit in 5"],
    [["--query.max-samples=x"], 2, 'strconv.ParseFloat: parsing "x": invalid syntax'],
    [["--log.level=loud"], 2, "enum value must be one of debug,info,warn,error, got 'loud'"],
  ] as const)("%j ends with %d: %s", (args, exitCode, message) => {
    expect(failure(...args)).toEqual({
      exitCode,
      message: `Error parsing command line arguments: ${message}`,
    });
  });

  test.each([
    [
      ["--agent", "--storage.tsdb.path=x", "--query.timeout=1m"],
      3,
      'The following flag(s) can not be used in agent mode: ["--storage.tsdb.path" "--query.timeout"]',
    ],
    [
      ["--storage.agent.path=x"],
      3,
      'The following flag(s) can only be used in agent mode: ["--storage.agent.path"]',
    ],
    [["--web.search.max-limit=-1"], 1, "flag 'web.search.max-limit' must be >= 0"],
    [
      ["--storage.tsdb.wal-segment-size=1MB"],
      2,
      "flag 'storage.tsdb.wal-segment-size' must be set between 10MB and 256MB",
    ],
    [
      ["--enable-feature=otlp-deltatocumulative,otlp-native-delta-ingestion"],
      1,
      "cannot enable otlp-deltatocumulative and otlp-native-delta-ingestion features at the same time",
    ],
  ] as const)("%j ends with %d: %s", (args, exitCode, message) => {
    expect(failure(...args)).toEqual({ exitCode, message });
  });

  test("without effect are told once", () => {
    expect(parseFlags(["--auto-gomaxprocs", "--no-auto-gomemlimit"]).warnings).toEqual([
      "flag --auto-gomaxprocs has no effect: there is no Go runtime to set up",
      "flag --auto-gomemlimit has no effect: there is no Go runtime to set up",
    ]);
  });

  test.each([
    [["--help"], "help"],
    [["-h", "--bogus"], "help"],
    [["--version"], "version"],
    [["--write-documentation"], "write-documentation"],
  ] as const)("%j asks for %s", (args, action) => {
    expect(parseFlags(args).action).toBe(action);
  });

  test("show their values as text, hidden ones too", () => {
    const shown = flagsAsText(parseFlags(["--web.listen-address=:1", "--web.listen-address=:2"]).values);
    expect(shown).toMatchObject({
      "web.listen-address": ":1,:2",
      "query.timeout": "2m",
      "storage.tsdb.retention.size": "0B",
      "storage.tsdb.wal-segment-size": "128MiB",
      "scrape.timestamp-tolerance": "2ms",
      agent: "false",
    });
    expect(Object.keys(shown)).not.toContain("help");
  });

  test("are explained in the help, but for the hidden ones, in lines that fit", () => {
    const help = helpText();
    expect(help).toContain("--query.timeout=2m");
    expect(help).toContain("--[no-]web.enable-lifecycle");
    expect(help).not.toContain("wal-segment-size");
    const long = help.split("\n").filter((line) => line.length > 80 && !line.trimStart().startsWith("--"));
    expect(long).toEqual([]);
    expect(flagsAsMarkdown()).toContain("--query.timeout");
  });
});
