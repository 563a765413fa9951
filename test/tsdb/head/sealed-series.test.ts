import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ulid } from "ulid";
import { expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { Labels } from "../../../src/model/labels.ts";
import { Block } from "../../../src/tsdb/block/block.ts";
import { writeHeadBlock } from "../../../src/tsdb/compaction/compact.ts";
import { Generation } from "../../../src/tsdb/head/generation.ts";
import { sealedSeries } from "../../../src/tsdb/head/sealed-series.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";
import { readAll } from "../../support/head-model.ts";
import { anyBits } from "../../support/xor-samples.ts";

const RANGE = 7_200_000;
const START = 238_000 * RANGE;
const memory = new QueryMemory(64 * 1024 * 1024);

test("a generation reads the same from the head, from the block written of it, and from both at once", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 30_000 }), anyBits), {
        minLength: 1,
        maxLength: 900,
        size: "max",
      }),
      (samples) => {
        const directory = mkdtempSync(join(tmpdir(), "narthex-sealed-"));
        const tsdb = Tsdb.open({ directory, generationBytes: 8 * 1024 * 1024 });
        const { appender } = tsdb;
        let timeMs = START;
        appender.begin();
        for (const [series, step, bits] of samples) {
          timeMs += step;
          const labels = Labels.fromRecord({ __name__: "m", series: `${series}` });
          appender.appendFloat(labels, timeMs, Number(bits >> 32n), Number(bits & 0xffffffffn));
        }
        appender.commit();
        const end = timeMs + 2 * RANGE;
        appender.begin();
        appender.appendFloat(Labels.fromRecord({ __name__: "other" }), end, 0, 0);
        appender.commit();

        const read = (withHead: boolean, blocks: readonly Block[]) => {
          memory.release(65536);
          const reader = new TsdbReader(tsdb.head.control.buffer, memory);
          if (withHead) for (const { generation } of tsdb.head.generations) reader.attach(generation.memory);
          reader.setBlocks(
            blocks.map((block) => ({
              minTime: block.meta.minTime,
              maxTime: block.meta.maxTime - 1,
              source: () => block.source(memory),
            })),
          );
          const querier = reader.querier(START, end - 1);
          const all = readAll(querier, [], START, end - 1, memory.columns(8));
          querier.close();
          return all;
        };
        const inHead = read(true, []);
        const blocks = tsdb.sealGenerations().flatMap((generation) => {
          const attached = Generation.attach(generation.memory);
          const range = { minTime: generation.startTime, maxTime: generation.endTime };
          const meta = writeHeadBlock(directory, sealedSeries(attached), range, { newUlid: () => ulid() });
          return meta ? [Block.open(join(directory, meta.ulid))] : [];
        });
        expect(blocks.length).toBeGreaterThan(0);
        expect(read(false, blocks)).toEqual(inHead);
        expect(read(true, blocks)).toEqual(inHead);
        for (const block of blocks) block.close();
        tsdb.close();
        rmSync(directory, { recursive: true });
      },
    ),
    { numRuns: 15 },
  );
}, 60_000);
