import { beforeAll, describe, expect, test } from "vitest";
import { ScrapeMemory } from "../../src/kernels/index.ts";
import { Labels } from "../../src/model/labels.ts";
import { compileRules, DEFAULT_RELABEL_RULE, type RelabelRule } from "../../src/model/relabel.ts";
import { SeriesLabels, type SeriesLabelsOptions } from "../../src/scrape/series-labels.ts";
import {
  emptyCounts,
  SeriesSequence,
  type AppendOptions,
  type PageCounts,
} from "../../src/scrape/series-sequence.ts";
import { FakeAppender } from "../support/fake-appender.ts";

let memory: ScrapeMemory;
beforeAll(() => {
  memory = new ScrapeMemory(2 ** 28, 7);
});

interface TargetOptions
  extends Partial<SeriesLabelsOptions>, Partial<Omit<AppendOptions, "labels" | "appender">> {
  epochMs?: number;
  isOpenMetrics?: boolean;
  chunkBytes?: number;
  /** The page lies in the memory that parses it already. */
  isInPlace?: boolean;
  rules?: Partial<RelabelRule>[];
}

/** A target whose pages come as the test says; each at the time after the last. */
class FakeTarget {
  readonly appender: FakeAppender;
  readonly sequence = new SeriesSequence(memory);
  private timeMs = 0;

  constructor(readonly options: TargetOptions = {}) {
    this.appender = new FakeAppender(options.epochMs ?? Infinity);
  }

  says(page: string | Buffer, timeMs = (this.timeMs += 1000)): PageCounts {
    const counts = emptyCounts();
    const { options, appender } = this;
    const labels = new SeriesLabels({
      targetLabels: Labels.empty,
      honorLabels: false,
      nameValidation: "utf8",
      labelLimit: 0,
      labelNameLengthLimit: 0,
      labelValueLengthLimit: 0,
      ...options,
      metricRelabelRules: compileRules(
        (options.rules ?? []).map((rule) => ({ ...DEFAULT_RELABEL_RULE, ...rule })),
      ),
    });
    const lent = options.isInPlace ? memory.lendPage(Buffer.byteLength(page)) : null;
    lent?.fill("9").set(Buffer.from(page));
    appender.begin();
    try {
      this.sequence.append(
        {
          chunks: lent
            ? [lent.subarray(0, Buffer.byteLength(page))]
            : chunksOf(Buffer.from(page), options.chunkBytes),
          sizeBytes: Buffer.byteLength(page),
          isOpenMetrics: options.isOpenMetrics ?? false,
        },
        {
          honorTimestamps: true,
          trackTimestampsStaleness: false,
          sampleLimit: 0,
          ...options,
          appender,
          labels,
          timeMs,
        },
        counts,
      );
    } catch (error) {
      appender.rollback();
      this.lastCounts = counts;
      throw error;
    } finally {
      if (lent) memory.takeBackPage(lent);
    }
    appender.commit();
    return counts;
  }

  lastCounts = emptyCounts();

  fails(timeMs = (this.timeMs += 1000)): void {
    this.appender.begin();
    this.sequence.markStale(this.appender, timeMs);
    this.appender.commit();
  }

  get stored(): Record<string, string[]> {
    return this.appender.stored;
  }
}

function chunksOf(body: Buffer, size = body.length): Buffer[] {
  const chunks: Buffer[] = [];
  for (let i = 0; i < body.length; i += size) chunks.push(body.subarray(i, i + size));
  return chunks;
}

