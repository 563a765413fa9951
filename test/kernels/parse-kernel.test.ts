import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  EMPTY_SEQUENCE,
  EntryFlag,
  ReportFlag,
  ScrapeMemory,
  type StoredSequence,
} from "../../src/kernels/index.ts";
import { parsePageByHand, readValueByHand } from "../oracles/exposition-parse.ts";
import { compareWithTwin, parseWithKernel, scrapedBitsOf, type KernelPage } from "../support/parsed-pages.ts";

let memory: ScrapeMemory;
beforeAll(() => {
  memory = new ScrapeMemory(2 ** 28, 7);
});

const parse = (
  page: string,
  sequence: StoredSequence,
  isOpenMetrics: boolean,
  pieceBytes: number,
): KernelPage => parseWithKernel(memory, page, sequence, isOpenMetrics, pieceBytes);

/** The bits the kernel makes of a number, null if it leaves it to others. */
function kernelValue(text: string): string | null {
  const { bits, reports } = parse(`a ${text}\n`, EMPTY_SEQUENCE, false, 1 << 16);
  expect(reports.length).toBe(1);
  return reports[0]!.flags & ReportFlag.oddValue ? null : bits[0]!;
}

describe("a number", () => {
  const double = fc.double({ noNaN: true, noDefaultInfinity: true });

  test("as short as it can be written is read to the last bit", () => {
    fc.assert(
      fc.property(double, (value) => {
        for (const text of [String(value), value.toExponential(), value.toExponential().toUpperCase()]) {
          const bits = kernelValue(text);
          if (bits !== null) expect(bits).toBe(scrapedBitsOf(Number(text)));
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("of 17 digits seldom needs the language", () => {
    const left = Array.from({ length: 2000 }, (_, i) => String(Math.sin(i + 1) * 10 ** (i % 20))).filter(
      (text) => kernelValue(text) === null,
    );
    expect(left.length).toBeLessThan(40);
  });

  test("of any digits is read as the language reads it, or left to it", () => {
    const digits = fc.stringMatching(/^[0-9]{1,21}$/);
    const number = fc
      .tuple(
        fc.constantFrom("", "-", "+"),
        digits,
        fc.option(digits),
        fc.option(fc.integer({ min: -320, max: 320 })),
      )
      .map(
        ([sign, whole, part, power]) =>
          `${sign}${whole}${part === null ? "" : `.${part}`}${power === null ? "" : `e${power}`}`,
      );
    fc.assert(
      fc.property(number, (text) => {
        const bits = kernelValue(text);
        if (bits !== null) expect(bits).toBe(scrapedBitsOf(Number(text)));
      }),
      { numRuns: 5000 },
    );
  });

  test("halfway between two doubles goes to the even one", () => {
    for (const text of [
      "9007199254740993",
      "9007199254740995",
      "1.00000000000000011102230246251565e0",
      "5e-1",
      "8.5e22",
    ]) {
      expect(kernelValue(text) ?? scrapedBitsOf(Number(text))).toBe(scrapedBitsOf(Number(text)));
    }
  });

  test.each([
    "",
    "-",
    "+",
    ".",
    "e5",
    "1e",
    "1e+",
    "--1",
    "1.2.3",
    "0x1",
    "1_0",
    "-NaN",
    "+NaN",
    ".NaN",
    "NaNa",
    "Infi",
    "1 2",
    "1 ",
  ])("%j is left to others", (text) => {
    expect(readValueByHand(text)).toBeNull();
    const { reports } = parse(`a{} ${text}\n`, EMPTY_SEQUENCE, false, 1 << 16);
    expect(reports[0]!.flags & (ReportFlag.oddValue | ReportFlag.broken)).not.toBe(0);
  });
});

describe("pages", () => {
  const series = fc.constantFrom(
    "a ",
    "ab ",
    "a{} ",
    'a{x="1"} ',
    'a{x="1"}',
    "a\t",
    "a  ",
    'a {x="2"} ',
    'long_metric_name_total{label="some value",other="}{"} ',
    'long_metric_name_total{label="some value",other="}{x"} ',
    'q{x="with \\" and \\\\ and # and\nline"} ',
    '{"quoted name",l="v"} ',
    " lead ",
    'h_bucket{le="+Inf"} ',
  );
  const value = fc.constantFrom(
    "1",
    "-2.5",
    "1e3",
    "0.1234567890123456",
    "NaN",
    "+Inf",
    "nan",
    "5 1000",
    "6.5 2000",
    "NaN 3000",
    "1e400 1",
    "4 1234567890123456",
    "3 1 ",
    '7 # {a="b"} 1',
    " 3",
    "x",
  );
  const line = fc.oneof(
    { weight: 12, arbitrary: fc.tuple(series, value).map(([text, number]) => text + number) },
    {
      weight: 2,
      arbitrary: fc.constantFrom("# TYPE a counter", "# TYPE a counterx", "# HELP a helps", "#", "# EOF"),
    },
    { weight: 1, arbitrary: fc.constantFrom("", "a", "a{", "a{x} ", '"', "{}", "\t", 'a{x="1\n') },
  );
  const page = fc
    .tuple(fc.array(line, { maxLength: 25 }), fc.boolean())
    .map(([lines, isEnded]) => lines.join("\n") + (isEnded && lines.length ? "\n" : ""));

  test("are read as the twin reads them, one after the other, however they are cut, or where they lie", () => {
    fc.assert(
      fc.property(
        fc.array(page, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 200 }),
        fc.constantFrom(null, 0, EntryFlag.untracked),
        (pages, isOpenMetrics, pieceBytes, timedFlag) => {
          compareWithTwin(memory, pages, { isOpenMetrics, pieceBytes, timedFlag }, (actual, expected) =>
            expect(actual).toEqual(expected),
          );
        },
      ),
      { numRuns: 1500 },
    );
  });

  test("with quotes where none belong are cut into the same lines, whatever pieces they come in", () => {
    const page = 'job="x{le="a\nb"} 1\nup 2\n';
    for (let pieceBytes = 1; pieceBytes <= page.length; pieceBytes++) {
      compareWithTwin(
        memory,
        [page],
        { isOpenMetrics: false, pieceBytes, timedFlag: null },
        (actual, expected) => expect(actual).toEqual(expected),
      );
    }
  });

  test("of any bytes are read to their end", () => {
    const bytes = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'ab{}"\\=,# \t\n1.e-'), maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array).toString("latin1")),
    );
    fc.assert(
      fc.property(bytes, bytes, fc.integer({ min: 0, max: 100 }), (first, second, pieceBytes) => {
        parse(first, EMPTY_SEQUENCE, false, pieceBytes);
        const sequence = memory.storePage();
        const expected = parsePageByHand(first, [], false);
        expect(sequence.count).toBe(expected.next.length);
        const entries = expected.next;
        const again = parse(second, sequence, false, pieceBytes);
        expect(again.reports).toEqual(parsePageByHand(second, entries, false).reports);
        memory.free(sequence);
      }),
      { numRuns: 1500 },
    );
  });
});

describe("a page that is like the last one but for one line", () => {
  const lines = Array.from({ length: 2000 }, (_, i) => `metric_total{code="${i}",path="/a/${i}"} ${i}`);
  const heads = ["# HELP metric_total Requests.", "# TYPE metric_total counter"];

  /** How many lines the kernel leaves to TypeScript, of the second page and of the same page once more. */
  function leftOver(change: (page: string[]) => void, isOpenMetrics: boolean): [number, number] {
    const before = [...heads, ...lines];
    const after = [...before];
    change(after);
    const text = (page: readonly string[]): string => page.map((line) => `${line}\n`).join("");
    parse(text(before), EMPTY_SEQUENCE, isOpenMetrics, 1 << 16);
    const first = memory.storePage();
    const { reports } = parse(text(after), first, isOpenMetrics, 1 << 16);
    const second = memory.storePage();
    const again = parse(text(after), second, isOpenMetrics, 1 << 16);
    memory.free(second);
    return [reports.length, again.reports.length];
  }

  const place = 1000;
  const cases: readonly [what: string, change: (page: string[]) => void, left: [number, number]][] = [
    ["none at all", () => {}, [0, 0]],
    ["a line that is gone", (page) => page.splice(place, 1), [0, 0]],
    ["five lines that are gone", (page) => page.splice(place, 5), [0, 0]],
    ["a new series", (page) => page.splice(place, 0, 'new_total{x="y"} 1'), [1, 0]],
    ["a new comment", (page) => page.splice(place, 0, "# HELP other Words."), [1, 0]],
    ["a series in another place", (page) => page.push(...page.splice(place, 1)), [0, 0]],
    [
      "a value that is no plain number",
      (page) => (page[place] = `${lines[place - 2]!.split(" ")[0]} 0x1p-2`),
      [1, 1],
    ],
    ["a timestamp", (page) => (page[place] += " 1.5"), [1, 1]],
    ["an exemplar", (page) => (page[place] += ' # {trace_id="a"} 1'), [1, 1]],
    ["a series that comes twice", (page) => page.splice(place, 0, page[place]!), [1, 1]],
    ["a line that is none", (page) => page.splice(place, 0, "{"), [1, 1]],
  ];

  test.each(
    cases.flatMap(([what, change, left]) => [true, false].map((form) => [what, form, change, left] as const)),
  )("costs that line only: %s (OpenMetrics: %s)", (_what, isOpenMetrics, change, left) => {
    expect(leftOver(change, isOpenMetrics)).toEqual(left);
  });
});

describe("places for pages", () => {
  test("are given as long as there is room, do not overlap, and come again when they are given back", () => {
    const lent: Buffer[] = [];
    for (let page = memory.lendPage(100_000); page !== null; page = memory.lendPage(100_000)) lent.push(page);
    expect(lent.length).toBeGreaterThan(4);
    for (const [i, page] of lent.entries()) {
      expect(page.length).toBeGreaterThanOrEqual(100_000);
      expect(memory.holds(page)).toBe(true);
      page.fill(i);
    }
    for (const [i, page] of lent.entries()) expect(page.every((byte) => byte === i)).toBe(true);
    memory.takeBackPage(lent[0]!);
    const again = memory.lendPage(90_000)!;
    expect(again.byteOffset).toBe(lent[0]!.byteOffset);
    lent[0] = again;
    for (const page of lent) memory.takeBackPage(page);
    expect(memory.lendPage(2 ** 24)).toBe(null);
    expect(memory.holds(Buffer.alloc(8))).toBe(false);
  });

  test("of any sizes leave little behind", () => {
    const sizes = Array.from({ length: 3000 }, (_, i) => 1 + ((i * 7919) % 2_000_000));
    for (const size of sizes) memory.takeBackPage(memory.lendPage(size)!);
    const before = memory.usedBytes;
    const pages = sizes.map((size) => memory.lendPage(size)).filter((page) => page !== null);
    expect(memory.usedBytes - before).toBeLessThanOrEqual(2 ** 22);
    for (const page of pages) memory.takeBackPage(page);
    expect(memory.usedBytes).toBe(before);
  });
});
