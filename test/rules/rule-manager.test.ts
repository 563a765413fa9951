import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { SampleOutcome } from "../../src/model/storage.ts";
import type { Alert } from "../../src/rules/alert.ts";
import { QueryCanceledError } from "../../src/rules/ports.ts";
import type { RuleGroupConfig } from "../../src/rules/rule-config.ts";
import { RuleManager, type RuleManagerOptions } from "../../src/rules/rule-manager.ts";
import { SettlingClock, settle } from "../support/settling-clock.ts";
import {
  alerting,
  FakeLog,
  FakeRuleStorage,
  parseExpression,
  recording,
  ruleGroup,
  sample,
  vector,
} from "../support/rule-fixtures.ts";

const MINUTE = 60_000;
const START = 1_000_000 * MINUTE;

const context = { externalLabels: Labels.empty, externalUrl: "http://prom.example" };

function createManager(options: Partial<RuleManagerOptions> = {}) {
  const clock = new SettlingClock(START);
  const storage = new FakeRuleStorage();
  const log = new FakeLog();
  const registry = new Registry();
  const sent: Alert[] = [];
  const manager = new RuleManager({
    clock,
    storage,
    parse: parseExpression,
    sendAlerts: (alerts) => void sent.push(...alerts),
    registry,
    log,
    ...options,
  });
  const metric = async (name: string) => {
    const { values } = await registry.getSingleMetric(`prometheus_${name}`)!.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels["rule_group"] ?? "", value]));
  };
  return { manager, clock, storage, log, sent, metric };
}

/** Loads groups, starts, and moves on to just after the first slot of the first group; gives that slot. */
async function startAtFirstSlot(setup: ReturnType<typeof createManager>, ...groups: RuleGroupConfig[]) {
  const { manager, clock, storage } = setup;
  await manager.update(groups, context);
  // The rules of an earlier process have nothing to restore here, so what follows is as after any reload.
  manager.start();
  await clock.advance(groups[0]!.intervalMs);
  return storage.asked[0]!.timeMs;
}

