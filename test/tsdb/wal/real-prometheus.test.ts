import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { writeBlock } from "../../../src/tsdb/block/block-writer.ts";
import { encodeChunks } from "../../../src/tsdb/chunk/encode-chunks.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import { ByteWriter } from "../../../src/tsdb/varint.ts";
import {
  beginSeriesRecord,
  encodeHistogramRecords,
  encodeSamplesRecord,
  encodeSeriesEntry,
} from "../../../src/tsdb/wal/record.ts";
import { replayLog } from "../../../src/tsdb/wal/replay.ts";
import { WalWriter } from "../../../src/tsdb/wal/segment.ts";
import { hasProgram } from "../../support/program.ts";
import { bitsOf, RecordingSink } from "./recording-sink.ts";

let directory: string;
const running: ChildProcess[] = [];
beforeEach(() => (directory = fs.mkdtempSync(join(tmpdir(), "narthex-prom-"))));
afterEach(async () => {
  for (const child of running.splice(0)) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode === null && child.kill("SIGKILL")) await ended;
  }
  fs.rmSync(directory, { recursive: true });
});

async function freePort(): Promise<number> {
  const server = createSocket();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startPrometheus(
  data: string,
  config: string,
  flags: readonly string[] = ["--enable-feature=exemplar-storage"],
): Promise<{ child: ChildProcess; url: string }> {
  const port = await freePort();
  const file = join(directory, "prometheus.yml");
  fs.writeFileSync(file, config);
  const child = spawn(
    "prometheus",
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--storage.tsdb.retention.time=100y",
      ...flags,
      "--log.level=warn",
    ],
    { stdio: "ignore" },
  );
  running.push(child);
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/-/ready`)).status === 200);
  return { child, url };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      if (await condition()) return;
    } catch {
      // Not up yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("cannot wait any longer");
}

async function query(
  url: string,
  expression: string,
): Promise<{ metric: Record<string, string>; values: [number, string][] }[]> {
  const response = await fetch(
    `${url}/api/v1/query?query=${encodeURIComponent(expression)}&time=${T / 1000 + 600}`,
  );
  const body = (await response.json()) as {
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  return body.data.result;
}

const T = Math.floor(Date.now() / 1000) * 1000 - 600_000;

/** Two series as our log holds them: ten samples each, the last a staleness marker. */
function writeLog(path: string): void {
  const wal = new WalWriter(path);
  const writer = new ByteWriter();
  beginSeriesRecord(writer);
  encodeSeriesEntry(writer, 1, Labels.fromRecord({ __name__: "m", a: "1" }));
  encodeSeriesEntry(writer, 7, Labels.fromRecord({ __name__: "m", a: "ü" }));
  wal.append(writer.written());
  const words = new Uint32Array(4);
  const values = new Float64Array(words.buffer);
  for (let i = 0; i < 10; i++) {
    values[0] = i / 3;
    values[1] = -i;
    if (i === 9) words.set([2, 0x7ff00000, 2, 0x7ff00000]);
    encodeSamplesRecord(writer, 0, Uint32Array.of(1, 7), T + 15_000 * i, words, 2);
    wal.append(writer.written());
    wal.flush();
    if (i === 4) wal.cut();
  }
  wal.close();
}

describe.skipIf(!hasProgram("prometheus"))("Prometheus and the log", () => {
  test("agree on a log of a real server, killed while it scraped: series, samples, exemplars, stale ends", async () => {
    let scrapes = 0;
    const target = createServer((_, response) => {
      scrapes++;
      const gone = scrapes > 3 ? "" : "gone 1\n";
      response.setHeader("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
      response.end(
        `# TYPE requests counter\nrequests_total{path="/ü"} ${scrapes} # {trace_id="t${scrapes}"} 0.5\n` +
          `# TYPE gone gauge\n${gone}# EOF\n`,
      );
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = target.address() as AddressInfo;
      const { child } = await startPrometheus(
        join(directory, "data"),
        `scrape_configs:\n- job_name: t\n  scrape_interval: 100ms\n  static_configs:\n  - targets: ["127.0.0.1:${port}"]\n`,
      );
      await until(async () => scrapes >= 8);
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));

      const sink = new RecordingSink();
      const result = replayLog(join(directory, "data/wal"), sink);
      expect(result.records).toBeGreaterThan(5);
      const ref = (name: string) => [...sink.series].find(([, labels]) => labels["__name__"] === name)![0];
      expect(sink.series.get(ref("requests_total"))).toEqual({
        __name__: "requests_total",
        instance: `127.0.0.1:${port}`,
        job: "t",
        path: "/ü",
      });
      const bits = (name: string) =>
        sink.samples.filter((sample) => sample.ref === ref(name)).map(({ bits }) => bits);
      const counted = bits("requests_total");
      expect(counted.length).toBeGreaterThanOrEqual(6);
      expect(counted).toEqual(counted.map((_, i) => bitsOf(i + 1)));
      expect(bits("gone")).toEqual([bitsOf(1), bitsOf(1), bitsOf(1), "7ff0000000000002"]);
      expect(sink.exemplars[0]).toMatchObject({
        ref: ref("requests_total"),
        exemplar: { value: 0.5, labels: Labels.fromRecord({ trace_id: "t1" }) },
      });
    } finally {
      target.close();
    }
  });

  test("agree on a log and a block of ours: a real server starts on them and answers with every sample", async () => {
    const data = join(directory, "data");
    writeLog(join(data, "wal"));
    const columns = new PlainColumns(500);
    for (let i = 0; i < 500; i++) {
      columns.times[i] = T - 86_400_000 + i * 10_000;
      columns.values[i] = Math.sqrt(i);
    }
    columns.count = 500;
    const ulid = "01BX5ZZKBKACTAV9WEVGEMMVRZ";
    writeBlock(
      data,
      [{ labels: Labels.fromRecord({ __name__: "old", b: "x" }), chunks: encodeChunks(columns) }],
      {
        ulid,
        minTime: T - 86_400_000,
        maxTime: T - 80_000_000,
        compaction: { level: 1, sources: [ulid] },
      },
    );
    const { url } = await startPrometheus(data, "scrape_configs: []\n");
    const first = await query(url, 'm{a="1"}[20m]');
    expect(first[0]!.values.map(([time, value]) => [time * 1000, Number(value)])).toEqual(
      Array.from({ length: 9 }, (_, i) => [T + 15_000 * i, i / 3]),
    );
    const second = await query(url, 'm{a="ü"}[20m]');
    expect(second[0]!.values.map(([, value]) => Number(value))).toEqual([-0, -1, -2, -3, -4, -5, -6, -7, -8]);
    const old = await query(url, "old[30h]");
    expect(old[0]!.metric).toEqual({ __name__: "old", b: "x" });
    expect(old[0]!.values.map(([, value]) => Number(value))).toEqual(
      Array.from({ length: 500 }, (_, i) => Math.sqrt(i)),
    );
  });
});

