import { createHash } from "node:crypto";
import type { Labels } from "../model/labels.ts";
import { SampleOutcome } from "../model/storage.ts";
import type { VectorSample } from "../promql/value.ts";
import type { Alert } from "./alert.ts";
import { AlertingRule } from "./alerting-rule.ts";
import { QueryCanceledError, type Clock, type Log, type RuleStorage } from "./ports.ts";
import { RuleBatchBuilder } from "./rule-batch.ts";
import { concurrentBatches, linkDependencies } from "./rule-dependencies.ts";
import type { RuleMetrics } from "./rule-metrics.ts";
import type { Evaluation, Rule } from "./rule.ts";

/** Timers take no more than 31 bits of milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What all groups share. */
export interface GroupSurroundings {
  readonly clock: Clock;
  readonly storage: RuleStorage;
  readonly metrics: RuleMetrics;
  readonly log: Log;
  /** Ends what is under way when the server stops. */
  readonly signal: AbortSignal;
  readonly resendDelayMs: number;
  readonly outageToleranceMs: number;
  readonly gracePeriodMs: number;
  sendAlerts(alerts: readonly Alert[]): void;
  /** Leave to evaluate one more rule beside others; null: rules run one by one. */
  readonly concurrency: { tryTake(): boolean; giveBack(): void } | null;
}

export interface RuleGroupShape {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  readonly queryOffsetMs: number;
  readonly limit: number;
  readonly rules: readonly Rule[];
}

/**
 * Rules that run together at every slot of their interval, from `start` until `stop`. Slots lie at the interval's
 * multiples plus an offset that comes from the group's identity, so that groups don't all run at once and yet find
 * their slots again after a restart.
 */
export class RuleGroup {
  readonly name: string;
  readonly file: string;
  readonly intervalMs: number;
  readonly queryOffsetMs: number;
  readonly limit: number;
  readonly rules: readonly Rule[];
  readonly key: string;
  /** How long the last run took, and when it began; null before the first. */
  evaluationDurationMs = 0;
  lastEvaluationMs: number | null = null;
  private readonly offsetMs: number;
  /** By rule: what it wrote in its last successful run. */
  private writtenSeries: ReadonlyMap<string, Labels>[];
  /** Series of rules that are gone, to be marked stale at the end of the next run. */
  private abandonedSeries: Labels[] = [];
  private isStopped = false;
  private callOffTimer: (() => void) | null = null;
  private running: Promise<void> = Promise.resolve();

  constructor(
    shape: RuleGroupShape,
    private readonly surroundings: GroupSurroundings,
    private mustRestore: boolean,
  ) {
    this.name = shape.name;
    this.file = shape.file;
    this.intervalMs = shape.intervalMs;
    this.queryOffsetMs = shape.queryOffsetMs;
    this.limit = shape.limit;
    this.rules = shape.rules;
    this.key = groupKey(shape);
    this.offsetMs = slotOffset(this.key, shape.intervalMs);
    this.writtenSeries = shape.rules.map(() => new Map());
    linkDependencies(shape.rules);
  }

  /** Whether both were configured alike, so that one can go on in the other's place. */
  isConfiguredLike(other: RuleGroup): boolean {
    const definition = (group: RuleGroup) =>
      JSON.stringify([
        group.key,
        group.intervalMs,
        group.queryOffsetMs,
        group.limit,
        group.rules.map((rule) => rule.definition),
      ]);
    return definition(this) === definition(other);
  }

  /** Takes over what an earlier, stopped group of this identity knew: a rule goes on where its like stopped. */
  copyStateFrom(earlier: RuleGroup): void {
    this.evaluationDurationMs = earlier.evaluationDurationMs;
    this.lastEvaluationMs = earlier.lastEvaluationMs;
    const unclaimed = new Map<string, number[]>();
    for (const [index, { identity }] of earlier.rules.entries()) {
      unclaimed.set(identity, [...(unclaimed.get(identity) ?? []), index]);
    }
    for (const [index, rule] of this.rules.entries()) {
      const from = unclaimed.get(rule.identity)?.shift();
      if (from === undefined) continue;
      this.writtenSeries[index] = earlier.writtenSeries[from]!;
      const earlierRule = earlier.rules[from];
      if (rule instanceof AlertingRule && earlierRule instanceof AlertingRule)
        rule.copyStateFrom(earlierRule);
    }
    this.abandonedSeries = [...earlier.abandonedSeries];
    for (const index of [...unclaimed.values()].flat()) {
      this.abandonedSeries.push(...earlier.writtenSeries[index]!.values());
    }
  }

  start(): void {
    if (!this.isStopped) this.running = this.run();
  }

