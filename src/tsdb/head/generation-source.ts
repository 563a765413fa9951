import { CHUNK_LIST_WORDS, CHUNK_PADDING_BYTES, decodeXorChunks } from "../../kernels/decode-kernel.ts";
import { SeriesField } from "../../kernels/append-kernel.ts";
import type { QueryMemory } from "../../kernels/index.ts";
import type { Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import type { SampleColumns } from "../../model/storage.ts";
import type { SeriesSource } from "../series-source.ts";
import { decodeChunk } from "../chunk/decode-chunk.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { chunkBytes, chunkCapacityBytes, copyChunk, forEachChunk, type HeadChunk } from "./chunk-pages.ts";
import type { Interval } from "../block/tombstones.ts";
import { RunMerger } from "../merge-runs.ts";
import { dropDeleted, readDeletions } from "./deletions.ts";
import { hasOutOfOrder, outOfOrderView, readOutOfOrder, type OutOfOrderView } from "./out-of-order.ts";
import { hasStartTimes, readStartTimes, seriesHasStartTimes } from "./start-times.ts";
import type { HeadView, ViewMember } from "./head-view.ts";
import type { Generation } from "./generation.ts";
import { labelNamesOf, labelValuesOf, selectSeries } from "./select-series.ts";

/** Chunks that are gathered before they are decoded together. */
const CHUNKS_PER_CALL = 64;
const GATHER_BYTES = 65536;
/** What is left for a chunk to grow by between being measured and being copied; a full one is hardly larger. */
const GROWTH_BYTES = 4096;

/**
 * A generation as one query sees it: everything up to a commit. How many samples of a series that is, is fixed when
 * the series is selected, so that whatever is appended during the query stays out of it.
 */
export class GenerationSource implements SeriesSource, ViewMember {
  readonly minTime: number;
  readonly maxTime: number;
  /** By series: 1 + how many samples the query sees, 0 until that is fixed. */
  private readonly visible: Uint32Array;
  /** Series there were when the view was made. */
  private readonly seriesCount: number;
  private isClosed = false;
  /** Ascending by number, as they were selected. */
  private readonly selected: Uint32Array[] = [];
  private readonly outOfOrder = new Map<number, OutOfOrderView>();
  private readonly deletions: ReadonlyMap<number, readonly Interval[]> | null;
  /** Whether anything of this may have a start time. Asked after the view was made: what it sees was noted before. */
  private readonly hasStartTimes: boolean;
  private readonly merger = new RunMerger();

  /** @param view made before anything of the generation was looked at */
  constructor(
    private readonly generation: Generation,
    private readonly memory: QueryMemory,
    private readonly view: HeadView,
    private readonly onClose: () => void = () => {},
  ) {
    this.minTime = generation.minTime;
    this.maxTime = generation.maxTime;
    this.seriesCount = generation.series.count;
    this.visible = generation.takeCounts();
    this.deletions = readDeletions(generation);
    this.hasStartTimes = hasStartTimes(generation);
    view.add(this);
  }

  get identity(): Generation {
    return this.generation;
  }

  select(matchers: readonly Matcher[]): Uint32Array {
    const { generation, visible } = this;
    const ids = selectSeries(generation, matchers);
    this.selected.push(ids);
    if (!this.look(ids, false)) this.view.moveOn();
    let count = 0;
    const kept = new Uint32Array(ids.length);
    // A series that came after this view was made has nothing to show.
    for (const id of ids) if (visible[id]! > 1 || this.outOfOrder.has(id)) kept[count++] = id;
    return generation.order.sort(kept.subarray(0, count));
  }

  /**
   * Fixes what the query sees of series.
   * @param again whether also of those for which that has been done
   * @returns false if it is not known of all any more
   */
  private look(ids: Uint32Array, again: boolean): boolean {
    const { generation, visible, view } = this;
    let isKnown = true;
    for (const id of ids) {
      if (id > this.seriesCount) break;
      if (visible[id] !== 0 && !again) continue;
      let samples = generation.visibleSamples(id, view.commit);
      if (samples < 0) {
        isKnown = false;
        // What may have to do, if the view cannot move: the first of the commits since.
        samples = generation.series.field(id, SeriesField.samplesBefore);
      }
      visible[id] = 1 + samples;
      if (!hasOutOfOrder(generation, id)) continue;
      const late = outOfOrderView(generation, id, view.commit);
      if (late) this.outOfOrder.set(id, late);
    }
    return isKnown;
  }

  refresh(): boolean {
    return this.selected.every((ids) => this.look(ids, true));
  }

  labels(id: number): Labels {
    return this.generation.series.labels(id);
  }

  withSamples(ids: Uint32Array, minTime: number, maxTime: number): Uint32Array {
    const { generation, outOfOrder } = this;
    const mayHave = (id: number) =>
      (generation.firstTime(id) <= maxTime && generation.lastTime(id) >= minTime) || outOfOrder.has(id);
    return ids.every(mayHave) ? ids : ids.filter(mayHave);
  }

  plainSamples(id: number): number {
    this.view.fix();
    if (this.outOfOrder.size > 0 && this.outOfOrder.has(id)) return -1;
    if (this.hasStartTimes && seriesHasStartTimes(this.generation, id)) return -1;
    return this.deletions?.has(id) ? -1 : this.visible[id]! - 1;
  }

  estimateSamples(id: number, minTime: number, maxTime: number): number {
    const from = Math.max(minTime, this.minTime);
    const to = Math.min(maxTime, this.maxTime);
    if (from > to) return 0;
    const share = this.maxTime === this.minTime ? 1 : (to - from) / (this.maxTime - this.minTime);
    const late = this.outOfOrder.get(id);
    const samples = this.visible[id]! - 1 + (late ? late.floats + late.encoded : 0);
    return Math.ceil(samples * share);
  }

  read(id: number, minTime: number, maxTime: number, columns: SampleColumns): void {
    this.view.fix();
    const first = columns.count;
    this.readInOrder(id, minTime, maxTime, columns);
    if (this.hasStartTimes) readStartTimes(this.generation, id, columns, first);
    const late = this.outOfOrder.size > 0 ? this.outOfOrder.get(id) : undefined;
    if (late) {
      const split = columns.count;
      readOutOfOrder(this.generation, id, late, minTime, maxTime, columns);
      this.merger.merge(columns, first, split);
    }
    const deleted = this.deletions?.get(id);
    if (deleted) dropDeleted(columns, first, deleted);
  }

  private readInOrder(id: number, minTime: number, maxTime: number, columns: SampleColumns): void {
    const { generation, memory } = this;
    const visible = this.visible[id]! - 1;
    // Columns grow in the same stack of regions as scratch does: first they, then it.
    columns.reserve(columns.count + visible + 1);
    const mark = memory.mark();
    const list = memory.allocate(4 * CHUNK_LIST_WORDS * CHUNKS_PER_CALL);
    let gathered = 0;
    let room = 0;
    let pointer = 0;

    const decode = () => {
      decodeXorChunks(memory, list, gathered, columns, minTime, maxTime);
      gathered = 0;
    };
    const visit = (chunk: HeadChunk) => {
      if (chunk.encoding !== ChunkEncoding.xor) {
        decode();
        const bytes = chunkBytes(
          generation,
          chunk.page,
          chunk.count,
          chunkCapacityBytes(generation, chunk.page),
        );
        decodeChunk(chunk.encoding, bytes, minTime, maxTime, columns);
        return;
      }
      if (gathered === CHUNKS_PER_CALL) decode();
      let size = copyChunk(generation, chunk.page, room - CHUNK_PADDING_BYTES, memory.words, pointer);
      if (size < 0) {
        decode();
        // It may be the one that is written to, and grow: what comes now is not seen by this query.
        const capacity = chunkCapacityBytes(generation, chunk.page) + GROWTH_BYTES;
        room = Math.max(GATHER_BYTES, capacity + CHUNK_PADDING_BYTES);
        pointer = memory.allocate(room);
        size = copyChunk(generation, chunk.page, room - CHUNK_PADDING_BYTES, memory.words, pointer);
      }
      const entry = list / 4 + CHUNK_LIST_WORDS * gathered++;
      memory.words[entry] = pointer;
      memory.words[entry + 1] = size;
      memory.words[entry + 2] = chunk.count;
      pointer += size;
      room -= size;
    };
    try {
      forEachChunk(generation, id, visible, minTime, maxTime, visit);
      decode();
    } finally {
      memory.release(mark);
    }
  }

  labelNames(matchers: readonly Matcher[]): string[] {
    const { generation } = this;
    return labelNamesOf(generation, matchers.length === 0 ? null : selectSeries(generation, matchers));
  }

  labelValues(name: string, matchers: readonly Matcher[]): string[] {
    const { generation } = this;
    return labelValuesOf(generation, name, matchers.length === 0 ? null : selectSeries(generation, matchers));
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const ids of this.selected) for (const id of ids) this.visible[id] = 0;
    this.generation.giveBackCounts(this.visible);
    this.onClose();
  }
}
