import { availableParallelism, totalmem } from "node:os";
import { createServer, type Server as HttpServer } from "node:http";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyInstance } from "fastify";
import { Registry } from "prom-client";
import { createApp } from "../api/app.ts";
import { NotificationBoard } from "../api/notification-board.ts";
import type { QueryOrigin } from "../api/ports.ts";
import type { QueryAnswer, QueryTask } from "../api/query-tasks.ts";
import { allScrapeConfigs } from "../config/all-scrape-configs.ts";
import type { Config } from "../config/effective-config.ts";
import type { CommandLine, FlagValues } from "../config/flags.ts";
import { unsupported } from "../config/unsupported.ts";
import { AnchoredRegexp } from "../model/regexp.ts";
import type { ParserOptions } from "../promql/parse/ast.ts";
import type { Notifier } from "../rules/notifier.ts";
import type { Logger } from "../telemetry/logger.ts";
import {
  externalPathOf,
  externalUrlOf,
  externalUrlText,
  parseListenAddress,
  routePrefixOf,
} from "./addresses.ts";
import { applyAlertingConfig, createNotifier } from "./alert-notifications.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { createPorts } from "./create-ports.ts";
import { loadConfig, type LoadedConfig } from "./load-config.ts";
import { IngestThread } from "./ingest-thread-handle.ts";
import { loadSmallTasks } from "./load-small-tasks.ts";
import { QueryLog } from "./query-log.ts";
import { QueryPool } from "./query-pool.ts";
import type { RuleGroupName } from "../rules/ports.ts";
import { ActiveQueries } from "./active-queries.ts";
import { RuleService } from "./rule-service.ts";
import { createRuleStorage } from "./rule-storage.ts";
import { scrapePoolOptions } from "./scrape-options.ts";
import { floatEncoding, maxBlockMs, retentionLimits, storageSettings } from "./retention-settings.ts";
import { StorageKeeper } from "./storage-keeper.ts";
import type { ReplayProgress } from "../tsdb/tsdb.ts";
import { blockRanges } from "../tsdb/compaction/plan.ts";
import { ServerMetrics } from "./server-metrics.ts";
import { configFingerprint, TargetDiscovery } from "./target-discovery.ts";
import { setThreadPriority } from "./thread-priority.ts";
import { version } from "./version.ts";
import { flagsWithoutEffect, refuseDangerousFlags, sectionsWithoutEffect } from "./without-effect.ts";

/** From about this many samples on, some milliseconds of work, a query goes to the heavy lane. */
const HEAVY_SAMPLES = 200_000;
/** What a thread may keep of the samples it has decoded; the light one, which reads little, a quarter. */
const DECODED_BYTES = 160 * 1024 * 1024;
/** Of V8's heap in a query thread: results pass through it, samples do not. */
const QUERY_HEAP_MIB = 512;
/** A query that takes longer is written down in `queries.active`. */
const WRITTEN_AFTER_MS = 10;
const KEEP_ALIVE_MS = 60_000;
/** After this, most of what a server does it has done once. */
const SETTLED_MS = 20_000;
const USER_AGENT = `Narthex/${version.narthex}`;

export type ServerState = "starting" | "ready" | "stopping";

/**
 * The whole server, seen from the main thread: reads the configuration, starts the other threads, answers HTTP, runs
 * the rules' clock and the notifier.
 *
 * The listener opens first, so that a starting server can be asked for its health; then the log is replayed, the
 * configuration applied, and the gates open.
 */
export class Server {
  state: ServerState = "starting";
  readonly startedMs = Date.now();
  readonly registry = new Registry();
  readonly notifications: NotificationBoard;
  readonly externalUrl: URL;
  readonly listenPort: number;
  loadedConfig!: LoadedConfig;
  ingest!: IngestThread;
  rules!: RuleService;
  notifier!: Notifier;
  storage!: StorageKeeper;
  lastReload = { successful: true, timeMs: 0 };
  replayProgress: ReplayProgress = { min: 0, max: 0, current: 0 };

