import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { almostEqual } from "../../../src/promql/script/almost-equal.ts";
import { parseScript } from "../../../src/promql/script/parse-script.ts";
import { runScript } from "../../../src/promql/script/run-script.ts";
import { createScriptEngine } from "../../../src/promql/script/script-engine.ts";
import { testScripts } from "../../../src/promql/script/test-scripts.ts";

/** What goes wrong with each eval of a script. */
function run(script: string): (string | null)[] {
  return runScript(parseScript(script), createScriptEngine).map(({ failure }) => failure);
}

const LOADED = `
load 1m
  up{job="a"} 1 2 3
  up{job="b"} 4 5 6
  requests 0+60x10
`;

describe("an eval that holds", () => {
  test("compares instant vectors as sets", () => {
    expect(run(`${LOADED}\neval instant at 1m up\n  up{job="b"} 5\n  up{job="a"} 2`)).toEqual([null]);
  });

  test("compares range results step by step", () => {
    expect(run(`${LOADED}\neval range from 0 to 12m step 6m requests\n  requests 0 360 600`)).toEqual([null]);
  });

  test("compares scalars, strings and range vectors", () => {
    expect(
      run(`${LOADED}
eval instant at 0 1 + 1
  2

eval instant at 0 "x"
  expect string "x"

eval instant at 2m up{job="a"}[2m]
  expect range vector from 1m to 2m step 1m
  up{job="a"} 2 3
`),
    ).toEqual([null, null, null]);
  });

  test("may expect a failure, exactly or by pattern", () => {
    expect(
      run(`${LOADED}
eval instant at 0 up +
  expect fail msg: 1:5: parse error: unexpected end of input

eval instant at 0 label_replace(up, "job", "x", "", "")
  expect fail regex: same label

eval_fail instant at 0 bad(

eval instant at 0 bad(
  expected_fail_regexp parse error
`),
    ).toEqual([null, null, null, null]);
  });

  test("sees nothing of what was loaded before a clear", () => {
    expect(run(`${LOADED}\nclear\neval instant at 0 up`)).toEqual([null]);
  });
});

describe("an eval that does not hold says what was expected and what came", () => {
  const failure = (text: string) => run(`${LOADED}\n${text}`)[0];

  test("for values, missing and unexpected series", () => {
    expect(failure('eval instant at 0 up{job="a"}\n  up{job="a"} 7')).toBe(
      'expected 7 for {__name__="up", job="a"}, got 1',
    );
    expect(failure("eval instant at 0 up\n  up 1")).toBe(
      'unexpected {__name__="up", job="a"} 1\nunexpected {__name__="up", job="b"} 4\nmissing {__name__="up"} 1',
    );
  });

  test("for steps of a range", () => {
    expect(failure('eval range from 0 to 2m step 1m up{job="a"}\n  up{job="a"} 1 _ 3')).toContain(
      "1@0s 2@60s 3@120s",
    );
    expect(failure('eval range from 0 to 1m step 1m up{job="a"}\n  up{job="a"} 1 2 3')).toContain(
      "more than steps",
    );
  });

  test("for kinds of result", () => {
    expect(failure("eval instant at 0 up\n  1")).toBe("expected a scalar, got a vector of 2");
    expect(failure("eval instant at 0 1\n  {} 1")).toBe("expected an instant vector, got scalar 1");
  });

  test("for order, where it matters", () => {
    expect(
      failure('eval instant at 0 sort_desc(up)\n  expect ordered\n  up{job="a"} 1\n  up{job="b"} 4'),
    ).toContain("at place 1, got it at 2");
  });

  test("for failures that come or don't", () => {
    expect(failure("eval instant at 0 up +")).toBe("failed: 1:5: parse error: unexpected end of input");
    expect(failure("eval instant at 0 up\n  expect fail")).toBe("expected to fail, got a result");
    expect(failure("eval instant at 0 up +\n  expect fail msg: something else")).toContain(
      "expected failure something else, got 1:5",
    );
  });

  test("for annotations", () => {
    expect(failure("eval instant at 5m rate(requests[5m])\n  expect no_info\n  {} 1")).toContain(
      "unexpected info: PromQL info: metric might not be a counter",
    );
    expect(failure("eval instant at 0 up\n  expect warn")).toBe("missing warning: any");
  });
});

