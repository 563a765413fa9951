import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { consulDiscovery } from "../../src/discovery/consul.ts";
import { eventually } from "../support/api-client.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { FakeServer, sendJson, sendStatus } from "../support/fake-server.ts";

/** A catalog that holds answers back until its index has passed the one asked for, as Consul does. */
class FakeConsul {
  services: Record<string, string[]> = {};
  instances: Record<string, unknown[]> = {};
  index = 1;
  isFailing = false;
  readonly tokens = new Set<unknown>();
  private waiting: { readonly answer: () => void; readonly response: ServerResponse }[] = [];
  server!: FakeServer;

  async start(): Promise<void> {
    this.server = await FakeServer.start((request, url, response) => {
      this.tokens.add(request.headers["x-consul-token"]);
      if (this.isFailing) return sendStatus(response, 500);
      if (url.pathname === "/v1/agent/self") return sendJson(response, { Config: { Datacenter: "dc1" } });
      const asked = Number(url.searchParams.get("index"));
      const answer = () => this.answer(url, response);
      if (asked < this.index) answer();
      else this.waiting.push({ answer, response });
    });
  }

  private answer(url: URL, response: ServerResponse): void {
    const headers = { "x-consul-index": String(this.index) };
    if (url.pathname === "/v1/catalog/services") return sendJson(response, this.services, headers);
    const name = /^\/v1\/health\/service\/(.*)$/.exec(url.pathname)?.[1];
    sendJson(response, this.instances[name ?? ""] ?? [], headers);
  }

  change(): void {
    this.index++;
    this.answerAll();
  }

  /** Starts anew with a catalog of its own, whose index begins low. */
  restart(): void {
    this.index = 1;
    this.answerAll();
  }

  /** Answers without news, as when the wait is over. */
  answerAll(): void {
    for (const { answer } of this.waiting.splice(0)) answer();
  }

  hangUp(): void {
    for (const { response } of this.waiting.splice(0)) response.destroy();
  }

  get waitingCount(): number {
    return this.waiting.length;
  }
}

const instance = (address: string, more: Record<string, unknown> = {}) => ({
  Node: {
    Node: "n1",
    Address: "10.0.0.1",
    Meta: { "rack-id": "r1" },
    TaggedAddresses: { lan: "10.0.0.1", wan: "1.2.3.4" },
  },
  Service: {
    ID: `id-${address}`,
    Address: address,
    Port: 8080,
    Tags: ["prod", "v1"],
    Meta: { team: "a" },
    Namespace: "",
    Partition: "default",
    ...more,
  },
  Checks: [
    { CheckID: "a", Status: "passing" },
    { CheckID: "b", Status: "warning" },
  ],
});

let consul: FakeConsul;
let running: Running;
let surroundings: ReturnType<typeof realSurroundings>;

function start(fields: string): void {
  const server = consul.server.url.replace("http://", "");
  const [config] = discoveryLists(`consul_sd_configs: [{server: '${server}', ${fields}}]`).consulConfigs;
  running = runMechanism(consulDiscovery(config!, surroundings));
}

beforeEach(async () => {
  surroundings = realSurroundings({ maxSleepMs: 20 });
  consul = new FakeConsul();
  await consul.start();
  consul.services = { web: ["prod"], db: [] };
  consul.instances = { web: [instance("")], db: [instance("10.0.0.9", { Tags: null })] };
});

afterEach(async () => {
  await running.stop();
  await consul.server.stop();
});