describe("a group", () => {
  test("runs at slots of its interval, at an offset of its own that survives restarts", async () => {
    const slots = async () => {
      const setup = createManager();
      await setup.manager.update(
        [ruleGroup([recording("a", "x")]), ruleGroup([recording("b", "y")], { name: "other" })],
        context,
      );
      setup.manager.start();
      await setup.clock.advance(3 * MINUTE);
      await setup.manager.stop();
      return setup.storage.asked.map(({ text, timeMs }) => `${text} ${timeMs}`);
    };
    const first = await slots();
    expect(first).toHaveLength(6);
    const times = first.filter((line) => line.startsWith("x")).map((line) => Number(line.slice(2)));
    expect(times).toEqual([times[0], times[0]! + MINUTE, times[0]! + 2 * MINUTE]);
    expect(times[0]).toBeGreaterThan(START);
    const others = first.filter((line) => line.startsWith("y")).map((line) => Number(line.slice(2)));
    expect(others[0]! % MINUTE).not.toBe(times[0]! % MINUTE);
    expect(await slots()).toEqual(first);
  });

  test("doesn't run before the manager is started", async () => {
    const { manager, clock, storage } = createManager();
    await manager.update([ruleGroup([recording("a", "x")])], context);
    await clock.advance(5 * MINUTE);
    expect(storage.asked).toEqual([]);
    await manager.stop();
  });

  test("runs its rules in order, each seeing what the one before wrote", async () => {
    const setup = createManager();
    const { manager, storage } = setup;
    storage.answer("x", vector([{}, 1]));
    storage.answer("a", () => vector([{}, storage.written.length]));
    await startAtFirstSlot(setup, ruleGroup([recording("a", "x"), recording("b", "a")]));
    expect(storage.written.map(({ labels, value }) => [labels["__name__"], value])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    await manager.stop();
  });

  test("looks and writes as far in the past as its offset says", async () => {
    const setup = createManager();
    setup.storage.answer("x", vector([{}, 1]));
    const queryTimeMs = await startAtFirstSlot(
      setup,
      ruleGroup([recording("a", "x")], { queryOffsetMs: 7_000 }),
    );
    expect(setup.storage.written.map(({ timeMs }) => timeMs)).toEqual([queryTimeMs]);
    expect(setup.manager.groups[0]!.lastEvaluationMs).toBe(queryTimeMs + 7_000);
    await setup.manager.stop();
  });

  test("skips and counts the slots it is too slow for", async () => {
    const setup = createManager();
    const { manager, clock, storage, metric } = setup;
    let finish = () => {};
    storage.answer("x", () => new Promise((resolve) => (finish = () => resolve(vector()))));
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    await clock.advanceTo(slot + 3.5 * MINUTE);
    finish();
    await settle();
    expect(storage.asked.map(({ timeMs }) => (timeMs - slot) / MINUTE)).toEqual([0, 3]);
    expect(await metric("rule_group_iterations_missed_total")).toEqual({ "rules.yml;group": 2 });
    expect(await metric("rule_group_iterations_total")).toEqual({ "rules.yml;group": 4 });
    finish();
    await settle();
    await clock.advanceTo(slot + 4 * MINUTE);
    expect(storage.asked.map(({ timeMs }) => (timeMs - slot) / MINUTE)).toEqual([0, 3, 4]);
    finish();
    await manager.stop();
  });

  test("never runs a slot early or twice, though its timer calls early", async () => {
    const clock = new SettlingClock(START);
    const early = {
      now: clock.now,
      setTimer: (callback: () => void, delayMs: number) => clock.setTimer(callback, delayMs * 0.9),
    };
    const setup = createManager({ clock: early });
    const earlyByMs: number[] = [];
    setup.storage.answer("x", (timeMs) => {
      earlyByMs.push(Math.max(0, timeMs - clock.now()));
      return vector();
    });
    await setup.manager.update([ruleGroup([recording("a", "x")])], context);
    setup.manager.start();
    await clock.advance(5 * MINUTE);
    expect(earlyByMs).toEqual([0, 0, 0, 0, 0]);
    expect(new Set(setup.storage.asked.map(({ timeMs }) => timeMs)).size).toBe(5);
    await setup.manager.stop();
  });

  test("goes on by the new time when the clock is set back", async () => {
    const setup = createManager();
    const { clock, storage, manager } = setup;
    let finish = () => {};
    storage.answer("x", () => new Promise((resolve) => (finish = () => resolve(vector()))));
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    clock.jumpTo(slot - 60 * MINUTE);
    finish();
    await settle();
    await clock.advance(MINUTE);
    expect(storage.asked.at(-1)!.timeMs).toBe(slot - 59 * MINUTE);
    finish();
    await manager.stop();
  });

  test("waits for intervals longer than a timer can", async () => {
    const setup = createManager();
    const month = 30 * 24 * 60 * MINUTE;
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("a", "x")], { intervalMs: month }));
    expect(slot).toBeGreaterThan(START);
    expect(setup.storage.asked).toHaveLength(1);
    await setup.manager.stop();
  });
});

