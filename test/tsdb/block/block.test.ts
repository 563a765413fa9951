import fc from "fast-check";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { compareLabels, compareUtf8, Labels } from "../../../src/model/labels.ts";
import { Matcher, type MatchType } from "../../../src/model/matcher.ts";
import { setStaleMarker } from "../../../src/model/sample.ts";
import { Block } from "../../../src/tsdb/block/block.ts";
import { type NewBlock, writeBlock } from "../../../src/tsdb/block/block-writer.ts";
import type { ChunkSeries } from "../../../src/tsdb/block/chunk-series.ts";
import { PageCache } from "../../../src/tsdb/block/page-cache.ts";
import { addInterval, writeTombstones } from "../../../src/tsdb/block/tombstones.ts";
import { encodeChunks } from "../../../src/tsdb/chunk/encode-chunks.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import type { SeriesSource } from "../../../src/tsdb/series-source.ts";
import { hasProgram } from "../../support/program.ts";

const ULID_A = "01BX5ZZKBKACTAV9WEVGEMMVRZ";

let directory: string;
beforeEach(() => (directory = fs.mkdtempSync(join(tmpdir(), "narthex-block-"))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

function columnsOf(samples: readonly (readonly [number, number | "stale"])[]): PlainColumns {
  const columns = new PlainColumns(samples.length);
  for (const [i, [time, value]] of samples.entries()) {
    columns.times[i] = time;
    if (value === "stale") setStaleMarker(columns.valueWords, i);
    else columns.values[i] = value;
    columns.count++;
  }
  return columns;
}

type Samples = readonly (readonly [number, number | "stale"])[];

function series(labels: Record<string, string>, samples: Samples): ChunkSeries {
  return { labels: Labels.fromRecord(labels), chunks: encodeChunks(columnsOf(samples)) };
}

function newBlock(parts: Partial<NewBlock> = {}): NewBlock {
  return {
    ulid: ULID_A,
    minTime: 0,
    maxTime: 7_200_000,
    compaction: { level: 1, sources: [ULID_A] },
    ...parts,
  };
}

function write(list: readonly ChunkSeries[], parts: Partial<NewBlock> = {}): string {
  const sorted = [...list].sort((a, b) => compareLabels(a.labels, b.labels));
  expect(writeBlock(directory, sorted, newBlock(parts))).not.toBeNull();
  return join(directory, parts.ulid ?? ULID_A);
}

const memory = new QueryMemory(2 ** 28);

function opened<T>(path: string, use: (source: SeriesSource, block: Block) => T, cache?: PageCache): T {
  const block = Block.open(path, cache);
  const source = block.source(memory);
  const mark = memory.mark();
  try {
    return use(source, block);
  } finally {
    memory.release(mark);
    source.close();
    block.close();
  }
}

function read(source: SeriesSource, id: number, minTime = -Infinity, maxTime = Infinity): Samples {
  const columns = memory.columns(16);
  source.read(id, minTime, maxTime, columns);
  return Array.from({ length: columns.count }, (_, i) => {
    const isStale = columns.valueWords[2 * i] === 2 && columns.valueWords[2 * i + 1] === 0x7ff00000;
    return [columns.times[i]!, isStale ? "stale" : columns.values[i]!] as const;
  });
}

function matcher(text: string): Matcher {
  const [, name, type, value] = /^([^=!~]+)(=~|!~|!=|=)(.*)$/s.exec(text)!;
  return new Matcher(type as MatchType, name!, value!);
}

/** 500 series: three jobs, a hundred instances, some with a label of their own. */
function manySeries(): ChunkSeries[] {
  const list: ChunkSeries[] = [];
  for (let i = 0; i < 500; i++) {
    const labels: Record<string, string> = {
      __name__: i % 5 === 0 ? "up" : `metric_${i % 5}`,
      job: ["api", "db", "web"][i % 3]!,
      instance: `host-${Math.floor(i / 5)}:9100`,
      unique: `${"x".repeat(i % 300)}-${i}`,
    };
    if (i % 10 === 0) labels["zone"] = `zöne-${i % 7}-🎈`;
    list.push(
      series(
        labels,
        Array.from({ length: 200 }, (_, k) => [k * 15_000, i + k] as const),
      ),
    );
  }
  return list;
}

describe("a block", () => {
  test("gives back every series with every sample, staleness markers included", () => {
    const samples: Samples = Array.from({ length: 300 }, (_, i) => [
      i * 1000,
      i % 50 === 49 ? "stale" : i / 3,
    ]);
    const path = write([
      series({ __name__: "b", x: "1" }, samples),
      series({ __name__: "a" }, [[5, 1]]),
      series({ __name__: "b" }, [[6, "stale"]]),
    ]);
    opened(path, (source, block) => {
      const ids = source.select([]);
      expect([...ids].map((id) => source.labels(id).toRecord())).toEqual([
        { __name__: "a" },
        { __name__: "b" },
        { __name__: "b", x: "1" },
      ]);
      expect([...ids].map((id) => read(source, id))).toEqual([[[5, 1]], [[6, "stale"]], samples]);
      expect(read(source, ids[2]!, 118_000, 121_000).map(([time]) => time)).toEqual([
        118e3, 119e3, 120e3, 121e3,
      ]);
      expect(read(source, ids[2]!, 300_000, 400_000)).toEqual([]);
      expect(block.meta.stats).toEqual({
        numSamples: 302,
        numFloatSamples: 302,
        numSeries: 3,
        numChunks: 5,
      });
      expect([source.minTime, source.maxTime]).toEqual([0, 7_199_999]);
      const names = ["index", "chunks/000001", "tombstones", "meta.json"];
      const sizes = names.map((name) => fs.statSync(join(path, name)).size);
      expect(block.sizeBytes).toBe(sizes.reduce((sum, size) => sum + size));
    });
  });

  test("finds the series that satisfy matchers, as trying each would", () => {
    const list = manySeries();
    const path = write(list);
    const texts = [
      "__name__=up",
      "__name__=nothing",
      "nothing=",
      "nothing!=",
      "zone=",
      "zone!=",
      "zone=~.*",
      "zone=~.+",
      "zone!~.+",
      "zone=~zöne-(1|2)-🎈",
      "zone!~zöne-(1|2)-🎈",
      "zone!=zöne-0-🎈",
      "job=~api|db",
      "job!~api|db",
      "job=~(api|)",
      "instance=~host-1.:9100",
      "instance=~host-(1|22|333):9100",
      "instance!~host-.*5:9100",
      "unique=~x.*",
      "unique=~[a-w]?-4.",
      "unique!~x.*",
      "job=api",
    ];
    opened(path, (source) => {
      const check = (chosen: readonly string[]) => {
        const matchers = chosen.map(matcher);
        const expected = list
          .map(({ labels }) => labels)
          .filter((labels) => matchers.every((each) => each.matches(labels.get(each.name))))
          .sort(compareLabels)
          .map((labels) => labels.get("unique"));
        const ids = source.select(matchers);
        expect([...ids].map((id) => source.labels(id).get("unique"))).toEqual(expected);
      };
      for (const text of texts) check([text]);
      fc.assert(fc.property(fc.array(fc.constantFrom(...texts), { minLength: 2, maxLength: 4 }), check));
    });
  });

  test("tells label names and values, of all series or of those that match", () => {
    const list = manySeries();
    const path = write(list);
    opened(path, (source) => {
      expect(source.labelNames([])).toEqual(["__name__", "instance", "job", "unique", "zone"]);
      expect(source.labelNames([matcher("unique=-1")])).toEqual([]);
      expect(source.labelNames([matcher("unique=x-1")])).toEqual(["__name__", "instance", "job", "unique"]);
      expect(source.labelValues("job", [])).toEqual(["api", "db", "web"]);
      expect(source.labelValues("nothing", [])).toEqual([]);
      expect(source.labelValues("", [])).toEqual([]);
      expect(source.labelValues("unique", []).length).toBe(500);
      for (const chosen of [
        ["__name__=up"],
        ["job=~api|db"],
        ["instance=host-3:9100"],
        ["zone!="],
        ["job=none"],
      ]) {
        for (const name of ["zone", "instance", "unique", "__name__"]) {
          const matchers = chosen.map(matcher);
          const expected = new Set(
            list
              .filter(({ labels }) => matchers.every((each) => each.matches(labels.get(each.name))))
              .map(({ labels }) => labels.get(name))
              .filter((value) => value !== ""),
          );
          expect(source.labelValues(name, matchers)).toEqual([...expected].sort(compareUtf8));
        }
      }
    });
  });

  test("reads the same through a cache of a few pages, and holds no more than that", () => {
    const list = manySeries();
    const path = write(list);
    const cache = new PageCache(4 * 32768);
    opened(
      path,
      (source) => {
        for (const id of source.select([])) {
          const i = Number(source.labels(id).get("unique").split("-")[1]);
          expect(read(source, id, 0, 15_000)).toEqual([
            [0, i],
            [15_000, i + 1],
          ]);
          expect(cache.usedBytes).toBeLessThanOrEqual(4 * 32768);
        }
      },
      cache,
    );
    expect(cache.usedBytes).toBe(0);
  });

  test("orders label values as UTF-8 does, and finds them", () => {
    const values = ["z", "ä", "\uffff", "🎈", "￰", "a".repeat(5000), ""].filter((value) => value !== "");
    const path = write(values.map((value) => series({ v: value }, [[1, 1]])));
    opened(path, (source) => {
      expect(source.labelValues("v", [])).toEqual([...values].sort(compareUtf8));
      for (const value of values) expect(source.select([new Matcher("=", "v", value)]).length).toBe(1);
    });
  });

  test("leaves deleted ranges out of what is read", () => {
    const samples: Samples = Array.from({ length: 250 }, (_, i) => [i, i]);
    const path = write([series({ a: "1" }, samples), series({ a: "2" }, samples)]);
    const [first, second] = opened(path, (source) => [...source.select([])] as [number, number]);
    const tombstones = new Map();
    addInterval(tombstones, first, { minTime: 10, maxTime: 200 });
    addInterval(tombstones, first, { minTime: 240, maxTime: 1000 });
    writeTombstones(path, tombstones);
    opened(path, (source) => {
      const times = read(source, first).map(([time]) => time);
      expect(times).toEqual(samples.map(([time]) => time).filter((t) => t < 10 || (t > 200 && t < 240)));
      expect(read(source, second)).toEqual(samples);
    });
  });

  test("leaves out series that are deleted whole, and tells which may have samples in a range", () => {
    const samples: Samples = Array.from({ length: 250 }, (_, i) => [i, i]);
    const path = write(["1", "2", "3"].map((a) => series({ a }, a === "3" ? [[600, 1]] : samples)));
    const ids = opened(path, (source) => [...source.select([])]);
    const tombstones = new Map();
    addInterval(tombstones, ids[0]!, { minTime: 0, maxTime: 249 });
    addInterval(tombstones, ids[1]!, { minTime: 0, maxTime: 130 });
    writeTombstones(path, tombstones);
    opened(path, (source) => {
      expect([...source.select([])]).toEqual(ids.slice(1));
      const having = (minTime: number, maxTime: number) =>
        [...source.withSamples!(Uint32Array.from(ids), minTime, maxTime)].map((id) => ids.indexOf(id));
      expect(having(0, 1000)).toEqual([1, 2]);
      expect(having(0, 119)).toEqual([]);
      expect(having(250, 600)).toEqual([2]);
      expect(having(601, 700)).toEqual([]);
    });
  });

  test("tells series with chunks on both sides of a range from those with one in it", () => {
    const path = write([
      series({ a: "1" }, [
        [0, 1],
        [1000, 2],
      ]),
      series(
        { a: "2" },
        Array.from({ length: 1000 }, (_, i): [number, number] => [i, i]),
      ),
    ]);
    opened(path, (source) => {
      const ids = source.select([]);
      expect([...source.withSamples!(ids, 400, 500)]).toContain(ids[1]);
      expect(source.withSamples!(ids, 0, 10)).toBe(ids);
      expect([...source.withSamples!(ids, 1001, 2000)]).toEqual([]);
    });
  });

  test("holds chunks of every kind side by side", () => {
    const columns = columnsOf(Array.from({ length: 130 }, (_, i) => [i, i] as const));
    const histogram = {
      isInteger: true,
      counterResetHint: "unknown",
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 2,
      sum: 5,
      isStale: false,
      positiveSpans: [{ offset: 0, length: 1 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(2),
      negativeBuckets: new Float64Array(0),
      customValues: new Float64Array(0),
    } as const;
    columns.histograms = [];
    columns.histograms[125] = histogram;
    columns.values[125] = 5;
    const chunks = encodeChunks(columns);
    expect(chunks.map(({ encoding }) => encoding)).toEqual([1, 1, 2, 1]);
    const path = write([{ labels: Labels.fromRecord({ a: "1" }), chunks }]);
    opened(path, (source, block) => {
      const target = memory.columns(1);
      source.read(source.select([])[0]!, 0, 1000, target);
      expect(target.count).toBe(130);
      expect(target.histograms![125]).toEqual(histogram);
      expect(target.histograms![126]).toBeUndefined();
      expect([...target.values.subarray(0, 130)]).toEqual(
        Array.from({ length: 130 }, (_, i) => (i === 125 ? 5 : i)),
      );
      expect(block.meta.stats).toMatchObject({ numFloatSamples: 129, numHistogramSamples: 1 });
    });
  });

  test("is not there at all without samples, or when its writing fails", () => {
    expect(writeBlock(directory, [], newBlock())).toBeNull();
    expect(writeBlock(directory, [{ labels: Labels.empty, chunks: [] }], newBlock())).toBeNull();
    const unsorted = [series({ a: "2" }, [[1, 1]]), series({ a: "1" }, [[1, 1]])];
    expect(() => writeBlock(directory, unsorted, newBlock())).toThrow("out of order");
    function* failing(): Generator<ChunkSeries> {
      yield unsorted[1]!;
      throw new Error("disk on fire");
    }
    expect(() => writeBlock(directory, failing(), newBlock())).toThrow("disk on fire");
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test("with a damaged file says which, at opening or when it comes to it", () => {
    const path = write(manySeries().slice(0, 50));
    const damage = (name: string, offset: number, use: () => void) => {
      const file = join(path, name);
      const bytes = fs.readFileSync(file);
      const damaged = Buffer.from(bytes);
      damaged[offset < 0 ? bytes.length + offset : offset]! ^= 0x55;
      fs.writeFileSync(file, damaged);
      use();
      fs.writeFileSync(file, bytes);
    };
    const everything = () =>
      opened(path, (source) => [...source.select([])].map((id) => [source.labels(id), read(source, id)]));
    damage("meta.json", 0, () => expect(everything).toThrow(`cannot read ${join(path, "meta.json")}`));
    damage("index", 0, () => expect(everything).toThrow("cannot open index"));
    damage("index", -1, () => expect(everything).toThrow("wrong checksum of its table of contents"));
    damage("index", 20, () => expect(everything).toThrow("cannot read symbols"));
    damage("index", -60, () => expect(everything).toThrow("cannot read postings table"));
    damage("chunks/000001", 0, () => expect(everything).toThrow("cannot open chunk file"));
    damage("chunks/000001", 40, () => expect(everything).toThrow("cannot read chunk at byte 8"));
    damage("tombstones", 7, () => expect(everything).toThrow("checksum is 0"));
    fs.rmSync(join(path, "tombstones"));
    expect(everything).not.toThrow();
    fs.rmSync(join(path, "chunks/000001"));
    expect(everything).toThrow("is missing");
  });

  test("writes meta.json as every other writer does", () => {
    const path = write([series({ a: "1" }, [[1, 1]])], {
      compaction: { level: 2, sources: ["B", "A"], parents: [{ ulid: "P", minTime: 1, maxTime: 2 }] },
    });
    expect(fs.readFileSync(join(path, "meta.json"), "utf8")).toBe(
      [
        "{",
        `\t"ulid": "${ULID_A}",`,
        '\t"minTime": 0,',
        '\t"maxTime": 7200000,',
        '\t"stats": {',
        '\t\t"numSamples": 1,',
        '\t\t"numFloatSamples": 1,',
        '\t\t"numSeries": 1,',
        '\t\t"numChunks": 1',
        "\t},",
        '\t"compaction": {',
        '\t\t"level": 2,',
        '\t\t"sources": [',
        '\t\t\t"B",',
        '\t\t\t"A"',
        "\t\t],",
        '\t\t"parents": [',
        "\t\t\t{",
        '\t\t\t\t"ulid": "P",',
        '\t\t\t\t"minTime": 1,',
        '\t\t\t\t"maxTime": 2',
        "\t\t\t}",
        "\t\t]",
        "\t},",
        '\t"version": 1',
        "}",
      ].join("\n"),
    );
  });

  test("stays readable for a query that began before its owner closed it", () => {
    const path = write([series({ a: "1" }, [[1, 1]])]);
    const block = Block.open(path);
    const source = block.source(memory);
    block.close();
    expect(source.labelValues("a", [])).toEqual(["1"]);
    source.close();
    source.close();
    expect(() => source.labels(1)).toThrow();
  });
});

describe.skipIf(!hasProgram("promtool"))("a block and promtool", () => {
  const promtool = (...args: string[]) =>
    execFileSync("promtool", args, { encoding: "utf8", stdio: "pipe", maxBuffer: 2 ** 26 });

  test("agree on a block of ours: listed, analysed and dumped to the last sample", () => {
    const list = manySeries().slice(0, 60);
    write(list);
    expect(promtool("tsdb", "list", directory)).toMatch(new RegExp(`${ULID_A}.* 12000 +120 +60`));
    expect(promtool("tsdb", "analyze", directory)).toMatch(
      /Series: 60\nLabel names: 5\nPostings \(unique label pairs\): 86\n/,
    );
    // It reads a log too, though there is none.
    fs.mkdirSync(join(directory, "wal"));
    const dumped = promtool("tsdb", "dump", directory).trim().split("\n");
    expect(dumped.length).toBe(12000);
    const expected = list
      .toSorted((a, b) => compareLabels(a.labels, b.labels))
      .flatMap(({ labels }) => {
        const text = Object.entries(labels.toRecord())
          .map(([name, value]) => `${name}="${value}"`)
          .join(", ");
        const i = Number(labels.get("unique").split("-")[1]);
        return Array.from({ length: 200 }, (_, k) => `{${text}} ${i + k} ${k * 15_000}`);
      });
    expect(dumped.sort()).toEqual(expected.sort());
  });

  test("agree on a block of promtool's: every sample it was made from is read", () => {
    const lines: string[] = ["# HELP m Some.", "# TYPE m gauge"];
    const expected = new Map<string, Samples>();
    for (let s = 0; s < 40; s++) {
      const samples = Array.from(
        { length: 300 },
        (_, i) => [(1_700_000_000 + i * 10) * 1000, s + i / 8] as const,
      );
      for (const [time, value] of samples) lines.push(`m{s="${s}",e="ü"} ${value} ${time / 1000}`);
      expected.set(String(s), samples);
    }
    const input = join(directory, "input");
    fs.writeFileSync(input, [...lines, "# EOF", ""].join("\n"));
    promtool("tsdb", "create-blocks-from", "openmetrics", input, join(directory, "data"));
    const found = new Map<string, (readonly [number, number | "stale"])[]>();
    const blocks = fs.readdirSync(join(directory, "data")).sort();
    expect(blocks.length).toBeGreaterThan(0);
    for (const name of blocks) {
      opened(join(directory, "data", name), (source) => {
        expect(source.labelNames([])).toEqual(["__name__", "e", "s"]);
        for (const id of source.select([matcher("__name__=m"), matcher("e=~.*ü")])) {
          const s = source.labels(id).get("s");
          found.set(s, [...(found.get(s) ?? []), ...read(source, id)]);
        }
      });
    }
    expect(new Map([...found].map(([s, samples]) => [s, samples.sort((a, b) => a[0] - b[0])]))).toEqual(
      expected,
    );
  });
});
