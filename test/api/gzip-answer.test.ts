import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { gzipAnswer } from "../../src/api/gzip-answer.ts";
import type { QueryAnswer } from "../../src/api/query-tasks.ts";

function answer(...sizes: number[]): QueryAnswer {
  return { status: 200, parts: sizes.map((size) => Buffer.alloc(size, "[1,2],")), report: null };
}

describe("an answer that may come compressed", () => {
  test.each([1024, 200_000, 1024 * 1024])("is one gzip file at %i bytes", (size) => {
    const whole = answer(size);
    const packed = gzipAnswer(whole);
    expect(packed.isGzipped).toBe(true);
    expect(packed.parts).toHaveLength(1);
    expect(gunzipSync(packed.parts[0]!).equals(whole.parts[0]!)).toBe(true);
  });

  test.each([
    ["is empty", answer()],
    ["is small", answer(1023)],
    ["is for several threads to compress", answer(1024 * 1024 + 1)],
    ["has several parts", answer(5000, 5000)],
  ])("stays as it is where it %s", (_, whole) => {
    expect(gzipAnswer(whole)).toBe(whole);
  });

  test("stays as it is where it is to be put together with others", () => {
    const fragment = {
      marks: new Float64Array(6),
      warnings: [],
      infos: [],
      peakSamples: 1,
      mustBeWhole: false,
    };
    const part = { ...answer(5000), fragment };
    expect(gzipAnswer(part)).toBe(part);
  });
});