describe("a page", () => {
  test("like the last one adds a sample to each of its series", () => {
    const target = new FakeTarget();
    const page = (a: number, b: string): string =>
      `# HELP a Help.\n# TYPE a counter\na{x="1"} ${a}\na{x="2"} ${b}\nb ${a}\n`;
    expect(target.says(page(1, "-2.5"))).toMatchObject({ scraped: 3, postRelabel: 3, seriesAdded: 3 });
    expect(target.says(page(2, "1e3"))).toMatchObject({ scraped: 3, postRelabel: 3, seriesAdded: 0 });
    expect(target.stored).toEqual({
      'a{x="1"}': ["1000 1", "2000 2"],
      'a{x="2"}': ["1000 -2.5", "2000 1000"],
      b: ["1000 1", "2000 2"],
    });
  });

  test.each([false, true])("may lack its last line feed (in place: %s)", (isInPlace) => {
    const target = new FakeTarget({ isInPlace });
    target.says("a 1\nb 2");
    target.says("a 3\nb 4");
    expect(target.stored).toEqual({ a: ["1000 1", "2000 3"], b: ["1000 2", "2000 4"] });
  });

  test("in place ends where OpenMetrics says, and nothing behind it is read", () => {
    const target = new FakeTarget({ isInPlace: true, isOpenMetrics: true });
    target.says('# TYPE a counter\na_total 1 # {id="x"} 0.5\n# EOF\n');
    target.says("a_total 2\n# EOF");
    expect(target.stored).toEqual({ a_total: ["1000 1", "2000 2"] });
    expect(() => target.says("a_total 3\n")).toThrow("data does not end with # EOF");
  });

  test("in place with more new lines than are reported at once is read to its end", () => {
    const target = new FakeTarget({ isInPlace: true });
    const page = (n: number) => Array.from({ length: 9000 }, (_, i) => `m{i="${i}"} ${i + n}\n`).join("");
    expect(target.says(page(0))).toMatchObject({ scraped: 9000, seriesAdded: 9000 });
    expect(target.says(page(1))).toMatchObject({ scraped: 9000, seriesAdded: 0 });
    expect(target.appender.series('m{i="8999"}')).toEqual(["1000 8999", "2000 9000"]);
  });

  test("that is empty ends every series", () => {
    const target = new FakeTarget();
    target.says("a 1\n");
    expect(target.says("")).toMatchObject({ scraped: 0, seriesAdded: 0 });
    expect(target.stored).toEqual({ a: ["1000 1", "2000 stale"] });
  });

  test("means the same however it is cut into pieces", () => {
    const page = 'one{l="a\\"b\nc"} 1\n\n# a remark\ntwo{m="ü",n="x"} 2.5e-3 \nthree NaN\nfour 5 123000\n';
    const whole = new FakeTarget();
    whole.says(page);
    whole.says(page.replace("2.5", "3.5"));
    for (const way of [{ chunkBytes: 1 }, { chunkBytes: 3 }, { chunkBytes: 7 }, { isInPlace: true }]) {
      const pieces = new FakeTarget(way);
      pieces.says(page);
      pieces.says(page.replace("2.5", "3.5"));
      expect(pieces.stored).toEqual(whole.stored);
    }
    expect(whole.appender.series('two{m="ü",n="x"}')).toEqual(["1000 0.0025", "2000 0.0035"]);
    expect(whole.appender.series('one{l="a\\"b\\nc"}')).toEqual(["1000 1", "2000 1"]);
  });

  test("larger than a slice is read to its end, twice", () => {
    const target = new FakeTarget();
    const page = (offset: number): string =>
      Array.from(
        { length: 40_000 },
        (_, i) => `metric_name{number="${i}",more="something"} ${i + offset}\n`,
      ).join("");
    expect(target.says(page(0)).seriesAdded).toBe(40_000);
    expect(target.says(page(1))).toMatchObject({ scraped: 40_000, seriesAdded: 0 });
    expect(target.appender.series('metric_name{more="something",number="39999"}')).toEqual([
      "1000 39999",
      "2000 40000",
    ]);
  });

  test("may hold a line longer than the usual slice", () => {
    const target = new FakeTarget();
    const long = "x".repeat(3_000_000);
    target.says(`a 1\nb{v="${long}"} 2\nc 3\n`);
    target.says(`a 2\nb{v="${long}"} 3\nc 4\n`);
    expect(target.appender.series(`b{v="${long}"}`)).toEqual(["1000 2", "2000 3"]);
    expect(target.appender.series("c")).toEqual(["1000 3", "2000 4"]);
  });

  test("with a line beyond all bounds fails", () => {
    const target = new FakeTarget();
    expect(() => target.says(`a{v="${"x".repeat(17 * 2 ** 20)}"} 2\n`)).toThrow(
      "a line is longer than 16777216 bytes",
    );
  });
});

describe("a page that is none", () => {
  test.each([
    ["é 1\n", 'expected a valid start token, got "é " while parsing: "é "'],
    [Buffer.from("61ff20310a", "hex"), 'expected value after metric, got "\\xff " while parsing: "a\\xff "'],
    ["a １\n", 'strconv.ParseFloat: parsing "１": invalid syntax'],
    ['a{b="x\u0007" é="1"} 1\n', 'got "é=\\"1\\"} " while parsing: "a{b=\\"x\\a\\" é=\\"1\\"} "'],
  ])("%s fails with words that show it as it is written", (page, message) => {
    expect(() => new FakeTarget().says(page)).toThrow(message);
  });
});

