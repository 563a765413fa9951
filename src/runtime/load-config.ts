import { Worker } from "node:worker_threads";
import { ConfigError } from "../config/config-error.ts";
import type { Config } from "../config/effective-config.ts";
import { fromPlain } from "../config/plain-config.ts";
import type { ConfigRequest, FromConfigThread } from "./config-messages.ts";

/** A configuration, and what it reads like. */
export interface LoadedConfig {
  readonly config: Config;
  /** As it is in effect, as YAML: defaults filled in, secrets hidden. */
  readonly text: string;
  /** The same of every job, by its name. */
  readonly jobTexts: ReadonlyMap<string, string>;
}

/**
 * Reads the configuration on a thread of its own. It is read once in a long time, and the parser and the schemas would
 * stay in the main thread's heap for good, some 7 MiB; so they come, and go with their thread.
 *
 * @throws ConfigError with everything that is wrong
 */
export function loadConfig(
  request: ConfigRequest,
  onWarning: (message: string, fields: Readonly<Record<string, string>>) => void,
): Promise<LoadedConfig> {
  const worker = new Worker(new URL("./config-thread.js", import.meta.url), {
    workerData: request,
    name: "config",
  });
  return new Promise((resolve, reject) => {
    let answer: FromConfigThread | null = null;
    worker.once("message", (message: FromConfigThread) => (answer = message));
    worker.once("error", reject);
    // When it has ended its memory is there for the threads that come next.
    worker.once("exit", () => {
      if (answer === null) {
        reject(new Error(`cannot read ${request.fileName}: the thread that was to read it has ended`));
        return;
      }
      for (const { message, fields } of answer.warnings) onWarning(message, fields);
      if (answer.type === "faulty") reject(new ConfigError(answer.problems));
      else {
        const { text, jobTexts } = answer;
        resolve({ config: fromPlain(answer.plainConfig) as Config, text, jobTexts });
      }
    });
  });
}
