import { parseArgs } from "node:util";
import {
  booleanFlag,
  choiceFlag,
  durationFlag,
  numberFlag,
  sizeFlag,
  textFlag,
  textsFlag,
  type Flag,
} from "./flag-types.ts";
import { quote } from "../model/quote.ts";

const SERVER = { mode: "server" } as const;
const AGENT = { mode: "agent" } as const;
const HIDDEN = { isHidden: true } as const;
const NO_GO = "there is no Go runtime to set up";
const NO_CONSOLES = "console templates are not served yet";

/** Every flag of the server by name, in the order of its help. */
export const FLAGS = {
  "config.file": textFlag("prometheus.yml", "The configuration file. Also --config."),
  "config.auto-reload": booleanFlag(false, "Load the configuration anew whenever its files change."),
  "config.auto-reload-interval": durationFlag(
    "30s",
    "How often to look for changes of the configuration; at least 1s.",
  ),
  "web.listen-address": textsFlag(
    ["0.0.0.0:9090"],
    "Address to serve the API, the UI and metrics on. May be given again.",
  ),
  "auto-gomaxprocs": booleanFlag(true, "Accepted for compatibility.", { idle: NO_GO }),
  "auto-gomemlimit": booleanFlag(true, "Accepted for compatibility.", { idle: NO_GO }),
  "auto-gomemlimit.ratio": numberFlag(0.9, "Accepted for compatibility.", { isWhole: false, idle: NO_GO }),
  "auto-gomemlimit.refresh-interval": durationFlag("0s", "Accepted for compatibility.", { idle: NO_GO }),
  "web.config.file": textFlag("", "File that sets up TLS, users and headers of the server."),
  "web.read-timeout": durationFlag(
    "5m",
    "How long to read a request before giving up, and when to close idle connections.",
  ),
  "web.max-connections": numberFlag(512, "How many connections to serve at the same time."),
  "web.max-notifications-subscribers": numberFlag(16, "How many clients may follow live notifications."),
  "web.external-url": textFlag(
    "",
    "The URL under which others reach this server. Its path becomes the prefix of all routes.",
  ),
  "web.route-prefix": textFlag(
    "",
    "Prefix of the routes as this server sees them. The path of the external URL by default.",
  ),
  "web.user-assets": textFlag("", "Folder served under /user."),
  "web.enable-lifecycle": booleanFlag(false, "Allow stopping and reloading over HTTP."),
  "web.enable-admin-api": booleanFlag(false, "Allow deleting series and taking snapshots over HTTP."),
  "web.enable-remote-write-receiver": booleanFlag(false, "Take samples sent by remote write."),
  "web.remote-write-receiver.accepted-protobuf-messages": textsFlag(
    ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"],
    "Messages that remote write may send. May be given again.",
  ),
  "web.enable-otlp-receiver": booleanFlag(false, "Take metrics sent by OTLP."),
  "web.console.templates": textFlag("consoles", "Folder of console templates.", { idle: NO_CONSOLES }),
  "web.console.libraries": textFlag("console_libraries", "Folder of libraries for console templates.", {
    idle: NO_CONSOLES,
  }),
  "web.page-title": textFlag(
    "Prometheus Time Series Collection and Processing Server",
    "Title of the web page.",
  ),
  "web.cors.origin": textFlag(
    ".*",
    "Pattern of origins that may call the API from a browser, anchored at both ends.",
  ),
  "web.search.max-limit": numberFlag(10_000, "The most a search may return; 0 sets no bound.", SERVER),
  "storage.tsdb.path": textFlag("data/", "Folder that holds the data.", SERVER),
  "storage.tsdb.min-block-duration": durationFlag("2h", "The least time a block covers.", {
    ...SERVER,
    ...HIDDEN,
  }),
  "storage.tsdb.max-block-duration": durationFlag(
    "0s",
    "The most time a compacted block may cover; a tenth of the retention by default.",
    { ...SERVER, ...HIDDEN },
  ),
  "storage.tsdb.max-block-chunk-segment-size": sizeFlag("512MB", "Size of one chunk file in a block.", {
    ...SERVER,
    ...HIDDEN,
  }),
  "storage.tsdb.wal-segment-size": sizeFlag("128MB", "Size of one segment of the write-ahead log.", {
    ...SERVER,
    ...HIDDEN,
  }),
  "storage.tsdb.retention.time": durationFlag(
    "0s",
    "How long to keep samples. Deprecated: storage.tsdb.retention in the configuration. 15d where nothing is set.",
    SERVER,
  ),
  "storage.tsdb.retention.size": sizeFlag(
    "0",
    "How many bytes of blocks to keep. Deprecated: storage.tsdb.retention in the configuration.",
    SERVER,
  ),
  "storage.tsdb.no-lockfile": booleanFlag(false, "Do not make a lock file in the data folder.", SERVER),
  "storage.tsdb.allow-overlapping-compaction": booleanFlag(true, "Merge blocks that overlap in time.", {
    ...SERVER,
    ...HIDDEN,
  }),
  "storage.tsdb.wal-compression": booleanFlag(true, "Compress the write-ahead log.", {
    ...SERVER,
    ...HIDDEN,
  }),
  "storage.tsdb.wal-compression-type": choiceFlag(
    ["snappy", "zstd"],
    "snappy",
    "How to compress the write-ahead log.",
    { ...SERVER, ...HIDDEN },
  ),
  "storage.tsdb.head-chunks-write-queue-size": numberFlag(0, "Accepted for compatibility.", {
    ...SERVER,
    idle: "head chunks are not written to files",
  }),
  "storage.tsdb.samples-per-chunk": numberFlag(120, "How many samples a chunk aims at.", {
    ...SERVER,
    ...HIDDEN,
  }),
  "storage.tsdb.delayed-compaction.max-percent": numberFlag(
    10,
    "How far compaction may be put off, in percent of a block.",
    { ...SERVER, ...HIDDEN },
  ),
  "storage.tsdb.delay-compact-file.path": textFlag(
    "",
    "A file whose time says up to where blocks were shipped; younger ones wait to be compacted.",
    SERVER,
  ),
  "storage.tsdb.block-reload-interval": durationFlag("1m", "How often to look for new blocks; at least 1s.", {
    ...SERVER,
    ...HIDDEN,
  }),
  "storage.agent.path": textFlag("data-agent/", "Folder that holds the data.", AGENT),
  "storage.agent.wal-segment-size": sizeFlag("128MB", "Size of one segment of the write-ahead log.", {
    ...AGENT,
    ...HIDDEN,
  }),
  "storage.agent.wal-compression": booleanFlag(true, "Compress the write-ahead log.", AGENT),
  "storage.agent.wal-compression-type": choiceFlag(
    ["snappy", "zstd"],
    "snappy",
    "How to compress the write-ahead log.",
    { ...AGENT, ...HIDDEN },
  ),
  "storage.agent.wal-truncate-frequency": durationFlag("2h", "How often to truncate the write-ahead log.", {
    ...AGENT,
    ...HIDDEN,
  }),
  "storage.agent.retention.min-time": durationFlag(
    "5m",
    "How old samples must be before they may be dropped.",
    AGENT,
  ),
  "storage.agent.retention.max-time": durationFlag(
    "4h",
    "How old samples may become before they are dropped, sent or not.",
    AGENT,
  ),
  "storage.agent.no-lockfile": booleanFlag(false, "Do not make a lock file in the data folder.", AGENT),
  "storage.agent.checkpoint-from-in-memory-series": booleanFlag(
    false,
    "Make checkpoints from the series in memory.",
    AGENT,
  ),
  "storage.agent.checkpoint-batch-size": numberFlag(
    1_000,
    "How many series to write to a checkpoint at a time.",
    AGENT,
  ),
  "storage.remote.flush-deadline": durationFlag("1m", "How long to go on sending at shutdown or reload."),
  "storage.remote.read-sample-limit": numberFlag(
    50_000_000,
    "The most samples one remote read query may return; 0 sets no bound. Streamed answers are not limited.",
    SERVER,
  ),
  "storage.remote.read-concurrent-limit": numberFlag(
    10,
    "How many remote reads to serve at the same time; 0 sets no bound.",
    SERVER,
  ),
  "storage.remote.read-max-bytes-in-frame": numberFlag(
    1_048_576,
    "The most bytes in one frame of a streamed remote read answer.",
    SERVER,
  ),
  "rules.alert.for-outage-tolerance": durationFlag(
    "1h",
    "The longest outage after which the state of pending alerts is restored.",
    SERVER,
  ),
  "rules.alert.for-grace-period": durationFlag(
    "10m",
    "The least time between a restored alert and its firing, for alerts that wait longer than this.",
    SERVER,
  ),
  "rules.alert.resend-delay": durationFlag("1m", "The least time before an alert is sent again.", SERVER),
  "rules.max-concurrent-evals": numberFlag(
    4,
    "How many rules may run at the same time besides the groups' own order.",
    SERVER,
  ),
  "scrape.adjust-timestamps": booleanFlag(
    true,
    "Move the times of scrapes to their schedule where they are nearly on it.",
    HIDDEN,
  ),
  "scrape.timestamp-tolerance": durationFlag("2ms", "How near counts as nearly.", HIDDEN),
  "scrape.discovery-reload-interval": durationFlag(
    "5s",
    "The least time between two updates of the targets.",
    HIDDEN,
  ),
  "alertmanager.notification-queue-capacity": numberFlag(
    10_000,
    "How many alerts may wait to be sent.",
    SERVER,
  ),
  "alertmanager.notification-batch-size": numberFlag(256, "How many alerts to send in one request.", SERVER),
  "alertmanager.drain-notification-queue-on-shutdown": booleanFlag(
    true,
    "Send waiting alerts before stopping.",
    SERVER,
  ),
  "query.lookback-delta": durationFlag(
    "5m",
    "How far back a query looks for the newest sample of a series.",
    SERVER,
  ),
  "query.timeout": durationFlag("2m", "How long a query may run.", SERVER),
  "query.max-concurrency": numberFlag(20, "How many queries may run at the same time.", SERVER),
  "query.max-samples": numberFlag(50_000_000, "How many samples one query may hold in memory.", SERVER),
  "query.max-memory": sizeFlag(
    "0",
    "The most working memory one query may take, up to 4GB. A quarter of the machine's by default.",
    SERVER,
  ),
  "enable-feature": textsFlag([], "Names of features to switch on, separated by commas. May be given again."),
  agent: booleanFlag(false, "Only scrape and send on: no queries, no rules, no storage beyond a log."),
  "log.level": choiceFlag(
    ["debug", "info", "warn", "error"],
    "info",
    "Only log messages of this weight or more.",
  ),
  "log.format": choiceFlag(["logfmt", "json"], "logfmt", "How log lines look."),
  "write-documentation": booleanFlag(false, "Print these flags as Markdown.", HIDDEN),
};

