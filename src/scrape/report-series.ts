import { setStaleMarker } from "../model/sample.ts";
import { NO_SERIES, type Appender } from "../model/storage.ts";
import { reportLabels, type Target } from "./target.ts";

/** What a scrape says of itself. */
export interface ScrapeReport {
  readonly isUp: boolean;
  readonly durationSeconds: number;
  readonly scraped: number;
  readonly postRelabel: number;
  readonly seriesAdded: number;
  /** -1 for more than the limit, 0 for any other failure. */
  readonly bodySizeBytes: number;
}

const METRICS = [
  "up",
  "scrape_duration_seconds",
  "scrape_samples_scraped",
  "scrape_samples_post_metric_relabeling",
  "scrape_series_added",
];
const EXTRA_METRICS = ["scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"];
const MOST_METRICS = METRICS.length + EXTRA_METRICS.length;

// One report is written at a time.
const values = new Float64Array(MOST_METRICS);
const valueWords = new Uint32Array(values.buffer);
const outcomes = new Uint8Array(MOST_METRICS);

/** The series about a target's scrapes: `up` and its companions. No relabelling or limit touches them. */
export class ReportSeries {
  private readonly refs: Uint32Array;
  private epoch = -1;

  constructor(
    private readonly target: Target,
    private readonly sampleLimit: number,
    hasExtraMetrics: boolean,
  ) {
    this.refs = new Uint32Array(hasExtraMetrics ? MOST_METRICS : METRICS.length);
  }

  append(appender: Appender, timeMs: number, report: ScrapeReport): void {
    values[0] = Number(report.isUp);
    values[1] = report.durationSeconds;
    values[2] = report.scraped;
    values[3] = report.postRelabel;
    values[4] = report.seriesAdded;
    values[5] = this.target.timeoutMs / 1000;
    values[6] = this.sampleLimit;
    values[7] = report.bodySizeBytes;
    this.write(appender, timeMs);
  }

  markStale(appender: Appender, timeMs: number): void {
    for (let i = 0; i < MOST_METRICS; i++) setStaleMarker(valueWords, i);
    this.write(appender, timeMs);
  }

  private write(appender: Appender, timeMs: number): void {
    const epoch = appender.epochAt(timeMs);
    if (epoch === null) return;
    this.enter(appender, epoch);
    appender.appendFloats(epoch, this.refs, values, this.refs.length, timeMs, outcomes);
  }

  private enter(appender: Appender, epoch: number): void {
    if (epoch === this.epoch) return;
    if (this.epoch >= 0) appender.carryOver(this.refs, this.refs.length, this.epoch, epoch);
    this.epoch = epoch;
    for (let i = 0; i < this.refs.length; i++) {
      if (this.refs[i] !== NO_SERIES) continue;
      const metric = METRICS[i] ?? EXTRA_METRICS[i - METRICS.length]!;
      this.refs[i] = appender.resolve(epoch, reportLabels(this.target, metric)).ref;
    }
  }
}
