import { Counter, Gauge, Histogram, Registry, Summary } from "prom-client";
import { expect, test } from "vitest";
import { familiesToJson } from "../../src/telemetry/family-json.ts";
import type { MetricFamilies } from "../../src/telemetry/merge.ts";

test("families are told as protobuf's JSON has them", async () => {
  const registry = new Registry();
  const registers = [registry];
  const counter = new Counter({ name: "c_total", help: "Counts.", labelNames: ["z", "a"], registers });
  counter.inc({ z: "1", a: "2" }, 3);
  new Gauge({ name: "g", help: "Gauges.", registers }).set(-Infinity);
  new Gauge({ name: "n", help: "None.", registers }).set(NaN);
  const histogram = new Histogram({ name: "h", help: "H.", labelNames: ["l"], buckets: [0.5, 2], registers });
  histogram.observe({ l: "x" }, 1);
  histogram.observe({ l: "x" }, 9);
  histogram.observe({ l: "y" }, 0.25);
  new Summary({ name: "s", help: "S.", percentiles: [0.5], registers }).observe(4);

  const families = familiesToJson((await registry.getMetricsAsJSON()) as unknown as MetricFamilies);
  expect(families).toEqual([
    {
      ...{ name: "c_total", help: "Counts.", type: "COUNTER" },
      metric: [
        {
          label: [
            { name: "a", value: "2" },
            { name: "z", value: "1" },
          ],
          counter: { value: 3 },
        },
      ],
    },
    { name: "g", help: "Gauges.", type: "GAUGE", metric: [{ label: [], gauge: { value: "-Infinity" } }] },
    { name: "n", help: "None.", type: "GAUGE", metric: [{ label: [], gauge: { value: "NaN" } }] },
    {
      ...{ name: "h", help: "H.", type: "HISTOGRAM" },
      metric: [
        {
          label: [{ name: "l", value: "x" }],
          histogram: {
            sampleCount: "2",
            sampleSum: 10,
            bucket: [
              { cumulativeCount: "0", upperBound: 0.5 },
              { cumulativeCount: "1", upperBound: 2 },
            ],
          },
        },
        {
          label: [{ name: "l", value: "y" }],
          histogram: {
            sampleCount: "1",
            sampleSum: 0.25,
            bucket: [
              { cumulativeCount: "1", upperBound: 0.5 },
              { cumulativeCount: "1", upperBound: 2 },
            ],
          },
        },
      ],
    },
    {
      ...{ name: "s", help: "S.", type: "SUMMARY" },
      metric: [
        { label: [], summary: { sampleCount: "1", sampleSum: 4, quantile: [{ quantile: 0.5, value: 4 }] } },
      ],
    },
  ]);
});
