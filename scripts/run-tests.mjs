// Runs vitest and closes with the one line CI reads: `tests: N passed, N failed`. In CI the fuzz run, a minute for each
// group of parsers, takes what the tests leave of the processors, and counts as one test more.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const report = join(tmpdir(), `narthex-tests-${process.pid}.json`);
const fuzz = process.env["CI"] === "true" && process.argv.length === 2 ? startFuzz() : null;
const status = await run(process.execPath, [
  "node_modules/vitest/vitest.mjs",
  "run",
  ...["--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
  ...process.argv.slice(2),
]);
let passed = 0;
let failed = 0;
let skipped = 0;
if (existsSync(report)) {
  const results = JSON.parse(readFileSync(report, "utf8"));
  passed = results.numPassedTests;
  failed = results.numFailedTests;
  skipped = results.numPendingTests + results.numTodoTests;
  // A file that could not even be loaded holds no test, and is a failure all the same.
  failed += results.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  ).length;
  rmSync(report);
}
if (status !== 0 && failed === 0) failed = 1;
if (fuzz) {
  const isFine = await fuzz;
  if (isFine) passed++;
  else failed++;
}
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`tests: ${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);

/** @returns the exit code */
async function run(program, parameters) {
  const [code] = await once(spawn(program, parameters, { stdio: "inherit" }), "exit");
  return code ?? 1;
}

/** Its processes run at the lowest priority; what it has to say comes after the tests. @returns whether all is well */
async function startFuzz() {
  const child = spawn(
    process.execPath,
    // Always the same inputs: what CI says of a change must not hang on luck. To find new ones is what `npm run fuzz` is for.
    ["--enable-source-maps", "dist/fuzz/fuzz.js", ...["--seconds", "60", "--jobs", "4", "--seed", "narthex"]],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (output += part));
  const [code] = await once(child, "close");
  console.log(output);
  return code === 0;
}
