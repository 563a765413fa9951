import { dirname, isAbsolute, join } from "node:path";
import type { z } from "zod";
import { quote } from "../model/quote.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import {
  effectiveGlobal,
  effectiveScrapeConfig,
  type Config,
  type DefaultOverrides,
  type EffectiveGlobalConfig,
  type EffectiveScrapeConfig,
} from "./effective-config.ts";
import { expandEnvironment } from "./expand-environment.ts";
import { glob } from "./glob.ts";
import { printYaml } from "./go-yaml.ts";
import type { ConfigType, Report } from "./schema/config-type.ts";
import { prometheusConfig, type PrometheusConfig } from "./schema/prometheus.ts";
import { remoteWriteConfig, type RemoteWriteConfig } from "./schema/remote.ts";
import { readTextFile } from "./read-text-file.ts";
import { scrapeConfigFile, type ScrapeConfig } from "./schema/scrape.ts";
import { YamlSource } from "./yaml-source.ts";

export interface LoadOptions extends DefaultOverrides {
  /** Where the text came from: stands in messages, and its folder is where relative paths start. */
  readonly fileName: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** In agent mode alerting, rules and remote read are refused. */
  readonly agentMode?: boolean;
  readonly onWarning?: (message: string, fields: Readonly<Record<string, string>>) => void;
  /** How the files of `scrape_config_files` are found and read. */
  readonly expandGlob?: (pattern: string) => readonly string[];
  readonly readFile?: (path: string) => string;
}

/**
 * Reads prometheus.yml, and the job files it names, into the configuration as it takes effect.
 *
 * @throws ConfigError with everything that is wrong, each with file, line, column and field
 */
export function loadConfig(text: string, options: LoadOptions): Config {
  const problems: ConfigProblem[] = [];
  const source = new YamlSource(text, options.fileName);
  const written = readAs(prometheusConfig, source, problems);
  if (written === null) throw new ConfigError(problems);

  const report: Report = (message, path = []) => problems.push(source.problem(path, message));
  const global = effectiveGlobal(written.global, options, report);
  const scrapeConfigs = written.scrapeConfigs.map((job, i) =>
    effectiveScrapeConfig(job, global, options, (message, path = []) =>
      report(message, ["scrape_configs", i, ...path]),
    ),
  );
  checkAcrossSections(written, global, options.agentMode ?? false, report);

  const joined = joinPaths({ ...written, scrapeConfigs }, options.fileName);
  const { queryLogFile, scrapeFailureLogFile } = joined.global;
  const joinedGlobal = { ...global, queryLogFile, scrapeFailureLogFile };
  const included = loadJobFiles(joined, joinedGlobal, options, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    ...joined,
    global: { ...joinedGlobal, externalLabels: expandLabels(global, options) },
    scrapeConfigs: joined.scrapeConfigs as readonly EffectiveScrapeConfig[],
    includedScrapeConfigs: included,
  };
}

/** As `loadConfig`, reading the file too. @throws ConfigError; an unreadable file is one as well */
export function loadConfigFile(options: LoadOptions): Config {
  const read = options.readFile ?? readTextFile;
  let text: string;
  try {
    text = read(options.fileName);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([{ file: options.fileName, line: 0, column: 0, path: "", message }], { cause });
  }
  return loadConfig(text, options);
}

/** The configuration as it is in effect, as YAML: defaults filled in, secrets hidden. */
export function configToYaml(config: Config): string {
  return printYaml(prometheusConfig.print(config));
}

/** One job as it is in effect, as YAML. */
export function scrapeConfigToYaml(job: EffectiveScrapeConfig): string {
  const [printed] = (scrapeConfigFile.print({ scrapeConfigs: [job] }) as Map<string, [never]>).get(
    "scrape_configs",
  )!;
  return printYaml(printed);
}

/** Reads the source as a type; what is wrong goes to `problems`, and then the result is null. */
export function readAs<T>(type: ConfigType<T>, source: YamlSource, problems: ConfigProblem[]): T | null {
  const result = type.schema.safeParse(source.root);
  if (result.success) return result.data;
  for (const issue of result.error.issues) problems.push(...problemsOf(issue, source));
  return null;
}

function problemsOf(issue: z.core.$ZodIssue, source: YamlSource): ConfigProblem[] {
  if (issue.code !== "unrecognized_keys") return [source.problem(issue.path, issue.message)];
  const type = issue.message.slice(issue.message.lastIndexOf(" ") + 1);
  return issue.keys.map((key) =>
    source.problem([...issue.path, key], `field ${key} not found in type ${type}`, true),
  );
}

