import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { IndexReader, IndexWriter } from "../../../src/tsdb/block/index-file.ts";
import { PageCache } from "../../../src/tsdb/block/page-cache.ts";
import { crc32c } from "../../../src/tsdb/crc32c.ts";
import { ByteWriter } from "../../../src/tsdb/varint.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-index-"));
  path = join(directory, "index");
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

/** Bytes behind their length, in four bytes, and before their checksum. */
function section(out: ByteWriter, write: (body: ByteWriter) => void): number {
  const body = new ByteWriter();
  write(body);
  const offset = out.length;
  out.u32(body.length);
  out.raw(body.written());
  out.u32(crc32c(body.written()));
  return offset;
}

/** The first version of the format, of two series: symbols and series go by their places in the file. */
function firstVersion(): Uint8Array {
  const out = new ByteWriter();
  out.u32(0xbaaad700);
  out.u8(1);
  const symbols = ["a", "b", "x", "y"];
  const places = new Map<string, number>();
  const symbolsAt = section(out, (body) => {
    body.u32(symbols.length);
    for (const text of symbols) {
      // Behind the header and the length of the section.
      places.set(text, 5 + 4 + body.length);
      body.string(text);
    }
  });
  const seriesAt = out.length;
  const ids = ["x", "y"].map((value, i) => {
    const id = out.length;
    const body = new ByteWriter();
    body.uvarint(1 + i);
    body.uvarint(places.get("a")!);
    body.uvarint(places.get(value)!);
    if (i === 1) {
      body.uvarint(places.get("b")!);
      body.uvarint(places.get("x")!);
    }
    body.uvarint(1);
    body.varint(100);
    body.uvarint(50);
    body.uvarint(8);
    out.uvarint(body.length);
    out.raw(body.written());
    out.u32(crc32c(body.written()));
    return id;
  });
  const lists: [string, string, number[]][] = [
    ["", "", ids],
    ["a", "x", [ids[0]!]],
    ["a", "y", [ids[1]!]],
    ["b", "x", [ids[1]!]],
  ];
  const postingsAt = out.length;
  const offsets = lists.map(([, , list]) =>
    section(out, (body) => {
      body.u32(list.length);
      for (const id of list) body.u32(id);
    }),
  );
  const tableAt = section(out, (body) => {
    body.u32(lists.length);
    for (const [i, [name, value]] of lists.entries()) {
      body.uvarint(2);
      body.string(name);
      body.string(value);
      body.uvarint(offsets[i]!);
    }
  });
  const tocAt = out.length;
  for (const offset of [symbolsAt, seriesAt, 0, 0, postingsAt, tableAt]) out.u64(offset);
  out.u32(crc32c(out.bytes, tocAt, out.length));
  return out.written().slice();
}

describe("an index", () => {
  test("of the first version is read", () => {
    fs.writeFileSync(path, firstVersion());
    const index = IndexReader.open(path, new PageCache());
    const ids = [...index.allPostings()];
    expect(ids.map((id) => index.series(id))).toEqual([
      { labels: Labels.fromRecord({ a: "x" }), chunks: [{ minTime: 100, maxTime: 150, ref: 8 }] },
      { labels: Labels.fromRecord({ a: "y", b: "x" }), chunks: [{ minTime: 100, maxTime: 150, ref: 8 }] },
    ]);
    expect([...index.postings("b", "x")]).toEqual([ids[1]]);
    expect(index.labelNames()).toEqual(["a", "b"]);
    index.close();
  });

  test("gives back times and places of chunks, however far apart", () => {
    const writer = new IndexWriter(path);
    const chunks = [
      { minTime: -(2 ** 50), maxTime: -5, ref: 8 },
      { minTime: -4, maxTime: -4, ref: 2 ** 33 + 5 },
      { minTime: 2 ** 50, maxTime: 2 ** 51, ref: 2 ** 40 },
    ];
    writer.addSeries(Labels.fromRecord({ a: "1" }), chunks);
    writer.addSeries(Labels.fromRecord({ a: "2" }), [{ minTime: 0, maxTime: 0, ref: 2 ** 41 }]);
    expect(writer.finish()).toBe(fs.statSync(path).size);
    const index = IndexReader.open(path, new PageCache());
    const [first, second] = index.allPostings();
    expect(index.chunks(first!)).toEqual(chunks);
    expect(index.chunks(second!)).toEqual([{ minTime: 0, maxTime: 0, ref: 2 ** 41 }]);
    expect(fs.readdirSync(directory)).toEqual(["index"]);
    index.close();
  });

  test("of many thousand series and long labels gives each back, and finds each by its value", () => {
    const writer = new IndexWriter(path);
    const name = (i: number) =>
      `${String(i).padStart(6, "0")}${"-long".repeat(i % 1000 === 7 ? 20_000 : i % 5)}`;
    const count = 5000;
    for (let i = 0; i < count; i++) {
      writer.addSeries(Labels.fromRecord({ all: "same", id: name(i) }), [
        { minTime: i, maxTime: i, ref: 8 + i },
      ]);
    }
    writer.finish();
    const index = IndexReader.open(path, new PageCache(1 << 20));
    const ids = index.postings("all", "same");
    expect(ids).toEqual(index.allPostings());
    for (let i = 0; i < count; i++) {
      expect(index.labelValue(ids[i]!, "id")).toBe(name(i));
      if (i % 97 === 7 || i % 1000 === 7) expect([...index.postings("id", name(i))]).toEqual([ids[i]]);
    }
    expect(index.postings("id", "000000x").length).toBe(0);
    expect(index.postings("id", "").length).toBe(0);
    expect(index.postings("id", "999999999").length).toBe(0);
    expect(index.labelValues("id").length).toBe(count);
    expect(index.postingsOfValues("id", "0010", () => true).length).toBe(100);
    expect(index.residentBytes).toBeLessThan(400_000);
    index.close();
  });
});
