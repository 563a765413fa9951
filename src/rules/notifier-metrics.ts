import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { WindowSummary } from "../telemetry/window-summary.ts";

/** What the notifier tells of itself, by Prometheus's names. The series of an Alertmanager live as long as it does. */
export class NotifierMetrics {
  private readonly discovered: Gauge;
  private readonly sent: Counter;
  private readonly errors: Counter;
  private readonly dropped: Counter;
  private readonly queueLength: Gauge;
  private readonly latency: WindowSummary;
  private readonly latencyHistogram: Histogram;
  /** Two senders may have one URL: in two sets, or while one takes over from the other. */
  private readonly sendersByUrl = new Map<string, number>();

  constructor(registry: Registry, queueCapacity: number) {
    const registers = [registry];
    const byUrl = { labelNames: ["alertmanager"], registers };
    this.discovered = new Gauge({
      name: "prometheus_notifications_alertmanagers_discovered",
      help: "How many Alertmanagers are known and in use.",
      registers,
    });
    this.sent = new Counter({
      name: "prometheus_notifications_sent_total",
      help: "Alerts an Alertmanager has accepted.",
      ...byUrl,
    });
    this.errors = new Counter({
      name: "prometheus_notifications_errors_total",
      help: "Alerts that could not be sent to an Alertmanager.",
      ...byUrl,
    });
    this.dropped = new Counter({
      name: "prometheus_notifications_dropped_total",
      help: "Alerts an Alertmanager never got: sending failed, the queue was full, or the server stopped.",
      ...byUrl,
    });
    this.queueLength = new Gauge({
      name: "prometheus_notifications_queue_length",
      help: "Alerts that wait to be sent.",
      ...byUrl,
    });
    new Gauge({
      name: "prometheus_notifications_queue_capacity",
      help: "How many alerts may wait for each Alertmanager.",
      registers,
    }).set(queueCapacity);
    this.latency = new WindowSummary({
      name: "prometheus_notifications_latency_seconds",
      help: "How long an Alertmanager takes to accept alerts.",
      quantiles: [0.5, 0.9, 0.99],
      ...byUrl,
    });
    this.latencyHistogram = new Histogram({
      name: "prometheus_notifications_latency_histogram_seconds",
      help: "How long an Alertmanager takes to accept alerts.",
      buckets: [0.01, 0.1, 1, 10],
      ...byUrl,
    });
  }

  setDiscovered(count: number): void {
    this.discovered.set(count);
  }

  alertmanagerFound(url: string): void {
    this.sendersByUrl.set(url, (this.sendersByUrl.get(url) ?? 0) + 1);
    for (const counter of [this.sent, this.errors, this.dropped]) counter.inc({ alertmanager: url }, 0);
    this.queueLength.inc({ alertmanager: url }, 0);
  }

  alertmanagerGone(url: string): void {
    const others = (this.sendersByUrl.get(url) ?? 1) - 1;
    this.sendersByUrl.set(url, others);
    if (others > 0) return;
    this.sendersByUrl.delete(url);
    const { sent, errors, dropped, queueLength, latency, latencyHistogram } = this;
    for (const metric of [sent, errors, dropped, queueLength, latency, latencyHistogram]) {
      metric.remove({ alertmanager: url });
    }
  }

  batchSent(url: string, batch: { readonly alertCount: number; readonly durationMs: number }): void {
    this.sent.inc({ alertmanager: url }, batch.alertCount);
    this.latency.observe({ alertmanager: url }, batch.durationMs / 1000);
    this.latencyHistogram.observe({ alertmanager: url }, batch.durationMs / 1000);
  }

  batchFailed(url: string, alertCount: number): void {
    this.errors.inc({ alertmanager: url }, alertCount);
    this.dropped.inc({ alertmanager: url }, alertCount);
  }

  alertsDropped(url: string, alertCount: number): void {
    this.dropped.inc({ alertmanager: url }, alertCount);
  }

  setQueueLength(url: string, alertCount: number): void {
    this.queueLength.set({ alertmanager: url }, alertCount);
  }
}
