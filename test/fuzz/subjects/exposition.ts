/**
 * Pages of text: kernel against twin, and the whole way of a page (kernel, sequence, judge of lines) against the other
 * way there is, family by family through a cache, which never sees the kernel.
 */
import { EntryFlag, ScrapeMemory } from "../../../src/kernels/index.ts";
import { Labels } from "../../../src/model/labels.ts";
import { compileRules } from "../../../src/model/relabel.ts";
import { ExpositionError } from "../../../src/scrape/exposition/exposition-error.ts";
import { parseFamilyText } from "../../../src/scrape/exposition/family-text.ts";
import { chooseFormat } from "../../../src/scrape/exposition/negotiate.ts";
import { openMetricsSyntax } from "../../../src/scrape/exposition/openmetrics.ts";
import type { FamilyOptions, ScrapedSeries } from "../../../src/scrape/exposition/scraped-series.ts";
import { textSyntax } from "../../../src/scrape/exposition/text.ts";
import { SeriesCache } from "../../../src/scrape/series-cache.ts";
import { SampleError, SeriesLabels } from "../../../src/scrape/series-labels.ts";
import { emptyCounts, SeriesSequence, type AppendOptions } from "../../../src/scrape/series-sequence.ts";
import { FakeAppender } from "../../support/fake-appender.ts";
import { compareWithTwin } from "../../support/parsed-pages.ts";
import type { Random } from "../random.ts";
import { refusedOr, requireEqual, type Subject } from "../subject.ts";

let shared: ScrapeMemory | null = null;
export const scrapeMemory = (): ScrapeMemory => (shared ??= new ScrapeMemory(2 ** 28, 7));

/** Between the pages of one input; its first byte is for options. */
const PAGE_END = 0x1e;

const TYPES = ["counter", "gauge", "histogram", "summary", "untyped", "unknown", "info", "stateset"];
const NAMES = [
  "a",
  "ab",
  "up",
  "http_requests_total",
  "h",
  "h_bucket",
  "h_sum",
  "h_count",
  "s",
  "x:y",
  "_",
  "é",
];
const LABEL_NAMES = [
  "l",
  "le",
  "quantile",
  "job",
  "instance",
  "code",
  "__name__",
  "exported_job",
  "é",
  "a.b",
];
const LABEL_VALUES = [
  "",
  "v",
  "1",
  "0.5",
  "+Inf",
  "\\n",
  '\\"',
  "\\\\",
  "}{",
  "# x",
  "a\nb",
  "é🎈",
  "\\x",
  "1e6",
];

export const EXPOSITION_WORDS = [
  ...[
    "# TYPE ",
    "# HELP ",
    "# UNIT ",
    "# EOF",
    "# EOF\n",
    "#",
    " # ",
    "{",
    "}",
    '"',
    "\\",
    ",",
    "=",
    "\t",
    "\r",
  ],
  ...[
    '{"quoted",',
    '{le="',
    '{quantile="',
    "_total",
    "_created",
    "_bucket",
    "NaN",
    "+Inf",
    " 1",
    "\n",
    "\x1e",
  ],
];

function labelsText(random: Random, isOpenMetrics: boolean): string {
  const blank = isOpenMetrics ? "" : random.pick(["", "", "", " "]);
  const labels = random.list(4, () => {
    const name = random.pick(LABEL_NAMES);
    const written = /^[a-z_]+$/.test(name) && random.chance(0.9) ? name : `"${name}"`;
    const value = random.chance(0.2) ? random.text('ab{}",\\é', 10) : random.pick(LABEL_VALUES);
    return `${written}${blank}=${blank}"${value}"`;
  });
  return labels.join(random.pick([",", ",", ",", ", "]));
}

function lineOf(random: Random, isOpenMetrics: boolean): string {
  if (random.chance(0.2)) {
    const keyword = random.pick(["TYPE", "TYPE", "HELP", "UNIT", "x"]);
    const rest = keyword === "TYPE" ? random.pick(TYPES) : random.text("ab \\n\\\\", 8);
    return random.chance(0.05) ? "# x" : `# ${keyword} ${random.pick(NAMES)} ${rest}`;
  }
  const name = random.pick(NAMES);
  const labels = labelsText(random, isOpenMetrics);
  const series =
    name === "é" || random.chance(0.1)
      ? `{"${name}"${labels && ","}${labels}}`
      : labels === "" && random.chance(0.8)
        ? name
        : `${name}{${labels}}`;
  let line = `${series} ${random.chance(0.8) ? random.below(1000) : random.number()}`;
  if (random.chance(0.15))
    line += ` ${random.chance(0.7) ? random.pick(["1", "1000", "2000.5"]) : random.number()}`;
  if (isOpenMetrics && random.chance(0.1)) line += ` # {${labelsText(random, true)}} ${random.number()}`;
  return line;
}

