import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMechanism } from "../../src/discovery/create-mechanism.ts";
import { fileDiscovery } from "../../src/discovery/file.ts";
import { discoveryLists } from "../support/discovery-config.ts";
import { realSurroundings, runMechanism, type Running } from "../support/discovery-surroundings.ts";

let folder: string;
let surroundings: ReturnType<typeof realSurroundings>;
let running: Running;

function start(files: string): void {
  const [config] = discoveryLists(`file_sd_configs: [{files: ${files}}]`, join(folder, "p.yml")).fileConfigs;
  running = runMechanism(fileDiscovery(config!, surroundings));
}

function write(name: string, text: string): void {
  // As an editor does: a new file takes the old one's place.
  writeFileSync(join(folder, `${name}.tmp`), text);
  renameSync(join(folder, `${name}.tmp`), join(folder, name));
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "narthex-file-"));
  surroundings = realSurroundings();
});

afterEach(async () => {
  await running.stop();
  rmSync(folder, { recursive: true });
});

const addresses = (of: Running) => of.targets().map((target) => target["__address__"]);

describe("file discovery", () => {
  test("reads JSON and YAML, and labels targets with their file", async () => {
    write("a.json", '[{"targets": ["a:1", "a:2"], "labels": {"zone": "eu"}}]');
    write("b.yml", "- targets: [b:1]\n  labels: {port: 017}\n- targets: ['b:2']\n");
    start("['*.json', '*.yml']");
    await running.until((now) => now.targets().length === 4);
    expect(running.targets()).toEqual([
      { __address__: "a:1", zone: "eu", __meta_filepath: join(folder, "a.json") },
      { __address__: "a:2", zone: "eu", __meta_filepath: join(folder, "a.json") },
      { __address__: "b:1", port: "017", __meta_filepath: join(folder, "b.yml") },
      { __address__: "b:2", __meta_filepath: join(folder, "b.yml") },
    ]);
    expect(running.groups().map(({ source }) => source)).toContain(`${join(folder, "b.yml")}:1`);
  });

  test("pauses between two looks even where the interval is 0", async () => {
    write("a.json", '[{"targets": ["a:1"]}]');
    const text = "file_sd_configs: [{files: [a.json], refresh_interval: 0s}]";
    const [config] = discoveryLists(text, join(folder, "p.yml")).fileConfigs;
    const pauses: number[] = [];
    const sleep: typeof surroundings.sleep = (ms, signal) => {
      pauses.push(ms);
      return surroundings.sleep(ms, signal);
    };
    running = runMechanism(createMechanism("file", config!, "j", { ...surroundings, sleep }));
    await expect.poll(() => pauses[0]).toBe(1_000);
  });

  test("leaves a broken pattern out and says so", async () => {
    write("a.json", '[{"targets": ["a:1"]}]');
    start("['[.json', 'a.json']");
    await running.until((now) => addresses(now).join() === "a:1");
  });

  test("goes on watching where another folder takes the place of the first", async () => {
    mkdirSync(join(folder, "t"));
    write("t/a.json", '[{"targets": ["a:1"]}]');
    start("['t/*.json']");
    await running.until((now) => addresses(now).join() === "a:1");
    renameSync(join(folder, "t"), join(folder, "old"));
    mkdirSync(join(folder, "t"));
    write("t/a.json", '[{"targets": ["a:2"]}]');
    await running.until((now) => addresses(now).join() === "a:2");
    write("t/a.json", '[{"targets": ["a:3"]}]');
    await running.until((now) => addresses(now).join() === "a:3");
    expect(surroundings.counters.read("file_watcher_errors_total")).toEqual([]);
    expect(surroundings.timed.filter((line) => line === "file_scan_duration_seconds").length).toBeGreaterThan(
      2,
    );
  });

  test("sees a file change, appear and vanish", async () => {
    write("a.json", '[{"targets": ["a:1"]}, {"targets": ["a:2"]}]');
    start("['*.json']");
    await running.until((now) => now.targets().length === 2);
    write("a.json", '[{"targets": ["a:3"]}]');
    await running.until((now) => addresses(now).join() === "a:3");
    write("c.json", '[{"targets": ["c:1"]}]');
    await running.until((now) => addresses(now).join() === "a:3,c:1");
    rmSync(join(folder, "a.json"));
    await running.until((now) => addresses(now).join() === "c:1");
    expect(surroundings.counters.read("file_mtime_seconds").map(({ labels }) => labels["filename"])).toEqual([
      join(folder, "c.json"),
    ]);
  });

  test.each([
    ["a.json", '[{"targets": ["a:9"], "label": {}}]', 'target group 0: unknown field "label"'],
    ["a.json", "[{", "JSON"],
    ["a.json", "[null]", "nil target group item found (index 0)"],
    ["a.json", '{"targets": []}', "expected a list of target groups"],
    ["a.json", '[{"targets": [5]}]', "a target must be a string"],
    ["b.yml", "- target: [a]", "field target not found in type targetgroup.plain"],
    ["b.yml", "- [", "yaml: "],
  ])("a broken %s keeps what it gave before: %s", async (name, broken, message) => {
    write("a.json", '[{"targets": ["a:1"]}]');
    write("b.yml", "- targets: [b:1]");
    start("['*.json', '*.yml']");
    await running.until((now) => now.targets().length === 2);
    write(name, broken);
    write("other.json", '[{"targets": ["o:1"]}]');
    await running.until((now) => now.targets().length === 3);
    expect(addresses(running)).toEqual(["a:1", "b:1", "o:1"]);
    expect(surroundings.logged[0]).toContain(message);
    expect(surroundings.counters.read("file_read_errors_total")[0]!.value).toBeGreaterThan(0);
  });
});
