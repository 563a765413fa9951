import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { buildSync } from "esbuild";
import { expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import type { IsolationReport } from "./isolation-reader.ts";

const SERIES = 2000;
const SCRAPES = 700;
const START = 238_000 * 7_200_000;

function bundle(path: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [path],
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
  });
  return outputFiles[0]!.text;
}

test("a query on another thread sees whole scrapes only, the same ones in all it selects", async () => {
  const directory = mkdtempSync(join(tmpdir(), "narthex-isolation-"));
  const tsdb = Tsdb.open({ directory, generationBytes: 256 * 1024 * 1024 });
  const { appender } = tsdb;
  const epoch = appender.epochAt(START)!;
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const code = bundle(fileURLToPath(new URL("isolation-reader.ts", import.meta.url)));
  const worker = new Worker(code, {
    eval: true,
    workerData: {
      control: tsdb.head.control.buffer,
      memory: tsdb.head.generations[0]!.generation.memory,
      stop,
    },
  });
  await once(worker, "message");
  const report = once(worker, "message") as Promise<[IsolationReport]>;

  const refs = new Uint32Array(SERIES);
  const outcomes = new Uint8Array(SERIES);
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    appender.begin();
    // Series come as time goes by, so that readers meet the index as it grows.
    const present = Math.min(SERIES, 10 * (scrape + 1));
    for (let i = Math.max(0, present - 10); i < present; i++) {
      if (refs[i] !== 0) continue;
      refs[i] = appender.resolve(epoch, Labels.fromRecord({ half: i % 2 ? "odd" : "even", n: `${i}` })).ref;
    }
    const values = new Float64Array(SERIES).fill(scrape);
    appender.appendFloats(epoch, refs, values, present, START + 1000 * scrape, outcomes);
    appender.commit();
    if (scrape % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  Atomics.store(stop, 0, 1);
  const [{ queries, mixed, wrong }] = await report;
  await worker.terminate();
  tsdb.close();
  rmSync(directory, { recursive: true });
  expect(mixed).toEqual([]);
  expect(wrong).toEqual([]);
  expect(queries).toBeGreaterThan(0);
}, 60_000);