  private pool!: QueryPool;
  private activeQueries: ActiveQueries | null = null;
  private discovery!: TargetDiscovery;
  private metrics!: ServerMetrics;
  private readonly queryLog = new QueryLog();
  private readonly listeners: HttpServer[] = [];
  private app: FastifyInstance | null = null;
  private reloading: Promise<void> = Promise.resolve();
  private stopped: Promise<void> | null = null;
  private reloadTimer: NodeJS.Timeout | null = null;
  /** Of the files from which the configuration was last loaded without a fault. */
  private loadedFingerprint = "";

  constructor(
    readonly commandLine: CommandLine,
    readonly log: Logger,
  ) {
    const { values } = commandLine;
    this.notifications = new NotificationBoard(() => Date.now(), values["web.max-notifications-subscribers"]);
    const [firstAddress] = values["web.listen-address"];
    this.externalUrl = externalUrlOf(values["web.external-url"], firstAddress!);
    this.listenPort = parseListenAddress(firstAddress!).port;
  }

  /** @throws ConfigError when the configuration is wrong, Error when anything else keeps it from starting */
  async start(): Promise<void> {
    const { log } = this;
    log.info(
      { version: version.narthex, compatible_with: `Prometheus ${version.prometheus}` },
      "starting Narthex",
    );
    refuseDangerousFlags(this.commandLine);
    for (const sentence of flagsWithoutEffect(this.commandLine)) log.warn(`not supported yet: ${sentence}`);
    this.loadedConfig = await this.loadConfig();
    this.notifications.add(notice.starting);
    await this.listen();
    await this.startThreads();
    this.notifications.remove(notice.starting);
    await this.applyConfig(this.config);
    this.lastReload = { successful: true, timeMs: Date.now() };
    this.metrics.reloadSuccessful.set(1);
    this.metrics.reloadTimestamp.set(Date.now() / 1000);
    this.state = "ready";
    this.metrics.ready.set(1);
    this.rules.start();
    if (this.commandLine.values["config.auto-reload"]) this.watchConfig();
    // Only now, or the threads would have begun with it.
    setThreadPriority("ahead", log);
    // What starting took is not needed again, and with little to do V8 would keep it for long.
    collectGarbage();
    // The first scrapes and what they set going leave as much behind once more.
    setTimeout(collectGarbage, SETTLED_MS).unref();
    log.info("server is ready to receive web requests");
  }

  get config(): Config {
    return this.loadedConfig.config;
  }

  private async loadConfig(): Promise<LoadedConfig> {
    const { values, features } = this.commandLine;
    const request = {
      fileName: values["config.file"],
      extraScrapeMetrics: features.includes("extra-scrape-metrics"),
      protobufFirst: features.includes("created-timestamp-zero-ingestion") || features.includes("st-storage"),
    };
    const loaded = await loadConfig(request, (message, fields) => this.log.warn(fields, message));
    const { config } = loaded;
    floatEncoding(config, features);
    for (const sentence of [...unsupported(config), ...sectionsWithoutEffect(config)]) {
      this.log.warn(`not supported yet: ${sentence}`);
    }
    return loaded;
  }

  // ─────────────────────────────────────────── HTTP ───────────────────────────────────────────

