import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHttpClient } from "../../src/http-client/index.ts";
import { ScrapeMemory } from "../../src/kernels/index.ts";
import { LargePages } from "../../src/scrape/large-pages.ts";
import { acceptHeader } from "../../src/scrape/exposition/negotiate.ts";
import { DEFAULT_SCRAPE_POOL_OPTIONS, systemClock, zeroCounters } from "../../src/scrape/index.ts";
import { ScrapeLoop } from "../../src/scrape/scrape-loop.ts";
import { TargetSeries } from "../../src/scrape/target-series.ts";
import { targetsOf } from "../../src/scrape/target.ts";
import { FakeAppender } from "../support/fake-appender.ts";

const EXPORTER = "prometheus-node-exporter";
const isInstalled = spawnSync(EXPORTER, ["--version"]).status === 0;

describe.skipIf(!isInstalled)("a real node exporter", () => {
  let exporter: ChildProcess;
  let address = "";

  beforeAll(async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    address = `127.0.0.1:${(probe.address() as AddressInfo).port}`;
    await new Promise((resolve) => probe.close(resolve));
    exporter = spawn(EXPORTER, [`--web.listen-address=${address}`], { stdio: "ignore" });
    for (let attempt = 0; attempt < 100; attempt++) {
      try {
        await fetch(`http://${address}/`);
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    throw new Error(`cannot reach ${EXPORTER} on ${address}`);
  });
  afterAll(() => void exporter.kill());

  test.each([
    ["OpenMetrics and gzip", DEFAULT_SCRAPE_POOL_OPTIONS.scrapeProtocols, true],
    ["plain text", ["PrometheusText0.0.4"] as const, false],
    ["protobuf", ["PrometheusProto"] as const, true],
  ])(
    "is scraped twice in %s: every series, none of them new the second time",
    async (_how, protocols, enableCompression) => {
      const options = { ...DEFAULT_SCRAPE_POOL_OPTIONS, jobName: "node", enableCompression };
      const [target] = targetsOf(
        [{ source: "s", targets: [{ __address__: address, instance: "i" }], labels: {} }],
        options,
        [],
      ).targets;
      const appender = new FakeAppender();
      const client = createHttpClient();
      const loop = new ScrapeLoop(
        target!,
        { options, client, metricRelabelRules: [] },
        {
          appender,
          memory: new ScrapeMemory(2 ** 28),
          clock: systemClock,
          log: { debug: () => {}, warn: () => {}, error: () => {} },
          counters: zeroCounters(),
          largePages: new LargePages(),
          offsetSeed: "",
          userAgent: "t",
          timestampToleranceMs: 2,
        },
        new TargetSeries(new ScrapeMemory(2 ** 28)),
        acceptHeader(protocols, "allow-utf-8"),
      );
      await loop.scrape(1000);
      await loop.scrape(2000);
      await client.close();
      expect(loop.status).toMatchObject({ health: "up", lastError: "" });
      const value = (name: string): number[] =>
        appender.series(`${name}{instance="i",job="node"}`).map((sample) => Number(sample.split(" ")[1]));
      const [scraped] = value("scrape_samples_scraped");
      expect(scraped).toBeGreaterThan(300);
      expect(value("scrape_series_added")[0]).toBe(scraped);
      expect(value("scrape_series_added")[1]).toBeLessThan(scraped! / 10);
      expect(value("node_time_seconds")[1]).toBeGreaterThan(1.7e9);
      expect(
        loop.series.metadata().get("node_cpu_seconds")?.type ??
          loop.series.metadata().get("node_cpu_seconds_total")?.type,
      ).toBe("counter");
    },
  );
});