describe("a series that a target stops exposing", () => {
  test("ends with a marker at the time of the page that missed it, once", () => {
    const target = new FakeTarget();
    target.says("a 1\nb 1\nc 1\n");
    target.says("a 2\nc 2\n");
    target.says("a 3\nc 3\n");
    expect(target.stored).toEqual({
      a: ["1000 1", "2000 2", "3000 3"],
      b: ["1000 1", "2000 stale"],
      c: ["1000 1", "2000 2", "3000 3"],
    });
  });

  test("counts as new when it comes back", () => {
    const target = new FakeTarget();
    target.says("a 1\nb 1\n");
    target.says("a 2\n");
    expect(target.says("a 3\nb 3\n").seriesAdded).toBe(1);
    expect(target.appender.series("b")).toEqual(["1000 1", "2000 stale", "3000 3"]);
  });

  test("gets no marker while another line leads to the same labels", () => {
    const target = new FakeTarget();
    target.says('a{x="1",y="2"} 1\n');
    target.says('a{y="2",x="1"} 2\n');
    expect(target.stored).toEqual({ 'a{x="1",y="2"}': ["1000 1", "2000 2"] });
  });

  test("gets no marker when the target gave its own timestamps, unless those are tracked", () => {
    for (const [trackTimestampsStaleness, expected] of [
      [false, ["500 1"]],
      [true, ["500 1", "2000 stale"]],
    ] as const) {
      const target = new FakeTarget({ trackTimestampsStaleness });
      target.says("a 1 500\n");
      target.says("\n");
      expect(target.appender.series("a")).toEqual(expected);
    }
  });

  test("is tracked again once it comes without a timestamp", () => {
    const target = new FakeTarget();
    target.says("a 1 500\n");
    target.says("a 2\n");
    target.says("\n");
    expect(target.appender.series("a")).toEqual(["500 1", "2000 2", "3000 stale"]);
  });

  test("ends when the scrape fails, and not a second time after it", () => {
    const target = new FakeTarget();
    target.says("a 1\nb 1\n");
    target.fails();
    target.fails();
    target.says("a 4\n");
    expect(target.stored).toEqual({ a: ["1000 1", "2000 stale", "4000 4"], b: ["1000 1", "2000 stale"] });
  });
});

describe("lines that come in another order", () => {
  test("find their series", () => {
    const target = new FakeTarget();
    const names = Array.from({ length: 50 }, (_, i) => `m${i}`);
    const page = (order: string[], value: number): string =>
      order.map((name) => `${name} ${value}\n`).join("");
    for (let i = 1; i <= 8; i++) {
      const order = i % 2 ? names : [...names].reverse();
      expect(target.says(page(order, i)).seriesAdded).toBe(i === 1 ? 50 : 0);
    }
    for (const name of names) {
      expect(target.appender.series(name)).toEqual(
        Array.from({ length: 8 }, (_, i) => `${(i + 1) * 1000} ${i + 1}`),
      );
    }
  });

  test("leave room for new ones between them", () => {
    const target = new FakeTarget();
    target.says("a 1\nc 1\n");
    target.says("a 2\nb 2\nc 2\n");
    target.says("a 3\nb 3\nc 3\n");
    expect(target.stored).toEqual({
      a: ["1000 1", "2000 2", "3000 3"],
      b: ["2000 2", "3000 3"],
      c: ["1000 1", "2000 2", "3000 3"],
    });
  });

  test("do not mistake a longer name or a label for the predicted series", () => {
    const target = new FakeTarget();
    target.says("a 1\nab 2\n");
    target.says('a {l="x"} 3\nab 4\na 5\n');
    expect(target.stored).toEqual({
      a: ["1000 1", "2000 5"],
      ab: ["1000 2", "2000 4"],
      'a{l="x"}': ["2000 3"],
    });
  });
});

