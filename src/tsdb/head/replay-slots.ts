import { LogSamplesKernel, SLOT_BYTES, Taken } from "../../kernels/log-samples-kernel.ts";
import type { GenerationWriter } from "./generation-writer.ts";
import type { Head } from "./head.ts";

/** What the slots ask of the replay. A series' number is that in the replay's registry. */
export interface SlotOwner {
  /** The series of a generation, carried over if need be; 0 where the generation has no room for another. */
  refIn(writer: GenerationWriter, number: number): number;
  /** Adds a sample the slow way, which knows all cases. */
  addSample(logRef: number, timeMs: number, valueHigh: number, valueLow: number): void;
  logRef(number: number): number;
}

/** Slots are emptied so many neighbours at a time: those of a target, whose series come together, fill together. */
const GROUP_SERIES = 256;
/** After so many samples in a row that are not of the generation whose samples are gathered, those of another are. */
const MAX_STRAYS = 1000;
const SLOT_WORDS = SLOT_BYTES / 4;
const ENTRY_WORDS = 3;

/**
 * Gathers what a replay reads for one generation, ten samples a series, and appends those together: a series' state and
 * the page it is written to come to the processor's cache once for all of them. Samples that are not as most are (of
 * another generation, staleness markers, of series with no slot) take the slow way, after those of their series that
 * are gathered here.
 */
export class ReplaySlots {
  /** The generation whose samples are gathered. */
  private writer: GenerationWriter | null = null;
  private readonly kernel = new LogSamplesKernel(MAX_SERIES);
  /** References that the kernel has no room for. */
  private readonly overflow = new Map<number, number>();
  private greatestNumber = 0;
  private isEmpty = true;
  private strays = 0;
  private readonly refs = new Uint32Array(GROUP_SERIES);

  /** @param minTime samples before this are dropped */
  constructor(
    private readonly head: Head,
    private readonly owner: SlotOwner,
    private readonly minTime: number,
  ) {
    this.leave();
  }

  /** Notes the number, above 0, of a reference of the log. */
  setNumber(ref: number, number: number): void {
    if (!this.kernel.setNumber(ref, number)) this.overflow.set(ref, number);
    this.greatestNumber = Math.max(this.greatestNumber, number);
  }

  /** @returns 0 for a reference that is not known */
  numberOf(ref: number): number {
    const number = this.kernel.numberOf(ref);
    return number === 0 && this.overflow.size > 0 ? (this.overflow.get(ref) ?? 0) : number;
  }

  /** Takes the samples of a record. @returns false, with nothing taken, for one that it cannot read */
  add(record: Uint8Array): boolean {
    const { kernel } = this;
    if (!kernel.begin(record)) return false;
    this.isEmpty = false;
    for (let isWhole = true; ;) {
      const taken = kernel.take();
      if (taken === Taken.all) {
        if (isWhole) this.strays = 0;
        return true;
      }
      if (taken === Taken.slotFull) {
        this.flushGroupOf(kernel.number);
        const { isClosed, generation } = this.writer!;
        if (isClosed) this.gatherFor(generation.startTime);
      } else {
        isWhole = false;
        this.addLeft();
      }
    }
  }

  /** A sample that the kernel left to us. */
  private addLeft(): void {
    const { ref, timeMs, valueHigh, valueLow } = this.kernel;
    const number = this.kernel.number || this.numberOf(ref);
    if (number !== 0) this.makeWayFor(number, timeMs);
    this.owner.addSample(ref, timeMs, valueHigh, valueLow);
  }

  /** Whatever is gathered of the series for that time has to be there before the sample. */
  private makeWayFor(number: number, timeMs: number): void {
    const { writer } = this;
    // Of a generation that is full, too, but then it goes elsewhere.
    if (writer === null || writer.isClosed) this.gatherFor(timeMs);
    else if (writer.takes(timeMs)) this.flush(number);
    else if (++this.strays > MAX_STRAYS) this.gatherFor(timeMs);
  }

  private gatherFor(timeMs: number): void {
    this.flushAll();
    this.strays = 0;
    this.isEmpty = false;
    this.writer = this.head.atAnyAge(timeMs);
    const { startTime, endTime } = this.writer.generation;
    this.kernel.setRange(startTime, endTime, this.minTime);
  }

  /** Appends what is gathered of a series, so that more of it can be added another way. */
  flush(number: number): void {
    if (number <= this.kernel.maxSeries && this.kernel.counts[number]! > 0) this.flushGroupOf(number);
  }

  flushAll(): void {
    if (this.isEmpty || this.writer === null) return;
    const last = Math.min(this.greatestNumber, this.kernel.maxSeries);
    for (let number = 0; number <= last; number += GROUP_SERIES) this.flushGroupOf(number);
    this.isEmpty = true;
  }

  /** Appends all that is gathered, and gathers for no generation until the next sample. */
  leave(): void {
    this.flushAll();
    this.writer = null;
    this.kernel.setRange(0, 0, this.minTime);
  }

  private flushGroupOf(number: number): void {
    const writer = this.writer!;
    const first = number - (number % GROUP_SERIES);
    const end = Math.min(first + GROUP_SERIES, this.kernel.maxSeries + 1);
    // What took the slow way came before what is gathered now.
    if (writer.hasPending) this.head.apply();
    for (let from = first; from < end;) {
      const to = Math.min(end, from + writer.maxRuns);
      this.appendSlots(writer, from, to);
      from = to;
    }
  }

  private appendSlots(writer: GenerationWriter, from: number, to: number): void {
    const { refs } = this;
    const counts = this.kernel.counts.subarray(from, to);
    let hasSamples = false;
    for (let i = 0; i < counts.length; i++) {
      if (counts[i] === 0) continue;
      hasSamples = true;
      const ref = writer.isClosed ? 0 : this.owner.refIn(writer, from + i);
      if (ref === 0) {
        this.spill(writer, from, to);
        return;
      }
      refs[i] = ref;
    }
    if (!hasSamples) return;
    const slots = this.kernel.slots.subarray(SLOT_WORDS * from, SLOT_WORDS * to);
    this.head.applyRuns(writer, slots, counts, refs.subarray(0, counts.length));
    counts.fill(0);
  }

  /** The generation is full: samples go one by one to whichever has room. */
  private spill({ generation: { startTime } }: GenerationWriter, from: number, to: number): void {
    const { counts, slots } = this.kernel;
    for (let number = from; number < to; number++) {
      const end = SLOT_WORDS * number + ENTRY_WORDS * counts[number]!;
      counts[number] = 0;
      for (let entry = SLOT_WORDS * number; entry < end; entry += ENTRY_WORDS) {
        const timeMs = startTime + slots[entry]!;
        this.owner.addSample(this.owner.logRef(number), timeMs, slots[entry + 2]!, slots[entry + 1]!);
      }
    }
  }
}

/** As many as a generation has at most; further ones take the slow way. */
const MAX_SERIES = 2 ** 22;
