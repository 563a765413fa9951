import type { FloatHistogram } from "../../model/histogram.ts";
import type { ColumnPointers, QueryMemory } from "../../kernels/index.ts";

/** The steps an operator evaluates at: `count` of them, `stepMs` apart (0 for a single one). */
export interface StepGrid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
  /** Whether what is asked for ends behind the last step, which shows where that is the only one. */
  readonly endsLater?: boolean;
}

/** What stands at a step of a column. NaN is a value like any other, so presence is kept apart. */
export const ABSENT = 0;
export const FLOAT = 1;
export const HISTOGRAM = 2;

/**
 * One series' values at every step of a grid, in query memory so that kernels can work on them in place.
 *
 * `values[k]` means something only where `kinds[k]` is FLOAT, `histograms[k]` only where it is HISTOGRAM.
 */
export class StepColumn {
  readonly values: Float64Array;
  readonly kinds: Uint8Array;
  /** Where both lie, for kernels. */
  readonly pointers: ColumnPointers;
  /** Null while no step holds a histogram. */
  histograms: (FloatHistogram | undefined)[] | null = null;
  /** How many steps hold something. */
  presentCount = 0;

  constructor(
    memory: QueryMemory,
    readonly count: number,
  ) {
    this.values = new Float64Array(memory.buffer, memory.allocate(8 * count), count);
    this.kinds = new Uint8Array(memory.buffer, memory.allocate(count), count);
    this.pointers = { valuesPointer: this.values.byteOffset, kindsPointer: this.kinds.byteOffset };
  }

  clear(): void {
    this.kinds.fill(ABSENT);
    this.histograms = null;
    this.presentCount = 0;
  }

  setFloat(step: number, value: number): void {
    if (this.kinds[step] === ABSENT) this.presentCount++;
    this.kinds[step] = FLOAT;
    this.values[step] = value;
  }

  setHistogram(step: number, histogram: FloatHistogram): void {
    if (this.kinds[step] === ABSENT) this.presentCount++;
    this.kinds[step] = HISTOGRAM;
    this.histograms ??= new Array<FloatHistogram | undefined>(this.count);
    this.histograms[step] = histogram;
  }

  remove(step: number): void {
    if (this.kinds[step] !== ABSENT) this.presentCount--;
    this.kinds[step] = ABSENT;
  }

  /** The histogram at a step whose kind is HISTOGRAM. */
  histogramAt(step: number): FloatHistogram {
    return this.histograms![step]!;
  }

  copyFrom(other: StepColumn): void {
    this.values.set(other.values);
    this.kinds.set(other.kinds);
    this.histograms = other.histograms === null ? null : other.histograms.slice();
    this.presentCount = other.presentCount;
  }

  /** Copies one step of another column, whatever it holds. */
  copyStep(step: number, other: StepColumn, otherStep: number): void {
    const kind = other.kinds[otherStep]!;
    if (kind === FLOAT) this.setFloat(step, other.values[otherStep]!);
    else if (kind === HISTOGRAM) this.setHistogram(step, other.histogramAt(otherStep));
    else this.remove(step);
  }
}

/** Columns that operators borrow for a while; what is given back is used again. */
export class ColumnPool {
  private readonly free = new Map<number, StepColumn[]>();

  constructor(private readonly memory: QueryMemory) {}

  take(count: number): StepColumn {
    return this.free.get(count)?.pop() ?? new StepColumn(this.memory, count);
  }

  give(column: StepColumn): void {
    column.histograms = null;
    const columns = this.free.get(column.count);
    if (columns === undefined) this.free.set(column.count, [column]);
    else columns.push(column);
  }
}
