import type { ServerResponse } from "node:http";
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { createHttpClient } from "../../src/http-client/index.ts";
import { ScrapeMemory } from "../../src/kernels/index.ts";
import { LargePages } from "../../src/scrape/large-pages.ts";
import { DEFAULT_SCRAPE_POOL_OPTIONS, zeroCounters, type ScrapePoolOptions } from "../../src/scrape/index.ts";
import { ScrapeLoop } from "../../src/scrape/scrape-loop.ts";
import { TargetSeries } from "../../src/scrape/target-series.ts";
import { targetsOf } from "../../src/scrape/target.ts";
import { FakeAppender } from "../support/fake-appender.ts";
import { PageServer } from "../support/page-server.ts";
import { ManualClock } from "../support/manual-clock.ts";

let memory: ScrapeMemory;
beforeAll(() => {
  memory = new ScrapeMemory(2 ** 29, 7);
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function newServer(): Promise<PageServer> {
  const server = await new PageServer().start();
  cleanups.push(() => server.stop());
  return server;
}

/** A target scraped whenever the test says so. */
function loopFor(
  address: string,
  changes: Partial<ScrapePoolOptions> = {},
  { appender = new FakeAppender(), largePages = new LargePages(), instance = "i" } = {},
): { appender: FakeAppender; loop: ScrapeLoop; scrape(): Promise<ScrapeLoop["status"]> } {
  const options = { ...DEFAULT_SCRAPE_POOL_OPTIONS, jobName: "j", scrapeTimeoutMs: 5000, ...changes };
  const [target] = targetsOf(
    [{ source: "s", targets: [{ __address__: address, instance }], labels: {} }],
    options,
    [],
  ).targets;
  const client = createHttpClient();
  cleanups.push(() => client.close());
  const shared = {
    appender,
    memory,
    clock: new ManualClock(),
    log: { debug: () => {}, warn: () => {}, error: () => {} },
    counters: zeroCounters(),
    largePages,
    offsetSeed: "",
    userAgent: "t",
    timestampToleranceMs: 2,
  };
  const loop = new ScrapeLoop(
    target!,
    { options, client, metricRelabelRules: [] },
    shared,
    new TargetSeries(memory),
    "*/*",
  );
  let timeMs = 0;
  return {
    appender,
    loop,
    async scrape() {
      await loop.scrape((timeMs += 1000));
      return loop.status;
    },
  };
}

const UP = 'up{instance="i",job="j"}';

/** After any misdeed the next good page is taken as if nothing had been. */
async function expectRecovery(server: PageServer, target: ReturnType<typeof loopFor>): Promise<void> {
  server.answer = null;
  server.headers = { "content-type": "text/plain" };
  server.page = "good 1\n";
  expect((await target.scrape()).lastError).toBe("");
  expect(target.appender.series('good{instance="i",job="j"}').at(-1)).toMatch(/ 1$/);
}

describe("a target with a very large page", () => {
  const PADDING = "x".repeat(80);
  const linesOf = (count: number, value: number): string =>
    Array.from({ length: count }, (_, i) => `large{padding="${PADDING}",i="${i}"} ${value}\n`).join("");
  const LINES = 24_000;

  /** A large target and a small one that share all they can. */
  async function neighbours() {
    const [large, small] = [await newServer(), await newServer()];
    const shared = { appender: new FakeAppender(), largePages: new LargePages() };
    small.page = "small 1\n";
    const largeTarget = loopFor(large.address, { scrapeTimeoutMs: 60_000 }, { ...shared, instance: "large" });
    const smallTarget = loopFor(small.address, {}, { ...shared, instance: "small" });
    return { large, largeTarget, smallTarget, ...shared };
  }

  const countOf = (appender: FakeAppender, value: string): number =>
    Object.entries(appender.stored).filter(
      ([name, samples]) => name.startsWith("large") && samples.at(-1)!.endsWith(value),
    ).length;

  test("lets others be scraped while it is read, and is stored whole", async () => {
    const { large, largeTarget, smallTarget, appender, largePages } = await neighbours();
    large.page = linesOf(LINES, 1);
    const known: number[] = [];
    largePages.pause = async () => {
      await smallTarget.scrape();
      known.push(appender.seriesCount());
      expect(countOf(appender, " 1")).toBe(0);
    };
    expect((await largeTarget.scrape()).lastError).toBe("");
    // Its series come into being slice by slice.
    expect(known.length).toBeGreaterThan(2);
    expect(known).toEqual([...new Set(known)].sort((x, y) => x - y));
    expect(appender.series('small{instance="small",job="j"}')).toHaveLength(known.length);
    expect(countOf(appender, " 1")).toBe(LINES);
    expect(appender.series('scrape_series_added{instance="large",job="j"}')).toEqual([`1000 ${LINES}`]);
  });

  test("keeps its series when pages grow, shrink, fail and change their order", async () => {
    const { large, largeTarget, appender } = await neighbours();
    large.page = linesOf(10, 1);
    await largeTarget.scrape();
    large.page = linesOf(LINES, 2);
    await largeTarget.scrape();
    expect(appender.series('scrape_series_added{instance="large",job="j"}').at(-1)).toBe(
      `2000 ${LINES - 10}`,
    );
    large.page = `${linesOf(LINES, 3)}broken{ 1\n`;
    expect((await largeTarget.scrape()).lastError).not.toBe("");
    expect(countOf(appender, "stale")).toBe(LINES);
    large.page = linesOf(20, 4);
    await largeTarget.scrape();
    expect(countOf(appender, " 4")).toBe(20);
    large.page = linesOf(LINES, 5);
    await largeTarget.scrape();
    large.page = linesOf(LINES, 6).trimEnd().split("\n").reverse().join("\n") + "\n";
    await largeTarget.scrape();
    expect(countOf(appender, " 6")).toBe(LINES);
    expect(appender.series('scrape_series_added{instance="large",job="j"}').at(-1)).toBe("6000 0");
  });

  test("is forgotten in the middle when its scraping ends", async () => {
    const { large, largeTarget, appender, largePages } = await neighbours();
    large.page = linesOf(LINES, 1);
    largePages.pause = () => {
      largeTarget.loop.stop();
      return Promise.resolve();
    };
    await largeTarget.scrape();
    expect(countOf(appender, " 1")).toBe(0);
    expect(appender.series('up{instance="large",job="j"}')).toEqual([]);
  });

  test("brings times and exemplars along", async () => {
    const { large, largeTarget, appender } = await neighbours();
    large.headers = { "content-type": "application/openmetrics-text; version=1.0.0" };
    const page = `# TYPE large counter\n${linesOf(LINES, 1).replaceAll("large{", "large_total{")}`;
    large.page = `${page}timed 7 0.5\nbox_total 1 # {id="a"} 5 0.25\n# EOF\n`.replace(
      "timed",
      "# TYPE timed gauge\ntimed",
    );
    expect((await largeTarget.scrape()).lastError).toBe("");
    expect(appender.series('timed{instance="large",job="j"}')).toEqual(["500 7"]);
    expect(appender.exemplars.map(({ exemplar }) => exemplar.value)).toEqual([5]);
  });
});

describe("a target", () => {
  test("that never stops sending is cut off at the limit", async () => {
    const server = await newServer();
    const target = loopFor(server.address, { bodySizeLimitBytes: 5_000_000 });
    let sent = 0;
    server.answer = (_request, response) => {
      response.setHeader("content-type", "text/plain");
      const line = Buffer.from("a_metric 1\n".repeat(10_000));
      const more = (): void => {
        while (!response.destroyed && response.write(line)) sent += line.length;
        sent += line.length;
        response.once("drain", more);
      };
      more();
    };
    expect((await target.scrape()).lastError).toBe("body size limit exceeded");
    expect(sent).toBeLessThan(60_000_000);
    await expectRecovery(server, target);
  });

  test("that announces a gigabyte is not listened to", async () => {
    const server = await newServer();
    const target = loopFor(server.address);
    server.answer = (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain", "content-length": String(2 ** 30) });
      response.write("a 1\n");
    };
    expect((await target.scrape()).lastError).toBe("body size limit exceeded");
    await expectRecovery(server, target);
  });

  test("that sends a bomb is defused, whatever its trailer says", async () => {
    const server = await newServer();
    const target = loopFor(server.address, { bodySizeLimitBytes: 10_000_000 });
    const bomb = gzipSync(Buffer.alloc(30 * 2 ** 20, "#"));
    for (const claimed of [null, 5]) {
      const body = Buffer.from(bomb);
      if (claimed !== null) body.writeUInt32LE(claimed, body.length - 4);
      server.answer = (_request, response: ServerResponse) => {
        response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" }).end(body);
      };
      expect((await target.scrape()).health).toBe("down");
    }
    // The second time around it is known that trailers of this target lie.
    expect((await target.scrape()).lastError).toBe("body size limit exceeded");
    await expectRecovery(server, target);
  });

  test("whose gzip stream is cut short or goes on with rubbish is not taken for a large one", async () => {
    const server = await newServer();
    const target = loopFor(server.address, { extraScrapeMetrics: true });
    server.headers = { "content-type": "text/plain", "content-encoding": "gzip" };
    const stream = gzipSync("a 1\n");
    for (const page of [stream.subarray(0, -4), Buffer.concat([stream, Buffer.from("rubbish!")])]) {
      server.page = page;
      expect((await target.scrape()).lastError).toMatch(/^cannot decompress page: /);
    }
    expect(target.appender.series('scrape_body_size_bytes{instance="i",job="j"}')).toEqual([
      "1000 0",
      "2000 0",
    ]);
    server.page = Buffer.concat([stream, gzipSync("b 2\n")]);
    expect((await target.scrape()).lastError).toBe("");
    expect(target.appender.series('b{instance="i",job="j"}')).toEqual(["3000 2"]);
    delete server.headers["content-encoding"];
    await expectRecovery(server, target);
  });

  test("that says the same header twice is taken at its first word", async () => {
    const server = await newServer();
    const target = loopFor(server.address);
    server.answer = (_request, response) => {
      response.setHeader("content-type", ["text/plain", "application/json"]);
      response.setHeader("content-encoding", ["gzip", "identity"]);
      response.end(gzipSync("a 1\n"));
    };
    expect((await target.scrape()).lastError).toBe("");
    server.answer = (_request, response) => {
      response.setHeader("content-type", ["application/json", "text/plain"]);
      response.end("a 1\n");
    };
    expect((await target.scrape()).lastError).toContain(
      'received unsupported Content-Type "application/json"',
    );
    await expectRecovery(server, target);
  });

  test("that goes silent, before or within its answer, costs its timeout", async () => {
    const server = await newServer();
    const target = loopFor(server.address, { scrapeTimeoutMs: 60 });
    server.answer = () => {};
    expect((await target.scrape()).lastError).toContain("context deadline exceeded");
    server.answer = (_request, response) => response.setHeader("content-type", "text/plain").write("a 1\nb");
    expect((await target.scrape()).lastError).toContain("context deadline exceeded");
    expect(target.appender.series(UP)).toEqual(["1000 0", "2000 0"]);
    await expectRecovery(server, target);
  });

  test("that hangs up early is not believed", async () => {
    const server = await newServer();
    const target = loopFor(server.address);
    for (const headers of [{ "content-length": "100" }, { "transfer-encoding": "chunked" }]) {
      server.answer = (request, response) => {
        response.writeHead(200, { "content-type": "text/plain", ...headers });
        response.write("a 1\n");
        setTimeout(() => request.socket.destroy(), 20);
      };
      expect((await target.scrape()).lastError).toBe("unexpected EOF");
    }
    expect(target.appender.series('a{instance="i",job="j"}')).toEqual([]);
    await expectRecovery(server, target);
  });

  test("that speaks no HTTP is down", async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      socket.end("SSH-2.0-OpenSSH\r\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => server.close());
    const target = loopFor(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(await target.scrape()).toMatchObject({ health: "down" });
  });

  test.each([
    ["a name", (text: string) => `${text} 1\n`],
    ["a label's name", (text: string) => `a{${text}="1"} 1\n`],
    ["a label's value", (text: string) => `a{b="${text}"} 1\n`],
    ["a value", (text: string) => `a ${text}\n`],
    ["a comment", (text: string) => `# HELP a ${text}\na 1\n`],
  ])(
    "with %s of forty million letters is refused, and costs no more than its page",
    async (_what, pageOf) => {
      const server = await newServer();
      const target = loopFor(server.address);
      server.page = pageOf("x".repeat(40_000_000));
      expect((await target.scrape()).lastError).toContain("a line is longer than 16777216 bytes");
      await expectRecovery(server, target);
    },
  );

  test("with random bytes is down, and stays apart from the others", async () => {
    const server = await newServer();
    const target = loopFor(server.address);
    let state = 12345;
    for (let round = 0; round < 20; round++) {
      const bytes = Buffer.alloc(3000);
      for (let i = 0; i < bytes.length; i++)
        bytes[i] = (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16;
      for (const contentType of [
        "text/plain",
        "application/openmetrics-text",
        "application/vnd.google.protobuf",
      ]) {
        server.headers = { "content-type": contentType };
        server.page = bytes;
        expect((await target.scrape()).health).toBe("down");
      }
    }
    await expectRecovery(server, target);
  });

  test("whose page repeats and shuffles its lines at every scrape keeps its series", async () => {
    const server = await newServer();
    const target = loopFor(server.address);
    const names = Array.from({ length: 300 }, (_, i) => `m${(i * 7919) % 1000}_${i}`);
    for (let round = 0; round < 6; round++) {
      const shuffled = [...names].sort(
        (a, b) =>
          ((a.length * 31 + a.charCodeAt(1) * (round + 3)) % 17) -
          ((b.length * 31 + b.charCodeAt(1) * (round + 3)) % 17),
      );
      server.page = [...shuffled, ...shuffled.slice(0, 10)].map((name) => `${name} ${round}\n`).join("");
      expect((await target.scrape()).health).toBe("up");
    }
    for (const name of names) {
      expect(target.appender.series(`${name}{instance="i",job="j"}`)).toEqual(
        [0, 1, 2, 3, 4, 5].map((round) => `${(round + 1) * 1000} ${round}`),
      );
    }
  });
});