describe("start timestamps in a load", () => {
  test("let a counter's first sample count as growth", () => {
    expect(
      run(`
load 1m
  made@st -30s _ _
  made     10 20 30

eval instant at 2m increase(made_total[3m]) or increase(made[3m])
  {} 30
`)[0],
    ).toBeNull();
  });

  test("must have as many items as the series they are for", () => {
    expect(() => parseScript("load 1m\n  up@st -1s\n  up 1 2")).toThrow(
      "line 3: 1 start timestamps for 2 values",
    );
    expect(() => parseScript("load 1m\n  up@st -1s\n  down 1")).toThrow(
      "line 3: start timestamps of another series",
    );
  });
});

describe("load_with_nhcb", () => {
  test("adds native histograms with custom buckets to the classic ones", () => {
    expect(
      run(`
load_with_nhcb 1m
  took_bucket{le="1"} 1 2
  took_bucket{le="+Inf"} 3 5
  took_sum 7 9
  took_count 3 5

eval instant at 1m took
  took {{schema:-53 count:5 sum:9 custom_values:[1] buckets:[2 3]}}

eval instant at 1m took_count
  took_count 5
`),
    ).toEqual([null, null]);
  });

  test("refuses counts that aren't cumulative", () => {
    expect(() => run('load_with_nhcb 1m\n  x_bucket{le="1"} 3\n  x_bucket{le="+Inf"} 2\n')).toThrow(
      "not cumulative",
    );
  });
});

describe("a script that can't be read", () => {
  test("names the line", () => {
    expect(() => parseScript("\n\nnonsense")).toThrow('line 3: unknown command "nonsense"');
    expect(() => parseScript("load 1m\n  up x")).toThrow("line 2: cannot read series value");
    expect(() => parseScript("load 1q")).toThrow('line 1: unknown unit "q" in duration "1q"');
    expect(() => parseScript("eval instant at 5m up\n  expect nothing")).toThrow(
      "line 2: invalid expect line",
    );
  });
});

describe("a run over files", () => {
  test("counts the cases and prints those that fail, with file and line", () => {
    const folder = mkdtempSync(join(tmpdir(), "narthex-scripts-"));
    const path = join(folder, "mixed.test");
    const broken = join(folder, "broken.test");
    writeFileSync(path, "eval instant at 0 1\n  1\n\neval instant at 0 2\n  3\n");
    writeFileSync(broken, "nonsense\n");
    const printed: string[] = [];
    expect(testScripts([path, broken], (text) => printed.push(text))).toEqual({ passed: 1, failed: 2 });
    expect(printed).toEqual([
      `${path}:4: 2\n    expected scalar 3, got 2\n`,
      `${broken}\n    cannot run command: line 1: unknown command "nonsense"\n`,
    ]);
    rmSync(folder, { recursive: true });
  });

  test("goes on behind a command that can't be read or carried out", () => {
    const folder = mkdtempSync(join(tmpdir(), "narthex-scripts-"));
    const path = join(folder, "patchy.test");
    const badLoad = 'load_with_nhcb 1m\n  x_bucket{le="1"} 3\n  x_bucket{le="+Inf"} 2\n\n';
    writeFileSync(
      path,
      `nonsense\n\n${badLoad}load 1m\n  up x\n\nload 1m\n  up 1\n\neval instant at 0 up\n  up 1\n`,
    );
    const printed: string[] = [];
    expect(testScripts([path], (text) => printed.push(text))).toEqual({ passed: 1, failed: 3 });
    expect(printed.join("")).toMatch(
      /line 1: unknown.*line 8: cannot read series value.*line 3: .*not cumulative/s,
    );
    rmSync(folder, { recursive: true });
  });
});

describe("numbers are equal", () => {
  test("up to a millionth of their size, and when both are NaN", () => {
    expect(almostEqual(1, 1 + 4e-7)).toBe(true);
    expect(almostEqual(1, 1 + 4e-6)).toBe(false);
    expect(almostEqual(0, 1e-300)).toBe(false);
    expect(almostEqual(0, -0)).toBe(true);
    expect(almostEqual(NaN, NaN)).toBe(true);
    expect(almostEqual(NaN, 1)).toBe(false);
    expect(almostEqual(Infinity, Infinity)).toBe(true);
    expect(almostEqual(Infinity, -Infinity)).toBe(false);
  });
});
