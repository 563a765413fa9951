import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CHUNK_LIST_WORDS,
  CHUNK_PADDING_BYTES,
  ChunkDecodeError,
  decodeXorChunks,
} from "../../src/kernels/decode-kernel.ts";
import { QueryMemory, type QuerySampleColumns } from "../../src/kernels/query-memory.ts";
import { decodeXorOracle, encodeXorOracle, type OracleSample } from "../oracles/xor-chunk-oracle.ts";
import { anySamples } from "../support/xor-samples.ts";

const memory = new QueryMemory(64 * 1024 * 1024);

interface Chunk {
  readonly bytes: Uint8Array;
  readonly count: number;
}

function decode(chunks: readonly Chunk[], minTime = -Infinity, maxTime = Infinity): QuerySampleColumns {
  memory.release(65536);
  const list = memory.allocate(4 * CHUNK_LIST_WORDS * chunks.length);
  chunks.forEach(({ bytes, count }, i) => {
    const pointer = memory.allocate(bytes.length + CHUNK_PADDING_BYTES);
    memory.bytes.set(bytes, pointer);
    // What lies behind a chunk must not matter.
    memory.bytes.fill(0xff, pointer + bytes.length, pointer + bytes.length + CHUNK_PADDING_BYTES);
    memory.words.set([pointer, bytes.length, count], list / 4 + CHUNK_LIST_WORDS * i);
  });
  const columns = memory.columns(4);
  decodeXorChunks(memory, list, chunks.length, columns, minTime, maxTime);
  return columns;
}

function samplesOf(columns: QuerySampleColumns): OracleSample[] {
  return Array.from({ length: columns.count }, (_, i) => ({
    timeMs: BigInt(columns.times[i]!),
    bits: (BigInt(columns.valueWords[2 * i + 1]!) << 32n) | BigInt(columns.valueWords[2 * i]!),
  }));
}

function chunkOf(samples: readonly OracleSample[]): Chunk {
  return { bytes: encodeXorOracle(samples), count: samples.length };
}

describe("the decode kernel", () => {
  test("gives back every time and every value bit, as the plain decoder does", () => {
    fc.assert(
      fc.property(anySamples(), (samples) => {
        const chunk = chunkOf(samples);
        expect(decodeXorOracle(chunk.bytes, chunk.count)).toEqual(samples);
        expect(samplesOf(decode([chunk]))).toEqual(samples);
      }),
      { numRuns: 300 },
    );
  });

  test("keeps the samples between both times, ends included, over any split into chunks", () => {
    fc.assert(
      fc.property(
        anySamples(),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 40 }),
        (samples, a, b, size) => {
          const chunks: Chunk[] = [];
          for (let i = 0; i < samples.length; i += size) chunks.push(chunkOf(samples.slice(i, i + size)));
          const minTime = Number(samples[a % samples.length]!.timeMs);
          const maxTime = Number(samples[b % samples.length]!.timeMs);
          const kept = samples.filter(({ timeMs }) => timeMs >= minTime && timeMs <= maxTime);
          expect(samplesOf(decode(chunks, minTime, maxTime))).toEqual(kept);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("decodes only as many samples as it is asked for", () => {
    const samples = [1n, 2n, 3n, 4n].map((i) => ({ timeMs: 1000n * i, bits: i << 40n }));
    const { bytes } = chunkOf(samples);
    expect(samplesOf(decode([{ bytes, count: 2 }]))).toEqual(samples.slice(0, 2));
  });

  test("refuses a chunk that ends before its samples do, whatever its bytes", () => {
    fc.assert(
      fc.property(anySamples(), (samples) => {
        const { bytes, count } = chunkOf(samples);
        const cut = bytes.subarray(0, bytes.length - 1);
        expect(() => decode([{ bytes: cut, count }])).toThrow(ChunkDecodeError);
      }),
      { numRuns: 100 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 200 }), (bytes, count) => {
        let decoded = -1;
        try {
          decoded = decode([{ bytes, count }]).count;
        } catch (error) {
          expect(error).toBeInstanceOf(ChunkDecodeError);
        }
        expect(decoded).toBeLessThanOrEqual(count);
      }),
      { numRuns: 300 },
    );
  });
});
