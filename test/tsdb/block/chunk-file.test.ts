import fc from "fast-check";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32c } from "../../../src/tsdb/crc32c.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChunkFiles, ChunkFileWriter, ChunkReader } from "../../../src/tsdb/block/chunk-file.ts";

let directory: string;
beforeEach(() => (directory = fs.mkdtempSync(join(tmpdir(), "narthex-chunks-"))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

/** A chunk of some size whose bytes tell it from the others. */
function chunk(
  id: number,
  size: number,
): { minTime: number; maxTime: number; encoding: number; bytes: Uint8Array } {
  const bytes = Uint8Array.from({ length: size }, (_, i) => (id * 31 + i * 7) & 0xff);
  return { minTime: 0, maxTime: 0, encoding: 1 + (id % 4), bytes };
}

describe("files of chunks", () => {
  test("have the layout of their format", () => {
    const writer = new ChunkFileWriter(directory);
    expect(writer.append({ minTime: 0, maxTime: 0, encoding: 1, bytes: Uint8Array.of(5, 6, 7) })).toBe(8);
    writer.close();
    expect(fs.readFileSync(join(directory, "000001")).toString("hex")).toBe(
      "85bd40dd" + "01" + "000000" + "03" + "01" + "050607" + crc32c(Uint8Array.of(1, 5, 6, 7)).toString(16),
    );
  });

  test("give back every chunk, in whatever order and however far apart they are asked for", () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 2, max: 400 }), fc.integer({ min: 2, max: 60_000 })), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        sizes,
        fc.constantFrom(70_000, 200_000, 1e9),
        fc.array(fc.tuple(fc.nat(), fc.nat(20)), { maxLength: 60 }),
        (list, maxFileBytes, reads) => {
          fs.rmSync(directory, { recursive: true });
          fs.mkdirSync(directory);
          const writer = new ChunkFileWriter(directory, maxFileBytes);
          const refs = list.map((size, id) => writer.append(chunk(id, size)));
          writer.close();
          for (const name of fs.readdirSync(directory)) {
            expect(fs.statSync(join(directory, name)).size).toBeLessThanOrEqual(maxFileBytes);
          }
          const files = new ChunkFiles(directory);
          const reader = new ChunkReader(files);
          const order = [
            ...refs.keys(),
            ...reads.flatMap(([from, count]) => {
              const first = from % refs.length;
              return Array.from({ length: Math.min(count, refs.length - first) }, (_, i) => first + i);
            }),
          ];
          for (const [i, id] of order.entries()) {
            reader.locate(refs[id]!, refs[order[i + 1] ?? id]!);
            const expected = chunk(id, list[id]!);
            expect(reader.encoding).toBe(expected.encoding);
            expect(Buffer.compare(reader.bytes, expected.bytes)).toBe(0);
          }
          files.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  test("that are damaged or cut short are an error that says where", () => {
    const writer = new ChunkFileWriter(directory);
    const refs = [writer.append(chunk(1, 100)), writer.append(chunk(2, 100))];
    writer.close();
    const path = join(directory, "000001");
    const whole = fs.readFileSync(path);
    const locate = (ref: number) => {
      const files = new ChunkFiles(directory);
      try {
        new ChunkReader(files).locate(ref);
      } finally {
        files.close();
      }
    };
    for (let length = refs[1]!; length < whole.length; length++) {
      fs.writeFileSync(path, whole.subarray(0, length));
      expect(() => locate(refs[0]!)).not.toThrow();
      expect(() => locate(refs[1]!)).toThrow(`cannot read chunk at byte ${refs[1]} of ${path}`);
    }
    for (let offset = refs[1]!; offset < whole.length; offset++) {
      const damaged = Buffer.from(whole);
      damaged[offset]! ^= 0x10;
      fs.writeFileSync(path, damaged);
      expect(() => locate(refs[1]!)).toThrow(`cannot read chunk at byte ${refs[1]} of ${path}`);
    }
    expect(() => locate(2 ** 32 + 8)).toThrow("is missing");
  });
});
