import fc from "fast-check";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StorageError } from "../../../src/model/storage.ts";
import { checkpointName, segmentName } from "../../../src/tsdb/file-names.ts";
import {
  listSegments,
  logSizeBytes,
  PAGE_BYTES,
  repairLog,
  truncateLog,
  WalCorruptionError,
  WalReader,
  WalWriter,
  type WalFiles,
  type WalWriterOptions,
} from "../../../src/tsdb/wal/segment.ts";

let directory: string;
beforeEach(() => (directory = fs.mkdtempSync(join(tmpdir(), "narthex-wal-"))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

function readAll(): { records: Buffer[]; fault: WalCorruptionError | null } {
  const reader = new WalReader(directory, listSegments(directory));
  const records: Buffer[] = [];
  try {
    while (reader.next()) records.push(Buffer.from(reader.record));
    return { records, fault: null };
  } catch (error) {
    if (!(error instanceof WalCorruptionError)) throw error;
    return { records, fault: error };
  }
}

function write(records: readonly Uint8Array[], options: WalWriterOptions = {}): void {
  const writer = new WalWriter(directory, options);
  for (const record of records) writer.append(record);
  writer.close();
}

/** Bytes that no compressor makes smaller. */
function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16);
}

describe("a log", () => {
  test("gives back the records it was given, of any sizes, compressed or not", () => {
    const record = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(200_000).map((length) => noise(length, length)),
      fc.nat(200_000).map((length) => new Uint8Array(length).fill(7)),
    );
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 12 }),
        fc.constantFrom("none" as const, "snappy" as const),
        fc.constantFrom(1, 2, 3).map((pages) => pages * PAGE_BYTES),
        (records, compression, segmentBytes) => {
          fs.rmSync(directory, { recursive: true });
          write(records, { compression, segmentBytes });
          const read = readAll();
          expect(read.fault).toBeNull();
          expect(read.records.map(String)).toEqual(records.map((bytes) => String(Buffer.from(bytes))));
        },
      ),
      { numRuns: 30 },
    );
  });

  test("frames a record as type, length, checksum and data, and fills the page with zeros on close", () => {
    write([Uint8Array.of(0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39)], { compression: "none" });
    const bytes = fs.readFileSync(join(directory, "00000000"));
    expect(bytes.length).toBe(PAGE_BYTES);
    expect(bytes.subarray(0, 16).toString("hex")).toBe("01" + "0009" + "e3069283" + "313233343536373839");
    expect(bytes.subarray(16).every((byte) => byte === 0)).toBe(true);
  });

  test("flags a snappy record with 8, and stores it raw where that is not smaller", () => {
    write([new Uint8Array(1000), noise(100)]);
    const bytes = fs.readFileSync(join(directory, "00000000"));
    expect(bytes[0]).toBe(9);
    expect(bytes[7 + bytes.readUInt16BE(1)]).toBe(1);
  });

  test("leaves the last bytes of a page empty where no header fits, and uses exactly 7 for an empty fragment", () => {
    for (const left of [6, 7, 8]) {
      fs.rmSync(directory, { recursive: true });
      write([noise(PAGE_BYTES - 7 - left), noise(50)], { compression: "none" });
      const bytes = fs.readFileSync(join(directory, "00000000"));
      const at = PAGE_BYTES - left;
      if (left === 6) expect([bytes[at], bytes[PAGE_BYTES]]).toEqual([0, 1]);
      if (left === 7) expect([bytes[at], bytes.readUInt16BE(at + 1), bytes[PAGE_BYTES]]).toEqual([2, 0, 4]);
      if (left === 8) expect([bytes[at], bytes.readUInt16BE(at + 1), bytes[PAGE_BYTES]]).toEqual([2, 1, 4]);
      expect(readAll().records.map((record) => record.length)).toEqual([PAGE_BYTES - 7 - left, 50]);
    }
  });

  test("starts a segment when a record does not fit the rest of the current one, and at every opening", () => {
    write([noise(40_000), noise(40_000), noise(200_000), noise(10)], {
      compression: "none",
      segmentBytes: 2 * PAGE_BYTES,
    });
    const sizes = () => listSegments(directory).map(({ path }) => fs.statSync(path).size / PAGE_BYTES);
    expect(sizes()).toEqual([2, 2, 7, 1]);
    write([noise(10)]);
    expect(sizes()).toEqual([2, 2, 7, 1, 1]);
    expect(readAll().records.length).toBe(5);
  });

  test("starts behind a checkpoint that outlived its segments", () => {
    fs.mkdirSync(join(directory, checkpointName(7)));
    const writer = new WalWriter(directory);
    expect(writer.segmentIndex).toBe(8);
    expect(writer.cut()).toBe(9);
    writer.close();
  });

  test("holds a commit once it is flushed, before the page is full, and nothing of one that was discarded", () => {
    const writer = new WalWriter(directory, { compression: "none" });
    writer.append(noise(10, 1));
    writer.flush();
    writer.append(noise(10, 2));
    writer.discard();
    expect(readAll().records.length).toBe(1);
    writer.append(noise(10, 3));
    expect(readAll().records.length).toBe(1);
    writer.flush();
    expect(readAll().records.map(String)).toEqual(
      [noise(10, 1), noise(10, 3)].map((bytes) => String(Buffer.from(bytes))),
    );
    writer.close();
  });

  test("counts what it does", () => {
    const writer = new WalWriter(directory, { compression: "none" });
    writer.append(noise(PAGE_BYTES));
    writer.flush();
    expect(writer.statistics).toMatchObject({
      pageFlushes: 1,
      completedPages: 0,
      recordPartWrites: 2,
      recordPartBytes: PAGE_BYTES + 14,
    });
    writer.close();
    expect(writer.statistics.completedPages).toBe(1);
    expect(logSizeBytes(directory)).toBe(2 * PAGE_BYTES);
    expect(() => writer.append(noise(1))).toThrow("it is closed");
  });

  test("is truncated by whole segments, checkpoints first", () => {
    const writer = new WalWriter(directory);
    for (let i = 0; i < 4; i++) writer.cut();
    for (const index of [1, 2, 3]) fs.mkdirSync(join(directory, checkpointName(index)));
    truncateLog(directory, 3);
    writer.close();
    expect(fs.readdirSync(directory).sort()).toEqual([
      "00000003",
      "00000004",
      "checkpoint.00000002",
      "checkpoint.00000003",
    ]);
  });

  test("with a segment missing in between is refused", () => {
    for (const index of [1, 2, 4]) fs.writeFileSync(join(directory, segmentName(index)), "");
    expect(() => readAll()).toThrow("segment 2 is followed by segment 4");
  });
});