export type FlagName = keyof typeof FLAGS;
export type FlagValues = { readonly [N in FlagName]: (typeof FLAGS)[N] extends Flag<infer T> ? T : never };

/** What the command line asks for. */
export interface CommandLine {
  readonly action: "run" | "help" | "version" | "write-documentation";
  readonly values: FlagValues;
  /** The flags that were given, in the order of the table. */
  readonly given: readonly FlagName[];
  /** The features that were switched on, of all lists. */
  readonly features: readonly string[];
  /** What to tell once at start: flags without effect, unknown features. */
  readonly warnings: readonly string[];
}

/** A command line that can't be used; `exitCode` is what the process should end with. */
export class FlagError extends Error {
  override readonly name = "FlagError";

  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/**
 * Reads the arguments after the program's name.
 *
 * @throws FlagError whose message goes to standard error, usage and all
 */
export function parseFlags(args: readonly string[]): CommandLine {
  const values: Record<string, unknown> = {};
  for (const name of FLAG_NAMES) values[name] = FLAGS[name].fallback;
  const given = new Set<FlagName>();
  let action: CommandLine["action"] = "run";
  for (const token of tokenize(args)) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") throw usageError(`unexpected ${token.value}`);
    if (token.name === "help" || token.rawName === "-h") return { ...NOTHING, action: "help" };
    if (token.name === "version") {
      action = "version";
      continue;
    }
    if (!token.rawName.startsWith("--")) throw usageError(`unknown short flag '${token.rawName}'`);
    const name = flagName(token.name, token.rawName);
    const { isRepeatable, read } = FLAGS[name] as Flag<unknown>;
    if (given.has(name) && !isRepeatable) throw usageError(`flag '${name}' cannot be repeated`);
    const text = tokenText(token, FLAGS[name].isBoolean);
    let value: unknown;
    try {
      value = read(text);
    } catch (error) {
      throw usageError(error instanceof Error ? error.message : String(error));
    }
    values[name] =
      isRepeatable && given.has(name) ? [...(values[name] as string[]), ...(value as string[])] : value;
    given.add(name);
  }
  if (values["write-documentation"] === true) action = "write-documentation";
  const ordered = FLAG_NAMES.filter((name) => given.has(name));
  const flags = values as FlagValues;
  checkMode(flags.agent, ordered);
  checkBounds(flags);
  const features = flags["enable-feature"].flatMap((names) => names.split(",")).filter((name) => name !== "");
  checkFeatures(features);
  return { action, values: flags, given: ordered, features, warnings: warningsOf(ordered, features) };
}

