import { describe, expect, test } from "vitest";
import { CUSTOM_BUCKETS_SCHEMA } from "../../src/model/histogram.ts";
import { Labels } from "../../src/model/labels.ts";
import type { QueryValue } from "../../src/promql/value.ts";
import { AlertingRule } from "../../src/rules/alerting-rule.ts";
import type { AlertingRuleConfig } from "../../src/rules/rule-config.ts";
import {
  alerting,
  FakeRuleStorage,
  parseExpression,
  sample,
  vector,
  type LabelRecord,
} from "../support/rule-fixtures.ts";

const MINUTE = 60_000;

function createRule(
  more: Partial<AlertingRuleConfig> = {},
  options: { readonly isRestored?: boolean; readonly groupLabels?: LabelRecord } = {},
) {
  const storage = new FakeRuleStorage();
  const failures: string[] = [];
  let turns = 0;
  const rule = new AlertingRule(
    alerting("Down", "up == 0", more),
    options.groupLabels ?? {},
    parseExpression("up == 0"),
    {
      externalLabels: Labels.fromRecord({ region: "eu" }),
      externalUrl: "http://prom.example",
      templateExpanded: (failure) => void (failure === null || failures.push(failure.error.message)),
      takeTurn: async () => void turns++,
    },
    { isRestored: options.isRestored ?? true },
  );
  /** One run, with the elements the expression gives; how it ended. */
  const run = async (minute: number, value: QueryValue, limit = 0) => {
    storage.answer("up == 0", value);
    const evaluation = {
      timeMs: minute * MINUTE,
      queryTimeMs: minute * MINUTE - 500,
      limit,
      signal: new AbortController().signal,
      group: null,
    };
    const samples = await rule.evaluate(evaluation, storage);
    return samples.map(({ labels, value }) => ({ ...labels.toRecord(), value }));
  };
  const states = () => rule.alerts.map(({ labels, state }) => `${labels.get("instance")} ${state}`);
  const send = (minute: number) =>
    rule
      .takeAlertsToSend(minute * MINUTE, { resendDelayMs: MINUTE, intervalMs: MINUTE })
      .map(({ labels, startsAtMs, endsAtMs }) => [
        labels.get("instance"),
        startsAtMs / MINUTE,
        endsAtMs / MINUTE,
      ]);
  return { rule, storage, run, states, send, failures, turns: () => turns };
}

const a = { __name__: "up", instance: "a" };
const b = { __name__: "up", instance: "b" };