/** Some pages of the same target: most lines of a page stand on the next one too. */
function pagesOf(random: Random, isOpenMetrics: boolean): Buffer {
  const pages: string[] = [];
  let lines = random.list(25, () => lineOf(random, isOpenMetrics));
  for (let count = 1 + random.below(4); count > 0; count--) {
    const end = isOpenMetrics ? "# EOF" + random.pick(["", "\n"]) : "";
    pages.push(lines.map((line) => `${line}\n`).join("") + end);
    lines = lines.flatMap((line) => {
      if (random.chance(0.08)) return [];
      if (random.chance(0.08)) return [line, lineOf(random, isOpenMetrics)];
      return [line.replace(/ [0-9]+$/, () => ` ${random.below(1000)}`)];
    });
    if (random.chance(0.1)) lines.reverse();
  }
  return Buffer.concat([Buffer.from([random.below(256)]), Buffer.from(pages.join("\x1e"))]);
}

function splitPages(input: Buffer): Buffer[] {
  const pages: Buffer[] = [];
  for (let start = 1; start <= input.length && pages.length < 8;) {
    const found = input.indexOf(PAGE_END, start);
    const end = found < 0 ? input.length : found;
    pages.push(input.subarray(start, end));
    start = end + 1;
  }
  return pages;
}

const PLAIN: FamilyOptions = {
  scrapeNative: false,
  alwaysClassic: false,
  convertClassic: false,
  takesStartTimes: false,
  addsTypeAndUnit: false,
};

/** A target's labels, with and without what a job may ask for. */
export function seriesLabels(options: number): SeriesLabels {
  return new SeriesLabels({
    targetLabels: Labels.fromRecord({ instance: "i:1", job: "j" }),
    honorLabels: (options & 1) !== 0,
    metricRelabelRules: options & 2 ? RULES : [],
    nameValidation: options & 4 ? "legacy" : "utf8",
    labelLimit: options & 8 ? 5 : 0,
    labelNameLengthLimit: 0,
    labelValueLengthLimit: options & 8 ? 12 : 0,
  });
}

const RULES = compileRules(
  [
    {
      action: "drop",
      sourceLabels: ["code"],
      separator: ";",
      regex: "1",
      targetLabel: "",
      replacement: "$1",
      modulus: 0,
    },
    {
      action: "replace",
      sourceLabels: ["l"],
      separator: ";",
      regex: "(v).*",
      targetLabel: "new",
      replacement: "$1",
      modulus: 0,
    },
  ],
  "utf8",
);

/** Scrapes the pages in turn through one of the two ways; says all that reached storage. */
function scrapeAll(
  pages: readonly Buffer[],
  append: (page: Buffer, options: AppendOptions, counts: ReturnType<typeof emptyCounts>) => void,
  markStale: (appender: FakeAppender, timeMs: number) => void,
  options: number,
) {
  const appender = new FakeAppender();
  const told: unknown[] = [];
  for (const [i, page] of pages.entries()) {
    const timeMs = 1000 * (i + 1);
    const counts = emptyCounts();
    appender.begin();
    const outcome = refusedOr(
      () =>
        append(
          page,
          {
            appender,
            labels: seriesLabels(options),
            timeMs,
            honorTimestamps: (options & 16) !== 0,
            trackTimestampsStaleness: (options & 32) !== 0,
            sampleLimit: options & 64 ? 6 : 0,
          },
          counts,
        ),
      ExpositionError,
      SampleError,
    );
    const isRefused = "refusal" in outcome;
    if (isRefused) {
      appender.rollback();
      appender.begin();
      markStale(appender, timeMs);
    }
    appender.commit();
    told.push(isRefused ? "refused" : counts);
  }
  const bits = [...appender.samples].map(
    ([key, samples]) => [key, samples.map(({ timeMs, high, low }) => [timeMs, high, low])] as const,
  );
  const exemplars = appender.exemplars.map(({ labels, exemplar }) => [
    labels.key,
    exemplar.labels.key,
    exemplar,
  ]);
  return {
    told,
    samples: bits.sort(([a], [b]) => (a < b ? -1 : 1)),
    exemplars: exemplars.map((entry) => JSON.stringify(entry)).sort(),
  };
}

const isRefusal = (told: unknown): boolean => told === "refused";

/** Which texts of a target mean the same series. */
class Aliases {
  private readonly texts = new Map<string, readonly string[]>();

  *watch(series: Iterable<ScrapedSeries>): Generator<ScrapedSeries> {
    for (const one of series) {
      this.texts.set(one.key, one.pairs());
      yield one;
    }
  }

  areThere(options: number): boolean {
    const labels = seriesLabels(options);
    const keys = [...this.texts.values()].map((pairs) => {
      const outcome = refusedOr(() => labels.of([...pairs]), SampleError);
      return "result" in outcome ? outcome.result?.key : undefined;
    });
    const known = keys.filter((key) => key !== undefined);
    return new Set(known).size < known.length;
  }
}