  /** Lets the run under way finish its rule, and no other begins. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.callOffTimer?.();
    await this.running;
  }

  /**
   * For a stopped group that has no successor: ends its series, two intervals from now, for by then a rule that only
   * moved elsewhere writes them from there.
   */
  markStaleLater(): void {
    const { clock, signal } = this.surroundings;
    const stoppedAtMs = clock.now();
    for (const written of this.writtenSeries) this.abandonedSeries.push(...written.values());
    this.writtenSeries = this.rules.map(() => new Map());
    let callOff: () => void = () => {};
    const wait = (delayMs: number): void => {
      const turnMs = Math.min(delayMs, MAX_TIMER_MS);
      callOff = clock.setTimer(() => {
        if (delayMs > turnMs) return wait(delayMs - turnMs);
        signal.removeEventListener("abort", cancel);
        void this.markAbandonedSeriesStale(stoppedAtMs);
      }, turnMs);
    };
    const cancel = () => callOff();
    signal.addEventListener("abort", cancel, { once: true });
    wait(2 * this.intervalMs);
  }

  private async run(): Promise<void> {
    let slotMs = this.slotAt(this.surroundings.clock.now()) + this.intervalMs;
    if (!(await this.waitUntil(slotMs))) return;
    await this.iterate(slotMs);
    if (this.mustRestore) {
      // A second run, since targets and other groups may have had nothing to say in the first.
      slotMs = await this.nextSlot(slotMs);
      if (this.isStopped) return;
      await this.iterate(slotMs);
      if (this.isStopped) return;
      await this.restore();
    }
    while (!this.isStopped) {
      slotMs = await this.nextSlot(slotMs);
      if (!this.isStopped) await this.iterate(slotMs);
    }
  }

  /** The newest slot that isn't after `timeMs`. */
  private slotAt(timeMs: number): number {
    const sinceOffset = Math.floor(timeMs) - this.offsetMs;
    return sinceOffset - modulo(sinceOffset, this.intervalMs) + this.offsetMs;
  }

  /** Waits for the slot after this one; slots that passed meanwhile are skipped and counted. */
  private async nextSlot(slotMs: number): Promise<number> {
    const { clock, metrics } = this.surroundings;
    const followingMs = slotMs + this.intervalMs;
    if (followingMs - clock.now() > 2 * this.intervalMs) {
      // The clock was set back: go on by the new time rather than wait for the old one to come again.
      const realignedMs = this.slotAt(clock.now()) + this.intervalMs;
      await this.waitUntil(realignedMs);
      return realignedMs;
    }
    if (!(await this.waitUntil(followingMs))) return followingMs;
    const missed = Math.max(0, Math.floor((clock.now() - slotMs) / this.intervalMs) - 1);
    if (missed > 0) metrics.iterationsWereMissed(this.key, missed);
    return slotMs + (missed + 1) * this.intervalMs;
  }

  /** @returns false when the group was stopped meanwhile */
  private async waitUntil(timeMs: number): Promise<boolean> {
    const { clock } = this.surroundings;
    while (!this.isStopped) {
      // Timers may call early: ask the clock each time.
      const remainingMs = timeMs - clock.now();
      if (remainingMs <= 0) return true;
      await new Promise<void>((resolve) => {
        const callOff = clock.setTimer(resolve, Math.min(Math.ceil(remainingMs), MAX_TIMER_MS));
        this.callOffTimer = () => {
          callOff();
          resolve();
        };
      });
      this.callOffTimer = null;
    }
    return false;
  }

  private async iterate(slotMs: number): Promise<void> {
    const { clock, metrics } = this.surroundings;
    const startMs = clock.now();
    metrics.iterationStarted(this.key);
    const sampleCount = await this.evaluate(slotMs);
    this.evaluationDurationMs = clock.now() - startMs;
    this.lastEvaluationMs = startMs;
    metrics.iterationEnded(this.key, {
      startMs,
      durationMs: this.evaluationDurationMs,
      ruleDurationSumMs: this.rules.reduce((sum, rule) => sum + rule.evaluationDurationMs, 0),
      sampleCount,
    });
  }

  /**
   * Runs every rule once, as of this slot.
   * @returns how many samples they gave
   */
  async evaluate(slotMs: number): Promise<number> {
    const { concurrency, signal } = this.surroundings;
    const evaluation: Evaluation = {
      timeMs: slotMs,
      queryTimeMs: slotMs - this.queryOffsetMs,
      limit: this.limit,
      signal,
      group: this,
    };
    let sampleCount = 0;
    const evaluateOne = async (rule: Rule) => {
      sampleCount += await this.evaluateRule(rule, evaluation);
    };
    const batches = concurrency === null ? this.rules.map((rule) => [rule]) : concurrentBatches(this.rules);
    for (const batch of batches) {
      const besides: Promise<void>[] = [];
      for (const rule of batch) {
        if (this.isStopped) break;
        if (batch.length > 1 && concurrency!.tryTake()) {
          besides.push(evaluateOne(rule).finally(() => concurrency!.giveBack()));
        } else await evaluateOne(rule);
      }
      await Promise.all(besides);
    }
    if (!this.isStopped) await this.markAbandonedSeriesStale(slotMs);
    return sampleCount;
  }

