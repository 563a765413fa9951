/** The command-line tool's entry: subcommands by Prometheus's names. */
import { testScripts } from "./promql/script/test-scripts.ts";

const USAGE = `usage: promtool test promql FILE…
  Runs PromQL test scripts: what each load puts in, each eval must find.
`;

process.exitCode = run(process.argv.slice(2));

/** @returns the exit status: 0 if all is well, 1 if a test failed, 2 for a command line that makes no sense */
function run(args: readonly string[]): number {
  const [command, subcommand, ...files] = args;
  if (command === "test" && subcommand === "promql" && files.length > 0) {
    const { passed, failed } = testScripts(files, (text) => process.stdout.write(`${text}\n`));
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
    return failed === 0 ? 0 : 1;
  }
  const asksForHelp = args.includes("--help") || args.includes("-h");
  (asksForHelp ? process.stdout : process.stderr).write(USAGE);
  return asksForHelp ? 0 : 2;
}