describe("what a rule writes", () => {
  test("ends with a staleness marker where a result is no more", async () => {
    const setup = createManager();
    const { manager, clock, storage } = setup;
    storage.answer("x", vector([{ i: "1" }, 1], [{ i: "2" }, 2]));
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    storage.answer("x", vector([{ i: "2" }, 3]));
    await clock.advance(2 * MINUTE);
    expect(storage.lines("a")).toEqual([
      `${slot}: i=1 1`,
      `${slot}: i=2 2`,
      `${slot + MINUTE}: i=2 3`,
      `${slot + MINUTE}: i=1 stale`,
      `${slot + 2 * MINUTE}: i=2 3`,
    ]);
    await manager.stop();
  });

  test("doesn't end because a run failed", async () => {
    const setup = createManager();
    const { manager, clock, storage, log, metric } = setup;
    storage.answer("x", vector([{ i: "1" }, 1]));
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    storage.fail("x", new Error("query timed out in expression evaluation"));
    await clock.advance(MINUTE);
    const [rule] = manager.groups[0]!.rules;
    expect(rule).toMatchObject({
      health: "err",
      lastError: { message: "query timed out in expression evaluation" },
    });
    expect(log.messages).toEqual(["Evaluating rule failed"]);
    expect(await metric("rule_evaluation_failures_total")).toEqual({ "rules.yml;group": 1 });
    storage.answer("x", vector());
    await clock.advance(MINUTE);
    expect(rule).toMatchObject({ health: "ok", lastError: null });
    expect(storage.lines("a")).toEqual([`${slot}: i=1 1`, `${slot + 2 * MINUTE}: i=1 stale`]);
    await manager.stop();
  });

  test("is dropped sample by sample where the storage refuses, which is the rule's health but no failure", async () => {
    const setup = createManager();
    const { manager, storage, metric } = setup;
    storage.answer("x", vector([{ i: "1" }, 1], [{ i: "2" }, 2]));
    storage.outcome = ({ labels }) =>
      labels["i"] === "1" ? SampleOutcome.outOfOrder : SampleOutcome.appended;
    await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    expect(storage.written.map(({ labels }) => labels["i"])).toEqual(["2"]);
    expect(manager.groups[0]!.rules[0]).toMatchObject({
      health: "err",
      lastError: { message: "out of order sample" },
    });
    expect(await metric("rule_evaluation_failures_total")).toEqual({ "rules.yml;group": 0 });
    await manager.stop();
  });

  test("that the storage refused needs no staleness marker", async () => {
    const setup = createManager();
    const { manager, clock, storage } = setup;
    storage.answer("x", vector([{ i: "1" }, 1]));
    storage.outcome = () => SampleOutcome.tooOld;
    await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    storage.outcome = () => SampleOutcome.appended;
    storage.answer("x", vector());
    await clock.advance(MINUTE);
    expect(storage.written).toEqual([]);
    await manager.stop();
  });

  test("that could not be committed is a failed run, and its series count as not written", async () => {
    const setup = createManager();
    const { manager, clock, storage, metric } = setup;
    storage.answer("x", vector([{ i: "1" }, 1]));
    storage.appendError = new Error("disk full");
    await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    expect(manager.groups[0]!.rules[0]).toMatchObject({ health: "err", lastError: { message: "disk full" } });
    expect(await metric("rule_evaluation_failures_total")).toEqual({ "rules.yml;group": 1 });
    storage.appendError = null;
    storage.answer("x", vector());
    await clock.advance(MINUTE);
    expect(storage.written).toEqual([]);
    await manager.stop();
  });

  test("may be histograms, but none with a negative bucket", async () => {
    const setup = createManager();
    const histogram = {
      isInteger: false,
      counterResetHint: "gauge" as const,
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 1,
      sum: 2,
      isStale: false,
      positiveSpans: [{ offset: 0, length: 1 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(1),
      negativeBuckets: new Float64Array(),
      customValues: new Float64Array(),
    };
    const broken = { ...histogram, positiveBuckets: Float64Array.of(-1) };
    setup.storage.answer("x", {
      type: "vector",
      timeMs: 0,
      samples: [sample({ i: "1" }, 1), sample({ i: "2" }, 0, histogram), sample({ i: "3" }, 0, broken)],
    });
    await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    expect(setup.storage.written.map(({ value }) => value)).toEqual([1, histogram]);
    expect(setup.manager.groups[0]!.rules[0]!.lastError!.message).toBe(
      "positive side: bucket number 1 has observation count of -1: histogram has a bucket whose observation count is negative",
    );
    await setup.manager.stop();
  });

  test("NaN is written as such and doesn't end the series", async () => {
    const setup = createManager();
    setup.storage.answer("x", vector([{}, NaN]));
    await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    expect(setup.storage.written.map(({ value }) => value)).toEqual([NaN]);
    await setup.manager.stop();
  });
});

describe("alerts", () => {
  test("change their series with their state, and end them", async () => {
    const setup = createManager();
    const { manager, clock, storage, sent } = setup;
    // A second load, so that there is nothing to restore.
    await manager.update([], context);
    storage.answer("x", vector([{}, 1]));
    const slot = await startAtFirstSlot(setup, ruleGroup([alerting("A", "x", { forMs: MINUTE })]));
    await clock.advance(MINUTE);
    storage.answer("x", vector());
    await clock.advance(MINUTE);
    expect(storage.lines("ALERTS")).toEqual([
      `${slot}: alertname=A alertstate=pending 1`,
      `${slot + MINUTE}: alertname=A alertstate=firing 1`,
      `${slot + MINUTE}: alertname=A alertstate=pending stale`,
      `${slot + 2 * MINUTE}: alertname=A alertstate=firing stale`,
    ]);
    expect(storage.lines("ALERTS_FOR_STATE")).toEqual([
      `${slot}: alertname=A ${Math.floor(slot / 1000)}`,
      `${slot + MINUTE}: alertname=A ${Math.floor(slot / 1000)}`,
      `${slot + 2 * MINUTE}: alertname=A stale`,
    ]);
    expect(sent.map(({ startsAtMs, endsAtMs }) => [startsAtMs - slot, endsAtMs - slot])).toEqual([
      [MINUTE, 5 * MINUTE],
      [MINUTE, 2 * MINUTE],
    ]);
    await manager.stop();
  });

  test("are sent before their samples are written, and even if these can't be", async () => {
    const setup = createManager();
    setup.storage.answer("x", vector([{}, 1]));
    setup.storage.appendError = new Error("disk full");
    await setup.manager.update([], context);
    await startAtFirstSlot(setup, ruleGroup([alerting("A", "x")]));
    expect(setup.sent).toHaveLength(1);
    await setup.manager.stop();
  });
});

describe("after a restart", () => {
  const group = ruleGroup([
    alerting("Long", "x", { forMs: 60 * MINUTE }),
    alerting("Short", "y", { forMs: MINUTE }),
  ]);

  test("waiting time is restored after the second run, and series are written from then on", async () => {
    const setup = createManager();
    const { manager, clock, storage, metric } = setup;
    storage.answer("x", vector([{ i: "1" }, 1]));
    storage.answer("y", vector([{ i: "1" }, 1]));
    const activeAtMs = START - 50 * MINUTE;
    storage.forStateSamples = [
      {
        labels: Labels.fromRecord({ __name__: "ALERTS_FOR_STATE", alertname: "Long", i: "1" }),
        timeMs: START - 20 * MINUTE,
        value: activeAtMs / 1000,
      },
    ];
    const slot = await startAtFirstSlot(setup, group);
    await clock.advanceTo(slot + 1);
    expect(storage.written).toEqual([]);
    expect(storage.forStateRequests).toEqual([]);
    await clock.advanceTo(slot + MINUTE);
    expect(storage.written).toEqual([]);
    // Only for the rule that waits at least the grace period.
    const restoredAtMs = slot + MINUTE;
    expect(storage.forStateRequests).toEqual([
      { alertName: "Long", minTime: restoredAtMs - 60 * MINUTE, maxTime: restoredAtMs },
    ]);
    const [long] = manager.alertingRules;
    // It had waited 30 of 60 minutes when the server went down.
    expect(long!.alerts[0]!.activeAtMs).toBe(restoredAtMs - 30 * MINUTE);
    expect(await metric("rule_group_last_restore_duration_seconds")).toEqual({ "rules.yml;group": 0 });
    await clock.advanceTo(slot + 2 * MINUTE);
    expect(storage.lines("ALERTS")).toEqual([
      `${slot + 2 * MINUTE}: alertname=Long alertstate=pending i=1 1`,
      `${slot + 2 * MINUTE}: alertname=Short alertstate=firing i=1 1`,
    ]);
    await manager.stop();
  });

  test("rules of a later load restore nothing", async () => {
    const setup = createManager();
    setup.storage.answer("x", vector([{}, 1]));
    await setup.manager.update([], context);
    await startAtFirstSlot(setup, group);
    expect(setup.storage.written.length).toBeGreaterThan(0);
    await setup.clock.advance(2 * MINUTE);
    expect(setup.storage.forStateRequests).toEqual([]);
    await setup.manager.stop();
  });
});

describe("a reload", () => {
  test("leaves groups that are configured as before alone", async () => {
    const setup = createManager();
    const { manager } = setup;
    const group = ruleGroup([alerting("A", "x", { labels: { b: "2", a: "1" } })]);
    await manager.update([group], context);
    const [before] = manager.groups;
    await manager.update([ruleGroup([alerting("A", "x", { labels: { a: "1", b: "2" } })])], context);
    expect(manager.groups[0]).toBe(before);
    await manager.update([{ ...group, intervalMs: 2 * MINUTE }], context);
    expect(manager.groups[0]).not.toBe(before);
    await manager.stop();
  });

  test("keeps the alerts and series of rules with the same name and labels, whatever else changes", async () => {
    const setup = createManager();
    const { manager, clock, storage } = setup;
    await manager.update([], context);
    storage.answer("x", vector([{ i: "1" }, 1]));
    const slot = await startAtFirstSlot(setup, ruleGroup([alerting("A", "x"), recording("r", "x")]));
    storage.answer("x + 1", vector());
    storage.answer("x + 0", vector([{ i: "1" }, 1]));
    await manager.update(
      [ruleGroup([recording("r", "x + 1"), alerting("A", "x + 0", { forMs: 0, annotations: { s: "t" } })])],
      context,
    );
    await clock.advance(MINUTE);
    expect(manager.alertingRules[0]!.alerts[0]!.activeAtMs).toBe(slot);
    expect(storage.lines("r")).toEqual([`${slot}: i=1 1`, `${slot + MINUTE}: i=1 stale`]);
    await manager.stop();
  });

  test("an alert falls back to waiting when `for` has grown", async () => {
    const setup = createManager();
    const { manager, clock, storage } = setup;
    await manager.update([], context);
    storage.answer("x", vector([{}, 1]));
    await startAtFirstSlot(setup, ruleGroup([alerting("A", "x")]));
    expect(manager.alertingRules[0]!.state).toBe("firing");
    await manager.update([ruleGroup([alerting("A", "x", { forMs: 5 * MINUTE })])], context);
    await clock.advance(MINUTE);
    expect(manager.alertingRules[0]!.state).toBe("pending");
    await manager.stop();
  });

  test("ends the series of a rule that left its group with the group's next run", async () => {
    const setup = createManager();
    const { manager, clock, storage } = setup;
    storage.answer("x", vector([{}, 1]));
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("r", "x"), recording("s", "x")]));
    await manager.update([ruleGroup([recording("s", "x")])], context);
    await clock.advance(MINUTE);
    expect(storage.lines("r")).toEqual([`${slot}: 1`, `${slot + MINUTE}: stale`]);
    expect(storage.lines("s")).toEqual([`${slot}: 1`, `${slot + MINUTE}: 1`]);
    await manager.stop();
  });

  test("ends such series though the next reload comes before that run", async () => {
    const setup = createManager();
    const { manager, clock, storage } = setup;
    storage.answer("x", vector([{}, 1]));
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("r", "x"), recording("s", "x")]));
    await manager.update([ruleGroup([recording("s", "x")])], context);
    await manager.update([ruleGroup([recording("s", "x"), recording("t", "x")])], context);
    await clock.advance(MINUTE);
    expect(storage.lines("r")).toEqual([`${slot}: 1`, `${slot + MINUTE}: stale`]);
    await manager.stop();
  });

  test("waits for the rule under way, and begins no other of the old group", async () => {
    const setup = createManager();
    const { manager, clock, storage } = setup;
    let finish = () => {};
    storage.answer("x", () => new Promise((resolve) => (finish = () => resolve(vector([{}, 1])))));
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("r", "x"), recording("s", "y")]));
    const update = manager.update([ruleGroup([recording("r", "z")])], context);
    await settle();
    finish();
    await update;
    expect(storage.asked.map(({ text }) => text)).toEqual(["x"]);
    await clock.advance(MINUTE);
    expect(storage.lines("r")).toEqual([`${slot}: 1`, `${slot + MINUTE}: stale`]);
    await manager.stop();
  });

  test("ends the series of a group that is gone two intervals later, as of when it went", async () => {
    const setup = createManager();
    const { manager, clock, storage, metric } = setup;
    storage.answer("x", vector([{}, 1]));
    const slot = await startAtFirstSlot(setup, ruleGroup([recording("r", "x")]));
    const goneAtMs = clock.now();
    await manager.update([], context);
    expect(await metric("rule_group_rules")).toEqual({});
    await clock.advance(2 * MINUTE - 1);
    expect(storage.lines("r")).toEqual([`${slot}: 1`]);
    await clock.advance(1);
    expect(storage.lines("r")).toEqual([`${slot}: 1`, `${goneAtMs}: stale`]);
    await manager.stop();
    expect(clock.timerCount).toBe(0);
  });

  test("with a mistake changes nothing", async () => {
    const setup = createManager();
    const { manager } = setup;
    await manager.update([ruleGroup([recording("r", "x")])], context);
    const [before] = manager.groups;
    await expect(manager.update([ruleGroup([recording("r", "x +")])], context)).rejects.toThrow(
      "parse error",
    );
    expect(manager.groups[0]).toBe(before);
    await manager.stop();
  });

  test("gives groups that stay the new external labels and address", async () => {
    const setup = createManager();
    const { manager, clock, storage } = setup;
    storage.answer("x", vector([{}, 1]));
    const group = ruleGroup([
      alerting("A", "x", { annotations: { s: "{{ $externalLabels.region }} {{ externalURL }}" } }),
    ]);
    await startAtFirstSlot(setup, group);
    await manager.update([group], {
      externalLabels: Labels.fromRecord({ region: "us" }),
      externalUrl: "http://new",
    });
    await clock.advance(MINUTE);
    expect(manager.alertingRules[0]!.alerts[0]!.annotations.get("s")).toBe("us http://new");
    await manager.stop();
  });
});