  /** Never rejects: what goes wrong is the rule's health. */
  private async evaluateRule(rule: Rule, evaluation: Evaluation): Promise<number> {
    const { clock, metrics, storage, resendDelayMs } = this.surroundings;
    const startMs = clock.now();
    metrics.ruleStarted(this.key);
    try {
      const samples = await rule.evaluate(evaluation, storage);
      rule.succeeded();
      if (rule instanceof AlertingRule) {
        const { intervalMs } = this;
        const alerts = rule.takeAlertsToSend(evaluation.timeMs, { resendDelayMs, intervalMs });
        if (alerts.length > 0) this.surroundings.sendAlerts(alerts);
      }
      await this.write(rule, samples, evaluation.queryTimeMs);
      return samples.length;
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      rule.failed(error);
      metrics.ruleFailed(this.key);
      if (!(error instanceof QueryCanceledError)) this.warn(rule, { err: error }, "Evaluating rule failed");
      return 0;
    } finally {
      rule.evaluationDurationMs = clock.now() - startMs;
      rule.lastEvaluationMs = startMs;
      metrics.ruleEnded(rule.evaluationDurationMs);
    }
  }

  /** Writes what the rule gave, and a staleness marker for each series it gave before and doesn't now. */
  private async write(rule: Rule, samples: readonly VectorSample[], timeMs: number): Promise<void> {
    const index = this.rules.indexOf(rule);
    const before = this.writtenSeries[index]!;
    const batch = new RuleBatchBuilder(timeMs, samples.length + before.size);
    const now = new Map<string, Labels>();
    for (const sample of samples) {
      const fault = batch.add(sample);
      if (fault === null) {
        now.set(sample.labels.key, sample.labels);
        continue;
      }
      rule.failed(new Error(fault));
      this.warn(rule, { sample: sample.labels.toRecord(), err: fault }, "Rule evaluation result discarded");
    }
    const valueCount = batch.count;
    for (const [key, labels] of before) if (!now.has(key)) batch.addStale(labels);
    if (batch.count === 0) {
      this.writtenSeries[index] = now;
      return;
    }

    const outcomes = await this.surroundings.storage.appendSamples(batch.finish());
    const dropped = new Map<string, number>();
    for (let i = 0; i < valueCount; i++) {
      const refusal = refusalText(outcomes[i]!);
      if (refusal === null) continue;
      rule.failed(new Error(refusal));
      now.delete(batch.series[i]!.key);
      dropped.set(refusal, (dropped.get(refusal) ?? 0) + 1);
    }
    // A marker may well be refused: the series can have come from another rule at the same time.
    this.writtenSeries[index] = now;
    for (const [err, count] of dropped) {
      this.warn(rule, { err, num_dropped: count }, "Error on ingesting results from rule evaluation");
    }
  }

  private async markAbandonedSeriesStale(timeMs: number): Promise<void> {
    if (this.abandonedSeries.length === 0) return;
    const series = this.abandonedSeries;
    this.abandonedSeries = [];
    const batch = new RuleBatchBuilder(timeMs - this.queryOffsetMs, series.length);
    for (const labels of series) batch.addStale(labels);
    try {
      await this.surroundings.storage.appendSamples(batch.finish());
    } catch (err) {
      const { file, name } = this;
      this.surroundings.log.warn(
        { file, group: name, err },
        "Stale sample appending for previous configuration failed",
      );
    }
  }

  /** Gives the alerts back the waiting time that an earlier process has left in the storage. */
  private async restore(): Promise<void> {
    const { clock, storage, metrics, outageToleranceMs, gracePeriodMs } = this.surroundings;
    const nowMs = Math.floor(clock.now());
    for (const rule of this.rules) {
      if (!(rule instanceof AlertingRule)) continue;
      // An alert that waits less than the grace period anyway is not worth looking up.
      if (rule.forMs >= gracePeriodMs) {
        try {
          const samples = await storage.lastForStateSamples(rule.name, nowMs - outageToleranceMs, nowMs);
          rule.restore(samples, { nowMs, gracePeriodMs });
        } catch (err) {
          this.warn(rule, { err }, "Failed to restore 'for' state");
        }
      }
      rule.isRestored = true;
    }
    this.mustRestore = false;
    metrics.restored(this.key, clock.now() - nowMs);
  }

  private warn(rule: Rule, fields: object, message: string): void {
    const { file, name } = this;
    this.surroundings.log.warn({ file, group: name, name: rule.name, ...fields }, message);
  }
}

/** The identity of a group, as metrics name it. */
export function groupKey(group: { readonly file: string; readonly name: string }): string {
  return `${group.file};${group.name}`;
}

/** Where in its interval the group runs: the same for the same group, spread evenly over groups. */
function slotOffset(key: string, intervalMs: number): number {
  const hash = createHash("md5").update(key).digest();
  return hash.readUIntBE(0, 6) % intervalMs;
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

function refusalText(outcome: number): string | null {
  switch (outcome) {
    case SampleOutcome.appended:
    case SampleOutcome.repeated:
      return null;
    case SampleOutcome.duplicateTimestamp:
      return "duplicate sample for timestamp";
    case SampleOutcome.outOfOrder:
      return "out of order sample";
    case SampleOutcome.outOfBounds:
      return "out of bounds";
    case SampleOutcome.tooOld:
      return "too old sample";
    default:
      return `sample refused with outcome ${outcome}`;
  }
}