describe("the same series twice on a page", () => {
  test("keeps the first sample and counts the others, whatever their values", () => {
    const target = new FakeTarget();
    for (let i = 0; i < 3; i++) {
      expect(target.says("a 1\nb 5\na 2\na 1\n")).toMatchObject({
        scraped: 4,
        postRelabel: 4,
        duplicateTimestamp: 2,
      });
    }
    expect(target.appender.series("a")).toEqual(["1000 1", "2000 1", "3000 1"]);
    expect(target.appender.series("b")).toEqual(["1000 5", "2000 5", "3000 5"]);
  });

  test("is welcome with different timestamps", () => {
    const target = new FakeTarget();
    expect(target.says("a 1 100\na 2 200\n").duplicateTimestamp).toBe(0);
    expect(target.says("a 3 300\na 4 400\n").duplicateTimestamp).toBe(0);
    expect(target.appender.series("a")).toEqual(["100 1", "200 2", "300 3", "400 4"]);
  });
});

describe("timestamps", () => {
  test("are ignored when not honoured", () => {
    const target = new FakeTarget({ honorTimestamps: false });
    target.says("a 1 500\n");
    target.says("a 2 500\n");
    expect(target.appender.series("a")).toEqual(["1000 1", "2000 2"]);
  });

  test("may differ from line to line, reach into another epoch, and come with a NaN", () => {
    const target = new FakeTarget({
      epochMs: 10_000,
      rules: [{ sourceLabels: ["__name__"], regex: "z", action: "drop" }],
    });
    const page = (n: number): string =>
      `a ${n} ${n * 1000 + 1}\nb ${n}.5 ${n * 1000 + 2}\nc ${n} ${n * 1000 + 1}\nz 1 ${n * 1000}\nd NaN ${n}\ne ${n}\nf ${n} ${n * 5000}\n`;
    for (let n = 1; n <= 3; n++)
      expect(target.says(page(n))).toMatchObject({ scraped: 7, postRelabel: 6, outOfOrder: 0 });
    expect(target.stored).toEqual({
      a: ["1001 1", "2001 2", "3001 3"],
      b: ["1002 1.5", "2002 2.5", "3002 3.5"],
      c: ["1001 1", "2001 2", "3001 3"],
      d: ["1 NaN", "2 NaN", "3 NaN"],
      e: ["1000 1", "2000 2", "3000 3"],
      f: ["5000 1", "10000 2", "15000 3"],
    });
  });

  test("that go backwards lose their sample only", () => {
    const target = new FakeTarget();
    target.says("a 1 500\nb 1\n");
    expect(target.says("a 2 400\nb 2\n")).toMatchObject({ outOfOrder: 1, scraped: 2 });
    expect(target.says("a 3 500\nb 3\n")).toMatchObject({ duplicateTimestamp: 1 });
    expect(target.says("a 4 99999999999\nb 4\n")).toMatchObject({ outOfBounds: 1 });
    expect(target.appender.series("a")).toEqual(["500 1"]);
    expect(target.appender.series("b").length).toBe(4);
  });
});

describe("metric relabelling", () => {
  const dropB = { sourceLabels: ["__name__"], regex: "b.*", action: "drop" } as const;

  test("drops series for good and counts what is left", () => {
    const target = new FakeTarget({ rules: [dropB] });
    for (let i = 1; i <= 3; i++) {
      expect(target.says(`a ${i}\nb1 1\nb2 NaN\nc ${i}\n`)).toMatchObject({
        scraped: 4,
        postRelabel: 2,
        seriesAdded: i === 1 ? 2 : 0,
      });
    }
    expect(Object.keys(target.stored)).toEqual(["a", "c"]);
  });

  test("may let two lines collide: one sample of them is kept", () => {
    const target = new FakeTarget({ rules: [{ regex: "x", action: "labeldrop" }] });
    expect(target.says('a{x="1"} 1\na{x="2"} 2\n')).toMatchObject({ duplicateTimestamp: 1, seriesAdded: 1 });
    target.says('a{x="2"} 3\n');
    expect(target.stored).toEqual({ a: ["1000 1", "2000 3"] });
  });
});

describe("a page that fails", () => {
  test("does not change which series bring their own times", () => {
    const target = new FakeTarget();
    target.says("mine 1\nown 1 500\nodd 1 500 \n");
    // Were the page good, `mine` would bring its own time from now on, and the others would not.
    expect(() => target.says("own 2\nmine 2 1500\nodd 2\nbroken\n")).toThrow("expected value");
    expect(() => target.says("own 2 \nmine 2 1500 \nbroken\n")).toThrow("expected value");
    target.says("other 3\n", 9000);
    expect(target.stored).toEqual({
      mine: ["1000 1", "9000 stale"],
      own: ["500 1"],
      odd: ["500 1"],
      other: ["9000 3"],
    });
  });

  test("over its limit does so neither", () => {
    const target = new FakeTarget({ sampleLimit: 2 });
    target.says("mine 1\nown 1 500\n");
    expect(() => target.says("own 2\nmine 2 1500\nnew 1\n")).toThrow("sample limit exceeded");
    target.says("", 9000);
    expect(target.stored).toEqual({ mine: ["1000 1", "9000 stale"], own: ["500 1"] });
  });
});