/** A histogram of whole or float counts that grows with k. */
function histogram(k: number, isInteger: boolean): FloatHistogram {
  return {
    isInteger,
    counterResetHint: "unknown",
    schema: 1,
    zeroThreshold: 2 ** -128,
    zeroCount: k,
    count: 7 * k,
    sum: 3.5 * k,
    isStale: false,
    positiveSpans: [
      { offset: 0, length: 2 },
      { offset: 1, length: k > 5 ? 2 : 1 },
    ],
    negativeSpans: [{ offset: -2, length: 1 }],
    positiveBuckets: k > 5 ? Float64Array.of(k, 2 * k, k - 1, 1) : Float64Array.of(k, 2 * k, k),
    negativeBuckets: Float64Array.of(2 * k),
    customValues: new Float64Array(0),
  };
}

describe.skipIf(!hasProgram("prometheus"))("Prometheus and histograms of ours", () => {
  test("agree, in a log and in a block, whole and float", async () => {
    const data = join(directory, "data");
    const wal = new WalWriter(join(data, "wal"));
    const writer = new ByteWriter();
    beginSeriesRecord(writer);
    encodeSeriesEntry(writer, 1, Labels.fromRecord({ __name__: "h", in: "log", kind: "whole" }));
    encodeSeriesEntry(writer, 2, Labels.fromRecord({ __name__: "h", in: "log", kind: "float" }));
    wal.append(writer.written());
    for (let k = 1; k <= 10; k++) {
      const entries = [1, 2].map((ref) => ({
        ref,
        timeMs: T + 15_000 * k,
        histogram: histogram(k, ref === 1),
      }));
      encodeHistogramRecords(writer, entries, (record) => wal.append(record));
    }
    wal.close();

    const start = T - 86_400_000;
    const series = [false, true].map((isInteger) => {
      const columns = new PlainColumns(10);
      columns.histograms = [];
      for (let k = 1; k <= 10; k++) {
        columns.times[k - 1] = start + 15_000 * k;
        columns.histograms.push(histogram(k, isInteger));
      }
      columns.count = 10;
      const labels = { __name__: "h", in: "block", kind: isInteger ? "whole" : "float" };
      return { labels: Labels.fromRecord(labels), chunks: encodeChunks(columns) };
    });
    // New buckets at k = 6 recode the chunk rather than start one.
    expect(series.map(({ chunks }) => chunks.length)).toEqual([1, 1]);
    const ulid = "01BX5ZZKBKACTAV9WEVGEMMVRZ";
    writeBlock(data, series, {
      ulid,
      minTime: start,
      maxTime: start + 7_200_000,
      compaction: { level: 1, sources: [ulid] },
    });
    const { url } = await startPrometheus(data, "scrape_configs: []\n", [
      "--enable-feature=native-histograms",
    ]);
    for (const [place, base] of [
      ["log", T],
      ["block", start],
    ] as const) {
      for (const k of [1, 5, 6, 10]) {
        for (const [expression, expected] of [
          [`histogram_count(h{in="${place}"})`, 7 * k],
          [`histogram_sum(h{in="${place}"})`, 3.5 * k],
          // Of 7k observations 2k are negative, and half of the k in the zero bucket count as such.
          [`histogram_fraction(-Inf, 0, h{in="${place}"}) * 14`, 5],
        ] as const) {
          const time = (base + 15_000 * k) / 1000;
          const response = await fetch(
            `${url}/api/v1/query?query=${encodeURIComponent(expression)}&time=${time}`,
          );
          const body = (await response.json()) as { data: { result: { value: [number, string] }[] } };
          const values = body.data.result.map(({ value }) => Number(value[1]));
          expect([expression, k, values.map((value) => Math.round(value * 1e9) / 1e9)]).toEqual([
            expression,
            k,
            [expected, expected],
          ]);
        }
      }
    }
  });
});

describe.skipIf(!hasProgram("promtool"))("promtool and the log", () => {
  test("agree on a log of ours", () => {
    writeLog(join(directory, "wal"));
    const lines = execFileSync("promtool", ["tsdb", "dump", directory], { encoding: "utf8" })
      .trim()
      .split("\n");
    const numbers = lines.filter((line) => !line.includes("NaN"));
    expect([numbers.length, lines.length]).toEqual([18, 20]);
    expect(numbers[1]).toBe(`{__name__="m", a="1"} ${1 / 3} ${T + 15_000}`);
  });
});