describe("the life of an alert", () => {
  test("without `for` it fires at once, and is gone with its element", async () => {
    const { run, states } = createRule();
    await run(0, vector([a, 0], [b, 0]));
    expect(states()).toEqual(["a firing", "b firing"]);
    await run(1, vector([b, 0]));
    expect(states()).toEqual(["b firing"]);
  });

  test("with `for` it waits that long, and not a moment longer", async () => {
    const { run, states } = createRule({ forMs: 2 * MINUTE });
    await run(0, vector([a, 0]));
    expect(states()).toEqual(["a pending"]);
    await run(1.99, vector([a, 0]));
    expect(states()).toEqual(["a pending"]);
    await run(2, vector([a, 0]));
    expect(states()).toEqual(["a firing"]);
  });

  test("who vanishes while waiting begins anew", async () => {
    const { rule, run, states } = createRule({ forMs: 2 * MINUTE });
    await run(0, vector([a, 0]));
    await run(1, vector());
    expect(states()).toEqual([]);
    await run(2, vector([a, 0]));
    expect(rule.alerts[0]).toMatchObject({ state: "pending", activeAtMs: 2 * MINUTE });
  });

  test("with `keep_firing_for` it goes on firing without its element, until that has passed", async () => {
    const { rule, run, states } = createRule({ keepFiringForMs: 2 * MINUTE });
    await run(0, vector([a, 0]));
    await run(1, vector());
    expect(rule.alerts[0]).toMatchObject({ state: "firing", keepFiringSinceMs: MINUTE });
    await run(2.99, vector());
    expect(states()).toEqual(["a firing"]);
    await run(3, vector());
    expect(states()).toEqual([]);
  });

  test("`keep_firing_for` counts from the last time the element vanished", async () => {
    const { rule, run } = createRule({ keepFiringForMs: 2 * MINUTE });
    await run(0, vector([a, 0]));
    await run(1, vector());
    await run(2, vector([a, 0]));
    expect(rule.alerts[0]!.keepFiringSinceMs).toBeNull();
    await run(3, vector());
    await run(4, vector());
    expect(rule.alerts[0]).toMatchObject({ state: "firing", keepFiringSinceMs: 3 * MINUTE });
  });

  test("`keep_firing_for` is nothing to an alert that only waits", async () => {
    const { run, states } = createRule({ forMs: 2 * MINUTE, keepFiringForMs: 5 * MINUTE });
    await run(0, vector([a, 0]));
    await run(1, vector());
    expect(states()).toEqual([]);
  });

  test("the rule's state is that of its gravest alert, unknown before its first run", async () => {
    const { rule, run } = createRule({ forMs: MINUTE });
    expect(rule.state).toBe("unknown");
    rule.lastEvaluationMs = 0;
    await run(0, vector());
    expect(rule.state).toBe("inactive");
    await run(1, vector([a, 0]));
    expect(rule.state).toBe("pending");
    await run(2, vector([a, 0], [b, 0]));
    expect(rule.state).toBe("firing");
  });

  test("value and annotations follow every run", async () => {
    const { rule, run } = createRule({ annotations: { summary: "{{ $labels.instance }} is {{ $value }}" } });
    await run(0, vector([a, 0]));
    await run(1, vector([a, 7]));
    expect(rule.alerts[0]).toMatchObject({ value: 7, activeAtMs: 0 });
    expect([...rule.alerts[0]!.annotations]).toEqual([["summary", "a is 7"]]);
  });

  test("a scalar is one alert without labels, a native histogram one with the value 0", async () => {
    const { rule, run } = createRule({ annotations: { summary: "{{ $value }}" } });
    await run(0, { type: "scalar", timeMs: 0, value: 3 });
    expect(rule.alerts.map(({ labels, value }) => [labels.toRecord(), value])).toEqual([
      [{ alertname: "Down" }, 3],
    ]);
    const histogram = {
      isInteger: false,
      counterResetHint: "gauge" as const,
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 3,
      sum: 4.5,
      isStale: false,
      positiveSpans: [{ offset: 0, length: 2 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(1, 2),
      negativeBuckets: new Float64Array(),
      customValues: Float64Array.of(1, 2),
    };
    await run(1, { type: "vector", timeMs: 0, samples: [sample(a, NaN, histogram)] });
    expect(rule.alerts.map(({ value }) => value)).toEqual([0]);
    expect(rule.alerts[0]!.annotations.get("summary")).toBe("{count:3, sum:4.5, [-Inf,1]:1, (1,2]:2}");
  });

  test("a string is no result for a rule", async () => {
    const { run } = createRule();
    await expect(run(0, { type: "string", timeMs: 0, value: "x" })).rejects.toThrow(
      "rule result is not a vector or scalar",
    );
  });
});

describe("labels", () => {
  test("are those of the element without its name, those of the rule expanded, and the alert's name", async () => {
    const { rule, run } = createRule(
      {
        labels: {
          severity: "page",
          where: "{{ $externalLabels.region }}/{{ $labels.instance }}",
          alertname: "no",
        },
      },
      { groupLabels: { team: "sre", severity: "low" } },
    );
    await run(0, vector([{ ...a, team: "dev" }, 0]));
    expect(rule.alerts[0]!.labels.toRecord()).toEqual({
      alertname: "Down",
      instance: "a",
      severity: "page",
      team: "sre",
      where: "eu/a",
    });
  });

  test("a template that gives nothing takes the label away", async () => {
    const { rule, run } = createRule({ labels: { instance: "{{ $labels.nope }}" } });
    const samples = await run(0, vector([a, 0]));
    expect(rule.alerts[0]!.labels.toRecord()).toEqual({ alertname: "Down" });
    // As Prometheus does, the series keep the template's text.
    expect(samples[0]).toMatchObject({ __name__: "ALERTS", instance: "{{ $labels.nope }}" });
  });

  test("that make two elements one are an error", async () => {
    const { run } = createRule({ labels: { instance: "same" } });
    await expect(run(0, vector([a, 0], [b, 0]))).rejects.toThrow(
      "vector contains metrics with the same labelset after applying alert labels",
    );
  });

  test("a template that fails stands there with its error, which is counted and told", async () => {
    const { rule, run, failures } = createRule({ annotations: { summary: "{{ nope }}", ok: "fine" } });
    await run(0, vector([a, 0]));
    expect([...rule.alerts[0]!.annotations]).toEqual([
      ["ok", "fine"],
      [
        "summary",
        '<error expanding template: error parsing template __alert_Down: template: __alert_Down:1: function "nope" not defined>',
      ],
    ]);
    expect(failures).toHaveLength(1);
  });

  test("queries in templates look at the time of the slot, without the offset", async () => {
    const { storage, rule, run } = createRule({
      annotations: { summary: '{{ query "x" | first | value }}' },
    });
    storage.answer("x", vector([{}, 8]));
    await run(3, vector([a, 0], [b, 0]));
    expect(storage.asked).toEqual([
      { text: "up == 0", timeMs: 3 * MINUTE - 500 },
      { text: "x", timeMs: 3 * MINUTE },
    ]);
    expect(rule.alerts.map(({ annotations }) => annotations.get("summary"))).toEqual(["8", "8"]);
  });

  test("many alerts let others have their turn", async () => {
    const { run, turns } = createRule();
    const many = Array.from({ length: 2000 }, (_, i) => [{ instance: `i${i}` }, 0] as const);
    await run(0, vector(...many));
    expect(turns()).toBe(4);
  });
});

describe("the series ALERTS and ALERTS_FOR_STATE", () => {
  test("tell of every pending and firing alert", async () => {
    const { run } = createRule({ forMs: MINUTE, labels: { severity: "page" } });
    const alert = { alertname: "Down", instance: "a", severity: "page" };
    expect(await run(1.5, vector([a, 0]))).toEqual([
      { __name__: "ALERTS", ...alert, alertstate: "pending", value: 1 },
      { __name__: "ALERTS_FOR_STATE", ...alert, value: 90 },
    ]);
    expect(await run(2.5, vector([a, 0]))).toEqual([
      { __name__: "ALERTS", ...alert, alertstate: "firing", value: 1 },
      { __name__: "ALERTS_FOR_STATE", ...alert, value: 90 },
    ]);
    expect(await run(3.5, vector())).toEqual([]);
  });

  test("are held back until the state of an earlier process is restored", async () => {
    const { rule, run } = createRule({}, { isRestored: false });
    expect(await run(0, vector([a, 0]))).toEqual([]);
    rule.isRestored = true;
    expect(await run(1, vector([a, 0]))).toHaveLength(2);
  });
});

describe("a limit", () => {
  test("that is passed fails the rule and forgets its alerts", async () => {
    const { run, states } = createRule();
    await run(0, vector([a, 0], [b, 0]), 2);
    expect(states()).toHaveLength(2);
    await expect(run(1, vector([a, 0], [b, 0], [{ instance: "c" }, 0]), 2)).rejects.toThrow(
      "exceeded limit of 2 with 3 alerts",
    );
    expect(states()).toEqual([]);
  });
});

describe("what is sent to Alertmanagers", () => {
  test("an alert that fires, with an end two missed deliveries away; not one that waits", async () => {
    const { run, send } = createRule({ forMs: 2 * MINUTE });
    await run(0, vector([a, 0]));
    expect(send(0)).toEqual([]);
    await run(2, vector([a, 0]));
    expect(send(2)).toEqual([["a", 2, 6]]);
  });

  test("again only when the resend delay has passed", async () => {
    const { run, send } = createRule();
    await run(0, vector([a, 0]));
    expect(send(0)).toEqual([["a", 0, 4]]);
    await run(0.5, vector([a, 0]));
    expect(send(0.5)).toEqual([]);
    await run(1, vector([a, 0]));
    expect(send(1)).toEqual([]);
    await run(1.25, vector([a, 0]));
    expect(send(1.25)).toEqual([["a", 0, 5.25]]);
  });

  test("its end at once, and from then on for fifteen minutes", async () => {
    const { run, send } = createRule();
    await run(0, vector([a, 0]));
    send(0);
    await run(0.5, vector());
    expect(send(0.5)).toEqual([["a", 0, 0.5]]);
    await run(15.5, vector());
    expect(send(15.5)).toEqual([["a", 0, 0.5]]);
    await run(17, vector());
    expect(send(17)).toEqual([]);
  });

  test("an alert that comes back is a new one", async () => {
    const { run, send } = createRule();
    await run(0, vector([a, 0]));
    send(0);
    await run(1, vector());
    send(1);
    await run(2, vector([a, 0]));
    expect(send(2)).toEqual([["a", 2, 6]]);
  });

  test("a link to the expression, and the annotations", async () => {
    const { rule, run } = createRule({ annotations: { summary: "down" } });
    await run(0, vector([a, 0]));
    const [alert] = rule.takeAlertsToSend(0, { resendDelayMs: MINUTE, intervalMs: 5 * MINUTE });
    expect(alert).toMatchObject({
      generatorUrl: "http://prom.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
      endsAtMs: 20 * MINUTE,
      annotations: new Map([["summary", "down"]]),
    });
  });
});

describe("restoring the time an alert has waited", () => {
  const forState = { __name__: "ALERTS_FOR_STATE", alertname: "Down", instance: "a" };
  async function restored(forMinutes: number, sample: { downAtMinute: number; activeAtMinute: number }) {
    const { rule, run } = createRule({ forMs: forMinutes * MINUTE }, { isRestored: false });
    await run(100, vector([a, 0], [b, 0]));
    rule.restore(
      [
        {
          labels: Labels.fromRecord(forState),
          timeMs: sample.downAtMinute * MINUTE,
          value: sample.activeAtMinute * 60,
        },
      ],
      { nowMs: 101 * MINUTE, gracePeriodMs: 10 * MINUTE },
    );
    return rule.alerts.map(({ activeAtMs }) => activeAtMs / MINUTE);
  }

  test("one that had fired fires again", async () => {
    expect(await restored(30, { downAtMinute: 90, activeAtMinute: 50 })).toEqual([50, 100]);
  });

  test("one with less than the grace period left waits that long", async () => {
    expect(await restored(30, { downAtMinute: 90, activeAtMinute: 65 })).toEqual([81, 100]);
  });

  test("for another the time the server was down doesn't count", async () => {
    expect(await restored(30, { downAtMinute: 90, activeAtMinute: 80 })).toEqual([91, 100]);
  });
});
