/** What the command does: reads the flags, runs the server, listens to signals. */
import { FlagError, flagsAsMarkdown, helpText, parseFlags } from "../config/flags.ts";
import { ConfigError } from "../config/config-error.ts";
import { createLogger } from "../telemetry/logger.ts";
import { Server } from "./server.ts";
import { version } from "./version.ts";

/** What Prometheus exits with when the configuration is wrong, and when anything else is. */
const EXIT_BAD_CONFIG = 2;
const EXIT_FAILURE = 1;

const commandLine = readCommandLine();
const { values } = commandLine;
const log = createLogger({ level: values["log.level"], format: values["log.format"] });
for (const warning of commandLine.warnings) log.warn(warning);

const server = new Server(commandLine, log);
process.on("SIGHUP", () => void server.reload().catch(() => undefined));
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    log.info({ signal }, "received a signal, stopping");
    void server.stop().then(() => process.exit(0));
  });
}
process.on("unhandledRejection", (err) => {
  log.error({ err }, "a task failed and nobody was waiting for it");
});

try {
  await server.start();
} catch (err) {
  if (err instanceof ConfigError) {
    log.error({ err }, `Error loading config (--config.file=${values["config.file"]})`);
  } else log.error({ err }, "cannot start");
  await server.stop();
  process.exit(err instanceof ConfigError ? EXIT_BAD_CONFIG : EXIT_FAILURE);
}

function readCommandLine() {
  try {
    const parsed = parseFlags(process.argv.slice(2));
    switch (parsed.action) {
      case "help":
        process.stdout.write(helpText());
        process.exit(0);
        break;
      case "version":
        process.stdout.write(
          `narthex, version ${version.narthex} (compatible with Prometheus ${version.prometheus})\n`,
        );
        process.exit(0);
        break;
      case "write-documentation":
        process.stdout.write(flagsAsMarkdown());
        process.exit(0);
        break;
      case "run":
        return parsed;
    }
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`narthex: error: ${error.message}\n`);
    process.exit(error.exitCode);
  }
}