function textSubject(name: string, isOpenMetrics: boolean): Subject {
  const syntax = isOpenMetrics ? openMetricsSyntax : textSyntax;
  return {
    name,
    words: EXPOSITION_WORDS,
    make: (random) => pagesOf(random, isOpenMetrics),
    run: (input) => {
      const options = input[0] ?? 0;
      const pages = splitPages(input);
      const memory = scrapeMemory();
      const pieceBytes = options & 128 ? 1 + (options & 63) : 1 << 16;
      const timedFlag = options & 16 ? (options & 32 ? 0 : EntryFlag.untracked) : null;
      const texts = pages.map((page) => page.toString("latin1"));
      const inPlace = (options & 64) !== 0;
      const twinOptions = { isOpenMetrics, pieceBytes: inPlace ? 0 : pieceBytes, timedFlag };
      compareWithTwin(memory, texts, twinOptions, requireEqual);

      const sequence = new SeriesSequence(memory);
      const bySequence = scrapeAll(
        pages,
        (page, append, counts) => {
          const chunks: Buffer[] = [];
          for (let at = 0; at < page.length; at += pieceBytes)
            chunks.push(page.subarray(at, at + pieceBytes));
          sequence.append({ chunks, sizeBytes: page.length, isOpenMetrics }, append, counts);
        },
        (appender, timeMs) => sequence.markStale(appender, timeMs),
        options,
      );
      sequence.metadata();
      sequence.release();
      const cache = new SeriesCache(memory);
      const aliases = new Aliases();
      const byCache = scrapeAll(
        pages,
        (page, append, counts) => {
          const scraped = parseFamilyText(page.toString("latin1"), syntax, isOpenMetrics, PLAIN);
          const limits = { bucketLimit: 0, minBucketFactor: 0 };
          cache.append({ ...scraped, series: aliases.watch(scraped.series) }, append, limits, counts);
        },
        (appender, timeMs) => cache.markStale(appender, timeMs),
        options,
      );
      // One series under two names, with times of its own: in which order its samples meet is left open. So is whether
      // a page that fails has changed which lines are taken to bring their times.
      const mayChangeTracking = (options & 48) === 16 && bySequence.told.some(isRefusal);
      if (mayChangeTracking || aliases.areThere(options)) {
        requireEqual(
          bySequence.told.map(isRefusal),
          byCache.told.map(isRefusal),
          "refusals of sequence and cache",
        );
      } else requireEqual(bySequence, byCache, "what sequence and cache stored");
      return bySequence.told.some((told) => told !== "refused");
    },
  };
}

/** Text read family by family, with all that may be made of it. */
const familyText: Subject = {
  name: "family-text",
  words: EXPOSITION_WORDS,
  make: (random) => pagesOf(random, random.chance(0.5)),
  run: (input) => {
    const options = input[0] ?? 0;
    const isOpenMetrics = input.includes("# EOF");
    const cache = new SeriesCache(scrapeMemory());
    const { told } = scrapeAll(
      splitPages(input),
      (page, append, counts) => {
        const families: FamilyOptions = {
          scrapeNative: true,
          alwaysClassic: (options & 1) !== 0,
          convertClassic: (options & 2) === 0,
          takesStartTimes: (options & 4) === 0,
          addsTypeAndUnit: (options & 8) !== 0,
        };
        const syntax = isOpenMetrics ? openMetricsSyntax : textSyntax;
        const scraped = parseFamilyText(page.toString("latin1"), syntax, isOpenMetrics, families);
        const limits = { bucketLimit: options & 16 ? 3 : 0, minBucketFactor: 0 };
        cache.append(scraped, append, limits, counts);
      },
      (appender, timeMs) => cache.markStale(appender, timeMs),
      options & ~16,
    );
    return told.some((outcome) => outcome !== "refused");
  },
};

const contentType: Subject = {
  name: "content-type",
  words: [
    "text/plain",
    "application/openmetrics-text",
    ";",
    "version=0.0.4",
    '"',
    "=",
    "charset=utf-8",
    " ",
    "/",
  ],
  make: (random) =>
    Buffer.from(
      random.pick(["text/plain", "application/openmetrics-text", "TEXT/plain", "a/b"]) +
        random
          .list(4, () => `${random.pick(["; ", ";"])}${random.pick(["version", "q"])}=${random.number()}`)
          .join(""),
    ),
  run: (input) => {
    const text = input.toString("latin1");
    const strict = refusedOr(() => chooseFormat(text, undefined), Error);
    const lenient = refusedOr(() => chooseFormat(text, "PrometheusProto"), Error);
    requireEqual("result" in lenient, true, "a fallback's outcomes");
    return "result" in strict;
  },
};

export const expositionText = textSubject("exposition-text", false);
export const openMetrics = textSubject("openmetrics", true);
export const otherText: readonly Subject[] = [familyText, contentType];