describe("consul discovery", () => {
  test("finds the instances of every service, with all their labels", async () => {
    start("token: tok");
    await running.until((now) => now.targets().length === 2);
    expect(running.targets()[0]).toEqual({
      __address__: "10.0.0.1:8080",
      __meta_consul_address: "10.0.0.1",
      __meta_consul_node: "n1",
      __meta_consul_dc: "dc1",
      __meta_consul_namespace: "",
      __meta_consul_partition: "default",
      __meta_consul_service: "web",
      __meta_consul_tags: ",prod,v1,",
      __meta_consul_service_address: "",
      __meta_consul_service_port: "8080",
      __meta_consul_service_id: "id-",
      __meta_consul_health: "warning",
      __meta_consul_metadata_rack_id: "r1",
      __meta_consul_service_metadata_team: "a",
      __meta_consul_tagged_address_lan: "10.0.0.1",
      __meta_consul_tagged_address_wan: "1.2.3.4",
    });
    expect(running.targets()[1]).toMatchObject({ __address__: "10.0.0.9:8080", __meta_consul_tags: ",," });
    expect(consul.tokens).toEqual(new Set(["tok"]));
  });

  test("hears of instances and services that come and go", async () => {
    start("datacenter: dc2");
    await running.until((now) => now.targets().length === 2);
    consul.instances["web"] = [instance("10.0.0.2"), instance("10.0.0.3")];
    consul.change();
    await running.until((now) => now.targets().length === 3);
    delete consul.services["db"];
    consul.services["new"] = [];
    consul.instances["new"] = [instance("10.0.0.7")];
    consul.change();
    await running.until(
      (now) =>
        now
          .targets()
          .map((target) => target["__address__"])
          .join() === "10.0.0.2:8080,10.0.0.3:8080,10.0.0.7:8080",
    );
    expect(running.targets()[0]!["__meta_consul_dc"]).toBe("dc2");
    expect(consul.server.requests.some((line) => line.includes("/v1/agent/self"))).toBe(false);
  });

  test("asks for what the configuration chooses", async () => {
    start(
      "services: [web, db], tags: [prod], node_meta: {rack: r1}, namespace: ns, partition: p, filter: 'a == b', health_filter: 'c == d'",
    );
    await running.until((now) => now.targets().length === 1);
    const find = (path: string) =>
      new URL(`http://x${consul.server.requests.find((line) => line.includes(path))!.slice(4)}`).searchParams;
    const catalog = find("/v1/catalog/services");
    expect(Object.fromEntries(catalog)).toMatchObject({
      wait: "120000ms",
      stale: "",
      dc: "dc1",
      ns: "ns",
      partition: "p",
      "node-meta": "rack:r1",
      filter: "a == b",
    });
    expect(Object.fromEntries(find("/v1/health/service/web"))).toMatchObject({
      tag: "prod",
      filter: "c == d",
    });
    expect(consul.server.requests.some((line) => line.includes("/v1/health/service/db"))).toBe(false);
  });

  test("watches named services without the catalog", async () => {
    start("services: [web], allow_stale: false");
    await running.until((now) => now.targets().length === 1);
    expect(consul.server.requests.some((line) => line.includes("/v1/catalog/"))).toBe(false);
    expect(consul.server.requests.some((line) => line.includes("stale"))).toBe(false);
  });

  test("keeps what it found while the server fails", async () => {
    start("");
    await running.until((now) => now.targets().length === 2);
    consul.isFailing = true;
    consul.change();
    while (surroundings.logged.length === 0) await surroundings.sleep(5, new AbortController().signal);
    expect(running.targets()).toHaveLength(2);
    expect(surroundings.counters.read("consul_rpc_failures_total")[0]!.value).toBeGreaterThan(0);
    consul.isFailing = false;
    consul.instances["web"] = [];
    consul.change();
    await running.until((now) => now.targets().length === 1);
  });

  test("a wait that ends without news changes nothing, and asks again for what is newer", async () => {
    start("");
    await running.until((now) => now.targets().length === 2);
    const groups = running.groups();
    await eventually("three polls", () => Promise.resolve(consul.waitingCount === 3));
    const before = consul.server.requests.length;
    // Told now, it would be taken for news.
    consul.instances["web"] = [];
    consul.answerAll();
    await eventually("three more", () => Promise.resolve(consul.server.requests.length === before + 3));
    expect(running.groups()).toEqual(groups);
    for (const line of consul.server.requests.slice(before)) expect(line).toMatch(/[?&]index=1(&|$)/);
    expect(
      surroundings.timed.filter((line) => line === "consul_rpc_duration_seconds catalog services").length,
    ).toBeGreaterThanOrEqual(2);
    expect(surroundings.timed).toContain("consul_rpc_duration_seconds catalog service");
  });

  test("takes what a server that began anew says, and asks it from the beginning", async () => {
    consul.index = 500;
    start("");
    await running.until((now) => now.targets().length === 2);
    await eventually("three polls", () => Promise.resolve(consul.waitingCount === 3));
    consul.instances["web"] = [];
    const before = consul.server.requests.length;
    consul.restart();
    await running.until((now) => now.targets().length === 1);
    await eventually("three more", () => Promise.resolve(consul.server.requests.length >= before + 3));
    for (const line of consul.server.requests.slice(before, before + 3))
      expect(line).toMatch(/[?&]index=0(&|$)/);
    consul.instances["web"] = [instance("10.0.0.5")];
    consul.change();
    await running.until((now) => now.targets().length === 2);
  });

  test("asks again where its connections are cut", async () => {
    start("");
    await running.until((now) => now.targets().length === 2);
    await eventually("three polls", () => Promise.resolve(consul.waitingCount === 3));
    consul.hangUp();
    await eventually("three polls again", () => Promise.resolve(consul.waitingCount === 3));
    expect(running.targets()).toHaveLength(2);
    consul.instances["db"] = [];
    consul.change();
    await running.until((now) => now.targets().length === 1);
  });

  test("waits for a server that is not there yet", async () => {
    consul.isFailing = true;
    start("");
    await eventually("a failure", () => Promise.resolve(surroundings.logged.length > 0));
    consul.isFailing = false;
    await running.until((now) => now.targets().length === 2);
    expect(running.targets()[0]!["__meta_consul_dc"]).toBe("dc1");
  });

  test("gives up a poll only well after the time the server may hold it back", async () => {
    start("");
    await running.until((now) => now.targets().length === 2);
    for (const timeout of surroundings.timeouts) expect(timeout).toBeGreaterThan(120_000);
  });

  test.each([
    [[], "passing"],
    [[{ CheckID: "a", Status: "passing" }], "passing"],
    [
      [
        { CheckID: "a", Status: "warning" },
        { CheckID: "b", Status: "critical" },
      ],
      "critical",
    ],
    [
      [
        { CheckID: "a", Status: "critical" },
        { CheckID: "_service_maintenance:x", Status: "critical" },
      ],
      "maintenance",
    ],
    [[{ CheckID: "_node_maintenance", Status: "critical" }], "maintenance"],
  ])("the health of %j is %s", async (Checks, health) => {
    consul.services = { web: [] };
    consul.instances = { web: [{ ...instance(""), Checks }] };
    start("");
    await running.until((now) => now.targets().length === 1);
    expect(running.targets()[0]!["__meta_consul_health"]).toBe(health);
  });
});
