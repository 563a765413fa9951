import { afterEach, describe, expect, test } from "vitest";
import type { DiscoveryConfigs } from "../../src/config/schema/discovery.ts";
import { createMechanism } from "../../src/discovery/create-mechanism.ts";
import { DiscoveryManager } from "../../src/discovery/discovery-manager.ts";
import type { DiscoverySurroundings, Mechanism } from "../../src/discovery/mechanism.ts";
import type { TargetGroup } from "../../src/discovery/target-group.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings } from "../support/discovery-surroundings.ts";

/** A mechanism that emits when it is told to. */
class FakeMechanism implements Mechanism {
  emit: (groups: readonly TargetGroup[]) => void = () => {};
  isStopped = false;

  run(emit: (groups: readonly TargetGroup[]) => void, signal: AbortSignal): Promise<void> {
    this.emit = emit;
    return new Promise((resolve) =>
      signal.addEventListener("abort", () => {
        this.isStopped = true;
        resolve();
      }),
    );
  }
}

/** Sleepers that wake when they are told to. */
class Sleepers {
  readonly waits: number[] = [];
  private wakes: (() => void)[] = [];

  readonly sleep = (durationMs: number): Promise<void> => {
    this.waits.push(durationMs);
    return new Promise((resolve) => this.wakes.push(resolve));
  };