const FLAG_NAMES = Object.keys(FLAGS) as readonly FlagName[];

/** Other names a flag goes by. */
const ALIASES: Readonly<Record<string, FlagName>> = { config: "config.file" };

const NOTHING: CommandLine = {
  action: "run",
  values: Object.fromEntries(FLAG_NAMES.map((name) => [name, FLAGS[name].fallback])) as unknown as FlagValues,
  given: [],
  features: [],
  warnings: [],
};

function tokenize(args: readonly string[]) {
  const options: Record<string, { type: "boolean" | "string"; short?: string }> = {
    help: { type: "boolean", short: "h" },
    version: { type: "boolean" },
  };
  for (const name of FLAG_NAMES) options[name] = { type: FLAGS[name].isBoolean ? "boolean" : "string" };
  for (const [alias, name] of Object.entries(ALIASES)) options[alias] = options[name]!;
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

type OptionToken = Extract<ReturnType<typeof tokenize>[number], { kind: "option" }>;

function flagName(name: string, rawName: string): FlagName {
  const plain = name.startsWith("no-") && FLAGS[name.slice(3) as FlagName]?.isBoolean ? name.slice(3) : name;
  const known = ALIASES[plain] ?? FLAG_NAMES.find((candidate) => candidate === plain);
  if (known === undefined) throw usageError(`unknown long flag '${rawName}'`);
  return known;
}

function tokenText(token: OptionToken, isBoolean: boolean): string {
  if (!isBoolean) {
    if (token.value === undefined) throw usageError(`expected argument for flag '${token.rawName}'`);
    return token.value;
  }
  const isInverted = token.rawName.startsWith("--no-") && !(token.name in FLAGS);
  if (token.value === undefined) return String(!isInverted);
  if (isInverted) throw usageError(`unexpected ${token.value}`);
  return token.value;
}

function usageError(message: string): FlagError {
  return new FlagError(`Error parsing command line arguments: ${message}\n${helpText()}`, 2);
}

function checkMode(isAgent: boolean, given: readonly FlagName[]): void {
  const foreign = given.filter((name) => FLAGS[name].mode === (isAgent ? "server" : "agent"));
  if (foreign.length === 0) return;
  const names = foreign.map((name) => quote(`--${name}`)).join(" ");
  const verb = isAgent ? "can not be used in agent mode" : "can only be used in agent mode";
  throw new FlagError(`The following flag(s) ${verb}: [${names}]`, 3);
}

function checkBounds(values: FlagValues): void {
  const problem = (message: string, exitCode = 2) => {
    throw new FlagError(message, exitCode);
  };
  const MEGABYTE = 1 << 20;
  const SECOND = 1_000;
  if (values["web.search.max-limit"] < 0) problem("flag 'web.search.max-limit' must be >= 0", 1);
  for (const name of ["storage.tsdb.wal-segment-size", "storage.agent.wal-segment-size"] as const) {
    if (values[name] < 10 * MEGABYTE || values[name] > 256 * MEGABYTE) {
      problem(`flag '${name}' must be set between 10MB and 256MB`);
    }
  }
  if (values["storage.tsdb.max-block-chunk-segment-size"] < MEGABYTE) {
    problem("flag 'storage.tsdb.max-block-chunk-segment-size' must be set over 1MB");
  }
  if (values["storage.agent.checkpoint-batch-size"] <= 0) {
    problem("flag 'storage.agent.checkpoint-batch-size' must be greater than 0");
  }
  if (values["config.auto-reload-interval"] < SECOND) {
    problem("flag 'config.auto-reload-interval' must be at least 1s");
  }
  if (values["storage.tsdb.block-reload-interval"] < SECOND) {
    problem("flag 'storage.tsdb.block-reload-interval' must be at least 1s");
  }
}

const KNOWN_FEATURES = new Set([
  "auto-reload-config",
  "concurrent-rule-eval",
  "created-timestamp-zero-ingestion",
  "delayed-compaction",
  "exemplar-storage",
  "extra-scrape-metrics",
  "fast-startup",
  "histograms-st-encoding",
  "memory-snapshot-on-shutdown",
  "metadata-wal-records",
  "old-ui",
  "otlp-deltatocumulative",
  "otlp-native-delta-ingestion",
  "promql-binop-fill-modifiers",
  "promql-delayed-name-removal",
  "promql-experimental-functions",
  "promql-extended-range-selectors",
  "promql-per-step-stats",
  "search-api",
  "st-storage",
  "st-synthesis",
  "type-and-unit-labels",
  "use-start-timestamps",
  "use-uncached-io",
  "xor2-encoding",
]);

/** Features that have become the rule. */
const SETTLED_FEATURES = new Set(["promql-duration-expr", "native-histograms", "ooo-native-histograms"]);

function checkFeatures(features: readonly string[]): void {
  if (features.includes("otlp-deltatocumulative") && features.includes("otlp-native-delta-ingestion")) {
    throw new FlagError(
      "cannot enable otlp-deltatocumulative and otlp-native-delta-ingestion features at the same time",
      1,
    );
  }
}

function warningsOf(given: readonly FlagName[], features: readonly string[]): string[] {
  const warnings = given.flatMap((name) => {
    const { idle } = FLAGS[name];
    return idle === null ? [] : [`flag --${name} has no effect: ${idle}`];
  });
  for (const feature of features) {
    if (SETTLED_FEATURES.has(feature))
      warnings.push(`feature ${feature} is always on: naming it has no effect`);
    else if (!KNOWN_FEATURES.has(feature)) warnings.push(`unknown option for --enable-feature: ${feature}`);
  }
  return warnings;
}

/** Every flag's value as text, hidden ones included, as the API shows them. */
export function flagsAsText(values: FlagValues): Record<string, string> {
  return Object.fromEntries(
    FLAG_NAMES.filter((name) => name !== "write-documentation").map((name) => [
      name,
      (FLAGS[name] as Flag<unknown>).print(values[name]),
    ]),
  );
}

const HELP_WIDTH = 80;
const HELP_INDENT = 31;

/** What --help prints. */
export function helpText(): string {
  const lines = [
    "usage: narthex [<flags>]",
    "",
    "A monitoring server compatible with Prometheus",
    "",
    "Flags:",
    ...helpEntry("  -h, --help", "Show this help."),
    ...helpEntry("      --version", "Show the version."),
  ];
  for (const name of FLAG_NAMES) {
    const { fallback, help, isBoolean, isHidden, mode, print } = FLAGS[name] as Flag<unknown>;
    if (isHidden) continue;
    const dashed = isBoolean ? `--[no-]${name}` : `--${name}`;
    const shown = isBoolean
      ? ""
      : `=${typeof fallback === "number" ? print(fallback) : quote(print(fallback))}`;
    const inMode = mode === null ? "" : ` Use with ${mode} mode only.`;
    lines.push(...helpEntry(`      ${dashed}${shown}`, help + inMode));
  }
  return lines.join("\n") + "\n";
}

function helpEntry(head: string, help: string): string[] {
  const lines: string[] = [];
  let line = head;
  if (head.length >= HELP_INDENT) {
    lines.push(`${head}  `);
    line = "";
  }
  line = line.padEnd(HELP_INDENT);
  for (const word of help.split(" ")) {
    if (line.length + word.length >= HELP_WIDTH && line.trim() !== "") {
      lines.push(line.trimEnd());
      line = " ".repeat(HELP_INDENT);
    }
    line += `${word} `;
  }
  lines.push(line.trimEnd());
  return lines;
}

/** The flags as a Markdown table. */
export function flagsAsMarkdown(): string {
  const rows = FLAG_NAMES.filter((name) => !FLAGS[name].isHidden).map((name) => {
    const { fallback, help, print } = FLAGS[name] as Flag<unknown>;
    return `| <code class="text-nowrap">--${name}</code> | ${help} | \`${print(fallback)}\` |`;
  });
  return ["| Flag | Description | Default |", "| --- | --- | --- |", ...rows].join("\n") + "\n";
}
