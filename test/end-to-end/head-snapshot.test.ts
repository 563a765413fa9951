/**
 * Snapshots of the head at a stop, by Narthex and by Prometheus 2.42 in turn: each is started on what the other left,
 * with a log that is made unreadable, so that every answer comes from the snapshot.
 */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { FloatHistogram } from "../../src/model/histogram.ts";
import { Labels } from "../../src/model/labels.ts";
import { Matcher } from "../../src/model/matcher.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../src/model/sample.ts";
import { Tsdb } from "../../src/tsdb/tsdb.ts";
import { ApiClient } from "../support/api-client.ts";
import {
  isInstalled,
  removeFolder,
  startNarthex,
  startPrometheus,
  temporaryFolder,
} from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

const HOUR = 3_600_000;
const STEP = 15_000;
const feature = "--enable-feature=memory-snapshot-on-shutdown,exemplar-storage";
const config = `
storage: { tsdb: { out_of_order_time_window: 30m } }
scrape_configs: []
`;

describe.skipIf(!isInstalled("prometheus"))("a snapshot of the head", () => {
  const folder = temporaryFolder("head-snapshot");
  let home = folder;
  const dataOf = (of: string) => join(of, "data");
  /** All of one block range and a part of the next: not so much that either server would write a block. */
  const rangeMs = Math.floor(Date.now() / (2 * HOUR)) * 2 * HOUR - 2 * HOUR;
  const startMs = rangeMs - 2 * HOUR + 7;
  const endMs = rangeMs + 0.75 * HOUR;
  let running: SpawnedServer | undefined;

  const seriesOf = (name: string, series: number) =>
    Labels.fromRecord({ __name__: name, kind: name, series: String(series), quote: 'a "b" \\ ü' });

  function histogramAt(step: number): FloatHistogram {
    const counts = [step, 2 * step, step + 3];
    return {
      isInteger: true,
      counterResetHint: "unknown",
      schema: step % 300 < 200 ? 3 : 2,
      zeroThreshold: 0.001,
      zeroCount: step,
      count: 5 * step + 3,
      sum: step / 3,
      isStale: false,
      positiveSpans: [{ offset: 2, length: 3 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.from(counts),
      negativeBuckets: new Float64Array(0),
      customValues: new Float64Array(0),
    };
  }

  /** Floats of every kind, staleness, late samples, exemplars and deleted ranges; closed with a snapshot. */
  function ingest(hasHistograms: boolean): void {
    const odd = [0, -0, NaN, Infinity, -Infinity, 5e-324, Number.MAX_VALUE, 0.1 + 0.2, 2 ** 53 + 2, -1e-300];
    const number = new Float64Array(1);
    const words = new Uint32Array(number.buffer);
    const tsdb = Tsdb.open({
      directory: dataOf(home),
      generationBytes: 2 ** 26,
      snapshotsHead: true,
      maxExemplars: 1000,
      outOfOrderWindowMs: HOUR / 2,
    });
    const { appender } = tsdb;
    const append = (labels: Labels, timeMs: number, value: number | "stale") => {
      number[0] = value === "stale" ? NaN : value;
      const [high, low] = value === "stale" ? [STALE_HIGH_WORD, STALE_LOW_WORD] : [words[1]!, words[0]!];
      expect(appender.appendFloat(labels, timeMs, high, low)).toBe(0);
    };
    for (let step = 0, timeMs = startMs; timeMs <= endMs; step++, timeMs += STEP) {
      appender.begin();
      for (let i = 0; i < 10; i++) {
        append(seriesOf("odd", i), timeMs, odd[(i + step) % odd.length]!);
        append(seriesOf("steps", i), timeMs + i, step % 300 < 290 ? step * (i + 1) : 0);
        // Series that ended before the newest range, and some that came in it.
        if (step < 200 + 10 * i) append(seriesOf("ended", i), timeMs, step);
        if (endMs - timeMs < i * 10 * STEP) append(seriesOf("young", i), timeMs, step);
      }
      if (step % 100 < 60) append(seriesOf("brief", 0), timeMs, step);
      else if (step % 100 === 60) append(seriesOf("brief", 0), timeMs, "stale");
      if (hasHistograms) {
        expect(appender.appendHistogram(seriesOf("native", 0), timeMs, histogramAt(step))).toBe(0);
      }
      if (step % 50 === 49) append(seriesOf("odd", 1), timeMs - 10 * STEP - 3, step);
      appender.appendExemplar(seriesOf("steps", step % 10), {
        labels: Labels.fromRecord({ trace_id: String(step) }),
        value: step,
        timeMs,
        hasTimestamp: true,
      });
      appender.commit();
    }
    tsdb.deleteSeries([new Matcher("=", "__name__", "steps"), new Matcher("=", "series", "3")], 0, Infinity);
    tsdb.deleteSeries(
      [new Matcher("=", "__name__", "odd"), new Matcher("=", "series", "2")],
      endMs - 3 * HOUR,
      endMs - HOUR,
    );
    tsdb.close();
  }

  const snapshots = () => readdirSync(dataOf(home)).filter((name) => /^chunk_snapshot\.\d+\.\d+$/.test(name));

  /** Empties what of the log lies before the snapshot: its pages read as ones with nothing in them. */
  function emptyLog(): void {
    const [, segment, offset] = /(\d+)\.(\d+)$/.exec(snapshots()[0]!)!;
    for (const name of readdirSync(join(dataOf(home), "wal"))) {
      const path = join(dataOf(home), "wal", name);
      if (!/^\d+$/.test(name) || Number(name) > Number(segment)) continue;
      const bytes = readFileSync(path);
      bytes.fill(0, 0, Number(name) === Number(segment) ? Number(offset) : bytes.length);
      writeFileSync(path, bytes);
    }
  }

  type Server = "Narthex" | "Prometheus";
  const start = async (server: Server, flags: string[] = [feature]) =>
    (running = await (server === "Narthex" ? startNarthex : startPrometheus)({
      folder: home,
      config,
      flags,
    }));

  async function answers(server: SpawnedServer) {
    const api = new ApiClient(server.url);
    const seconds = Math.ceil((endMs - startMs + HOUR) / 1000);
    const at = endMs + 1000;
    const sorted = (lines: string[]) => lines.sort();
    const all = async (selector: string) =>
      sorted(
        (await api.instant(`${selector}[${seconds}s]`, at)).map((series) => {
          const { metric, values, histograms } = series as typeof series & { histograms?: unknown };
          return JSON.stringify([Object.entries(metric).sort(), values, histograms]);
        }),
      );
    const exemplars = await api.get<{ seriesLabels: Record<string, string>; exemplars: object[] }[]>(
      "query_exemplars",
      { query: "steps", start: String(startMs / 1000), end: String(at / 1000) },
    );
    return {
      floats: await all('{__name__=~"odd|steps|ended|young|brief"}'),
      native: await all("native"),
      ended: await api.range("brief", startMs, endMs, 47_000),
      exemplars: sorted(exemplars.map((entry) => JSON.stringify(entry))),
    };
  }

  const errorsOf = async (server: SpawnedServer) =>
    /^prometheus_tsdb_snapshot_replay_error_total (\d+)/m.exec(
      await (await fetch(`${server.url}/metrics`)).text(),
    )?.[1];

  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });
  afterAll(() => removeFolder(folder));

  test("is read by either server to the last bit, whoever wrote it, and without the log", async () => {
    home = join(folder, "floats");
    ingest(false);
    const wanted = await answers(await start("Narthex"));
    expect(wanted.floats).toHaveLength(10 + 9 + 10 + 9 + 1);
    expect(wanted.exemplars).toHaveLength(10);

    for (const next of ["Prometheus", "Prometheus", "Narthex", "Narthex", "Prometheus", "Narthex"] as const) {
      expect(await running!.stop()).toBe(0);
      expect(snapshots(), next).toHaveLength(1);
      emptyLog();
      await start(next);
      expect(await answers(running!), next).toEqual(wanted);
      expect(await errorsOf(running!), next).toBe("0");
    }
  }, 240_000);

  test("has native histograms, which are new to snapshots: 2.42 takes to the log", async () => {
    home = join(folder, "histograms");
    ingest(true);
    const wanted = await answers(await start("Narthex"));
    expect(wanted.native).toHaveLength(1);
    expect(await running!.stop()).toBe(0);
    const kept = join(folder, "histograms-kept");
    cpSync(home, kept, { recursive: true });

    emptyLog();
    expect(await answers(await start("Narthex"))).toEqual(wanted);
    expect(await running!.stop()).toBe(0);

    home = kept;
    expect((await answers(await start("Prometheus"))).floats).toEqual(wanted.floats);
    expect(await errorsOf(running!)).toBe("1");
    expect(await running!.stop("SIGKILL")).toBe(null);
    expect(await answers(await start("Narthex"))).toEqual(wanted);
  }, 240_000);

  test("that was never finished, or is damaged, costs no sample with either server", async () => {
    home = join(folder, "unfinished");
    ingest(false);
    const wanted = await answers(await start("Narthex"));
    expect(await running!.stop()).toBe(0);
    const whole = home;
    const [name] = snapshots();
    const states: Record<string, (data: string) => string> = {
      "half of the chunks are written": (data) => {
        rmSync(join(data, name!), { recursive: true });
        renameSync(join(data, "chunks_head"), join(data, "chunk_snapshot.chunks_head.tmp"));
        truncateSync(join(data, "chunk_snapshot.chunks_head.tmp", "000001"), 5000);
        return "0";
      },
      "half of the snapshot is written": (data) => {
        renameSync(join(data, "chunks_head"), join(data, "chunk_snapshot.chunks_head.tmp"));
        renameSync(join(data, name!), join(data, `${name}.tmp`));
        truncateSync(join(data, `${name}.tmp`, "00000000"), 1000);
        return "0";
      },
      "the chunks have their name, the snapshot not yet": (data) => {
        renameSync(join(data, name!), join(data, `${name}.tmp`));
        return "0";
      },
      "a byte of the snapshot is another": (data) => {
        const path = join(data, name!, "00000000");
        const bytes = readFileSync(path);
        bytes[2000]! ^= 1;
        writeFileSync(path, bytes);
        return "1";
      },
    };
    for (const [what, damage] of Object.entries(states)) {
      for (const server of ["Narthex", "Prometheus"] as const) {
        home = join(folder, `${server}-${Object.keys(states).indexOf(what)}`);
        cpSync(whole, home, { recursive: true });
        const errors = damage(dataOf(home));
        expect(await answers(await start(server)), `${server}, ${what}`).toEqual(wanted);
        expect(await errorsOf(running!), `${server}, ${what}`).toBe(errors);
        if (server === "Narthex") {
          const leftovers = readdirSync(dataOf(home)).filter((entry) => /^chunk/.test(entry));
          expect(leftovers, what).toEqual([]);
        }
        // And on, as it should be.
        expect(await running!.stop()).toBe(0);
        emptyLog();
        expect(await answers(await start(server === "Narthex" ? "Prometheus" : "Narthex")), what).toEqual(
          wanted,
        );
        await running!.stop();
        removeFolder(home);
      }
    }
  }, 240_000);

  test("is left alone by a Prometheus that was not asked for it, and is no danger later", async () => {
    home = join(folder, "not-asked");
    ingest(false);
    const wanted = await answers(await start("Narthex"));
    expect(await running!.stop()).toBe(0);
    const withExemplars = ["--enable-feature=exemplar-storage"];
    expect(await answers(await start("Prometheus", withExemplars))).toEqual(wanted);
    expect(await running!.stop()).toBe(0);
    // It is of a log that has gone on since.
    expect(snapshots()).toHaveLength(1);
    expect(await answers(await start("Narthex"))).toEqual(wanted);
    await running!.stop("SIGKILL");
    expect(await answers(await start("Prometheus"))).toEqual(wanted);
  }, 240_000);
});