describe("blanks before a value", () => {
  test("make no other series of it: the second line repeats the first", () => {
    const target = new FakeTarget({ sampleLimit: 2 });
    const page = (value: number): string => `a ${value}\na  8\na\t9\nb{x="1"}${value}\nb{x="1"} \t7\n`;
    for (const value of [1, 2]) {
      expect(target.says(page(value))).toMatchObject({ scraped: 5, duplicateTimestamp: 3 });
    }
    expect(() => target.says(`${page(3)}c 1\n`)).toThrow("sample limit exceeded");
    target.says('a\t4\nb{x="1"}  4\n');
    expect(target.stored).toEqual({
      a: ["1000 1", "2000 2", "4000 4"],
      'b{x="1"}': ["1000 1", "2000 2", "4000 4"],
    });
  });

  test("are one in OpenMetrics", () => {
    for (const line of ["a  2", "a\t2", 'a{x="1"}2']) {
      const target = new FakeTarget({ isOpenMetrics: true });
      target.says('a 1\na{x="1"} 1\n# EOF\n');
      expect(() => target.says(`${line}\n# EOF\n`)).toThrow("expected value");
    }
  });
});

describe("a limit", () => {
  test("on samples counts those after relabelling", () => {
    const target = new FakeTarget({
      sampleLimit: 2,
      rules: [{ sourceLabels: ["__name__"], regex: "b", action: "drop" }],
    });
    target.says("a 1\nb 1\nc 1\n");
    expect(() => target.says("a 2\nb 2\nc 2\nd 2\n")).toThrow("sample limit exceeded");
    expect(target.lastCounts).toMatchObject({ scraped: 4, postRelabel: 3 });
    expect(target.stored).toEqual({ a: ["1000 1"], c: ["1000 1"] });
  });

  test("on samples keeps a flood of new series out of storage", () => {
    const target = new FakeTarget({ sampleLimit: 10 });
    target.says("a 1\nb 1\n");
    for (const suffix of ["", " 500", " # x"]) {
      const flood = Array.from(
        { length: 20_000 },
        (_, i) => `flood{n="${i}${suffix}"} ${i}${suffix === " 500" ? suffix : ""}\n`,
      );
      expect(() => target.says(`a 2\n${flood.join("")}b 2\n`)).toThrow("sample limit exceeded");
      expect(target.lastCounts).toMatchObject({ scraped: 20_002, postRelabel: 20_002 });
    }
    expect(target.appender.seriesCount()).toBeLessThan(50);
    expect(Object.keys(target.stored)).toEqual(["a", "b"]);
  });

  test("on labels fails the whole page", () => {
    const target = new FakeTarget({ labelLimit: 2 });
    expect(() => target.says('ok 1\na{b="1",c="2"} 1\n')).toThrow(
      "label_limit exceeded (metric: a, number of labels: 3, limit: 2)",
    );
    expect(target.stored).toEqual({});
  });

  test("on lengths counts bytes", () => {
    expect(() => new FakeTarget({ labelValueLengthLimit: 4 }).says('a{b="üüü"} 1\n')).toThrow(
      'label_value_length_limit exceeded (metric: a, label name: b, value: "üüü", length: 6, limit: 4)',
    );
    expect(() => new FakeTarget({ labelNameLengthLimit: 8 }).says('a{looong_name="1"} 1\n')).toThrow(
      "label_name_length_limit exceeded (metric: a, label name: looong_name, length: 11, limit: 8)",
    );
  });
});

describe("a line with very many labels", () => {
  const labels = (count: number): string[] => Array.from({ length: count }, (_, i) => `l${i}="v${i}"`);

  test("becomes a series like any other", () => {
    const target = new FakeTarget();
    target.says(`a{${labels(20_000).reverse().join(",")}} 1\n`);
    const [series] = Object.keys(target.stored);
    expect(series!.startsWith('a{l0="v0",l1="v1",l10="v10",l100="v100",')).toBe(true);
    expect(target.appender.series(series!)).toEqual(["1000 1"]);
  });

  test("is refused for the one that comes twice", () => {
    const target = new FakeTarget();
    expect(() => target.says(`a{${labels(20_000).join(",")},l7="x"} 1\n`)).toThrow(
      'label name "l7" is not unique: invalid sample',
    );
  });
});