describe("rules beside each other", () => {
  async function mostAtOnce(maxConcurrentEvaluations: number, groups: RuleGroupConfig[]): Promise<number> {
    const setup = createManager({ maxConcurrentEvaluations });
    let running = 0;
    let most = 0;
    for (const name of ["u", "v", "w", "x"]) {
      setup.storage.answer(name, async () => {
        most = Math.max(most, ++running);
        await settle();
        running--;
        return vector([{}, 1]);
      });
    }
    await startAtFirstSlot(setup, ...groups);
    for (let i = 0; i < 10; i++) await settle();
    expect(setup.storage.written).toHaveLength(4);
    await setup.manager.stop();
    return most;
  }

  const four = ruleGroup([
    recording("a", "u"),
    recording("b", "v"),
    recording("c", "w"),
    recording("d", "x"),
  ]);

  test("are as many as there are places, and the group's own", async () => {
    expect(await mostAtOnce(0, [four])).toBe(1);
    expect(await mostAtOnce(2, [four])).toBe(3);
    expect(await mostAtOnce(10, [four])).toBe(4);
  });
});

describe("stopping", () => {
  test("calls off the query under way, without a word about it", async () => {
    const setup = createManager();
    const { manager, storage, log } = setup;
    storage.answer(
      "x",
      (_, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new QueryCanceledError("query was canceled"))),
        ),
    );
    await startAtFirstSlot(setup, ruleGroup([recording("a", "x"), recording("b", "y")]));
    await manager.stop();
    expect(storage.asked.map(({ text }) => text)).toEqual(["x"]);
    expect(log.messages).toEqual([]);
    expect(setup.clock.timerCount).toBe(0);
  });

  test("leaves no timer behind", async () => {
    const setup = createManager();
    await startAtFirstSlot(setup, ruleGroup([recording("a", "x")]));
    await setup.manager.stop();
    expect(setup.clock.timerCount).toBe(0);
  });
});

