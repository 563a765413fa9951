import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dnsDiscovery } from "../../src/discovery/dns.ts";
import { eventually } from "../support/api-client.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";
import { isInstalled, removeFolder, temporaryFolder } from "../support/servers.ts";
import { freePort, SpawnedServer } from "../support/spawned-server.ts";

/** A name in the wire form of a record's data, in hex. */
function wireName(name: string): string {
  const labels = name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]).toString("hex");
}

describe.skipIf(!isInstalled("dnsmasq"))("dns discovery, asking a real dnsmasq", () => {
  let folder: string;
  let hosts: string;
  let port: number;
  let server: SpawnedServer | null;
  let running: Running | null;
  let surroundings: ReturnType<typeof realSurroundings>;

  let zone: string;

  async function serve(...records: string[]): Promise<void> {
    const pidFile = join(folder, "pid");
    rmSync(pidFile, { force: true });
    server = await SpawnedServer.start({
      command: "dnsmasq",
      args: [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        `--pid-file=${pidFile}`,
        `--port=${port}`,
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        "--no-resolv",
        "--no-hosts",
        `--addn-hosts=${hosts}`,
        // What it doesn't know below this doesn't exist; what lies elsewhere it refuses.
        `--local=/${zone}/`,
        ...(process.getuid?.() === 0 ? ["--user=root"] : []),
        ...records,
      ],
      url: `udp://127.0.0.1:${port}`,
      isReady: () => existsSync(pidFile),
    });
  }

  function find(fields: string, search: string[] = []): Running {
    const [config] = discoveryLists(`dns_sd_configs: [{${fields}}]`).dnsConfigs;
    const resolver = { servers: [`127.0.0.1:${port}`], search, ndots: 1 };
    running = runMechanism(dnsDiscovery(config!, "j", surroundings, () => resolver));
    return running;
  }

  const addresses = (of: Running) => of.targets().map((target) => target["__address__"]);
  const logged = (text: string) => () =>
    Promise.resolve(surroundings.logged.some((line) => line.includes(text)));

  beforeEach(async () => {
    folder = temporaryFolder("dnsmasq");
    hosts = join(folder, "hosts");
    writeFileSync(hosts, "10.0.0.1 db.test\n10.0.0.2 db.test\nfd00::1 db.test\n");
    surroundings = realSurroundings({ maxSleepMs: 50 });
    port = await freePort();
    zone = "test";
    server = null;
    running = null;
  });

  afterEach(async () => {
    await running?.stop();
    await server?.stop();
    removeFolder(folder);
  });

  const none = {
    __meta_dns_srv_record_target: "",
    __meta_dns_srv_record_port: "",
    __meta_dns_mx_record_target: "",
    __meta_dns_ns_record_target: "",
  };

  test.each([
    ["A", "db.test", [["10.0.0.1:80"], ["10.0.0.2:80"]]],
    ["AAAA", "db.test", [["[fd00::1]:80"]]],
    // An alias gives the addresses of what it stands for.
    ["A", "alias.test", [["10.0.0.1:80"], ["10.0.0.2:80"]]],
    ["MX", "test", [["mx.test:80", { __meta_dns_mx_record_target: "mx.test." }]]],
    [
      "NS",
      "test",
      [
        ["ns1.test:80", { __meta_dns_ns_record_target: "ns1.test." }],
        ["ns2.test:80", { __meta_dns_ns_record_target: "ns2.test." }],
      ],
    ],
    [
      "SRV",
      "_m._tcp.test",
      [
        ["a.test:9100", { __meta_dns_srv_record_target: "a.test.", __meta_dns_srv_record_port: "9100" }],
        ["b.test:9101", { __meta_dns_srv_record_target: "b.test.", __meta_dns_srv_record_port: "9101" }],
      ],
    ],
  ] as const)("finds the %s records of %s", async (type, name, wanted) => {
    await serve(
      "--cname=alias.test,db.test",
      "--mx-host=test,mx.test,10",
      `--dns-rr=test,2,${wireName("ns1.test")}`,
      `--dns-rr=test,2,${wireName("ns2.test")}`,
      "--srv-host=_m._tcp.test,a.test,9100,0,1",
      "--srv-host=_m._tcp.test,b.test,9101,0,1",
    );
    const found = find(`names: [${name}], type: ${type}, port: 80`);
    await found.until((now) => now.targets().length === wanted.length);
    expect(found.targets()).toEqual(
      wanted.map(([address, labels]) => ({
        __address__: address,
        __meta_dns_name: name,
        ...none,
        ...labels,
      })),
    );
    expect(surroundings.logged).toEqual([]);
  });

  test("follows records that change", async () => {
    await serve();
    const found = find("names: [db.test, web.test], type: A, port: 80");
    await found.until((now) => now.targets().length === 2);
    writeFileSync(hosts, "10.0.0.2 db.test\n10.0.0.3 web.test\n");
    server!.process.kill("SIGHUP");
    await found.until((now) => addresses(now).join() === "10.0.0.2:80,10.0.0.3:80");
    writeFileSync(hosts, "");
    server!.process.kill("SIGHUP");
    await found.until((now) => now.targets().length === 0);
    expect(surroundings.logged).toEqual([]);
  });

  test("keeps the last list while the server is away or refuses, and goes on when it is back", async () => {
    await serve();
    const found = find("names: [db.test], type: A, port: 80");
    await found.until((now) => now.targets().length === 2);
    await server!.stop();
    await eventually("a failed look-up", logged('could not resolve "db.test"'));
    expect(addresses(found)).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
    const failures = surroundings.counters.read("dns_lookup_failures_total")[0]!.value;
    expect(failures).toBeGreaterThan(0);
    expect(surroundings.counters.read("dns_lookups_total")[0]!.value).toBeGreaterThan(failures);
    // It answers, but not about this name.
    writeFileSync(hosts, "");
    zone = "elsewhere";
    await serve();
    const before = surroundings.logged.length;
    await eventually("a refusal", () => Promise.resolve(surroundings.logged.length > before + 2));
    expect(addresses(found)).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
    await server!.stop();
    writeFileSync(hosts, "10.0.0.9 db.test\n");
    zone = "test";
    await serve();
    await found.until((now) => addresses(now).join() === "10.0.0.9:80");
  });

  test("gets an answer too long for one packet over TCP", async () => {
    const many = Array.from({ length: 300 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    writeFileSync(hosts, many.map((address) => `${address} many.test\n`).join(""));
    await serve();
    const found = find("names: [many.test], type: A, port: 80");
    await found.until((now) => now.targets().length > 0);
    expect(addresses(found)).toEqual(many.map((address) => `${address}:80`).sort());
  });

  test("looks for a short name in the search list", async () => {
    await serve();
    const found = find("names: [db], type: A, port: 80", ["nowhere.test", "test"]);
    await found.until((now) => now.targets().length === 2);
    expect(found.targets()[0]).toMatchObject({ __address__: "10.0.0.1:80", __meta_dns_name: "db" });
  });
});
