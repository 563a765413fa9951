import { collectDefaultMetrics, Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { QueryAnswer } from "../api/query-tasks.ts";
import type { QueryStatistics } from "../promql/value.ts";
import { version } from "./version.ts";
import { WindowSummary } from "../telemetry/window-summary.ts";

/** Queries are added up when the metrics are read, and at the latest when there are so many; see `api/http-metrics`. */
const MOST_PENDING = 256;

/** What is counted of one query. */
interface Counted {
  readonly timings: QueryStatistics["timings"];
  readonly queryableSamples: number;
  readonly samplesRead: number;
}

/** What the main thread counts of the server as a whole, under Prometheus's names. */
export class ServerMetrics {
  readonly reloadSuccessful: Gauge;
  readonly reloadTimestamp: Gauge;
  readonly ready: Gauge;
  readonly queryLogEnabled: Gauge;
  private readonly durations: WindowSummary;
  private readonly durationHistogram: Histogram;
  private readonly samples: Counter;
  private readonly samplesRead: Counter;
  private readonly replaced: Counter;
  private readonly pending: Counted[] = [];

  constructor(registry: Registry, options: { maxConcurrency: number; activeQueries: () => number }) {
    const registers = [registry];
    // The event loop's delay is sampled by a timer: once a second is enough to see a stall, and costs nothing.
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1000 });
    new Gauge({
      name: "prometheus_build_info",
      help: "A metric with a constant '1' value, labelled with what was built.",
      labelNames: ["version", "revision", "branch", "goversion", "goos", "goarch", "tags"],
      registers,
    }).set(
      {
        version: version.prometheus,
        revision: version.revision,
        branch: "",
        goversion: `node${process.versions.node}`,
        goos: process.platform,
        goarch: process.arch,
        tags: "narthex",
      },
      1,
    );
    this.reloadSuccessful = new Gauge({
      name: "prometheus_config_last_reload_successful",
      help: "Whether the last configuration reload attempt was successful.",
      registers,
    });
    this.reloadTimestamp = new Gauge({
      name: "prometheus_config_last_reload_success_timestamp_seconds",
      help: "Timestamp of the last successful configuration reload.",
      registers,
    });
    this.ready = new Gauge({
      name: "prometheus_ready",
      help: "Whether startup was completed and the server is ready for normal operation.",
      registers,
    });
    new Gauge({
      name: "prometheus_engine_queries",
      help: "The current number of queries being executed or waiting.",
      registers,
      collect() {
        this.set(options.activeQueries());
      },
    });
    new Gauge({
      name: "prometheus_engine_queries_concurrent_max",
      help: "The max number of concurrent queries.",
      registers,
    }).set(options.maxConcurrency);
    this.queryLogEnabled = new Gauge({
      name: "prometheus_engine_query_log_enabled",
      help: "State of the query log.",
      registers,
    });
    new Counter({
      name: "prometheus_engine_query_log_failures_total",
      help: "The number of query log failures.",
      registers,
    });
    const collect = () => this.addUp();
    this.durations = new WindowSummary({
      name: "prometheus_engine_query_duration_seconds",
      help: "Query timings",
      labelNames: ["slice"],
      quantiles: [0.5, 0.9, 0.99],
      registers,
      collect,
    });
    this.durationHistogram = new Histogram({
      name: "prometheus_engine_query_duration_histogram_seconds",
      help: "The duration of various parts of query execution.",
      labelNames: ["slice"],
      buckets: [0.01, 0.1, 1, 10],
      registers,
      collect,
    });
    this.samples = new Counter({
      name: "prometheus_engine_query_samples_total",
      help: "The total number of samples loaded by all queries.",
      registers,
      collect,
    });
    this.samplesRead = new Counter({
      name: "prometheus_engine_query_samples_read_total",
      help: "The total number of samples read by all queries, each once.",
      registers,
      collect,
    });
    this.replaced = new Counter({
      name: "narthex_query_threads_replaced_total",
      help: "Query threads that died or overstayed a deadline and were replaced.",
      registers,
    });
  }

  countQuery({ report }: QueryAnswer): void {
    if (report === null) return;
    const { timings, samples } = report.statistics;
    this.pending.push({
      timings,
      queryableSamples: samples.totalQueryableSamples,
      samplesRead: samples.samplesRead,
    });
    if (this.pending.length >= MOST_PENDING) this.addUp();
  }

  private addUp(): void {
    for (const { timings, queryableSamples, samplesRead } of this.pending.splice(0)) {
      this.samples.inc(queryableSamples);
      this.samplesRead.inc(samplesRead);
      for (const [slice, seconds] of [
        ["inner_eval", timings.innerEvalTime],
        ["prepare_time", timings.queryPreparationTime],
        ["queue_time", timings.execQueueTime],
        ["result_sort", timings.resultSortTime],
      ] as const) {
        this.durations.observe({ slice }, seconds);
        this.durationHistogram.observe({ slice }, seconds);
      }
    }
  }

  countReplacedThread(): void {
    this.replaced.inc();
  }
}