test("groups are told sorted by file, then name, with how their last run went", async () => {
  const setup = createManager();
  const { manager, clock, storage, metric } = setup;
  storage.answer("x", async () => {
    clock.jumpTo(clock.now() + 250);
    return vector([{ i: "1" }, 1], [{ i: "2" }, 1]);
  });
  const groups = [
    ruleGroup([recording("a", "x")], { file: "b.yml", name: "one" }),
    ruleGroup([], { file: "a.yml", name: "two" }),
    ruleGroup([], { file: "a.yml", name: "one" }),
  ];
  const slot = await startAtFirstSlot(setup, ...groups);
  expect(manager.groups.map(({ key }) => key)).toEqual(["a.yml;one", "a.yml;two", "b.yml;one"]);
  expect(manager.groups[2]).toMatchObject({ lastEvaluationMs: slot, evaluationDurationMs: 250 });
  expect(manager.groups[2]!.rules[0]).toMatchObject({
    health: "ok",
    evaluationDurationMs: 250,
    lastEvaluationMs: slot,
  });
  expect(await metric("rule_group_last_evaluation_samples")).toMatchObject({ "b.yml;one": 2 });
  expect(await metric("rule_group_last_duration_seconds")).toMatchObject({ "b.yml;one": 0.25 });
  expect(await metric("rule_group_last_rule_duration_sum_seconds")).toMatchObject({ "b.yml;one": 0.25 });
  expect(await metric("rule_group_interval_seconds")).toMatchObject({ "b.yml;one": 60 });
  await manager.stop();
});