describe("honor_labels", () => {
  const targetLabels = Labels.fromRecord({ job: "t", instance: "i", exported_job: "e" });

  test("off moves exposed labels aside to the first free name", () => {
    const target = new FakeTarget({ targetLabels });
    target.says('a{job="x",instance="y",exported_instance="z"} 1\na{job="",instance="i2"} 2\n');
    expect(Object.keys(target.stored)).toEqual([
      'a{exported_exported_instance="y",exported_exported_job="x",exported_instance="z",exported_job="e",instance="i",job="t"}',
      'a{exported_instance="i2",exported_job="e",instance="i",job="t"}',
    ]);
  });

  test("on leaves exposed labels, even empty ones", () => {
    const target = new FakeTarget({ targetLabels, honorLabels: true });
    target.says('a{job="x"} 1\na{job=""} 2\n');
    expect(Object.keys(target.stored)).toEqual([
      'a{exported_job="e",instance="i",job="x"}',
      'a{exported_job="e",instance="i"}',
    ]);
  });
});

test("legacy names are checked where they are asked for", () => {
  expect(() => new FakeTarget({ nameValidation: "legacy" }).says('{"my.metric"} 1\n')).toThrow(
    'invalid metric name or label names: {__name__="my.metric"}',
  );
});

describe("the storage's next epoch", () => {
  test("is entered with every series, whether it can carry references over or not", () => {
    for (const isForgotten of [false, true]) {
      const target = new FakeTarget({
        epochMs: 10_000,
        rules: [{ sourceLabels: ["__name__"], regex: "z", action: "drop" }],
      });
      const page = '# TYPE h histogram\nh_bucket{le="1"} 1\nz 1\nb 2\n';
      target.says(page, 5000);
      target.appender.epochAt(15_000);
      if (isForgotten) target.appender.dropEpoch(0);
      expect(target.says(page, 15_000)).toMatchObject({ scraped: 3, postRelabel: 2, seriesAdded: 0 });
      expect(target.stored).toEqual({
        'h_bucket{le="1.0"}': ["5000 1", "15000 1"],
        b: ["5000 2", "15000 2"],
      });
    }
  });
});

describe("a page that breaks the format", () => {
  test.each([
    ["a 1\nb{\n", 1],
    ["a 1\nb{x=1} 2\n", 1],
    ['a 1\nb{x="1"\n', 1],
    ["a 1\nb\n", 1],
    ["a 1\nb \n", 1],
    ["a 1\nb one\n", 1],
    ["a 1\nb 0x10\n", 1],
    ["a 1\nb 1_000\n", 1],
    ["a 1\nb -NaN\n", 1],
    ["a 1\nb 1e999\n", 1],
    ["a 1\nb 1 2 3\n", 1],
    ["a 1\nb 1 -5\n", 1],
    ["a 1\nb 1 # {} 1\n", 1],
    ['a 1\n{"b",x="1","c"} 1\n', 1],
    ['a 1\nb{"c"} 1\n', 1],
    ['a 1\n{x="1"} 1\n', 1],
    ["# TYPE a nonsense\na 1\n", 0],
    ["# TYPE a  counter\na 1\n", 0],
    ["# TYPE\ta counter \na 1\n", 0],
    ["a 1\n\u0000\u0001\n", 1],
    ["<html><body>It works</body></html>\n", 0],
  ])("fails whole: %j", (page, scraped) => {
    const target = new FakeTarget();
    target.says("a 0\n");
    expect(() => target.says(page)).toThrow();
    expect(target.lastCounts.scraped).toBe(scraped);
    expect(target.stored).toEqual({ a: ["1000 0"] });
    target.says("a 5\n");
    expect(target.appender.series("a")).toEqual(["1000 0", "3000 5"]);
  });

  test("fails for label values that are not UTF-8", () => {
    const page = Buffer.concat([Buffer.from('a{b="'), Buffer.from([0xff, 0xfe]), Buffer.from('"} 1\n')]);
    expect(() => new FakeTarget().says(page)).toThrow("invalid UTF-8 label value");
  });

  test("fails for a label given twice", () => {
    expect(() => new FakeTarget().says('a{b="1",b="2"} 1\n')).toThrow(
      'label name "b" is not unique: invalid sample',
    );
  });
});

