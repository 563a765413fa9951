import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parseScript } from "../../src/promql/script/parse-script.ts";
import { runScript } from "../../src/promql/script/run-script.ts";
import { createScriptEngine } from "../../src/promql/script/script-engine.ts";

/** Our own scripts, and beside the checkout those of the reference, where they have been put there. */
const OWN = fileURLToPath(new URL("scripts", import.meta.url));
const REFERENCE = fileURLToPath(new URL("../../../shared/promqltest", import.meta.url));

function scriptsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".test"))
    .sort()
    .map((name) => join(folder, name));
}

function failuresOf(path: string): string[] {
  return runScript(parseScript(readFileSync(path, "utf8")), createScriptEngine)
    .filter(({ failure }) => failure !== null)
    .map(({ line, query, failure }) => `line ${line}: ${query}\n${failure}`);
}

describe("the project's PromQL scripts", () => {
  test.each(scriptsIn(OWN).map((path) => [basename(path), path]))("%s holds", (_, path) => {
    expect(failuresOf(path)).toEqual([]);
  });
});

const hasReference = existsSync(REFERENCE);

describe.skipIf(!hasReference && process.env["CI"] !== "true")(
  "the reference's PromQL scripts (skipped where they don't lie beside the checkout)",
  () => {
    test("are there", () => {
      expect(hasReference, "no folder of reference scripts beside the checkout").toBe(true);
    });

    test.each(scriptsIn(REFERENCE).map((path) => [basename(path), path]))("%s holds", (_, path) => {
      expect(failuresOf(path)).toEqual([]);
    });
  },
);
