import { ExpositionError } from "../../../src/scrape/exposition/exposition-error.ts";
import { parseProtobuf } from "../../../src/scrape/exposition/protobuf.ts";
import { SeriesCache } from "../../../src/scrape/series-cache.ts";
import { SampleError } from "../../../src/scrape/series-labels.ts";
import { emptyCounts } from "../../../src/scrape/series-sequence.ts";
import { FakeAppender } from "../../support/fake-appender.ts";
import { family, label, message, page, type Field } from "../../support/protobuf-page.ts";
import type { Random } from "../random.ts";
import { refusedOr, requireEqual, type Subject } from "../subject.ts";
import { scrapeMemory, seriesLabels } from "./exposition.ts";

const whole = (random: Random): number =>
  random.pick([0, 1, 2, 7, random.below(1000), 2 ** 31, 2 ** 32, 2 ** 53]);
const real = (random: Random): number => Number(random.number());

function exemplar(random: Random): Buffer {
  return message(
    label("trace_id", random.text("abc", 5)),
    [2, "double", real(random)],
    [3, "bytes", message([1, "int64", whole(random)], [2, "int64", whole(random)])],
  );
}

function side(random: Random, first: number): Field[] {
  const lengths = random.list(3, () => (random.chance(0.95) ? random.below(5) : whole(random)));
  const count = lengths.reduce((sum, length) => sum + (length < 100 ? length : 0), 0);
  const deltas = Array.from(
    { length: random.chance(0.95) ? count : random.below(9) },
    () => random.below(9) - 2,
  );
  return [
    ...lengths.map((length): Field => {
      const offset = random.chance(0.95) ? random.below(4) : -whole(random);
      return [first, "bytes", message([1, "sint", offset], [2, "varint", length])];
    }),
    random.chance(0.7)
      ? [first + 1, "packed-sint", deltas]
      : [first + 2, "packed-double", deltas.map(Math.abs)],
  ];
}

function histogram(random: Random): Buffer {
  const fields: Field[] = [
    [1, "varint", random.chance(0.9) ? random.below(50) : whole(random)],
    [2, "double", real(random)],
  ];
  let total = 0;
  for (const bound of random.list(5, (i) => i + random.next())) {
    total += random.below(4);
    const bucket: Field[] = [
      [1, "varint", total],
      [2, "double", random.chance(0.95) ? bound : real(random)],
    ];
    if (random.chance(0.2)) bucket.push([3, "bytes", exemplar(random)]);
    fields.push([3, "bytes", message(...bucket)]);
  }
  if (random.chance(0.2)) fields.push([4, "double", real(random)]);
  if (random.chance(0.6)) {
    const schema = random.chance(0.9)
      ? random.below(13) - 4
      : random.pick([-53, 9, 52, -9, 2 ** 31, -(2 ** 40)]);
    fields.push([5, "sint", schema], [6, "double", random.chance(0.9) ? 0.001 : real(random)]);
    fields.push([7, "varint", random.below(5)], ...side(random, 9), ...side(random, 12));
  }
  if (random.chance(0.3)) fields.push([16, "bytes", exemplar(random)]);
  if (random.chance(0.3)) fields.push([15, "bytes", message([1, "int64", whole(random)])]);
  return message(...fields);
}

function metric(random: Random, type: number): Buffer {
  const fields: Field[] = random.list(3, (i) =>
    label(random.pick(["l", "job", "le", `n${i}`]), random.text("aé", 4)),
  );
  if (type === 4 || type === 5) fields.push([7, "bytes", histogram(random)]);
  else if (type === 2) {
    const quantiles = random.list(3, (): Field => {
      const pair = message([1, "double", random.next()], [2, "double", real(random)]);
      return [3, "bytes", pair];
    });
    fields.push([
      4,
      "bytes",
      message([1, "varint", whole(random)], [2, "double", real(random)], ...quantiles),
    ]);
  } else {
    const value: Field[] = [[1, "double", real(random)]];
    if (random.chance(0.2)) value.push([2, "bytes", exemplar(random)]);
    fields.push([random.pick([2, 3, 5]), "bytes", message(...value)]);
  }
  if (random.chance(0.1)) fields.push([6, "int64", random.pick([1000, -5, 2 ** 53])]);
  return message(...fields);
}

/** The first byte is for options, the rest is a page, scraped twice. */
export const protobuf: Subject = {
  name: "protobuf",
  make: (random) => {
    const families = random.list(5, (i) => {
      const type = random.below(6);
      return family(`m${i}`, type, ...random.list(4, () => metric(random, type)));
    });
    return Buffer.concat([Buffer.from([random.below(256)]), page(...families)]);
  },
  run: (input) => {
    const options = input[0] ?? 0;
    const body = input.subarray(1);
    const families = {
      scrapeNative: (options & 1) === 0,
      alwaysClassic: (options & 2) !== 0,
      convertClassic: (options & 4) !== 0,
      takesStartTimes: (options & 8) !== 0,
      addsTypeAndUnit: (options & 16) !== 0,
    };
    const cache = new SeriesCache(scrapeMemory());
    const appender = new FakeAppender();
    const told = [0, 1].map((i) => {
      const counts = emptyCounts();
      appender.begin();
      const outcome = refusedOr(
        () =>
          cache.append(
            parseProtobuf(Buffer.from(body), families),
            {
              appender,
              labels: seriesLabels(options >> 5),
              timeMs: 1000 * (i + 1),
              honorTimestamps: (options & 64) !== 0,
              trackTimestampsStaleness: true,
              sampleLimit: 0,
            },
            { bucketLimit: options & 32 ? 4 : 0, minBucketFactor: options & 128 ? 1.5 : 0 },
            counts,
          ),
        ExpositionError,
        SampleError,
      );
      appender.rollback();
      return "refusal" in outcome ? outcome.refusal.message : counts.scraped;
    });
    requireEqual(told[1], told[0], "outcomes of the same page");
    return typeof told[0] === "number";
  },
};