describe("what the text format allows", () => {
  test.each([
    ['a\t{ b = "1" , c="2", }\t1\n', 'a{b="1",c="2"}'],
    ['a{b="1"c="2"} 1\n', 'a{b="1",c="2"}'],
    ['a{b="back\\slash \\\\ \\"quoted\\" \\n"} 1\n', 'a{b="back\\\\slash \\\\ \\"quoted\\" \\n"}'],
    ['{"my.metric","l.1"="v"} 1\n', 'my.metric{l.1="v"}'],
    ['{x="y","my metric"} 1\n', 'my metric{x="y"}'],
    ['a{b=""} 1\n', "a"],
    ["  a 1\n", "  a"],
    ["a{} 1\n", "a"],
    ["a{}1\n", "a"],
    ["#no blank\n#\n# TYPE a untyped\n# just words\na 1\n", "a"],
    ['# TYPE a summary\na{quantile="0.50"} 1\n', 'a{quantile="0.5"}'],
    ['# TYPE a histogram\na{le="+inf"} 1\n', 'a{le="+Inf"}'],
    ['# TYPE a histogram\na{le="123456789"} 1\n', 'a{le="1.23456789e+08"}'],
    ['# TYPE a gauge\na{le="1"} 1\n', 'a{le="1"}'],
  ])("%j is %s", (page, series) => {
    const target = new FakeTarget();
    target.says(page);
    expect(target.stored).toEqual({ [series]: ["1000 1"] });
  });

  test.each([
    ["+5", "5"],
    ["0005", "5"],
    [".5", "0.5"],
    ["5.", "5"],
    ["1E+2", "100"],
    ["1e22", "1e+22"],
    ["123456789012345678901234567890", "1.2345678901234568e+29"],
    ["0.1234567890123456789", "0.12345678901234568"],
    ["5e-324", "5e-324"],
    ["1.7976931348623157e308", "1.7976931348623157e+308"],
    ["inf", "Infinity"],
    ["-Infinity", "-Infinity"],
    ["+Inf", "Infinity"],
    ["nan", "NaN"],
    ["1  ", "1"],
  ])("the value %s", (written, stored) => {
    const target = new FakeTarget();
    target.says(`a ${written}\n`);
    target.says(`a ${written}\n`);
    expect(target.appender.series("a")).toEqual([`1000 ${stored}`, `2000 ${stored}`]);
  });

  test("every NaN becomes the one ordinary NaN", () => {
    const target = new FakeTarget();
    target.says("a NaN\nb nan\n");
    for (const samples of target.appender.samples.values()) {
      expect(samples[0]).toMatchObject({ high: 0x7ff80000, low: 1 });
    }
  });
});