  private async listen(): Promise<void> {
    const { values } = this.commandLine;
    const corsOrigin = values["web.cors.origin"];
    const uiDirectory = fileURLToPath(new URL("./ui", import.meta.url));
    this.app = await createApp(createPorts(this), {
      routePrefix: routePrefixOf(values["web.route-prefix"], this.externalUrl),
      externalPath: externalPathOf(this.externalUrl),
      pageTitle: values["web.page-title"],
      corsOrigin: corsOrigin === ".*" ? null : AnchoredRegexp.compile(corsOrigin),
      uiDirectory: existsSync(uiDirectory) ? uiDirectory : null,
      now: () => Date.now(),
    });
    await this.app.ready();
    for (const address of values["web.listen-address"]) {
      const { host, port } = parseListenAddress(address);
      const listener = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, this.app.routing);
      listener.maxConnections = values["web.max-connections"];
      listener.requestTimeout = values["web.read-timeout"];
      await new Promise<void>((resolve, reject) => {
        listener.once("error", (cause) =>
          reject(new Error(`cannot listen on ${address}: ${cause.message}`, { cause })),
        );
        listener.listen({ port, ...(host === "" ? {} : { host }) }, resolve);
      });
      this.listeners.push(listener);
      this.log.info({ address }, "listening");
    }
  }

  // ─────────────────────────────────────────── threads ───────────────────────────────────────────

  private async startThreads(): Promise<void> {
    const { values, features } = this.commandLine;
    const { log } = this;
    const has = (feature: string) => features.includes(feature);
    const logging = { logLevel: values["log.level"], logFormat: values["log.format"] };
    // Generations of the replay are announced before there are threads to read them.
    const early: (() => void)[] = [];
    const whenPooled = (tell: () => void) => (this.pool ? tell() : early.push(tell));
    this.ingest = await IngestThread.open(
      new URL("./ingest-thread.js", import.meta.url),
      {
        dataDirectory: resolve(values["storage.tsdb.path"]),
        noLockfile: values["storage.tsdb.no-lockfile"],
        blockRangeMs: values["storage.tsdb.min-block-duration"],
        walSegmentBytes: values["storage.tsdb.wal-segment-size"],
        walCompression: values["storage.tsdb.wal-compression"]
          ? values["storage.tsdb.wal-compression-type"]
          : "none",
        ...storageSettings(this.config, features),
        sealDelayMs: has("delayed-compaction") ? randomDelayMs(values) : 0,
        logsMetadata: has("metadata-wal-records"),
        snapshotsHead: has("memory-snapshot-on-shutdown"),
        keepsSeriesState: has("fast-startup"),
        zerosAtStart: has("created-timestamp-zero-ingestion"),
        startTimes: !has("st-storage") ? "none" : has("histograms-st-encoding") ? "all" : "floats",
        addsTypeAndUnit: has("type-and-unit-labels"),
        timestampToleranceMs: values["scrape.adjust-timestamps"] ? values["scrape.timestamp-tolerance"] : 0,
        syncIntervalMs: values["scrape.discovery-reload-interval"],
        offsetSeed: offsetSeedOf(this.config),
        userAgent: USER_AGENT,
        ...logging,
      },
      {
        onGenerationBorn: (announcement) => void whenPooled(() => this.announce(announcement)),
        onReplayProgress: (progress) => (this.replayProgress = progress),
        onExemplarBuffer: (buffer) =>
          void whenPooled(() => this.pool.tellAll("exemplars", { type: "exemplars", buffer })),
        onLost: (cause) => {
          log.error({ cause }, "the ingest thread ended, and the server cannot go on without it");
          void this.stop().then(() => process.exit(1));
        },
      },
    );
    log.info({ seconds: this.ingest.replaySeconds }, "the write-ahead log is replayed");

    const parserOptions: ParserOptions = {
      experimentalFunctions: has("promql-experimental-functions"),
      durationExpressions: true,
      extendedRangeSelectors: has("promql-extended-range-selectors"),
      fillModifiers: has("promql-binop-fill-modifiers"),
    };
    this.activeQueries = ActiveQueries.open({
      dataDirectory: resolve(values["storage.tsdb.path"]),
      slots: values["query.max-concurrency"],
      nowMs: Date.now,
      log,
      delayMs: WRITTEN_AFTER_MS,
    });
    this.pool = new QueryPool({
      threadFile: new URL("./query-thread.js", import.meta.url),
      thread: {
        engine: {
          lookbackMs: values["query.lookback-delta"],
          defaultSubqueryStepMs: this.config.global.evaluationInterval,
          maxSamples: values["query.max-samples"],
          memoryBytes: queryMemoryBytes(values["query.max-memory"]),
          parserOptions,
          features: {
            delayedNameRemoval: has("promql-delayed-name-removal"),
            useStartTimestamps: has("use-start-timestamps"),
            typeAndUnitLabels: has("type-and-unit-labels"),
          },
          perStepStatistics: has("promql-per-step-stats"),
        },
        heavySamples: HEAVY_SAMPLES,
        decodedBytes: DECODED_BYTES,
        control: this.ingest.control,
        dataDirectory: resolve(values["storage.tsdb.path"]),
        ...logging,
      },
      heavyThreads: availableParallelism(),
      maxConcurrency: values["query.max-concurrency"],
      timeoutMs: values["query.timeout"],
      heapLimitMiB: QUERY_HEAP_MIB,
      activeQueries: this.activeQueries,
      loadSmallTasks,
      onReplaced: () => this.metrics.countReplacedThread(),
      logger: log,
    });
    this.metrics = new ServerMetrics(this.registry, {
      maxConcurrency: values["query.max-concurrency"],
      activeQueries: () => this.pool.activeCount,
    });
    // Emptied on the way: what it holds would keep the memory of generations that are long in blocks.
    for (const tell of early.splice(0)) tell();

    this.notifier = createNotifier({
      registry: this.registry,
      log,
      queueCapacity: values["alertmanager.notification-queue-capacity"],
      batchSize: values["alertmanager.notification-batch-size"],
      drainOnStop: values["alertmanager.drain-notification-queue-on-shutdown"],
    });
    this.rules = new RuleService({
      storage: createRuleStorage(
        this.pool,
        (message) => this.ingest.call("appendRuleSamples", message),
        (task, answer, group) => this.observeQuery(task, answer, group),
      ),
      parserOptions,
      registry: this.registry,
      log,
      sendAlerts: (alerts) => this.notifier.send(alerts),
      externalUrl: externalUrlText(this.externalUrl),
      outageToleranceMs: values["rules.alert.for-outage-tolerance"],
      gracePeriodMs: values["rules.alert.for-grace-period"],
      resendDelayMs: values["rules.alert.resend-delay"],
      maxConcurrentEvaluations: has("concurrent-rule-eval") ? values["rules.max-concurrent-evals"] : 0,
    });
    this.discovery = new TargetDiscovery({
      registry: this.registry,
      log,
      userAgent: USER_AGENT,
      onScrapeTargets: (groups) => void this.ingest.call("updateTargets", groups).catch(() => undefined),
      onAlertmanagers: (index, groups) => this.notifier.setTargets(index, groups),
    });
    const ranges = blockRanges(values["storage.tsdb.min-block-duration"], maxBlockMs(this.config, values));
    this.storage = new StorageKeeper({
      threadFile: new URL("./compaction-thread.js", import.meta.url),
      thread: () => ({
        dataDirectory: resolve(values["storage.tsdb.path"]),
        ranges,
        withOverlaps: values["storage.tsdb.allow-overlapping-compaction"],
        floats: floatEncoding(this.config, features),
        pastPageCache: has("use-uncached-io"),
        samplesPerChunk: values["storage.tsdb.samples-per-chunk"],
        maxChunkFileBytes: values["storage.tsdb.max-block-chunk-segment-size"],
        uploadedFile: values["storage.tsdb.delay-compact-file.path"],
      }),
      intervalMs: values["storage.tsdb.block-reload-interval"],
      limits: () => retentionLimits(this.config, values),
      sealGenerations: () => this.ingest.call("sealGenerations"),
      headBytes: () => this.ingest.call("logBytes"),
      headMinTime: () => this.ingest.call("headMinTime"),
      tellReaders: async (news) => {
        for (const epoch of news.droppedGenerations) this.pool.tellAll(`generation ${epoch}`, null);
        this.pool.tellAll("storage", { type: "storageChanged", ...news });
        await this.pool.synced();
      },
      generationStored: (epoch) => this.ingest.call("generationStored", epoch),
      registry: this.registry,
      log,
    });
    await Promise.all([this.pool.ready(), this.storage.start()]);
  }

  private announce(announcement: { readonly epoch: number; readonly memory: WebAssembly.Memory }): void {
    this.pool.tellAll(`generation ${announcement.epoch}`, { type: "generationBorn", announcement });
  }

  get threadCount(): number {
    return 2 + (this.pool?.threadCount ?? 0);
  }

  // ─────────────────────────────────────────── queries ───────────────────────────────────────────

  async runQuery(
    task: QueryTask,
    origin: QueryOrigin,
    signal: AbortSignal,
    mayGzip: boolean,
  ): Promise<QueryAnswer> {
    const answer = await this.pool.run(task, signal, mayGzip);
    this.observeQuery(task, answer, origin);
    return answer;
  }

  /** The answer to a task that needs no other thread; null for those that do. */
  answerAtOnce(task: QueryTask, origin: QueryOrigin, mayGzip: boolean): QueryAnswer | null {
    const answer = this.pool.answerAtOnce(task, mayGzip);
    if (answer !== null) this.observeQuery(task, answer, origin);
    return answer;
  }

  private observeQuery(
    task: QueryTask,
    answer: QueryAnswer,
    origin: QueryOrigin | RuleGroupName | null,
  ): void {
    this.metrics.countQuery(answer);
    try {
      this.queryLog.write(task, answer, origin);
    } catch (err) {
      this.log.error({ err }, "cannot log a query");
    }
  }

  // ─────────────────────────────────────────── configuration ───────────────────────────────────────────

  /** Reads the file again and applies it, one reload after the other. @throws Error what is wrong; what ran before goes on */
  reload(): Promise<void> {
    const reload = this.reloading.then(() => this.reloadNow());
    this.reloading = reload.catch(() => undefined);
    return reload;
  }

  private async reloadNow(): Promise<void> {
    const fileName = this.commandLine.values["config.file"];
    this.log.info({ file: fileName }, "loading configuration file");
    try {
      let loaded: LoadedConfig;
      try {
        loaded = await this.loadConfig();
      } catch (cause) {
        throw new Error(
          `couldn't load configuration (--config.file=${JSON.stringify(fileName)}): ${(cause as Error).message}`,
          { cause },
        );
      }
      const { config } = loaded;
      // As it was before it is applied: what changes meanwhile is noticed.
      const fingerprint = configFingerprint(config, fileName);
      await this.applyConfig(config);
      this.loadedConfig = loaded;
      this.loadedFingerprint = fingerprint;
      this.lastReload = { successful: true, timeMs: Date.now() };
      this.metrics.reloadSuccessful.set(1);
      this.metrics.reloadTimestamp.set(Date.now() / 1000);
      this.notifications.remove(notice.reloadFailed);
    } catch (err) {
      this.lastReload = { ...this.lastReload, successful: false };
      this.metrics.reloadSuccessful.set(0);
      this.notifications.add(notice.reloadFailed);
      this.log.error({ err }, "Error reloading config");
      throw err;
    }
  }

  /** Each part in turn; one that fails doesn't keep the others from changing, but the whole has failed then. */
  private async applyConfig(config: Config): Promise<void> {
    const failures: string[] = [];
    const step = async (what: string, apply: () => void | Promise<void>) => {
      try {
        await apply();
      } catch (err) {
        failures.push(`${what}: ${(err as Error).message}`);
        this.log.error({ err }, `cannot apply the configuration of ${what}`);
      }
    };
    await step("queries", () => {
      this.queryLog.open(config.global.queryLogFile);
      this.metrics.queryLogEnabled.set(Number(this.queryLog.isEnabled));
      this.pool.tellAll("settings", {
        type: "settings",
        defaultSubqueryStepMs: config.global.evaluationInterval,
      });
    });
    await step("storage", () =>
      this.ingest.call("applyStorage", storageSettings(config, this.commandLine.features)),
    );
    await step("scraping", () =>
      this.ingest.call(
        "applyJobs",
        allScrapeConfigs(config).map((job) => scrapePoolOptions(job, USER_AGENT)),
      ),
    );
    await step("alerting", () => applyAlertingConfig(this.notifier, config, USER_AGENT));
    await step("discovery", () => this.discovery.apply(config));
    await step("rules", () => this.rules.apply(config));
    if (failures.length > 0) {
      const fileName = this.commandLine.values["config.file"];
      throw new Error(
        `one or more errors occurred while applying the new configuration (--config.file=${JSON.stringify(fileName)}): ${failures.join("; ")}`,
      );
    }
  }

  /** Loads the configuration anew when it is not on disk what was last loaded well: what fails is tried again. */
  private watchConfig(): void {
    const { values } = this.commandLine;
    const fileName = values["config.file"];
    this.loadedFingerprint = configFingerprint(this.config, fileName);
    let isReloading = false;
    this.reloadTimer = setInterval(() => {
      if (isReloading || configFingerprint(this.config, fileName) === this.loadedFingerprint) return;
      isReloading = true;
      void this.reload()
        .catch(() => undefined)
        .finally(() => (isReloading = false));
    }, values["config.auto-reload-interval"]);
  }

  // ─────────────────────────────────────────── the end ───────────────────────────────────────────

  /** @returns false if it is stopping already */
  quit(): boolean {
    if (this.state === "stopping") return false;
    // The answer is to go out first.
    setTimeout(() => void this.stop().then(() => process.exit(0)), 100);
    this.state = "stopping";
    return true;
  }

  /** Stops everything, in the order that loses nothing: rules, notifications, scraping and storage, queries. */
  stop(): Promise<void> {
    this.stopped ??= this.stopNow();
    return this.stopped;
  }

  private async stopNow(): Promise<void> {
    this.state = "stopping";
    this.notifications.add(notice.stopping);
    this.metrics?.ready.set(0);
    if (this.reloadTimer) clearInterval(this.reloadTimer);
    await this.discovery?.stop();
    await this.rules?.stop();
    await this.notifier?.stop();
    await this.storage?.stop();
    await this.ingest?.stop();
    await this.pool?.close();
    for (const listener of this.listeners) {
      listener.close();
      listener.closeAllConnections();
    }
    await this.app?.close();
    this.queryLog.close();
    this.activeQueries?.close();
    this.log.info("see you next time");
  }
}

/** What operators may read on the notification board, in the words that clients of Prometheus know. */
const notice = {
  starting: "Prometheus is starting and replaying the write-ahead log (WAL).",
  reloadFailed: "Configuration reload has failed.",
  stopping: "Prometheus is shutting down and gracefully stopping all operations.",
} as const;

/** The working memory of one query: a quarter of the machine where nothing is asked for; 4 MiB to 4 GiB less a page. */
function queryMemoryBytes(asked: number): number {
  const wanted = asked > 0 ? asked : totalmem() / 4;
  return Math.min(Math.max(Math.floor(wanted / 65_536) * 65_536, 64 * 65_536), 2 ** 32 - 65_536);
}

/** Spreads the compactions of servers that were started together. */
function randomDelayMs(values: FlagValues): number {
  const share = values["storage.tsdb.delayed-compaction.max-percent"] / 100;
  return Math.floor(Math.random() * share * values["storage.tsdb.min-block-duration"]);
}

/** Two servers with other external labels scrape the same targets at other moments. */
function offsetSeedOf(config: Config): string {
  return JSON.stringify(Object.entries(config.global.externalLabels).sort());
}
