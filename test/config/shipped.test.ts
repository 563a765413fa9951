import { describe, expect, test } from "vitest";
import { loadConfigFile } from "../../src/config/load.ts";

describe("the configuration that is shipped", () => {
  test("watches this server and the node exporter", () => {
    const { scrapeConfigs } = loadConfigFile({ fileName: "prometheus.yml" });
    expect(scrapeConfigs.map(({ jobName, staticConfigs }) => [jobName, staticConfigs[0]!.targets])).toEqual([
      ["prometheus", ["localhost:9090"]],
      ["node", ["localhost:9100"]],
    ]);
  });

  test("that isn't there is told as such", () => {
    expect(() => loadConfigFile({ fileName: "missing.yml" })).toThrow(
      "open missing.yml: no such file or directory",
    );
  });
});
