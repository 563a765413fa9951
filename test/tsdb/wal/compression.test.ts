import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { crc32c } from "../../../src/tsdb/crc32c.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import {
  canCompress,
  compressSnappy,
  compressZstd,
  decompressSnappy,
  decompressZstd,
} from "../../../src/tsdb/wal/compression.ts";
import { WalReader, WalWriter, listSegments } from "../../../src/tsdb/wal/segment.ts";

let directory: string;
beforeEach(() => (directory = fs.mkdtempSync(join(tmpdir(), "narthex-compression-"))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

/** A zstd frame that holds the nine bytes `narthex!\n` as they are. */
const FRAME = Buffer.from("28b52ffd2009490000" + Buffer.from("narthex!\n").toString("hex"), "hex");

/** A log of one record that is a zstd frame. */
function writeZstdLog(folder: string): string {
  const wal = join(folder, "wal");
  fs.mkdirSync(wal, { recursive: true });
  const header = Buffer.alloc(7);
  header[0] = 1 | 0x10;
  header.writeUInt16BE(FRAME.length, 1);
  header.writeUInt32BE(crc32c(FRAME, 0, FRAME.length), 3);
  const path = join(wal, "00000000");
  fs.writeFileSync(path, Buffer.concat([header, FRAME]));
  return path;
}

describe("snappy", () => {
  test("gives back what it was given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(Buffer.from(decompressSnappy(compressSnappy(bytes))).equals(Buffer.from(bytes))).toBe(true);
      }),
    );
  });
});

describe.skipIf(!canCompress("zstd"))("zstd, where Node has it", () => {
  test("gives back what it was given, and says what is no frame", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(Buffer.from(decompressZstd(compressZstd(bytes))).equals(Buffer.from(bytes))).toBe(true);
      }),
    );
    expect(() => decompressZstd(Uint8Array.of(1, 2, 3))).toThrow("not a zstd frame");
  });

  test("is how a log is written and read that asks for it", () => {
    const wal = new WalWriter(directory, { compression: "zstd" });
    const record = new Uint8Array(10_000).fill(7);
    wal.append(record);
    wal.close();
    expect(wal.statistics.recordBytesSaved).toBeGreaterThan(9000);
    const reader = new WalReader(directory, listSegments(directory));
    expect(reader.next()).toBe(true);
    expect(Buffer.from(reader.record).equals(Buffer.from(record))).toBe(true);
    reader.close();
  });

  test("is read in a log of another writer", () => {
    writeZstdLog(directory);
    const wal = join(directory, "wal");
    const reader = new WalReader(wal, listSegments(wal));
    expect(reader.next()).toBe(true);
    expect(Buffer.from(reader.record).toString()).toBe("narthex!\n");
    reader.close();
  });
});

describe.skipIf(canCompress("zstd"))("zstd, where Node lacks it", () => {
  test("cannot be asked for", () => {
    expect(() => new WalWriter(directory, { compression: "zstd" })).toThrow("does not have zstd");
  });

  test("keeps a log that has it from being opened, with the reason, and leaves every byte of it", () => {
    const path = writeZstdLog(directory);
    const before = fs.readFileSync(path);
    expect(() => Tsdb.open({ directory })).toThrow("this version of Node.js does not have zstd (22.15 does)");
    expect(fs.readFileSync(path).equals(before)).toBe(true);
    // The directory is free again for a Node that has it.
    expect(fs.existsSync(join(directory, "lock"))).toBe(false);
  });
});