describe("a disk that fails", () => {
  const full = () => Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });

  test("gives a clear error, takes back the half commit, and later commits succeed", () => {
    let room = Infinity;
    const files: WalFiles = {
      ...fs,
      writeSync: ((fd: number, bytes: Uint8Array, offset: number, length: number, position: number) => {
        const count = Math.min(length, room);
        if (count === 0) throw full();
        room -= count;
        return fs.writeSync(fd, bytes, offset, count, position);
      }) as typeof fs.writeSync,
    };
    const writer = new WalWriter(directory, { compression: "none", files });
    writer.append(noise(100, 1));
    writer.flush();
    room = 50;
    writer.append(noise(100, 2));
    expect(() => writer.flush()).toThrow(StorageError);
    room = 0;
    writer.append(noise(100, 3));
    expect(() => writer.flush()).toThrow(
      `cannot write to log segment ${join(directory, "00000000")}: ENOSPC: no space left on device`,
    );
    expect(writer.statistics.writesFailed).toBe(2);
    room = Infinity;
    writer.append(noise(100, 4));
    writer.flush();
    const { records, fault } = readAll();
    expect(fault).toBeNull();
    expect(records.map(String)).toEqual(
      [noise(100, 1), noise(100, 4)].map((bytes) => String(Buffer.from(bytes))),
    );
    writer.close();
  });

  test("writes nothing behind a half commit that could not be taken back, until it can", () => {
    let broken = false;
    const files: WalFiles = {
      ...fs,
      writeSync: ((fd: number, bytes: Uint8Array, offset: number, length: number, position: number) => {
        if (!broken) return fs.writeSync(fd, bytes, offset, length, position);
        fs.writeSync(fd, bytes, offset, 20, position);
        throw new Error("EIO: i/o error, write");
      }) as typeof fs.writeSync,
      ftruncateSync: (fd: number, length?: number | null) => {
        if (broken) throw new Error("EIO: i/o error, ftruncate");
        fs.ftruncateSync(fd, length ?? 0);
      },
    };
    const writer = new WalWriter(directory, { compression: "none", files });
    writer.append(noise(100, 1));
    writer.flush();
    broken = true;
    writer.append(noise(100, 2));
    expect(() => writer.flush()).toThrow("EIO");
    expect(() => writer.append(noise(100, 3))).toThrow("cannot take back a failed write");
    broken = false;
    writer.append(noise(100, 4));
    writer.flush();
    expect(readAll().records.length).toBe(2);
    writer.close();
  });

  test("that cannot be written at all says so at opening", () => {
    const files: WalFiles = {
      ...fs,
      openSync: () => {
        throw new Error("EROFS: read-only file system");
      },
    };
    expect(() => new WalWriter(directory, { files })).toThrow(
      `cannot create log segment ${join(directory, "00000000")}: EROFS: read-only file system`,
    );
  });

  test("that cannot sync is reported by the next commit", async () => {
    const files: WalFiles = {
      ...fs,
      fsync: ((_fd: number, callback: (error: Error | null) => void) =>
        setImmediate(() => callback(new Error("EIO: i/o error, fsync")))) as unknown as typeof fs.fsync,
    };
    let nowMs = 0;
    const writer = new WalWriter(directory, { files, syncIntervalMs: 100, now: () => nowMs });
    writer.append(noise(1));
    writer.flush();
    nowMs = 100;
    writer.flush();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(() => writer.flush()).toThrow(`cannot sync log ${directory}: EIO`);
    writer.close();
  });
});

