import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { WindowSummary } from "../../src/telemetry/window-summary.ts";

function start(labelNames: string[], quantiles = [0.5, 0.99]) {
  const clock = { nowMs: 0 };
  const registry = new Registry();
  const summary = new WindowSummary({
    name: "took_seconds",
    help: "How long.",
    labelNames,
    quantiles,
    registers: [registry],
    now: () => clock.nowMs,
  });
  const lines = async () =>
    (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return { clock, registry, summary, lines };
}

describe("a summary over a window", () => {
  test("counts what the observer of a label set is told like what it is told itself", async () => {
    const { clock, lines, summary } = start(["call"], [0.5]);
    const observe = summary.observer({ call: "a" });
    for (let i = 1; i <= 3; i++) {
      clock.nowMs += 1000;
      observe(i);
    }
    summary.observe({ call: "a" }, 4);
    expect(await lines()).toEqual([
      'took_seconds{quantile="0.5",call="a"} 2',
      'took_seconds_sum{call="a"} 10',
      'took_seconds_count{call="a"} 4',
    ]);
    clock.nowMs += 11 * 60_000;
    expect(await lines()).toContain('took_seconds{quantile="0.5",call="a"} Nan');
  });

  test("is there from the start where it has no labels, with quantiles that are not numbers", async () => {
    const { lines, registry } = start([]);
    expect(await lines()).toEqual([
      'took_seconds{quantile="0.5"} Nan',
      'took_seconds{quantile="0.99"} Nan',
      "took_seconds_sum 0",
      "took_seconds_count 0",
    ]);
    expect(await registry.metrics()).toContain("# TYPE took_seconds summary");
  });

  test("gives quantiles of the last ten minutes, and sum and count of all time", async () => {
    const { clock, lines, summary } = start(["call"]);
    for (let i = 1; i <= 100; i++) summary.observe({ call: "a" }, i);
    summary.zero({ call: "b" });
    expect(await lines()).toEqual([
      'took_seconds{quantile="0.5",call="a"} 50',
      'took_seconds{quantile="0.99",call="a"} 99',
      'took_seconds_sum{call="a"} 5050',
      'took_seconds_count{call="a"} 100',
      'took_seconds{quantile="0.5",call="b"} Nan',
      'took_seconds{quantile="0.99",call="b"} Nan',
      'took_seconds_sum{call="b"} 0',
      'took_seconds_count{call="b"} 0',
    ]);
    clock.nowMs = 599_999;
    summary.observe({ call: "a" }, 1_000);
    expect(await lines()).toContain('took_seconds{quantile="0.99",call="a"} 100');
    clock.nowMs = 600_000;
    expect((await lines()).slice(0, 4)).toEqual([
      'took_seconds{quantile="0.5",call="a"} 1000',
      'took_seconds{quantile="0.99",call="a"} 1000',
      'took_seconds_sum{call="a"} 6050',
      'took_seconds_count{call="a"} 101',
    ]);
  });

  test("remembers the newest of very many", async () => {
    const { lines, summary } = start([]);
    for (let i = 0; i < 5_000; i++) summary.observe(i);
    const [median] = await lines();
    expect(Number(median!.split(" ")[1])).toBe(5_000 - 1_024 + 511);
    expect(await lines()).toContain("took_seconds_count 5000");
  });

  test("without quantiles is a sum and a count", async () => {
    const { lines, summary } = start([], []);
    summary.observe(2);
    expect(await lines()).toEqual(["took_seconds_sum 2", "took_seconds_count 1"]);
  });
});
