import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  announcedBytes,
  PageInflater,
  SCRATCH_BYTES,
  ScratchOverflowError,
} from "../../src/scrape/page-inflater.ts";

const inflater = new PageInflater();

describe("a page's inflater", () => {
  test("gives back any page, one after the other, out of the same memory", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100_000 }), (page) => {
        const compressed = gzipSync(page);
        expect(announcedBytes(compressed)).toBe(page.length);
        expect(Buffer.from(inflater.inflate(compressed)).equals(page)).toBe(true);
      }),
    );
  });

  test("reads streams with names and comments in their headers", () => {
    const plain = gzipSync("up 1\n");
    const named = Buffer.concat([
      plain.subarray(0, 3),
      Buffer.from([0x08 | 0x10]),
      plain.subarray(4, 10),
      Buffer.from("metrics.txt\0a comment\0"),
      plain.subarray(10),
    ]);
    expect(Buffer.from(inflater.inflate(named)).toString()).toBe("up 1\n");
  });

  test("reads a stream of several members to its end", () => {
    const twice = Buffer.concat([gzipSync("up 1\n"), gzipSync("down 0\n")]);
    expect(Buffer.from(inflater.inflate(twice)).toString()).toBe("up 1\ndown 0\n");
  });

  test("refuses a page over its scratch buffer, and goes on with the next", () => {
    expect(() => inflater.inflate(gzipSync(Buffer.alloc(SCRATCH_BYTES + 1)))).toThrow(ScratchOverflowError);
    expect(Buffer.from(inflater.inflate(gzipSync("up 1\n"))).toString()).toBe("up 1\n");
  });

  test("says that a stream is cut short or damaged, and goes on with the next", () => {
    const whole = gzipSync("work_total 1\n".repeat(1000));
    const damaged = Buffer.from(whole);
    damaged[20]! ^= 0xff;
    const [wrongSum, wrongLength] = [Buffer.from(whole), Buffer.from(whole)];
    wrongSum[whole.length - 8]! ^= 1;
    wrongLength[whole.length - 4]! ^= 1;
    for (const bad of [
      whole.subarray(0, whole.length - 9),
      damaged,
      wrongSum,
      wrongLength,
      Buffer.from("no gzip at all, but long enough"),
    ]) {
      expect(() => inflater.inflate(bad)).toThrow("cannot decompress page");
    }
    expect(Buffer.from(inflater.inflate(gzipSync("up 1\n"))).toString()).toBe("up 1\n");
  });
});
