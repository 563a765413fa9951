import type { Config } from "../config/effective-config.ts";
import type { CommandLine, FlagName } from "../config/flags.ts";

/** Flags that are read and not acted on yet, and what a user would expect of them. */
const idleFlags: readonly (readonly [flag: FlagName, what: string])[] = [
  ["web.enable-remote-write-receiver", "remote write is not received"],
  ["web.enable-otlp-receiver", "OTLP metrics are not received"],
  ["web.user-assets", "no files are served under /user"],
];

/** The same of features. */
const idleFeatures: readonly (readonly [feature: string, what: string])[] = [
  [
    "fast-startup",
    "series_state.json is kept beside the log, and the log is replayed before anything is answered",
  ],
  ["st-synthesis", "start times are stored as targets tell them, and none are made up"],
];

/** What was asked for on the command line and has no effect yet, a sentence each. */
export function flagsWithoutEffect({ values, given, features }: CommandLine): string[] {
  const flags = idleFlags
    .filter(([flag]) => given.includes(flag) && values[flag] !== false && values[flag] !== "")
    .map(([flag, what]) => `--${flag}: ${what}`);
  const asked = idleFeatures.filter(([feature]) => features.includes(feature));
  return [...flags, ...asked.map(([feature, what]) => `feature ${feature}: ${what}`)];
}

const DEFAULT_GOGC = 75;

/** The same for sections of the configuration that belong to rooms still to be built. */
export function sectionsWithoutEffect(config: Config): string[] {
  const sentences: string[] = [];
  if (config.runtime.gogc !== DEFAULT_GOGC) sentences.push("runtime.gogc tunes a collector that is not here");
  if (config.remoteWrite.length > 0) sentences.push("remote_write sends no samples");
  if (config.remoteRead.length > 0) sentences.push("remote_read asks no other storage");
  return sentences;
}

/**
 * What the server must not be started with, for it would be less safe, or something else, than its user believes.
 * @throws Error naming the flag
 */
export function refuseDangerousFlags({ values }: CommandLine): void {
  if (values["web.config.file"] !== "") {
    throw new Error(
      "cannot use --web.config.file: TLS and users of this server are not supported yet, and it would be open",
    );
  }
  if (values.agent) throw new Error("cannot run with --agent: agent mode is not supported yet");
}
