import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Registry } from "prom-client";
import { afterEach, describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { DEFAULT_RELABEL_RULE, type RelabelRule } from "../../src/model/relabel.ts";
import type { Alert } from "../../src/rules/alert.ts";
import type { AlertmanagerSetConfig } from "../../src/rules/alertmanager-set.ts";
import { Notifier, type NotifierOptions } from "../../src/rules/notifier.ts";
import { FakeLog, type LabelRecord } from "../support/rule-fixtures.ts";

interface SentAlert {
  readonly labels: LabelRecord;
  readonly annotations: LabelRecord;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
}

/** Takes alerts as an Alertmanager would, and answers as told. */
class Recorder {
  readonly batches: SentAlert[][] = [];
  readonly requests: { readonly url: string; readonly headers: IncomingMessage["headers"] }[] = [];
  /** Requests that wait for `release`. */
  private held: (() => void)[] = [];
  isHolding = false;
  status = 200;
  private constructor(private readonly server: Server) {}

  static async start(): Promise<Recorder> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const recorder = new Recorder(server);
    server.on("request", (request, response) => void recorder.take(request, response));
    return recorder;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    this.batches.push(JSON.parse(Buffer.concat(chunks).toString()) as SentAlert[]);
    this.requests.push({ url: request.url ?? "", headers: request.headers });
    if (this.isHolding) await new Promise<void>((resolve) => this.held.push(resolve));
    response.writeHead(this.status).end();
  }

  release(): void {
    this.isHolding = false;
    for (const go of this.held) go();
    this.held = [];
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.address}/api/v2/alerts`;
  }

  names(): string[][] {
    return this.batches.map((batch) => batch.map(({ labels }) => labels["alertname"]!));
  }

  async stop(): Promise<void> {
    this.release();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function recorder(): Promise<Recorder> {
  const started = await Recorder.start();
  stops.push(() => started.stop());
  return started;
}

function set(more: Partial<AlertmanagerSetConfig> = {}): AlertmanagerSetConfig {
  return {
    scheme: "http",
    pathPrefix: "",
    timeoutMs: 10_000,
    relabelRules: [],
    alertRelabelRules: [],
    http: { userAgent: "Narthex/test" },
    ...more,
  };
}

function rule(more: Partial<RelabelRule>): RelabelRule {
  return { ...DEFAULT_RELABEL_RULE, ...more };
}

function createNotifier(options: Partial<NotifierOptions> = {}) {
  const registry = new Registry();
  const log = new FakeLog();
  const clock = { now: () => Date.now(), setTimer: () => () => {} };
  const notifier = new Notifier({ clock, registry, log, ...options });
  stops.push(() => notifier.stop());
  const metric = async (name: string) => {
    const { values } = await registry.getSingleMetric(`prometheus_notifications_${name}`)!.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels["alertmanager"] ?? "", value]));
  };
  return { notifier, registry, log, metric };
}

function alert(name: string, more: Partial<Alert> = {}): Alert {
  return {
    labels: Labels.fromRecord({ alertname: name }),
    annotations: new Map(),
    startsAtMs: Date.UTC(2026, 0, 2, 15, 4, 5),
    endsAtMs: Date.UTC(2026, 0, 2, 15, 8, 5, 250),
    generatorUrl: "http://prom.example/graph?g0.expr=up&g0.tab=1",
    ...more,
  };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("waited in vain");
}

function targets(...recorders: readonly Recorder[]) {
  return [{ targets: recorders.map(({ address }) => ({ __address__: address })), labels: {} }];
}

describe("an alert", () => {
  test("arrives at every Alertmanager in the form of its API", async () => {
    const [one, two] = [await recorder(), await recorder()];
    const { notifier, metric } = createNotifier();
    notifier.applyConfig(
      { alertRelabelRules: [], alertmanagers: [set(), set({ pathPrefix: "/am" })] },
      Labels.empty,
    );
    notifier.setTargets(0, targets(one));
    notifier.setTargets(1, targets(two));
    expect(await metric("alertmanagers_discovered")).toEqual({ "": 2 });
    notifier.send([
      alert("Down", {
        labels: Labels.fromRecord({ alertname: "Down", instance: "<a>&b" }),
        annotations: new Map([
          ["summary", "is down"],
          ["empty", ""],
        ]),
      }),
    ]);
    await until(() => one.batches.length === 1 && two.batches.length === 1);
    expect(one.batches[0]).toEqual([
      {
        annotations: { summary: "is down", empty: "" },
        endsAt: "2026-01-02T15:08:05.250Z",
        startsAt: "2026-01-02T15:04:05.000Z",
        generatorURL: "http://prom.example/graph?g0.expr=up&g0.tab=1",
        labels: { alertname: "Down", instance: "<a>&b" },
      },
    ]);
    expect(two.batches).toEqual(one.batches);
    expect(two.requests[0]).toMatchObject({
      url: "/am/api/v2/alerts",
      headers: { "content-type": "application/json", "user-agent": "Narthex/test" },
    });
    await until(async () => (await metric("sent_total"))[one.url] === 1);
  });

  test("gets the external labels it lacks, then the relabelling of all, then that of its Alertmanager", async () => {
    const [one, two] = [await recorder(), await recorder()];
    const { notifier } = createNotifier();
    notifier.applyConfig(
      {
        alertRelabelRules: [
          rule({ sourceLabels: ["region"], targetLabel: "seen", replacement: "$1!" }),
          rule({ sourceLabels: ["alertname"], regex: "Noise", action: "drop" }),
        ],
        alertmanagers: [
          set(),
          set({
            alertRelabelRules: [
              rule({ regex: "region", action: "labeldrop" }),
              rule({ sourceLabels: ["seen"], regex: "own.*", action: "drop" }),
            ],
          }),
        ],
      },
      Labels.fromRecord({ region: "eu", replica: "1" }),
    );
    notifier.setTargets(0, targets(one));
    notifier.setTargets(1, targets(two));
    notifier.send([
      alert("A"),
      alert("Noise"),
      alert("B", { labels: Labels.fromRecord({ alertname: "B", region: "own" }) }),
    ]);
    await until(() => one.batches.length === 1 && two.batches.length === 1);
    expect(one.batches[0]!.map(({ labels }) => labels)).toEqual([
      { alertname: "A", region: "eu", replica: "1", seen: "eu!" },
      { alertname: "B", region: "own", replica: "1", seen: "own!" },
    ]);
    expect(two.batches[0]!.map(({ labels }) => labels)).toEqual([
      { alertname: "A", replica: "1", seen: "eu!" },
    ]);
  });

  test("that nobody is there for is forgotten", async () => {
    const { notifier } = createNotifier();
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.send([alert("A")]);
    const late = await recorder();
    notifier.setTargets(0, targets(late));
    notifier.send([alert("B")]);
    await until(() => late.batches.length === 1);
    expect(late.names()).toEqual([["B"]]);
  });
});

describe("the queue of an Alertmanager", () => {
  test("is sent in batches, one at a time", async () => {
    const slow = await recorder();
    const { notifier, metric } = createNotifier({ batchSize: 2 });
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(slow));
    slow.isHolding = true;
    notifier.send([alert("1"), alert("2"), alert("3")]);
    notifier.send([alert("4"), alert("5")]);
    await until(() => slow.batches.length === 1);
    expect(await metric("queue_length")).toEqual({ [slow.url]: 3 });
    slow.release();
    await until(() => slow.batches.length === 3);
    expect(slow.names()).toEqual([["1", "2"], ["3", "4"], ["5"]]);
    await until(async () => (await metric("sent_total"))[slow.url] === 5);
    expect(await metric("queue_length")).toEqual({ [slow.url]: 0 });
  });

  test("drops the oldest when it is full, and counts them", async () => {
    const slow = await recorder();
    const { notifier, metric, log } = createNotifier({ queueCapacity: 3, batchSize: 1 });
    expect(await metric("queue_capacity")).toEqual({ "": 3 });
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(slow));
    slow.isHolding = true;
    notifier.send([alert("0")]);
    await until(() => slow.batches.length === 1);
    notifier.send([alert("1"), alert("2")]);
    notifier.send([alert("3"), alert("4")]);
    expect(await metric("dropped_total")).toEqual({ [slow.url]: 1 });
    notifier.send(["5", "6", "7", "8"].map((name) => alert(name)));
    expect(await metric("dropped_total")).toEqual({ [slow.url]: 5 });
    slow.release();
    await until(() => slow.batches.length === 4);
    expect(slow.names()).toEqual([["0"], ["6"], ["7"], ["8"]]);
    expect(log.messages).toEqual([
      "Alert notification queue full, dropping alerts",
      "Alert batch larger than queue capacity, dropping alerts",
      "Alert notification queue full, dropping alerts",
    ]);
  });

  test("keeps the newest alerts in their order", async () => {
    const slow = await recorder();
    const { notifier } = createNotifier({ queueCapacity: 3, batchSize: 3 });
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(slow));
    slow.isHolding = true;
    notifier.send([alert("0")]);
    await until(() => slow.batches.length === 1);
    notifier.send([alert("1"), alert("2")]);
    notifier.send([alert("3"), alert("4")]);
    slow.release();
    await until(() => slow.batches.length === 2);
    expect(slow.names()).toEqual([["0"], ["2", "3", "4"]]);
  });

  test("holds up no other Alertmanager", async () => {
    const [slow, quick] = [await recorder(), await recorder()];
    const { notifier } = createNotifier({ batchSize: 1 });
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(slow, quick));
    slow.isHolding = true;
    notifier.send([alert("1"), alert("2"), alert("3")]);
    await until(() => quick.batches.length === 3);
    expect(slow.batches).toHaveLength(1);
  });
});

describe("a batch that fails", () => {
  test("is dropped, counted and told; the next is sent all the same", async () => {
    const failing = await recorder();
    const { notifier, metric, log } = createNotifier({ batchSize: 2 });
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(failing));
    failing.status = 503;
    notifier.send([alert("1"), alert("2")]);
    await until(() => log.messages.length === 1);
    expect(log.lines[0]).toMatchObject({
      level: "error",
      message: "Error sending alerts",
      fields: {
        alertmanager: failing.url,
        count: 2,
        err: { message: "bad response status 503 Service Unavailable" },
      },
    });
    failing.status = 202;
    notifier.send([alert("3")]);
    await until(async () => (await metric("sent_total"))[failing.url] === 1);
    expect(await metric("errors_total")).toEqual({ [failing.url]: 2 });
    expect(await metric("dropped_total")).toEqual({ [failing.url]: 2 });
    expect(failing.names()).toEqual([["1", "2"], ["3"]]);
  });

  test("because the Alertmanager takes too long is one too", async () => {
    const slow = await recorder();
    const { notifier, metric } = createNotifier();
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set({ timeoutMs: 50 })] }, Labels.empty);
    notifier.setTargets(0, targets(slow));
    slow.isHolding = true;
    notifier.send([alert("1")]);
    await until(async () => (await metric("errors_total"))[slow.url] === 1);
    expect(await metric("sent_total")).toEqual({ [slow.url]: 0 });
  });
});

describe("discovery and reload", () => {
  test("an Alertmanager found twice is one, and one that is gone gets its queue before it goes", async () => {
    const [one, two] = [await recorder(), await recorder()];
    const { notifier, metric } = createNotifier({ batchSize: 1 });
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, [...targets(one, one), ...targets(one)]);
    expect(notifier.activeUrls).toEqual([one.url]);
    one.isHolding = true;
    notifier.send([alert("1"), alert("2")]);
    notifier.setTargets(0, targets(two));
    notifier.send([alert("3")]);
    one.release();
    await until(() => one.batches.length === 2 && two.batches.length === 1);
    expect([one.names(), two.names()]).toEqual([[["1"], ["2"]], [["3"]]]);
    await until(async () => (await metric("sent_total"))[one.url] === undefined);
    expect(await metric("alertmanagers_discovered")).toEqual({ "": 1 });
  });

  test("a set that is configured as before keeps its Alertmanagers, wherever it now stands", async () => {
    const one = await recorder();
    const { notifier } = createNotifier();
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(one));
    notifier.applyConfig(
      { alertRelabelRules: [], alertmanagers: [set({ scheme: "https" }), set()] },
      Labels.empty,
    );
    expect(notifier.activeUrls).toEqual([one.url]);
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set({ pathPrefix: "/x" })] }, Labels.empty);
    expect(notifier.activeUrls).toEqual([]);
  });

  test("an Alertmanager that a changed set finds again goes on being counted", async () => {
    const one = await recorder();
    const { notifier, metric } = createNotifier();
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(one));
    one.isHolding = true;
    notifier.send([alert("1")]);
    await until(() => one.batches.length === 1);
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set({ timeoutMs: 9_000 })] }, Labels.empty);
    notifier.setTargets(0, targets(one));
    one.release();
    await until(async () => (await metric("sent_total"))[one.url] === 1);
    notifier.send([alert("2")]);
    await until(async () => (await metric("sent_total"))[one.url] === 2);
  });

  test("a group with a bad address is left out, others are not", async () => {
    const one = await recorder();
    const { notifier, log } = createNotifier();
    notifier.applyConfig(
      {
        alertRelabelRules: [],
        alertmanagers: [
          set({ relabelRules: [rule({ sourceLabels: ["skip"], regex: "yes", action: "drop" })] }),
        ],
      },
      Labels.empty,
    );
    notifier.setTargets(0, [
      { targets: [{ __address__: "a/b" }], labels: {} },
      ...targets(one),
      { targets: [{ __address__: "skipped" }], labels: { skip: "yes" } },
    ]);
    expect(notifier.activeUrls).toEqual([one.url]);
    expect(notifier.droppedUrls).toEqual(["http://skipped/api/v2/alerts"]);
    expect(log.messages).toEqual(["Creating discovered Alertmanagers failed"]);
  });

  test("a configuration with a bad rule changes nothing", async () => {
    const one = await recorder();
    const { notifier } = createNotifier();
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(one));
    expect(() =>
      notifier.applyConfig({ alertRelabelRules: [rule({ regex: "(" })], alertmanagers: [] }, Labels.empty),
    ).toThrow("missing closing");
    expect(notifier.activeUrls).toEqual([one.url]);
  });
});

describe("stopping", () => {
  async function stopWithQueue(drainOnStop: boolean) {
    const slow = await recorder();
    const setup = createNotifier({ batchSize: 1, drainOnStop });
    const { notifier } = setup;
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, targets(slow));
    slow.isHolding = true;
    notifier.send([alert("1"), alert("2"), alert("3")]);
    await until(() => slow.batches.length === 1);
    const stopped = notifier.stop();
    slow.release();
    await stopped;
    return { slow, ...setup };
  }

  test("sends what still waits", async () => {
    const { slow, metric } = await stopWithQueue(true);
    expect(slow.names()).toEqual([["1"], ["2"], ["3"]]);
    expect(await metric("sent_total")).toEqual({});
  });

  test("or drops it, where it is told to", async () => {
    const { slow, log } = await stopWithQueue(false);
    expect(slow.names()).toEqual([["1"]]);
    expect(log.lines[0]).toMatchObject({
      message: "Alert notification queue not empty on shutdown, dropping alerts",
      fields: { count: 2 },
    });
  });

  test("doesn't wait for an Alertmanager that isn't there, batch after batch", async () => {
    const dead = await recorder();
    const { address } = dead;
    await dead.stop();
    const { notifier, log } = createNotifier({ batchSize: 1 });
    notifier.applyConfig({ alertRelabelRules: [], alertmanagers: [set()] }, Labels.empty);
    notifier.setTargets(0, [{ targets: [{ __address__: address }], labels: {} }]);
    notifier.send(Array.from({ length: 50 }, (_, i) => alert(`${i}`)));
    await notifier.stop();
    expect(log.messages.filter((message) => message === "Error sending alerts").length).toBeLessThan(3);
    expect(log.messages.at(-1)).toBe("Alertmanager does not answer, dropping remaining notifications");
  });
});
