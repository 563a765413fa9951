import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeMeta, readMeta } from "../../../src/tsdb/block/meta.ts";
import { CorruptionError } from "../../../src/tsdb/corruption-error.ts";

let directory: string;
beforeEach(() => (directory = fs.mkdtempSync(join(tmpdir(), "narthex-meta-"))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

function read(parts: object): ReturnType<typeof readMeta> {
  const whole = { ulid: "01BX5ZZKBKACTAV9WEVGEMMVRZ", minTime: 0, maxTime: 1, version: 1, ...parts };
  fs.writeFileSync(join(directory, "meta.json"), JSON.stringify(whole));
  return readMeta(directory);
}

describe("meta.json", () => {
  test.each([{}, { compaction: null, stats: null }, { compaction: { level: 2, parents: null, hints: [] } }])(
    "with %j is enough, and can be written again",
    (parts) => {
      const meta = read(parts);
      expect(JSON.parse(encodeMeta(meta))).toMatchObject({ minTime: 0, maxTime: 1, version: 1 });
    },
  );

  test.each([
    { stats: 5 },
    { compaction: [] },
    { compaction: { level: "2" } },
    { compaction: { parents: [null] } },
    { compaction: { parents: "x" } },
    { compaction: { hints: { a: 1 } } },
    { compaction: { sources: [1] } },
    { version: 2 },
    { minTime: "0" },
  ])("with %j is damaged", (parts) => {
    expect(() => read(parts)).toThrow(CorruptionError);
  });
});
