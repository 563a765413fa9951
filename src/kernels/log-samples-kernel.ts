import { instantiateKernels, reserveSharedMemory, type KernelExports } from "./instantiate.ts";
import { MemoryLayout } from "./memory-layout.ts";

/** The longest record that is taken. */
export const MAX_SAMPLES_RECORD_BYTES = 1 << 20;
/** A slot, and what `AppendKernel.appendRuns` takes; see `assembly/log-samples.ts`. */
export const SLOT_BYTES = 120;
export const SLOT_SAMPLES = 10;

const SLOT_WORDS = SLOT_BYTES / 4;
const LEAF_SHIFT = 12;
const LEAF_REFS = 1 << LEAF_SHIFT;
const LEAVES = 2 ** 32 / LEAF_REFS;
const MAX_LEAVES_MADE = 2 ** 15;

/** What `take` came to: see there. */
export const Taken = { all: 0, slotFull: 1, notTaken: 2 } as const;
export type Taken = (typeof Taken)[keyof typeof Taken];

/**
 * Puts the samples of the log's records into slots, one for each series, from where they are appended some at a time:
 * going from series to series for each sample would fetch their state and their page from far away each time. Series
 * are known by number; which reference of the log has which number is kept here too.
 *
 * All of it lies in a memory of its own, of which only what is used is ever touched.
 */
export class LogSamplesKernel {
  /** A sample that `take` left to the caller; `number` also says whose slot is full. */
  number = 0;
  ref = 0;
  timeMs = 0;
  valueLow = 0;
  valueHigh = 0;
  /** By number: how many samples the slot of a series holds. Whoever takes them away sets it to 0. */
  readonly counts: Uint8Array;
  /** The slots behind each other, as words; each as `AppendKernel.appendRuns` wants runs. */
  readonly slots: Uint32Array;

  private readonly exports: KernelExports;
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly floats: Float64Array;
  private readonly record: number;
  private readonly leafTable: number;
  private readonly leaves: number;
  private readonly report: number;
  private leafCount = 0;
  private at = 0;
  private end = 0;

  /** @param maxSeries series with greater numbers get no slots */
  constructor(readonly maxSeries: number) {
    const layout = new MemoryLayout();
    // Behind a record a little more may be read.
    this.record = layout.place(MAX_SAMPLES_RECORD_BYTES + 64);
    this.report = layout.place(32);
    this.leafTable = layout.place(4 * LEAVES);
    const counts = layout.place(maxSeries + 1);
    const slots = layout.place(SLOT_BYTES * (maxSeries + 1));
    this.leaves = layout.place(4 * LEAF_REFS * MAX_LEAVES_MADE);
    const memory = reserveSharedMemory(layout.end);
    this.exports = instantiateKernels(memory);
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.floats = new Float64Array(memory.buffer);
    this.counts = this.bytes.subarray(counts, counts + maxSeries + 1);
    this.slots = this.words.subarray(slots / 4, slots / 4 + SLOT_WORDS * (maxSeries + 1));
    this.exports["placeSlots"]!(this.leafTable, counts, slots, maxSeries + 1, this.report);
  }

  /** Notes the number of a reference, above 0. @returns false where there is no room for it */
  setNumber(ref: number, number: number): boolean {
    if (ref >= 2 ** 32 || ref < 0) return false;
    const entry = this.leafTable / 4 + (ref >>> LEAF_SHIFT);
    let leaf = this.words[entry]!;
    if (leaf === 0) {
      if (this.leafCount === MAX_LEAVES_MADE) return false;
      leaf = this.leaves + 4 * LEAF_REFS * this.leafCount++;
      this.words[entry] = leaf;
    }
    this.words[leaf / 4 + (ref & (LEAF_REFS - 1))] = number;
    return true;
  }

  /** @returns 0 for a reference whose number is not here */
  numberOf(ref: number): number {
    if (ref >= 2 ** 32 || ref < 0) return 0;
    const leaf = this.words[this.leafTable / 4 + (ref >>> LEAF_SHIFT)]!;
    return leaf === 0 ? 0 : this.words[leaf / 4 + (ref & (LEAF_REFS - 1))]!;
  }

  /**
   * Samples from `startTime` to `endTime` (excluded) go to slots, as milliseconds since `startTime`; those before
   * `minTime` are dropped. Slots must be empty.
   */
  setRange(startTime: number, endTime: number, minTime: number): void {
    this.exports["takeRange"]!(startTime, endTime - startTime, Math.max(minTime, -MAX_TIME));
  }

  /** Begins a record of samples. @returns false where it is none that is whole, or is too long */
  begin(record: Uint8Array): boolean {
    if (record.length > MAX_SAMPLES_RECORD_BYTES) return false;
    this.bytes.set(record, this.record);
    this.end = this.record + record.length;
    this.at = this.exports["beginSamples"]!(this.record, this.end);
    return this.at !== 0;
  }

  /**
   * Takes samples of the record, until all are taken; or the slot of one is full, which `number` names: empty it and
   * call again; or one is met that is neither taken nor dropped, and left to the caller in the fields of this object:
   * its series has no number or no slot, it is out of the range, or it is a staleness marker.
   */
  take(): Taken {
    const taken = this.exports["takeSamples"]!(this.at, this.end) as Taken;
    if (taken === Taken.all) return taken;
    const report = this.report / 4;
    this.at = this.words[report]!;
    this.number = this.words[report + 1]!;
    if (taken === Taken.notTaken) {
      this.ref = this.floats[report / 2 + 1]!;
      this.timeMs = this.floats[report / 2 + 2]!;
      this.valueLow = this.words[report + 6]!;
      this.valueHigh = this.words[report + 7]!;
    }
    return taken;
  }
}

/** No time is earlier than minus this, in milliseconds. */
const MAX_TIME = 2 ** 53;
