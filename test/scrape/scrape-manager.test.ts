import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { ScrapeMemory } from "../../src/kernels/index.ts";
import { DEFAULT_RELABEL_RULE } from "../../src/model/relabel.ts";
import { LargePages } from "../../src/scrape/large-pages.ts";
import {
  DEFAULT_SCRAPE_POOL_OPTIONS,
  ScrapeManager,
  zeroCounters,
  type ScrapePoolOptions,
  type TargetGroup,
} from "../../src/scrape/index.ts";
import { FakeAppender } from "../support/fake-appender.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { PageServer } from "../support/page-server.ts";

let memory: ScrapeMemory;
beforeAll(() => {
  memory = new ScrapeMemory(2 ** 28, 7);
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const INTERVAL_MS = 10_000;

/** A manager on a manual clock, and one job `test` with one target unless a test says otherwise. */
class House {
  readonly clock = new ManualClock();
  readonly appender = new FakeAppender();
  readonly counters = zeroCounters();
  readonly warnings: object[] = [];
  readonly manager = new ScrapeManager({
    appender: this.appender,
    memory,
    clock: this.clock,
    log: {
      debug: () => {},
      warn: (fields) => this.warnings.push(fields),
      error: (fields) => this.warnings.push(fields),
    },
    counters: this.counters,
    largePages: new LargePages(),
    offsetSeed: "here",
    userAgent: "Narthex/test",
    timestampToleranceMs: 2,
  });
  server!: PageServer;

  async start(options: Partial<ScrapePoolOptions> = {}, labels: Record<string, string> = {}): Promise<this> {
    this.server = await newServer();
    cleanups.push(() => this.manager.stop());
    this.apply(options);
    this.target(labels);
    return this;
  }

  apply(...jobs: Partial<ScrapePoolOptions>[]): void {
    this.manager.apply(
      jobs.map((job) => ({ ...DEFAULT_SCRAPE_POOL_OPTIONS, jobName: "test", ...FAST, ...job })),
    );
  }

  target(labels: Record<string, string> = {}): void {
    this.groups({
      source: "s",
      targets: [{ __address__: this.server.address, instance: "i", ...labels }],
      labels: {},
    });
  }

  groups(...groups: TargetGroup[]): void {
    this.manager.updateTargets(new Map([["test", groups]]));
  }

  get status() {
    return this.manager.snapshot().pools[0]!.active[0]!;
  }

  /** One interval passes; every scrape it brings ends. */
  async interval(page?: string | Buffer): Promise<void> {
    if (page !== undefined) this.server.page = page;
    await this.clock.advance(INTERVAL_MS, () => this.settled());
  }

  /** Waits until no fetch is under way. */
  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      await new Promise((resolve) => setTimeout(resolve, 4));
      const commits = this.appender.commits;
      await new Promise((resolve) => setTimeout(resolve, 4));
      quiet = commits === this.appender.commits && !this.isScraping ? quiet + 1 : 0;
    }
  }

  private get isScraping(): boolean {
    return this.manager.isScraping;
  }

  values(series: string): string[] {
    return this.appender.series(series).map((sample) => sample.split(" ")[1]!);
  }
}

const FAST = { scrapeIntervalMs: INTERVAL_MS, scrapeTimeoutMs: 5000 };

async function newServer(): Promise<PageServer> {
  const server = await new PageServer().start();
  cleanups.push(() => server.stop());
  return server;
}

const LABELS = 'instance="i",job="test"';

