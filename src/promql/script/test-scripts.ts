import { readFileSync } from "node:fs";
import { parseScript } from "./parse-script.ts";
import { runScript } from "./run-script.ts";
import { createScriptEngine } from "./script-engine.ts";

export interface ScriptCounts {
  readonly passed: number;
  readonly failed: number;
}

/** Runs the test scripts in these files, printing each case that fails; a file that can't be run counts as one. */
export function testScripts(paths: readonly string[], print: (text: string) => void): ScriptCounts {
  let passed = 0;
  let failed = 0;
  const fail = (place: string, problem: string) => {
    failed++;
    print(`${place}\n${problem.replace(/^/gm, "    ")}\n`);
  };
  for (const path of paths) {
    try {
      for (const { line, query, failure } of runScript(
        parseScript(readFileSync(path, "utf8")),
        createScriptEngine,
      )) {
        if (failure === null) passed++;
        else fail(`${path}:${line}: ${query}`, failure);
      }
    } catch (error) {
      fail(path, `cannot run script: ${(error as Error).message}`);
    }
  }
  return { passed, failed };
}