describe("OpenMetrics", () => {
  const openMetrics = { isOpenMetrics: true };

  test("reads seconds, units and exemplars", () => {
    const target = new FakeTarget(openMetrics);
    const page = (value: number): string =>
      '# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds With \\"quotes\\".\n' +
      `a_seconds_total{x="1"} ${value} # {trace_id="t\\n"} 0.5 1.5\nb ${value} 0.5\nc ${value} # {} 1\n# EOF\n`;
    target.says(page(1));
    target.says(page(2).replace(" 0.5\n", " 0.75\n"));
    expect(target.stored).toEqual({
      'a_seconds_total{x="1"}': ["1000 1", "2000 2"],
      b: ["500 1", "750 2"],
      c: ["1000 1", "2000 2"],
    });
    expect(target.appender.exemplars[0]).toMatchObject({
      exemplar: { value: 0.5, timeMs: 1500, hasTimestamp: true },
    });
    expect(target.appender.exemplars[0]!.exemplar.labels.toRecord()).toEqual({ trace_id: "t\\n" });
    expect(target.appender.exemplars[1]).toMatchObject({
      exemplar: { value: 1, timeMs: 1000, hasTimestamp: false },
    });
    expect(target.sequence.metadata().get("a_seconds")).toEqual({
      type: "counter",
      unit: "seconds",
      help: 'With "quotes".',
    });
  });

  test.each(["a 1\n# EOF\n", "a 1\n# EOF", "# EOF\n", ""])("accepts %j", (page) => {
    const target = new FakeTarget(openMetrics);
    target.says(page);
    target.says(page);
    expect(target.stored).toEqual(page.startsWith("a") ? { a: ["1000 1", "2000 1"] } : {});
  });

  test.each([
    ["a 1\n", "data does not end with # EOF"],
    ["a 1\n# EO", "expected a valid start token"],
    ["a 1\n# EOF\nb 1\n", "unexpected data after # EOF"],
    ["a 1\n# EOF\n# EOF\n", "unexpected data after # EOF"],
    ["a 1\n\n# EOF\n", "expected a valid start token"],
    ["a  1\n# EOF\n", "expected value after metric"],
    ["a\t1\n# EOF\n", "expected value after metric"],
    ["a 1 \n# EOF\n", "invalid syntax"],
    ['a{b="1" } 1\n# EOF\n', "expected comma or brace close"],
    ['a{b="1"c="2"} 1\n# EOF\n', "expected comma or brace close"],
    ["# remark\n# EOF\n", "expected a valid start token"],
    ["# TYPE a untyped\n# EOF\n", "invalid metric type"],
    ["# TYPE a\n# EOF\n", "expected text in TYPE"],
    ["# HELP a\n# EOF\n", "expected text in HELP"],
    ['a{b="1\n2"} 1\n# EOF\n', "expected label value"],
    ['{"a\nb"} 1\n# EOF\n', "expected label name"],
    ['a 1 # {b="1\n2"} 1\n# EOF\n', "expected label value"],
    ["# UNIT a seconds\n# EOF\n", 'unit "seconds" not a suffix of metric "a"'],
    ["a 1 NaN\n# EOF\n", "invalid timestamp"],
    ['a 1 # {"b"} 1\n# EOF\n', "expected equal"],
    ["a 1 # {}\n# EOF\n", "expected value after exemplar labels"],
  ])("refuses %j", (page, why) => {
    const target = new FakeTarget(openMetrics);
    expect(() => target.says(page)).toThrow(why);
    expect(target.stored).toEqual({});
  });

  test("may change to the text format and back", () => {
    const target = new FakeTarget({ ...openMetrics });
    target.says("# TYPE a unknown\na 1\n# EOF\n");
    target.options.isOpenMetrics = false;
    target.says("# TYPE a untyped\na 2\n\n");
    target.options.isOpenMetrics = true;
    target.says("# TYPE a unknown\na 3\n# EOF\n");
    expect(target.stored).toEqual({ a: ["1000 1", "2000 2", "3000 3"] });
  });
});

test("metadata follows the comments of the last good page", () => {
  const target = new FakeTarget();
  target.says('# HELP a First\\nline \\\\ second.\n# TYPE a counter\na 1\n# TYPE "b.c" gauge\n');
  expect(Object.fromEntries(target.sequence.metadata())).toEqual({
    a: { type: "counter", unit: "", help: "First\nline \\ second." },
    "b.c": { type: "gauge", unit: "", help: "" },
  });
  target.says("# HELP a Other.\n# TYPE a gauge\na 1\n");
  expect(Object.fromEntries(target.sequence.metadata())).toEqual({
    a: { type: "gauge", unit: "", help: "Other." },
  });
});

test("memory of a target goes back when it is released", () => {
  const before = memory.usedBytes;
  const target = new FakeTarget();
  target.says(Array.from({ length: 1000 }, (_, i) => `a${i} 1\n`).join(""));
  expect(memory.usedBytes).toBeGreaterThan(before);
  target.sequence.release();
  expect(memory.usedBytes).toBe(before);
});

test("targets that show the same series share their text, and each goes on alone when one changes", () => {
  const before = memory.usedBytes;
  const page = Array.from({ length: 1000 }, (_, i) => `requests_total{path="/some/where/${i}"} 1\n`).join("");
  const [first, second] = [new FakeTarget(), new FakeTarget()];
  first.says(page);
  const one = memory.usedBytes - before;
  second.says(page);
  expect(memory.usedBytes - before - one).toBeLessThan(one / 2);
  second.says(page.replaceAll("/some/where/", "/else/where/"));
  expect(first.says(page).seriesAdded).toBe(0);
  first.sequence.release();
  expect(second.says(page.replaceAll("/some/where/", "/else/where/")).seriesAdded).toBe(0);
  second.sequence.release();
  expect(memory.usedBytes).toBe(before);
});
