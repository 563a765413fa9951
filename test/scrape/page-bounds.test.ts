import { describe, expect, test } from "vitest";
import { parseProtobuf } from "../../src/scrape/exposition/protobuf.ts";
import { MAX_PAGE_SAMPLES, READ_BEYOND_LIMIT, refuseOversizedPage } from "../../src/scrape/page-bounds.ts";
import { emptyCounts, SampleLimitError } from "../../src/scrape/series-sequence.ts";

/** So many samples between comments and empty lines, in chunks that end anywhere. */
function page(samples: number, chunkBytes = 65_537): { chunks: Uint8Array[]; sizeBytes: number } {
  const head = Buffer.from("# HELP a b\n\n  # TYPE a gauge\r\n \t\n");
  const body = Buffer.from('  a{b="#"} 1\r\n'.repeat(samples));
  const all = Buffer.concat([head, body, Buffer.from("# EOF")]);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < all.length; at += chunkBytes) chunks.push(all.subarray(at, at + chunkBytes));
  return { chunks, sizeBytes: all.length };
}

function refusal(samples: number, sampleLimit: number, chunkBytes?: number) {
  const counts = emptyCounts();
  const { chunks, sizeBytes } = page(samples, chunkBytes);
  try {
    refuseOversizedPage(chunks, sizeBytes, sampleLimit, counts);
    return null;
  } catch (error) {
    return { error: error as Error, counts };
  }
}

describe("a page is refused before it is read", () => {
  test("when it has more samples than any may have", () => {
    expect(refusal(MAX_PAGE_SAMPLES, 0)).toBeNull();
    const found = refusal(MAX_PAGE_SAMPLES + 1, 0)!;
    expect(found.error.message).toBe(`cannot take page: more than ${MAX_PAGE_SAMPLES} samples`);
    expect(found.counts).toMatchObject({ scraped: MAX_PAGE_SAMPLES + 1, postRelabel: MAX_PAGE_SAMPLES + 1 });
  });

  test("when it is far over its sample limit, and only then: others are counted line by line", () => {
    expect(refusal(10 + READ_BEYOND_LIMIT, 10)).toBeNull();
    const found = refusal(11 + READ_BEYOND_LIMIT, 10)!;
    expect(found.error).toBeInstanceOf(SampleLimitError);
    expect(found.counts.scraped).toBe(11 + READ_BEYOND_LIMIT);
    // A limit above what a page may have doesn't help.
    expect(refusal(MAX_PAGE_SAMPLES + 1, 2 * MAX_PAGE_SAMPLES)!.error.message).toContain("cannot take page");
  });

  test("in protobuf as soon as a family has more metrics than that", () => {
    const family = (metrics: number) => {
      const name = Buffer.from([0x0a, 1, 0x61, 0x18, 1]);
      const message = Buffer.concat([name, Buffer.alloc(4 * metrics, Buffer.from([0x22, 2, 0x12, 0]))]);
      const length: number[] = [];
      for (let rest = message.length; rest > 0; rest >>>= 7)
        length.push((rest & 127) | (rest > 127 ? 128 : 0));
      return Buffer.concat([Buffer.from(length), message]);
    };
    const options = {
      scrapeNative: false,
      alwaysClassic: false,
      convertClassic: false,
      takesStartTimes: false,
      addsTypeAndUnit: false,
    };
    const read = (metrics: number) => {
      let count = 0;
      for (const series of parseProtobuf(family(metrics), options).series)
        count += Number(series.value === 0);
      return count;
    };
    expect(read(100)).toBe(100);
    expect(() => read(MAX_PAGE_SAMPLES + 1)).toThrow(
      "cannot take page: more than 1048576 metrics in a family",
    );
  });

  test.each([1_000, 4_099, 2 ** 30])("wherever its chunks of %d bytes end", (chunkBytes) => {
    expect(refusal(MAX_PAGE_SAMPLES, 0, chunkBytes)).toBeNull();
    expect(refusal(MAX_PAGE_SAMPLES + 1, 0, chunkBytes)!.counts.scraped).toBe(MAX_PAGE_SAMPLES + 1);
  });
});
