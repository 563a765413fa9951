import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dnsDiscovery, parseSearchRules } from "../../src/discovery/dns.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { FakeDnsServer } from "../support/fake-dns-server.ts";

let server: FakeDnsServer;
let running: Running;
let surroundings: ReturnType<typeof realSurroundings>;

function start(fields: string, search: string[] = []): void {
  const [config] = discoveryLists(`dns_sd_configs: [{${fields}}]`).dnsConfigs;
  running = runMechanism(
    dnsDiscovery(config!, "j", surroundings, () => ({ servers: [server.address], search, ndots: 1 })),
  );
}

beforeEach(async () => {
  surroundings = realSurroundings({ maxSleepMs: 20 });
  server = await FakeDnsServer.start({
    "db.test": [
      { type: "A", address: "10.0.0.1" },
      { type: "AAAA", address: [0x20, 1, ...Array<number>(13).fill(0), 1] },
    ],
    "_m._tcp.test": [
      { type: "SRV", target: "a.test", port: 9100 },
      { type: "SRV", target: "b.test", port: 9101 },
    ],
    "mail.test": [{ type: "MX", target: "mx.test" }],
    "zone.test": [{ type: "NS", target: "ns.test" }],
  });
});

afterEach(async () => {
  await running.stop();
  await server.stop();
});

const none = {
  __meta_dns_srv_record_target: "",
  __meta_dns_srv_record_port: "",
  __meta_dns_mx_record_target: "",
  __meta_dns_ns_record_target: "",
};

describe("dns discovery", () => {
  test("finds hosts and ports of SRV records", async () => {
    start("names: [_m._tcp.test]");
    await running.until((now) => now.targets().length === 2);
    expect(running.targets()[1]).toEqual({
      ...none,
      __address__: "b.test:9101",
      __meta_dns_name: "_m._tcp.test",
      __meta_dns_srv_record_target: "b.test.",
      __meta_dns_srv_record_port: "9101",
    });
  });

  test.each([
    ["A", "db.test", "10.0.0.1:80", {}],
    ["AAAA", "db.test", "[2001::1]:80", {}],
    ["MX", "mail.test", "mx.test:80", { __meta_dns_mx_record_target: "mx.test." }],
    ["NS", "zone.test", "ns.test:80", { __meta_dns_ns_record_target: "ns.test." }],
  ])("finds %s records, with the configured port", async (type, name, address, labels) => {
    start(`names: [${name}], type: ${type}, port: 80`);
    await running.until((now) => now.targets().length === 1);
    expect(running.targets()).toEqual([{ ...none, __address__: address, __meta_dns_name: name, ...labels }]);
  });

  test("a name that goes away loses its targets, a server that fails keeps them", async () => {
    start("names: [db.test], type: A, port: 80");
    await running.until((now) => now.targets().length === 1);
    server.failing.add("db.test");
    while (surroundings.logged.length === 0) await surroundings.sleep(5, new AbortController().signal);
    expect(running.targets()).toHaveLength(1);
    expect(surroundings.logged[0]).toContain('could not resolve "db.test"');
    expect(surroundings.counters.read("dns_lookup_failures_total")[0]!.value).toBeGreaterThan(0);
    server.failing.clear();
    server.records.delete("db.test");
    await running.until((now) => now.targets().length === 0);
  });

  test("a short name is looked for in the search list first, a rooted one only as it is", async () => {
    start("names: [db], type: A, port: 80", ["nowhere.test", "test"]);
    await running.until((now) => now.targets().length === 1);
    expect(server.questions.slice(0, 2)).toEqual(["db.nowhere.test", "db.test"]);
    await running.stop();
    server.questions.length = 0;
    start("names: [db.test.], type: A, port: 80", ["nowhere.test"]);
    await running.until((now) => now.targets().length === 1);
    expect(new Set(server.questions)).toEqual(new Set(["db.test"]));
  });
});

test("the rules of a resolv.conf", () => {
  const text = "# x\ndomain a.b\nnameserver 1.2.3.4\nsearch  c.d e.f\noptions timeout:1 ndots:3\n";
  expect(parseSearchRules(text)).toEqual({ search: ["c.d", "e.f"], ndots: 3 });
  expect(parseSearchRules("")).toEqual({ search: [], ndots: 1 });
});