function checkAcrossSections(
  config: PrometheusConfig,
  global: EffectiveGlobalConfig,
  agentMode: boolean,
  report: Report,
): void {
  const jobNames = new Set<string>();
  for (const [i, { jobName }] of config.scrapeConfigs.entries()) {
    if (jobNames.has(jobName)) {
      report(`found multiple scrape configs with job name ${quote(jobName)}`, [
        "scrape_configs",
        i,
        "job_name",
      ]);
    }
    jobNames.add(jobName);
  }
  checkNames("remote_write", "remote write", config.remoteWrite, report);
  checkDuplicateSenders(config.remoteWrite, report);
  checkNames("remote_read", "remote read", config.remoteRead, report);
  const strategy = config.otlp.translationStrategy;
  const needsUtf8 = strategy === "NoUTF8EscapingWithSuffixes" || strategy === "NoTranslation";
  if (global.metricNameValidationScheme === "legacy" && needsUtf8) {
    report(`OTLP translation strategy ${quote(strategy)} is not allowed when UTF8 is disabled`, [
      "otlp",
      "translation_strategy",
    ]);
  }
  if (agentMode) {
    const { alertmanagers, alertRelabelConfigs } = config.alerting;
    const refused = {
      alerting: alertmanagers.length + alertRelabelConfigs.length,
      rule_files: config.ruleFiles.length,
      remote_read: config.remoteRead.length,
    };
    for (const [key, count] of Object.entries(refused)) {
      if (count > 0) report(`field ${key} is not allowed in agent mode`, [key]);
    }
  }
}

function checkNames(
  key: string,
  what: string,
  remotes: readonly { readonly name: string }[],
  report: Report,
): void {
  const seen = new Set<string>();
  for (const [i, { name }] of remotes.entries()) {
    if (name !== "" && seen.has(name)) {
      report(`found multiple ${what} configs with job name ${quote(name)}`, [key, i, "name"]);
    }
    seen.add(name);
  }
}

/** Two nameless senders that are equal would send everything twice to the same place. */
function checkDuplicateSenders(remotes: readonly RemoteWriteConfig[], report: Report): void {
  const seen = new Set<string>();
  for (const [i, remote] of remotes.entries()) {
    if (remote.name !== "") continue;
    const printed = printYaml(remoteWriteConfig.print(remote));
    if (seen.has(printed)) {
      report(`duplicate remote write configs are not allowed, found duplicate for URL: ${remote.url}`, [
        "remote_write",
        i,
      ]);
    }
    seen.add(printed);
  }
}

function expandLabels(global: EffectiveGlobalConfig, options: LoadOptions): Readonly<Record<string, string>> {
  const environment = options.environment ?? process.env;
  return Object.fromEntries(
    Object.entries(global.externalLabels).map(([name, value]) => {
      const expanded = expandEnvironment(value, environment, (variable) =>
        options.onWarning?.("Empty environment variable", { name: variable }),
      );
      if (expanded !== value) {
        options.onWarning?.("External label replaced", { label: name, input: value, output: expanded });
      }
      return [name, expanded];
    }),
  );
}

type Joinable = Omit<PrometheusConfig, "scrapeConfigs"> & { readonly scrapeConfigs: readonly unknown[] };

/** Every file name taken from the folder of the file that holds it. */
function joinPaths<T extends Joinable>(config: T, fileName: string): T {
  return prometheusConfig.mapPaths!(config as unknown as PrometheusConfig, (path) =>
    fromFolderOf(fileName, path),
  ) as unknown as T;
}

/** A relative path as seen from the folder of `fileName`. */
export function fromFolderOf(fileName: string, path: string): string {
  return path === "" || isAbsolute(path) ? path : join(dirname(fileName), path);
}

function loadJobFiles(
  config: Pick<PrometheusConfig, "scrapeConfigFiles"> & { readonly scrapeConfigs: readonly unknown[] },
  global: EffectiveGlobalConfig,
  options: LoadOptions,
  problems: ConfigProblem[],
): EffectiveScrapeConfig[] {
  const jobs: EffectiveScrapeConfig[] = [];
  const firstFile = new Map<string, string>();
  for (const { jobName } of config.scrapeConfigs as readonly ScrapeConfig[])
    firstFile.set(jobName, "main config file");
  const expand = options.expandGlob ?? glob;
  const read = options.readFile ?? readTextFile;
  for (const fileName of config.scrapeConfigFiles.flatMap((pattern) => expand(pattern))) {
    const source = openSource(fileName, read, problems);
    const file = source && readAs(scrapeConfigFile, source, problems);
    if (source === null || file === null) continue;
    const here = scrapeConfigFile.mapPaths!(file, (path) => fromFolderOf(fileName, path));
    for (const [i, job] of here.scrapeConfigs.entries()) {
      const report: Report = (message, path = []) =>
        problems.push(source.problem(["scrape_configs", i, ...path], message));
      const first = firstFile.get(job.jobName);
      if (first !== undefined) {
        const place = first === "main config file" ? first : quote(first);
        report(
          `${quote(fileName)}: found multiple scrape configs with job name ${quote(job.jobName)}, first found in ${place}`,
          ["job_name"],
        );
      } else firstFile.set(job.jobName, fileName);
      jobs.push(effectiveScrapeConfig(job, global, options, report));
    }
  }
  return jobs;
}

function openSource(
  fileName: string,
  read: (path: string) => string,
  problems: ConfigProblem[],
): YamlSource | null {
  try {
    return new YamlSource(read(fileName), fileName);
  } catch (error) {
    if (error instanceof ConfigError) problems.push(...error.problems);
    else {
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ file: fileName, line: 0, column: 0, path: "", message });
    }
    return null;
  }
}
