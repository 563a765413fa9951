import { describe, expect, test } from "vitest";
import { JsonBytes } from "../../src/api/json-bytes.ts";
import { writeQueryData } from "../../src/api/result-json.ts";
import { Labels } from "../../src/model/labels.ts";
import type { QueryResult, QueryValue } from "../../src/promql/value.ts";

function written(value: QueryValue): string {
  const out = new JsonBytes();
  writeQueryData(out, { value } as QueryResult, false);
  return Buffer.concat(out.finish()).toString();
}

describe("a scalar", () => {
  test.each([
    [1, '"1"'],
    [-0, '"-0"'],
    [4.117601903263363e-9, '"0.000000004117601903263363"'],
    [1e21, '"1000000000000000000000"'],
    [Infinity, '"+Inf"'],
    [-Infinity, '"-Inf"'],
    [NaN, '"NaN"'],
  ])("of %d has no exponent", (value, text) => {
    expect(written({ type: "scalar", timeMs: 2000, value })).toBe(
      `{"resultType":"scalar","result":[2,${text}]}`,
    );
  });

  test("has its time as a plain number, and so has a string", () => {
    expect(written({ type: "scalar", timeMs: 1500, value: 1 })).toContain('[1.5,"1"]');
    expect(written({ type: "string", timeMs: 1500, value: 'a"b' })).toContain('[1.5,"a\\"b"]');
  });
});

test("a sample of a vector has an exponent where it is very small or large, and three digits of milliseconds", () => {
  const sample = (value: number) => ({ labels: Labels.fromRecord({ a: "b" }), value, histogram: null });
  const samples = [1e21, 1e20, 1e-7].map(sample) as Extract<QueryValue, { type: "vector" }>["samples"];
  expect(JSON.parse(written({ type: "vector", timeMs: 1500, samples })).result).toEqual(
    ["1e+21", "100000000000000000000", "1e-07"].map((text) => ({ metric: { a: "b" }, value: [1.5, text] })),
  );
  expect(written({ type: "vector", timeMs: 1500, samples })).toContain("[1.500,");
});
