import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SLOT_BYTES } from "../../src/kernels/log-samples-kernel.ts";
import { QueryMemory } from "../../src/kernels/query-memory.ts";
import { Labels } from "../../src/model/labels.ts";
import { SampleOutcome } from "../../src/model/storage.ts";
import {
  chunkCapacityBytes,
  chunkSizeBytes,
  copyChunk,
  forEachChunk,
} from "../../src/tsdb/head/chunk-pages.ts";
import { GenerationWriter } from "../../src/tsdb/head/generation-writer.ts";
import { encodeXorOracle, type OracleSample } from "../oracles/xor-chunk-oracle.ts";
import { anyBits } from "../support/xor-samples.ts";

const START = 1_700_000_000_000;
const memory = new QueryMemory(1024 * 1024);

/** The plain twin: what one series holds, in chunks of 120. */
class SeriesOracle {
  readonly samples: OracleSample[] = [];

  judge(sample: OracleSample): SampleOutcome {
    const last = this.samples.at(-1);
    if (!last || sample.timeMs > last.timeMs) return SampleOutcome.appended;
    if (sample.timeMs < last.timeMs) return SampleOutcome.outOfOrder;
    return sample.bits === last.bits ? SampleOutcome.repeated : SampleOutcome.duplicateTimestamp;
  }

  chunks(): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    for (let i = 0; i < this.samples.length; i += 120) {
      chunks.push(encodeXorOracle(this.samples.slice(i, i + 120)));
    }
    return chunks;
  }
}

function chunksOf(writer: GenerationWriter, series: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const { generation } = writer;
  forEachChunk(generation, series, 1e9, -Infinity, Infinity, (chunk) => {
    const capacity = chunkCapacityBytes(generation, chunk.page);
    copyChunk(generation, chunk.page, capacity, memory.words, 65536);
    chunks.push(memory.bytes.slice(65536, 65536 + chunkSizeBytes(generation, series, chunk.page, capacity)));
  });
  return chunks;
}

const SERIES = 3;
const anyStep = fc.tuple(
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(15000) },
    { weight: 4, arbitrary: fc.integer({ min: 14990, max: 15010 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, -5000, 8192 + 15000, 15000 - 8191, 80536, 539288, 3_000_000) },
  ),
  fc.array(fc.option(anyBits, { freq: 8, nil: null }), { minLength: SERIES, maxLength: SERIES }),
);

describe("the append kernel", () => {
  test("writes each series' chunks bit for bit as the plain encoder does, and judges every sample as it would", () => {
    fc.assert(
      fc.property(
        fc.array(anyStep, { minLength: 1, maxLength: 400, size: "max" }),
        fc.integer({ min: 1, max: 7 }),
        (steps, perCommit) => {
          const writer = GenerationWriter.create({
            epoch: 1,
            startTime: START,
            endTime: START + 2 ** 32,
            sizeBytes: 4 * 1024 * 1024,
          });
          const oracles = Array.from({ length: SERIES }, () => new SeriesOracle());
          const refs = Uint32Array.from(
            oracles,
            (_, i) => writer.generation.series.resolve(Labels.fromRecord({ s: `${i}` })).ref,
          );
          let timeMs = START;
          let commit = 0;
          steps.forEach(([delta, bits], step) => {
            timeMs = Math.max(START, timeMs + delta);
            const present = bits.flatMap((value, i) => (value === null ? [] : [i]));
            const words = Uint32Array.from(
              present.flatMap((i) => [Number(bits[i]! % 2n ** 32n), Number(bits[i]! / 2n ** 32n)]),
            );
            const outcomes = new Uint8Array(SERIES);
            const scrapeRefs = Uint32Array.from(present, (i) => refs[i]!);
            writer.addAll(scrapeRefs, words, present.length, timeMs, outcomes);
            // What a batch holds is judged by what is committed, once more when it is applied.
            present.forEach((i, at) => {
              const sample = { timeMs: BigInt(timeMs), bits: bits[i]! };
              if (perCommit === 1) expect(outcomes[at]).toBe(oracles[i]!.judge(sample));
              if (oracles[i]!.judge(sample) === SampleOutcome.appended) oracles[i]!.samples.push(sample);
            });
            if (step % perCommit === 0) writer.apply(++commit);
          });
          writer.apply(++commit);
          oracles.forEach((oracle, i) => {
            expect(writer.generation.visibleSamples(refs[i]!, commit)).toBe(oracle.samples.length);
            if (oracle.samples.length > 0) expect(chunksOf(writer, refs[i]!)).toEqual(oracle.chunks());
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  test("appends runs of a series' samples as it appends one after the other, mixed with those", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.array(anyStep, { minLength: 1, maxLength: 10 })), {
          minLength: 1,
          maxLength: 60,
          size: "max",
        }),
        (batches) => {
          const writer = GenerationWriter.create({
            epoch: 1,
            startTime: START,
            endTime: START + 2 ** 32,
            sizeBytes: 4 * 1024 * 1024,
          });
          const oracles = Array.from({ length: SERIES }, () => new SeriesOracle());
          const refs = Uint32Array.from(
            oracles,
            (_, i) => writer.generation.series.resolve(Labels.fromRecord({ s: `${i}` })).ref,
          );
          const slots = new Uint32Array((SERIES * SLOT_BYTES) / 4);
          const counts = new Uint8Array(SERIES);
          let timeMs = START;
          let commit = 0;
          for (const [isRun, steps] of batches) {
            commit++;
            counts.fill(0);
            for (const [delta, bits] of steps) {
              timeMs = Math.max(START, timeMs + delta);
              bits.forEach((value, i) => {
                if (value === null) return;
                const [high, low] = [Number(value / 2n ** 32n), Number(value % 2n ** 32n)];
                if (isRun) {
                  slots.set([timeMs - START, low, high], (i * SLOT_BYTES) / 4 + 3 * counts[i]!++);
                } else writer.addUnchecked(refs[i]!, timeMs, high, low);
                const sample = { timeMs: BigInt(timeMs), bits: value };
                const oracle = oracles[i]!;
                if (oracle.judge(sample) === SampleOutcome.appended) oracle.samples.push(sample);
              });
            }
            const before = writer.generation.visibleSamples(refs[0]!, commit - 1);
            if (isRun) writer.applyRuns(slots, counts, refs, commit);
            else writer.apply(commit);
            // Who looks from before the commit sees nothing of it.
            expect(writer.generation.visibleSamples(refs[0]!, commit - 1)).toBe(before);
          }
          oracles.forEach((oracle, i) => {
            expect(writer.generation.visibleSamples(refs[i]!, commit)).toBe(oracle.samples.length);
            if (oracle.samples.length > 0) expect(chunksOf(writer, refs[i]!)).toEqual(oracle.chunks());
          });
        },
      ),
      { numRuns: 60 },
    );
  });
});
