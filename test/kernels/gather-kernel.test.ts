import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatherKernel } from "../../src/kernels/gather-kernel.ts";
import { Labels } from "../../src/model/labels.ts";
import { crc32cBySlices } from "../../src/tsdb/crc32c.ts";
import { GenerationWriter } from "../../src/tsdb/head/generation-writer.ts";
import { encodeXorOracle, type OracleSample } from "../oracles/xor-chunk-oracle.ts";
import { anyBits } from "../support/xor-samples.ts";

const START = 1_700_000_000_000;
const SAMPLES_PER_CHUNK = 120;
const ENCODING_XOR = 1;

const anySample = fc.record({
  step: fc.oneof(fc.constant(15000), fc.integer({ min: 1, max: 40_000 })),
  bits: anyBits,
});
/** Up to some three hundred samples: open, full, and several chunks. A series may stay as it is all along. */
const anySeries = fc.oneof(
  fc.array(anySample, { maxLength: 300, size: "max" }),
  fc
    .tuple(fc.integer({ min: 0, max: 300 }), anySample)
    .map(([count, sample]) => Array.from({ length: count }, () => sample)),
);

function writerOf(all: readonly (readonly OracleSample[])[]): GenerationWriter {
  const writer = GenerationWriter.create({
    epoch: 1,
    startTime: START,
    endTime: START + 2 ** 32,
    sizeBytes: 8 * 1024 * 1024,
  });
  const refs = all.map((_, i) => writer.generation.series.resolve(Labels.fromRecord({ s: `${i}` })).ref);
  // Column by column, so that the pages of the series lie in between each other.
  for (let i = 0; i < Math.max(0, ...all.map(({ length }) => length)); i++) {
    all.forEach((samples, series) => {
      const sample = samples[i];
      if (!sample) return;
      const [low, high] = [Number(sample.bits % 2n ** 32n), Number(sample.bits / 2n ** 32n)];
      writer.add(refs[series]!, Number(sample.timeMs), high, low);
    });
    writer.apply(i + 1);
  }
  writer.seal();
  return writer;
}

function kernelOf({ generation: { arena, memory, startTime } }: GenerationWriter, scratchBytes: number) {
  return new GatherKernel({
    memory,
    records: arena.records,
    startTime,
    scratch: arena.batchRefs,
    scratchEnd: Math.min(arena.records, arena.batchRefs + scratchBytes),
  });
}

describe("the gather kernel", () => {
  test("gives each chunk's bytes, times and checksum as the plain encoder and the plain checksum do", () => {
    fc.assert(
      fc.property(fc.array(anySeries, { minLength: 1, maxLength: 4 }), (series) => {
        const all = series.map((steps) => {
          let timeMs = BigInt(START);
          return steps.map(({ step, bits }) => ({ timeMs: (timeMs += BigInt(step)), bits }));
        });
        const writer = writerOf(all);
        const kernel = kernelOf(writer, Infinity);
        all.forEach((samples, i) => {
          const gathered = kernel.gather(i + 1)!;
          expect(gathered).toHaveLength(Math.ceil(samples.length / SAMPLES_PER_CHUNK));
          gathered.forEach((chunk, c) => {
            const its = samples.slice(c * SAMPLES_PER_CHUNK, (c + 1) * SAMPLES_PER_CHUNK);
            const bytes = Uint8Array.from([0, its.length, ...encodeXorOracle(its)]);
            expect(chunk.encoding).toBe(ENCODING_XOR);
            expect(Uint8Array.from(chunk.bytes)).toEqual(bytes);
            expect([chunk.minTime, chunk.maxTime]).toEqual([
              Number(its[0]!.timeMs),
              Number(its.at(-1)!.timeMs),
            ]);
            const summed = Uint8Array.from([ENCODING_XOR, ...bytes]);
            expect(chunk.crc).toBe(crc32cBySlices(summed, 0, summed.length, 0));
          });
        });
      }),
      { numRuns: 60 },
    );
  });

  test("puts frames of many series behind each other: size, encoding, bytes, checksum", () => {
    fc.assert(
      fc.property(fc.array(anySeries, { minLength: 1, maxLength: 4 }), (series) => {
        const writer = writerOf(
          series.map((steps) => {
            let timeMs = BigInt(START);
            return steps.map(({ step, bits }) => ({ timeMs: (timeMs += BigInt(step)), bits }));
          }),
        );
        const single = kernelOf(writer, Infinity);
        const expected = series.flatMap((_, i) =>
          single.gather(i + 1)!.flatMap(({ encoding, bytes, crc }) => {
            const size =
              bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
            return [
              ...size,
              encoding,
              ...bytes,
              crc >>> 24,
              (crc >>> 16) & 255,
              (crc >>> 8) & 255,
              crc & 255,
            ];
          }),
        );
        const kernel = kernelOf(writer, Infinity);
        const begin = kernel.endOfFrames;
        series.forEach((steps, i) => {
          const count = kernel.gatherFrames(i + 1);
          expect(count).toBe(Math.ceil(steps.length / SAMPLES_PER_CHUNK));
          if (count > 0) expect(kernel.look(count - 1).frameEnd).toBe(kernel.endOfFrames);
        });
        expect(Array.from(kernel.view(begin, kernel.endOfFrames))).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  test("says so where a series has more than its scratch memory takes", () => {
    const samples = Array.from({ length: 3000 }, (_, i) => ({
      timeMs: BigInt(START + 1000 * i),
      bits: BigInt(i) * 0x123456789abcdfn,
    }));
    const writer = writerOf([samples.slice(0, 100), samples]);
    const kernel = kernelOf(writer, 24 * 1024);
    expect(kernel.gather(1)).toHaveLength(1);
    expect(kernel.gather(2)).toBeNull();
    expect(kernelOf(writer, Infinity).gather(2)).toHaveLength(25);
  });
});