test("commits are synced in the background at the interval asked for, and a segment when it ends", async () => {
  let nowMs = 0;
  let syncs = 0;
  const patience = { timeout: 20_000 };
  const writer = new WalWriter(directory, { syncIntervalMs: 1000, now: () => nowMs, onSync: () => syncs++ });
  const commit = async () => {
    writer.append(noise(10));
    writer.flush();
    await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await commit();
  expect(syncs).toBe(0);
  nowMs = 1000;
  await commit();
  await expect.poll(() => syncs, patience).toBe(1);
  await commit();
  expect(syncs).toBe(1);
  writer.cut();
  await expect.poll(() => syncs, patience).toBe(2);
  writer.close();
});

describe("a damaged log", () => {
  const records = [
    noise(300, 1),
    new Uint8Array(50).fill(3),
    noise(PAGE_BYTES, 3),
    noise(40, 4),
    noise(25, 5),
  ];

  /** How many leading records a damage at `offset` cannot have touched. */
  function soundBefore(ends: readonly number[], offset: number): number {
    return ends.filter((end) => end <= offset).length;
  }

  /** Inside the large record, or the padding behind the last: not every byte of these is worth a try. */
  function isMiddle(offset: number, end: number): boolean {
    return (offset > 400 && offset < PAGE_BYTES - 40) || offset > end + 40;
  }

  function recordEnds(): number[] {
    const reader = new WalReader(directory, listSegments(directory));
    const ends: number[] = [];
    while (reader.next()) ends.push(reader.offset);
    return ends;
  }

  /** Repairs, and checks that the log then reads without a fault, gives the same records, and can be added to. */
  function expectRepaired(sound: readonly Buffer[], fault: WalCorruptionError | null): void {
    if (fault) repairLog(fault);
    const again = readAll();
    expect(again.fault).toBeNull();
    expect(again.records.map(String)).toEqual(sound.map(String));
  }

  test("torn at any byte loses no record before the tear, and is readable once repaired", () => {
    write(records);
    const whole = fs.readFileSync(join(directory, segmentName(0)));
    const ends = recordEnds();
    const path = join(directory, segmentName(0));
    for (
      let length = 0;
      length <= ends.at(-1)! + 20;
      length += length > 350 && length < PAGE_BYTES - 40 ? 97 : 1
    ) {
      fs.writeFileSync(path, whole.subarray(0, length));
      const { records: sound, fault } = readAll();
      const kept = soundBefore(ends, length);
      // A lone type byte at the very end reads as an empty record, and a record that lost only zeros is whole.
      const whole0 = sound.filter((record) => record.length > 0);
      expect(whole0.length).toBeGreaterThanOrEqual(kept);
      expect(whole0.map(String)).toEqual(
        records.slice(0, whole0.length).map((bytes) => String(Buffer.from(bytes))),
      );
      expectRepaired(sound, fault);
    }
  });

  test("with any byte flipped loses no record before it, gives no wrong record, and is readable once repaired", () => {
    write(records);
    const path = join(directory, segmentName(0));
    const whole = fs.readFileSync(path);
    const ends = recordEnds();
    const last = ends.at(-1)!;
    for (let offset = 0; offset < whole.length; offset += isMiddle(offset, last) ? 389 : 1) {
      const damaged = Buffer.from(whole);
      damaged[offset]! ^= 0x40 >> (offset % 7);
      fs.writeFileSync(path, damaged);
      const { records: sound, fault } = readAll();
      const kept = soundBefore(ends, offset);
      expect(sound.length).toBeGreaterThanOrEqual(kept);
      for (let i = 0; i < Math.min(sound.length, records.length); i++) {
        // The bits of the type byte that nobody checks may turn compression on or off: such a record differs.
        const isTypeByte = i === kept && offset === (ends[i - 1] ?? 0);
        if (!isTypeByte) expect(String(sound[i])).toBe(String(Buffer.from(records[i]!)));
      }
      expectRepaired(sound, fault);
    }
  });

  test("names the segment and the byte, and repair gives up everything behind", () => {
    write([noise(20, 1), noise(20, 2)], { compression: "none" });
    write([noise(20, 3)], { compression: "none" });
    write([noise(20, 4)], { compression: "none" });
    const path = join(directory, segmentName(0));
    const bytes = fs.readFileSync(path);
    bytes[40]! ^= 1;
    fs.writeFileSync(path, bytes);
    const { records: sound, fault } = readAll();
    expect(sound.length).toBe(1);
    expect(fault).toMatchObject({ segment: 0, offset: 27 });
    expect(fault?.message).toMatch(
      /^cannot read log .*: segment 0 after byte 27: the checksum of a record is/,
    );
    repairLog(fault!);
    expect(listSegments(directory).map(({ index }) => index)).toEqual([0]);
    write([noise(20, 5)], { compression: "none" });
    expect(readAll().records.map(String)).toEqual(
      [noise(20, 1), noise(20, 5)].map((b) => String(Buffer.from(b))),
    );
  });

  test("that claims a gigabyte in a few compressed bytes is refused without making room for it", () => {
    write([Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x03, 0, 97)], { compression: "none" });
    const path = join(directory, segmentName(0));
    const bytes = fs.readFileSync(path);
    bytes[0] = 9;
    fs.writeFileSync(path, bytes);
    expect(readAll().fault?.message).toMatch("7 bytes claim to hold 1073741823");
  });
});