describe("a scrape", () => {
  test("stores the page with the target's labels, and reports on itself", async () => {
    const house = await new House().start({
      extraScrapeMetrics: true,
      sampleLimit: 10,
      bodySizeLimitBytes: 1000,
    });
    await house.interval('a{x="1"} 1\nb 2\n');
    await house.interval('a{x="1"} 3\nb 4\n');
    expect(house.values(`a{${LABELS},x="1"}`)).toEqual(["1", "3"]);
    expect(house.values(`up{${LABELS}}`)).toEqual(["1", "1"]);
    expect(house.values(`scrape_samples_scraped{${LABELS}}`)).toEqual(["2", "2"]);
    expect(house.values(`scrape_samples_post_metric_relabeling{${LABELS}}`)).toEqual(["2", "2"]);
    expect(house.values(`scrape_series_added{${LABELS}}`)).toEqual(["2", "0"]);
    expect(house.values(`scrape_duration_seconds{${LABELS}}`).length).toBe(2);
    expect(house.values(`scrape_timeout_seconds{${LABELS}}`)).toEqual(["5", "5"]);
    expect(house.values(`scrape_sample_limit{${LABELS}}`)).toEqual(["10", "10"]);
    expect(house.values(`scrape_body_size_bytes{${LABELS}}`)).toEqual(["15", "15"]);
    expect(house.status).toMatchObject({ health: "up", lastError: "" });
  });

  test("asks as Prometheus asks", async () => {
    const house = await new House().start(
      { metricsPath: "/m", params: { a: ["1", "2"], b: ["x y"] } },
      { __param_a: "3" },
    );
    await house.interval("");
    const { headers, url } = house.server.seen[0]!;
    expect(url).toBe("/m?a=3&a=2&b=x+y");
    expect(headers).toMatchObject({
      accept:
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      "accept-encoding": "gzip",
      "user-agent": "Narthex/test",
      "x-prometheus-scrape-timeout-seconds": "5",
    });
  });

  test("comes every interval, stamped with the schedule", async () => {
    const house = await new House().start();
    for (let i = 0; i < 3; i++) await house.interval("a 1\n");
    const times = house.appender.series(`up{${LABELS}}`).map((sample) => Number(sample.split(" ")[0]));
    expect(times.map((timeMs) => timeMs - times[0]!)).toEqual([0, INTERVAL_MS, 2 * INTERVAL_MS]);
  });

  test("takes gzip, and no compression when that is off", async () => {
    const house = await new House().start();
    house.server.headers["content-encoding"] = "gzip";
    await house.interval(gzipSync("a 1\n"));
    await house.interval(gzipSync(`a 2\nb{x="${"long".repeat(50_000)}"} 1\n`));
    expect(house.values(`a{${LABELS}}`)).toEqual(["1", "2"]);
    house.apply({ enableCompression: false });
    await house.interval("a 1\n");
    expect(house.server.seen.at(-1)!.headers["accept-encoding"]).toBe("identity");
  });

  test("reads OpenMetrics by the content type, and a nameless page only with a fallback", async () => {
    const house = await new House().start();
    house.server.headers = { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" };
    await house.interval("a 1\n# EOF\n");
    expect(house.status.health).toBe("up");
    await house.interval("a 1\n");
    expect(house.status).toMatchObject({ health: "down", lastError: "data does not end with # EOF" });
    house.server.headers = {};
    await house.interval("a 1\n");
    expect(house.status.lastError).toBe(
      "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target",
    );
    house.apply({ fallbackScrapeProtocol: "PrometheusText0.0.4" });
    await house.interval("a 5\n");
    expect(house.status.health).toBe("up");
    house.server.headers = { "content-type": "image/png" };
    house.apply({});
    await house.interval("a 5\n");
    expect(house.status.lastError).toBe(
      'received unsupported Content-Type "image/png" and no fallback_scrape_protocol specified for target',
    );
  });
});

describe("a scrape that fails", () => {
  test.each<
    [string, Partial<ScrapePoolOptions>, (server: PageServer) => void, string, Record<string, string>]
  >([
    [
      "by status",
      {},
      (server) => (server.answer = (_request, response) => response.writeHead(500).end("a 1\n")),
      "server returned HTTP status 500 Internal Server Error",
      { scraped: "0", size: "0" },
    ],
    [
      "by format",
      {},
      (server) => (server.page = "a 1\nb 2\nc{ 1\n"),
      "expected label name",
      { scraped: "2", size: "13" },
    ],
    [
      "by sample_limit",
      { sampleLimit: 2 },
      (server) => (server.page = "a 1\nb 1\nc 1\n"),
      "sample limit exceeded",
      { scraped: "3", size: "12" },
    ],
    [
      "by label_limit",
      { labelLimit: 3 },
      (server) => (server.page = 'a 1\nb{x="1"} 1\n'),
      "label_limit exceeded",
      { scraped: "2", size: "15" },
    ],
    [
      "by body_size_limit",
      { bodySizeLimitBytes: 8 },
      (server) => (server.page = "a 1\nb 1\n"),
      "body size limit exceeded",
      { scraped: "0", size: "-1" },
    ],
    [
      "by a closed connection",
      {},
      (server) => (server.answer = (request) => request.socket.destroy()),
      "EOF",
      { scraped: "0", size: "0" },
    ],
    [
      "by a bomb",
      { bodySizeLimitBytes: 1_000_000 },
      (server) => {
        server.headers["content-encoding"] = "gzip";
        server.page = gzipSync(Buffer.alloc(20_000_000, 0x20));
      },
      "body size limit exceeded",
      { scraped: "0", size: "-1" },
    ],
    [
      "by bad gzip",
      {},
      (server) => {
        server.headers["content-encoding"] = "gzip";
        server.page = gzipSync("a 1\n").subarray(0, 15);
      },
      "cannot decompress page: unexpected end of file",
      { scraped: "0", size: "0" },
    ],
  ])("%s ends every series and says why", async (_how, options, breakServer, why, expected) => {
    const house = await new House().start({ ...options, extraScrapeMetrics: true });
    await house.interval("a 1\n");
    breakServer(house.server);
    await house.interval();
    expect(house.status).toMatchObject({ health: "down", lastError: expect.stringContaining(why) as string });
    expect(house.values(`a{${LABELS}}`)).toEqual(["1", "stale"]);
    expect(house.values(`up{${LABELS}}`)).toEqual(["1", "0"]);
    expect(house.values(`scrape_samples_scraped{${LABELS}}`)[1]).toBe(expected["scraped"]);
    expect(house.values(`scrape_body_size_bytes{${LABELS}}`)[1]).toBe(expected["size"]);
  });

  test("counts which limit it was", async () => {
    const house = await new House().start({ sampleLimit: 1 });
    await house.interval("a 1\nb 1\n");
    house.apply({ labelLimit: 1 });
    await house.interval();
    house.apply({ bodySizeLimitBytes: 2 });
    await house.interval();
    expect(house.counters).toMatchObject({
      exceededSampleLimit: 1,
      exceededLabelLimits: 1,
      exceededBodySizeLimit: 1,
    });
  });

  test("because storage does leaves the loop running", async () => {
    const house = await new House().start();
    house.appender.failCommit = new Error("disk full");
    await house.interval("a 1\n");
    expect(house.status).toMatchObject({ health: "down", lastError: "disk full" });
    house.appender.failCommit = null;
    await house.interval("a 2\n");
    expect(house.status.health).toBe("up");
    expect(house.values(`a{${LABELS}}`)).toEqual(["2"]);
  });
});

describe("targets", () => {
  test("get __address__ as instance, lose internal labels, and show what was discovered", async () => {
    const house = await new House().start();
    house.groups({
      source: "s",
      targets: [{ __address__: house.server.address, __meta_x: "m", own: "1" }],
      labels: { own: "2", group: "g" },
    });
    await house.clock.advance(5000);
    await house.interval("a 1\n");
    expect(house.status.labels).toEqual({
      group: "g",
      instance: house.server.address,
      job: "test",
      own: "1",
    });
    expect(house.status.discoveredLabels).toEqual({
      __address__: house.server.address,
      __always_scrape_classic_histograms__: "false",
      __convert_classic_histograms_to_nhcb__: "false",
      __meta_x: "m",
      __metrics_path__: "/metrics",
      __scheme__: "http",
      __scrape_interval__: "10s",
      __scrape_native_histograms__: "false",
      __scrape_timeout__: "5s",
      group: "g",
      job: "test",
      own: "1",
    });
    expect(house.status.url).toBe(`http://${house.server.address}/metrics`);
  });

  test("may be dropped, and are counted beyond those kept", async () => {
    const rule = {
      sourceLabels: ["keep"],
      separator: ";",
      regex: "yes",
      modulus: 0,
      targetLabel: "",
      replacement: "$1",
    };
    const house = await new House().start({
      relabelRules: [{ ...rule, action: "keep" }],
      keepDroppedTargets: 2,
    });
    const targets = Array.from({ length: 5 }, (_, i) => ({
      __address__: `h${i}`,
      ...(i === 0 ? { keep: "yes" } : {}),
    }));
    await house.clock.advance(5000);
    house.groups({ source: "s", targets, labels: {} });
    const [pool] = house.manager.snapshot().pools;
    expect(pool!.active.length).toBe(1);
    expect(pool!.dropped.map((labels) => labels["__address__"])).toEqual(["h1", "h2"]);
    expect(pool!.droppedCount).toBe(4);
  });

  test("that cannot be built are logged and counted", async () => {
    const house = await new House().start();
    await house.clock.advance(5000);
    const bad = [
      {},
      { __address__: "a/b" },
      { __address__: "a", __scrape_interval__: "soon" },
      { __address__: "a", __scrape_interval__: "0s" },
      { __address__: "a", __scrape_interval__: "1s" },
      { __address__: "a", __scrape_native_histograms__: "maybe" },
    ];
    house.groups({ source: "src", targets: bad as Record<string, string>[], labels: {} });
    expect(house.warnings.map((fields) => (fields as { err: string }).err)).toEqual([
      "instance 0 in group src: no address",
      'instance 1 in group src: "a/b" is not a valid hostname',
      'instance 2 in group src: error parsing scrape interval: not a valid duration string: "soon"',
      "instance 3 in group src: scrape interval cannot be 0",
      'instance 4 in group src: scrape timeout cannot be greater than scrape interval ("5s" > "1s")',
      'instance 5 in group src: error parsing scrape native histograms: strconv.ParseBool: parsing "maybe": invalid syntax',
    ]);
    expect(house.manager.statistics()[0]!.syncsFailed).toBe(6);
  });

  test("beyond target_limit all fail without being asked", async () => {
    const house = await new House().start({ targetLimit: 1 });
    await house.clock.advance(5000);
    const two = [
      { __address__: house.server.address, n: "1" },
      { __address__: house.server.address, n: "2" },
    ];
    house.groups({ source: "s", targets: two, labels: {} });
    const asked = house.server.seen.length;
    await house.interval("a 1\n");
    for (const { lastError } of house.manager.snapshot().pools[0]!.active) {
      expect(lastError).toBe("target_limit exceeded (number of targets: 2, limit: 1)");
    }
    expect(house.server.seen.length).toBe(asked);
    expect(house.counters.exceededTargetLimit).toBe(1);
  });

  test("that are the same twice are one", async () => {
    const house = await new House().start();
    await house.clock.advance(5000);
    const group = (source: string): TargetGroup => ({
      source,
      targets: [{ __address__: "same:1" }],
      labels: {},
    });
    house.groups(group("a"), group("b"));
    expect(house.manager.snapshot().pools[0]!.active.length).toBe(1);
  });

  test("are spread over their interval, the same way every time", async () => {
    const house = await new House().start();
    const targets = Array.from({ length: 200 }, (_, i) => ({
      __address__: house.server.address,
      n: String(i),
    }));
    await house.clock.advance(5000);
    house.groups({ source: "s", targets, labels: {} });
    await house.interval("a 1\n");
    const times = targets.map(({ n }) => {
      const [sample] = house.appender.series(`up{instance="${house.server.address}",job="test",n="${n}"}`);
      return Number(sample!.split(" ")[0]) % INTERVAL_MS;
    });
    for (let tenth = 0; tenth < 10; tenth++) {
      const count = times.filter((timeMs) => Math.floor(timeMs / 1000) === tenth).length;
      expect(count).toBeGreaterThan(5);
      expect(count).toBeLessThan(45);
    }
  });

  test("may be a port alone, which is this host's, and show their interval as it is written", async () => {
    const house = await new House().start();
    const port = house.server.address.split(":")[1]!;
    house.groups({
      source: "s",
      targets: [{ __address__: `:${port}`, __scrape_interval__: "10000ms", __scrape_timeout__: "5000ms" }],
      labels: {},
    });
    await house.clock.advance(5000);
    await house.interval("a 1\n");
    expect(house.status).toMatchObject({
      health: "up",
      url: `http://:${port}/metrics`,
      interval: "10000ms",
      timeout: "5000ms",
    });
    house.groups({ source: "s", targets: [{ __address__: "a", __scheme__: "ftp" }], labels: {} });
    await house.interval();
    expect(house.status.lastError).toBe('Get "ftp://a/metrics": unsupported protocol scheme "ftp"');
  });

  test("with an address that is none fail in words that say why", async () => {
    const house = await new House().start();
    const wrong = (labels: Record<string, string>, url: string, why: string) => ({ labels, url, why });
    const cases = [
      wrong({ __address__: "h:abc" }, "http://h:abc/metrics", 'parse "URL": invalid port ":abc" after host'),
      wrong(
        { __address__: "h:99999" },
        "http://h:99999/metrics",
        'Get "URL": dial tcp: address 99999: invalid port',
      ),
      wrong(
        { __address__: "a b:1" },
        "http://a b:1/metrics",
        'parse "URL": invalid character " " in host name',
      ),
      wrong({ __address__: "::1" }, "http://::1/metrics", 'parse "URL": invalid URL'),
    ];
    await house.clock.advance(5000);
    for (const { labels, url, why } of cases) {
      house.groups({ source: "s", targets: [labels], labels: {} });
      await house.interval();
      await house.interval();
      expect(house.status).toMatchObject({ url, lastError: why.replace("URL", url), health: "down" });
    }
    const dropScheme = { ...DEFAULT_RELABEL_RULE, regex: "__scheme__", action: "labeldrop" as const };
    house.apply({ relabelRules: [dropScheme] });
    house.groups({ source: "s", targets: [{ __address__: "h" }], labels: {} });
    await house.interval();
    await house.interval();
    expect(house.status.lastError).toBe('Get "//h/metrics": unsupported protocol scheme ""');
  });

  test("may be reached by a unix socket", async () => {
    const house = await new House().start({}, { __unix_socket__: "/nonexistent/socket" });
    await house.interval();
    expect(house.status.lastError).toContain(
      "dial unix /nonexistent/socket: connect: no such file or directory",
    );
  });
});

describe("a target that is removed", () => {
  test("ends its series two intervals later, at the time of the first missed beat", async () => {
    const house = await new House().start();
    await house.interval("a 1\n");
    const scrapedMs = Number(house.appender.series(`a{${LABELS}}`)[0]!.split(" ")[0]);
    house.groups();
    await house.interval();
    expect(house.values(`a{${LABELS}}`)).toEqual(["1"]);
    await house.interval();
    await house.interval();
    for (const series of ["a", "up"]) {
      expect(house.appender.series(`${series}{${LABELS}}`)[1]).toBe(`${scrapedMs + INTERVAL_MS} stale`);
    }
    expect(house.clock.pendingTimers).toBe(0);
  });

  test("has no marker when it comes back in time", async () => {
    const house = await new House().start();
    await house.interval("a 1\n");
    house.groups();
    await house.interval();
    house.target();
    for (let i = 0; i < 4; i++) await house.interval("a 2\n");
    expect(house.values(`a{${LABELS}}`)).not.toContain("stale");
    expect(house.values(`a{${LABELS}}`).length).toBeGreaterThan(3);
  });

  test("ends with its job", async () => {
    const house = await new House().start();
    await house.interval("a 1\n");
    house.apply();
    for (let i = 0; i < 3; i++) await house.interval();
    expect(house.values(`a{${LABELS}}`)).toEqual(["1", "stale"]);
  });

  test("gets no marker when the server stops", async () => {
    const house = await new House().start();
    await house.interval("a 1\n");
    await house.manager.stop();
    for (let i = 0; i < 3; i++) await house.interval();
    expect(house.values(`a{${LABELS}}`)).toEqual(["1"]);
    expect(house.clock.pendingTimers).toBe(0);
  });
});

describe("a new configuration", () => {
  test("leaves unchanged jobs alone", async () => {
    const house = await new House().start();
    await house.interval("a 1\n");
    house.apply({}, { jobName: "other" });
    await house.interval("a 2\n");
    expect(house.values(`a{${LABELS}}`)).toEqual(["1", "2"]);
    expect(house.values(`scrape_series_added{${LABELS}}`)).toEqual(["1", "0"]);
    expect(house.counters).toMatchObject({ poolsCreated: 2, poolReloads: 0 });
  });

  test("that only changes how to ask keeps the series without a gap", async () => {
    const house = await new House().start();
    await house.interval("a 1\nb 1\n");
    house.apply({ scrapeTimeoutMs: 3000, httpClient: { basicAuth: { username: "u", password: "p" } } });
    expect(house.status.health).toBe("up");
    await house.interval("a 2\n");
    expect(house.server.seen.at(-1)!.headers.authorization).toBeDefined();
    expect(house.values(`a{${LABELS}}`)).toEqual(["1", "2"]);
    expect(house.values(`b{${LABELS}}`)).toEqual(["1", "stale"]);
    expect(house.values(`scrape_series_added{${LABELS}}`)).toEqual(["2", "0"]);
    for (let i = 0; i < 3; i++) await house.interval();
    expect(house.values(`a{${LABELS}}`)).toEqual(["1", "2", "2", "2", "2"]);
  });

  test("that reshapes series ends the old ones", async () => {
    const house = await new House().start();
    await house.interval("a 1\n");
    const rule = {
      sourceLabels: [],
      separator: ";",
      regex: ".*",
      modulus: 0,
      targetLabel: "new",
      replacement: "1",
    };
    house.apply({ metricRelabelRules: [{ ...rule, action: "replace" }] });
    for (let i = 0; i < 4; i++) await house.interval("a 2\n");
    expect(house.values(`a{${LABELS}}`)).toEqual(["1", "stale"]);
    expect(house.values(`a{${LABELS},new="1"}`).length).toBe(4);
    expect(house.values(`up{${LABELS}}`)).not.toContain("stale");
  });

  test("with rules that do not compile leaves the job as it is", async () => {
    const house = await new House().start();
    const rule = {
      sourceLabels: [],
      separator: ";",
      regex: "(",
      modulus: 0,
      targetLabel: "new",
      replacement: "1",
    };
    expect(() => house.apply({ metricRelabelRules: [{ ...rule, action: "replace" }] })).toThrow("test: ");
    await house.interval("a 1\n");
    expect(house.values(`a{${LABELS}}`)).toEqual(["1"]);
    expect(house.counters.poolReloadsFailed).toBe(1);
  });
});

test("a target that hangs costs its timeout and skips beats", async () => {
  const house = await new House().start({ scrapeTimeoutMs: 50, scrapeIntervalMs: 100 });
  house.server.answer = () => {};
  await house.clock.advance(100);
  await expect
    .poll(() => house.status.lastError, { timeout: 20_000 })
    .toBe(`Get "http://${house.server.address}/metrics": context deadline exceeded`);
});

test("metadata comes with the labels of its target", async () => {
  const house = await new House().start();
  await house.interval("# HELP a Helps.\n# TYPE a counter\na 1\n");
  expect(house.manager.metadata()).toEqual([
    {
      target: { instance: "i", job: "test" },
      metadata: [{ metric: "a", type: "counter", unit: "", help: "Helps." }],
    },
  ]);
  expect(house.manager.statistics()[0]).toMatchObject({ metadataEntries: 1, metadataBytes: 13, targets: 1 });
});

test("an exporter's real page is stored to the last digit", async () => {
  const page = readFileSync(new URL("../fixtures/exposition/node-exporter.txt", import.meta.url), "utf8");
  const house = await new House().start({ honorLabels: true });
  await house.interval(page);
  await house.interval(page);
  const lines = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  expect(house.values(`scrape_samples_scraped{${LABELS}}`)).toEqual([
    String(lines.length),
    String(lines.length),
  ]);
  expect(house.values(`scrape_series_added{${LABELS}}`)).toEqual([String(lines.length), "0"]);
  const expected = lines
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1).replace("Inf", "Infinity")))
    .sort();
  const stored = [...house.appender.samples.values()]
    .filter((samples) => samples.length === 2)
    .slice(0, -5)
    .map((samples) => samples[1]!.value as number)
    .sort();
  expect(stored).toEqual(expected);
});
