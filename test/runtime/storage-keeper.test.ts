import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CompactionThreadOptions } from "../../src/runtime/compaction-messages.ts";
import { GivingWay } from "../../src/runtime/giving-way.ts";
import { StorageKeeper } from "../../src/runtime/storage-keeper.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { eventually } from "../support/api-client.ts";

let dataDirectory: string;
let keeper: StorageKeeper;
/** Merges begun, interrupted and done, and deletions: counted by the thread. */
const deeds = new Int32Array(new SharedArrayBuffer(16));
const counts = () => ({ begun: deeds[0], interrupted: deeds[1], merged: deeds[2], deleted: deeds[3] });

beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), "narthex-keeper-"));
  deeds.fill(0);
});
afterEach(async () => {
  await keeper.stop();
  rmSync(dataDirectory, { recursive: true });
});

/** @param interruptions so many merges go on until they are interrupted */
function keep(interruptions: number): Promise<void> {
  keeper = new StorageKeeper({
    threadFile: new URL("../support/fake-compaction-thread.mjs", import.meta.url),
    thread: () =>
      ({ dataDirectory, uploadedFile: "", deeds, interruptions }) as unknown as CompactionThreadOptions,
    intervalMs: 2 ** 31 - 1,
    limits: () => ({ timeMs: 0, sizeBytes: 0, percentage: 0 }),
    sealGenerations: () => Promise.resolve([]),
    headBytes: () => Promise.resolve(0),
    headMinTime: () => Promise.resolve(0),
    tellReaders: () => Promise.resolve(),
    generationStored: () => Promise.resolve(),
    registry: new Registry(),
    log: createLogger({ level: "error", format: "logfmt" }),
  });
  return keeper.start();
}

test("a merge gives way to a deletion, and is begun anew after it", async () => {
  await keep(1);
  await eventually("a merge", () => Promise.resolve(counts().begun === 1));
  // The merge would go on for ever.
  await keeper.deleteSeries([], 0, 1);
  expect(counts()).toMatchObject({ interrupted: 1, deleted: 1 });
  await eventually("the merge is done", () => Promise.resolve(counts().merged === 1));
  expect(counts()).toEqual({ begun: 2, interrupted: 1, merged: 1, deleted: 1 });
});

test("work gives way some times in a row, and then comes to its end first", async () => {
  const way = new GivingWay();
  const isTold = () => way.flag[0] === 1;
  expect(isTold()).toBe(false);
  const told: boolean[] = [];
  for (let i = 0; i < 5; i++) {
    await way.first(() => {
      told.push(isTold());
      way.note("interrupted");
      return Promise.resolve();
    });
    expect(isTold()).toBe(false);
  }
  expect(told).toEqual([true, true, true, false, false]);
  way.note("done");
  await expect(
    way.first(() => {
      told.push(isTold());
      return Promise.reject(new Error("no"));
    }),
  ).rejects.toThrow("no");
  expect([told.at(-1), isTold()]).toEqual([true, false]);
  await keep(0);
});
