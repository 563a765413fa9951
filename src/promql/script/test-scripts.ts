import { readFileSync } from "node:fs";
import { parseScript, type ScriptError } from "./parse-script.ts";
import { runScript } from "./run-script.ts";
import { createScriptEngine } from "./script-engine.ts";

export interface ScriptCounts {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Runs the test scripts in these files, printing each case that fails. A command that can't be read or carried out
 * counts as one, and so does a file that can't be read; the others are run all the same.
 */
export function testScripts(paths: readonly string[], print: (text: string) => void): ScriptCounts {
  let passed = 0;
  let failed = 0;
  const fail = (place: string, problem: string) => {
    failed++;
    print(`${place}\n${problem.replace(/^/gm, "    ")}\n`);
  };
  for (const path of paths) {
    const onError = ({ message }: ScriptError) => fail(path, `cannot run command: ${message}`);
    try {
      const commands = parseScript(readFileSync(path, "utf8"), onError);
      for (const { line, query, failure } of runScript(commands, createScriptEngine, onError)) {
        if (failure === null) passed++;
        else fail(`${path}:${line}: ${query}`, failure);
      }
    } catch (error) {
      fail(path, `cannot run script: ${(error as Error).message}`);
    }
  }
  return { passed, failed };
}
