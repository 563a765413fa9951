import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parseScript } from "../../src/promql/script/parse-script.ts";
import { runScript } from "../../src/promql/script/run-script.ts";
import { testEngine } from "../support/test-engine.ts";

const folder = fileURLToPath(new URL("scripts/default/", import.meta.url));
const { engineOver } = testEngine();

describe("with the server's defaults, the script", () => {
  test.each(readdirSync(folder))("%s comes out as written", (name) => {
    const outcomes = runScript(parseScript(readFileSync(folder + name, "utf8")), engineOver);
    expect(outcomes.length).toBeGreaterThan(0);
    const failed = outcomes.filter(({ failure }) => failure !== null);
    expect(failed.map(({ line, query, failure }) => `line ${line}: ${query}: ${failure}`)).toEqual([]);
  });
});
