import type { HttpClient } from "../http-client/index.ts";
import { encodeAlerts } from "./alert-payload.ts";
import type { Alert } from "./alert.ts";
import type { NotifierMetrics } from "./notifier-metrics.ts";
import type { Clock, Log } from "./ports.ts";

/** Answers are of no interest beyond their status, but reading them frees the connection. */
const MAX_ANSWER_BYTES = 1 << 20;

export interface SenderOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: NotifierMetrics;
  /** How many alerts may wait; beyond that the oldest are dropped. */
  readonly queueCapacity: number;
  /** How many alerts one request carries at most. */
  readonly batchSize: number;
  /** Whether alerts that still wait at the end are sent or dropped. */
  readonly drainOnStop: boolean;
}

/** Brings alerts to one Alertmanager, a batch at a time. A batch that fails is not sent again: the rules repeat alerts. */
export class AlertmanagerSender {
  private queue: Alert[] = [];
  private isStopped = false;
  private sending: Promise<void> | null = null;

  constructor(
    readonly url: string,
    private readonly client: HttpClient,
    private readonly timeoutMs: number,
    private readonly options: SenderOptions,
  ) {
    options.metrics.alertmanagerFound(url);
  }

  add(alerts: readonly Alert[]): void {
    if (this.isStopped || alerts.length === 0) return;
    const { queueCapacity, log, metrics } = this.options;
    const { url } = this;
    let newest = alerts;
    if (alerts.length > queueCapacity) {
      const count = alerts.length - queueCapacity;
      newest = alerts.slice(count);
      metrics.alertsDropped(url, count);
      log.warn({ alertmanager: url, count }, "Alert batch larger than queue capacity, dropping alerts");
    }
    const overflow = this.queue.length + newest.length - queueCapacity;
    if (overflow > 0) {
      this.queue.splice(0, overflow);
      metrics.alertsDropped(url, overflow);
      log.warn({ alertmanager: url, count: overflow }, "Alert notification queue full, dropping alerts");
    }
    this.queue = this.queue.concat(newest);
    metrics.setQueueLength(url, this.queue.length);
    this.sending ??= this.sendWhileQueued();
  }

  /** Sends or drops what still waits; the Alertmanager's metrics are gone afterwards. */
  async stop(): Promise<void> {
    this.isStopped = true;
    const { drainOnStop, metrics, log } = this.options;
    if (!drainOnStop && this.queue.length > 0)
      this.dropQueue("Alert notification queue not empty on shutdown, dropping alerts");
    if (drainOnStop && this.queue.length > 0) {
      log.info({ alertmanager: this.url, alerts: this.queue.length }, "Draining remaining notifications");
    }
    await this.sending;
    metrics.alertmanagerGone(this.url);
  }

  private async sendWhileQueued(): Promise<void> {
    while (this.queue.length > 0) {
      const batch = this.queue.splice(0, this.options.batchSize);
      this.options.metrics.setQueueLength(this.url, this.queue.length);
      const wasAnswered = await this.send(batch);
      // Nobody there: the rest would only cost a timeout each and make the end wait.
      if (!wasAnswered && this.isStopped && this.queue.length > 0) {
        this.dropQueue("Alertmanager does not answer, dropping remaining notifications");
      }
    }
    this.sending = null;
  }

  /** @returns whether there was an answer, of whatever kind */
  private async send(batch: readonly Alert[]): Promise<boolean> {
    const { clock, log, metrics } = this.options;
    const startMs = clock.now();
    let wasAnswered = false;
    try {
      const response = await this.client.request(this.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: encodeAlerts(batch),
        timeoutMs: this.timeoutMs,
      });
      wasAnswered = true;
      await response.read(MAX_ANSWER_BYTES).catch(() => {});
      if (response.status < 200 || response.status > 299) {
        throw new Error(`bad response status ${response.statusLine}`);
      }
      metrics.batchSent(this.url, { alertCount: batch.length, durationMs: clock.now() - startMs });
    } catch (err) {
      log.error({ alertmanager: this.url, count: batch.length, err }, "Error sending alerts");
      metrics.batchFailed(this.url, batch.length);
    }
    return wasAnswered;
  }

  private dropQueue(message: string): void {
    const count = this.queue.length;
    this.queue = [];
    this.options.metrics.alertsDropped(this.url, count);
    this.options.metrics.setQueueLength(this.url, 0);
    this.options.log.warn({ alertmanager: this.url, count }, message);
  }
}