  async wake(): Promise<void> {
    const wakes = this.wakes;
    this.wakes = [];
    for (const wake of wakes) wake();
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

const group = (source: string, ...addresses: string[]): TargetGroup => ({
  source,
  targets: addresses.map((address) => ({ __address__: address })),
  labels: {},
});

let manager: DiscoveryManager;

function start(create?: () => Mechanism) {
  const sleepers = new Sleepers();
  const base = realSurroundings();
  const surroundings: DiscoverySurroundings = { ...base, now: () => 5_000, sleep: sleepers.sleep };
  const made: FakeMechanism[] = [];
  const updates: [string, string[]][] = [];
  const rounds: number[] = [];
  manager = new DiscoveryManager({
    name: "scrape",
    surroundings,
    onUpdated: () => rounds.push(updates.length),
    onUpdate: (job, groups) =>
      updates.push([job, groups.flatMap(({ targets }) => targets.map((target) => target["__address__"]!))]),
    create:
      create ??
      (() => {
        made.push(new FakeMechanism());
        return made[made.length - 1]!;
      }),
  });
  const taken = () => updates.splice(0);
  return { sleepers, made, taken, rounds, counters: base.counters, logged: base.logged };
}

const jobs = (...entries: [string, string][]): Map<string, DiscoveryConfigs> =>
  new Map(entries.map(([job, yaml]) => [job, discoveryLists(yaml)]));

const A = "http_sd_configs: [{url: 'http://a'}]";
const B = "http_sd_configs: [{url: 'http://b'}]";

afterEach(() => manager.stop());

describe("the discovery manager", () => {
  test("hands every job all the groups of its mechanisms", async () => {
    const { made, sleepers, taken, counters } = start();
    manager.apply(jobs(["one", "http_sd_configs: [{url: 'http://a'}, {url: 'http://b'}]"]));
    await settle();
    expect(taken()).toEqual([["one", []]]);
    made[0]!.emit([group("a", "a:1"), group("a2", "a:2")]);
    made[1]!.emit([group("a", "b:1")]);
    await sleepers.wake();
    expect(taken()).toEqual([["one", ["a:1", "a:2", "b:1"]]]);
    made[0]!.emit([group("a"), group("a2", "a:3")]);
    await sleepers.wake();
    expect(taken()).toEqual([["one", ["a:3", "b:1"]]]);
    expect(counters.read("discovered_targets")).toEqual([
      { name: "discovered_targets", labels: { name: "scrape", config: "one" }, value: 2 },
    ]);
    expect(counters.read("last_update_timestamp_seconds")[0]!.value).toBe(5);
  });

  test("jobs that ask for the same share one mechanism", async () => {
    const { made, sleepers, taken, rounds } = start();
    manager.apply(jobs(["one", A], ["two", A], ["three", B]));
    await settle();
    expect(made).toHaveLength(2);
    // All jobs in one round.
    expect(rounds).toEqual([3]);
    taken();
    made[0]!.emit([group("a", "a:1")]);
    await sleepers.wake();
    expect(taken()).toEqual([
      ["one", ["a:1"]],
      ["two", ["a:1"]],
    ]);
  });

  test("counts an update once where it comes in, and once where it goes out to everybody", async () => {
    const { made, sleepers, counters } = start();
    const numbers = () =>
      (["received_updates_total", "updates_total", "updates_delayed_total", "failed_configs"] as const).map(
        (name) => counters.read(name)[0]!.value,
      );
    expect(numbers()).toEqual([0, 0, 0, 0]);
    manager.apply(jobs(["one", A], ["two", A]));
    await settle();
    expect(numbers()).toEqual([0, 1, 0, 0]);
    await sleepers.wake();
    made[0]!.emit([group("a", "a:1")]);
    await settle();
    expect(numbers()).toEqual([1, 2, 0, 0]);
  });

  test("equal but for a secret is not equal", async () => {
    const { made } = start();
    const withToken = (token: string) => `http_sd_configs: [{url: 'http://a', bearer_token: ${token}}]`;
    manager.apply(jobs(["one", withToken("x")], ["two", withToken("y")]));
    await settle();
    expect(made).toHaveLength(2);
  });

  test("a new configuration keeps what is still asked for, stops the rest, and serves newcomers at once", async () => {
    const { made, sleepers, taken, counters } = start();
    manager.apply(jobs(["one", A], ["two", B]));
    made[0]!.emit([group("a", "a:1")]);
    made[1]!.emit([group("b", "b:1")]);
    await settle();
    await sleepers.wake();
    taken();
    manager.apply(jobs(["one", A], ["three", A]));
    await settle();
    await sleepers.wake();
    expect(made.map(({ isStopped }) => isStopped)).toEqual([false, true]);
    expect(taken()).toEqual([["three", ["a:1"]]]);
    expect(counters.read("discovered_targets").map(({ labels }) => labels["config"])).toEqual([
      "one",
      "three",
    ]);
  });

  test("a job that no longer asks for a mechanism loses its targets", async () => {
    const { made, sleepers, taken } = start();
    manager.apply(jobs(["one", A]));
    made[0]!.emit([group("a", "a:1")]);
    await settle();
    await sleepers.wake();
    taken();
    manager.apply(jobs(["one", B]));
    await settle();
    expect(taken()).toEqual([["one", []]]);
    made[0]!.emit([group("a", "a:2")]);
    await sleepers.wake();
    expect(taken()).toEqual([]);
  });

  test("updates in quick succession are sent ever less often, down to one in five seconds", async () => {
    const { made, sleepers, taken, counters } = start();
    manager.apply(jobs(["one", A]));
    await settle();
    for (let i = 0; i < 8; i++) {
      made[0]!.emit([group("a", `a:${i}`)]);
      await sleepers.wake();
    }
    expect(sleepers.waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
    expect(taken()).toHaveLength(9);
    expect(counters.read("updates_delayed_total")[0]!.value).toBe(8);
    await sleepers.wake();
    made[0]!.emit([group("a", "a:9")]);
    await settle();
    expect(sleepers.waits.at(-1)).toBe(100);
  });

  test("a mechanism that can't be made is counted, and the others run", async () => {
    const { logged, counters, taken } = start(() => {
      throw new Error("no such cluster");
    });
    manager.apply(jobs(["one", A]));
    await settle();
    expect(logged).toEqual(["Cannot create service discovery: no such cluster"]);
    expect(counters.read("failed_configs")[0]!.value).toBe(1);
    expect(taken()).toEqual([["one", []]]);
  });
});

test("static targets and those of a file come through the manager together", async () => {
  const updates: string[][] = [];
  let onUpdate = () => {};
  manager = new DiscoveryManager({
    name: "scrape",
    surroundings: realSurroundings(),
    create: createMechanism,
    onUpdate: (_job, groups) => {
      updates.push(groups.map(({ source, targets, labels }) => JSON.stringify([source, targets, labels])));
      onUpdate();
    },
  });
  const received = new Promise<void>((resolve) => (onUpdate = resolve));
  manager.apply(jobs(["one", "static_configs: [{targets: ['a:1'], labels: {x: y}}, {targets: ['b:1']}]"]));
  await received;
  expect(updates[0]).toEqual(['["0",[{"__address__":"a:1"}],{"x":"y"}]', '["1",[{"__address__":"b:1"}],{}]']);
});
