import fc from "fast-check";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { reserveSharedMemory } from "../../../src/kernels/index.ts";
import { StorageError } from "../../../src/model/storage.ts";
import { DirectFile } from "../../../src/tsdb/block/direct-file.ts";

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-direct-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const BUFFER_BYTES = 600_000;

/** Where bytes may come from: a kernel's memory, one whose address nobody knows, an ordinary buffer. */
const sources = {
  kernel: new Uint8Array(reserveSharedMemory(BUFFER_BYTES).buffer),
  shared: new Uint8Array(new SharedArrayBuffer(BUFFER_BYTES + 512), 512),
  plain: new Uint8Array(BUFFER_BYTES),
};

const piece = fc.record({
  source: fc.constantFrom<keyof typeof sources>("kernel", "shared", "plain"),
  isInPhase: fc.boolean(),
  offset: fc.nat(20_000),
  size: fc.oneof(fc.nat(20), fc.nat(10_000), fc.nat(500_000), fc.constantFrom(4096, 8192, 262_144)),
  seed: fc.nat(255),
});

describe("a file that is written past the page cache", () => {
  test("holds what was appended, whatever its size and wherever it lay in memory", () => {
    let files = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const path = join(directory, String(files++));
        const file = DirectFile.create(path);
        const expected: Buffer[] = [];
        let position = 0;
        for (const { source, isInPhase, offset, size, seed } of pieces) {
          const memory = sources[source];
          const shift = isInPhase ? (((position - offset - memory.byteOffset) % 4096) + 4096) % 4096 : 0;
          const bytes = memory.subarray(offset + shift, offset + shift + size);
          for (let i = 0; i < size; i++) bytes[i] = seed + i * (i >>> 7);
          expected.push(Buffer.from(bytes));
          file.append(bytes, size);
          bytes.fill(0);
          position += size;
        }
        file.close();
        expect(fs.readFileSync(path).equals(Buffer.concat(expected))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test("is not written over a file that is there", () => {
    const path = join(directory, "taken");
    fs.writeFileSync(path, "kept");
    expect(() => DirectFile.create(path)).toThrow(StorageError);
    expect(fs.readFileSync(path, "utf8")).toBe("kept");
  });
});
