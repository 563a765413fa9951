// The reading thread of isolation.test.ts: queries as fast as it can, and says what it saw that must not be.
import { parentPort, workerData } from "node:worker_threads";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { Matcher } from "../../../src/model/matcher.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";

export interface IsolationReport {
  queries: number;
  /** Queries whose newest samples were not all of one scrape. */
  mixed: string[];
  /** Series whose samples were not those that were written. */
  wrong: string[];
}

const {
  control,
  memory: shared,
  stop,
} = workerData as {
  control: SharedArrayBuffer;
  memory: WebAssembly.Memory;
  stop: Int32Array;
};
const memory = new QueryMemory(64 * 1024 * 1024);
const reader = new TsdbReader(control, memory);
reader.attach(shared);
const report: IsolationReport = { queries: 0, mixed: [], wrong: [] };
const halves = ["even", "odd"].map((half) => new Matcher("=", "half", half));
parentPort!.postMessage("ready");

do {
  const mark = memory.mark();
  const querier = reader.querier(-Infinity, Infinity);
  const newest = new Set<number>();
  const columns = memory.columns(1024);
  // Both halves are selected at different moments, and read at others.
  const sets = halves.map((matcher) => querier.select([matcher], -Infinity, Infinity));
  for (const set of sets) {
    for (let i = 0; i < set.count; i++) {
      set.read(i, -Infinity, Infinity, columns);
      const first = Math.floor(Number(set.labels(i).get("n")) / 10);
      for (let j = 0; j < columns.count; j++) {
        const isRight =
          columns.values[j] === first + j && columns.times[j]! % 7_200_000 === 1000 * (first + j);
        if (!isRight && report.wrong.length < 10) report.wrong.push(`${set.labels(i).get("n")}: sample ${j}`);
      }
      newest.add(columns.values[columns.count - 1]!);
    }
  }
  if (newest.size > 1 && report.mixed.length < 10) report.mixed.push([...newest].join(" "));
  querier.close();
  memory.release(mark);
  report.queries++;
} while (Atomics.load(stop, 0) === 0);
parentPort!.postMessage(report);
