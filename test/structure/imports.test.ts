import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

/** The floors of the house: a file may import from its own room and from lower floors only. */
const floorOfRoom: Record<string, number> = {
  model: 0,
  telemetry: 1,
  config: 2,
  kernels: 2,
  "http-client": 1,
  discovery: 3,
  scrape: 3,
  tsdb: 3,
  promql: 3,
  remote: 3,
  rules: 4,
  api: 4,
  ui: 4,
  runtime: 5,
  "server.ts": 6,
  "promtool.ts": 6,
};

const source = resolve(import.meta.dirname, "../../src");

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === "assembly" ? [] : files(path);
    return /\.tsx?$/.test(name) && name !== "kernels-wasm.ts" ? [path] : [];
  });
}

function roomOf(path: string): string {
  return relative(source, path).split("/")[0]!;
}

const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|(?:^|\n)import\s+"([^"]+)"/g;

function importsOf(path: string): string[] {
  return [...readFileSync(path, "utf8").matchAll(importPattern)].map(
    (match) => (match[1] ?? match[2] ?? match[3])!,
  );
}

describe("the rooms", () => {
  const all = files(source);

  test("are all on the plan", () => {
    const unknown = [...new Set(all.map(roomOf))].filter((room) => !(room in floorOfRoom));
    expect(unknown).toEqual([]);
  });

  test("import one way: from themselves and from lower floors", () => {
    const wrong: string[] = [];
    for (const path of all) {
      const room = roomOf(path);
      for (const target of importsOf(path)) {
        if (!target.startsWith(".")) continue;
        const targetPath = resolve(dirname(path), target);
        const targetRoom = roomOf(targetPath);
        if (targetRoom === room) continue;
        const isSharedTypes = room === "ui" && relative(source, targetPath) === "api/types.ts";
        if (!isSharedTypes && !(floorOfRoom[targetRoom]! < floorOfRoom[room]!)) {
          wrong.push(`${relative(source, path)} imports ${relative(source, targetPath)}`);
        }
        if (room === "ui" && !isSharedTypes)
          wrong.push(`${relative(source, path)} shares more than api/types.ts`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("know nothing of threads, but for the runtime", () => {
    const wrong = all.filter(
      (path) => roomOf(path) !== "runtime" && importsOf(path).some((name) => name === "node:worker_threads"),
    );
    expect(wrong.map((path) => relative(source, path))).toEqual([]);
  });

  test("have no drawer for odds and ends", () => {
    const vague = all.filter((path) =>
      /(^|\/)(utils?|helpers?|common|misc)(\.tsx?$|\/)/.test(relative(source, path)),
    );
    expect(vague).toEqual([]);
  });
});
