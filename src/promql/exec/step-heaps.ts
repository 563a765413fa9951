import type { QueryMemory } from "../../kernels/index.ts";

/** Which of two values is nearer the root; NaN is always nearer. */
export type HeapOrder = "least-first" | "greatest-first";

/**
 * The samples chosen so far for one group: at each step a binary heap of series numbers and values, whose root is the
 * first to give way. Laid out and sifted as Go's container/heap does it, since the order of equal values shows in
 * results. The heaps lie side by side in query memory, each with room for `capacity` elements; room doubles when one
 * of them is full.
 */
export class StepHeaps {
  private readonly sizes: Int32Array;
  private series!: Int32Array;
  private values!: Float64Array;
  private capacity: number;

  constructor(
    private readonly memory: QueryMemory,
    private readonly stepCount: number,
    private readonly order: HeapOrder,
    /** How many elements each heap is likely to hold. */
    capacity: number,
  ) {
    this.capacity = Math.max(1, Math.min(8, Math.ceil(capacity)));
    this.sizes = new Int32Array(memory.buffer, memory.allocate(4 * stepCount), stepCount).fill(0);
    this.allocate();
  }

  private allocate(): void {
    const cells = this.stepCount * this.capacity;
    this.series = new Int32Array(this.memory.buffer, this.memory.allocate(4 * cells), cells);
    this.values = new Float64Array(this.memory.buffer, this.memory.allocate(8 * cells), cells);
  }

  private grow(): void {
    const { series, values, capacity, sizes } = this;
    this.capacity = 2 * capacity;
    this.allocate();
    for (let step = 0; step < this.stepCount; step++) {
      const from = step * capacity;
      const to = from + sizes[step]!;
      this.series.set(series.subarray(from, to), 2 * from);
      this.values.set(values.subarray(from, to), 2 * from);
    }
  }

  size(step: number): number {
    return this.sizes[step]!;
  }

  /** The series at a position of a step's heap. */
  seriesAt(step: number, position: number): number {
    return this.series[step * this.capacity + position]!;
  }

  /** Whether the element at position `a` of a step's heap is nearer the root than the one at `b`. */
  before(step: number, a: number, b: number): boolean {
    const base = step * this.capacity;
    return this.cellBefore(base + a, base + b);
  }

  private cellBefore(a: number, b: number): boolean {
    const x = this.values[a]!;
    const y = this.values[b]!;
    if (Number.isNaN(x)) return true;
    return this.order === "least-first" ? x < y : x > y;
  }

  push(step: number, series: number, value: number): void {
    if (this.sizes[step] === this.capacity) this.grow();
    const base = step * this.capacity;
    let child = this.sizes[step]!++;
    this.series[base + child] = series;
    this.values[base + child] = value;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.cellBefore(base + child, base + parent)) return;
      this.swap(base + child, base + parent);
      child = parent;
    }
  }

  /** Takes a sample if there is room for `limit`, or if it is better than the root, which then goes. */
  offer(step: number, series: number, value: number, limit: number): void {
    if (limit < 1) return;
    if (this.sizes[step]! < limit) return this.push(step, series, value);
    const base = step * this.capacity;
    const root = this.values[base]!;
    const isBetter = this.order === "least-first" ? root < value : root > value;
    if (!isBetter && !(Number.isNaN(root) && !Number.isNaN(value))) return;
    this.series[base] = series;
    this.values[base] = value;
    this.siftDown(base, this.sizes[step]!);
  }

  private siftDown(base: number, size: number): void {
    for (let parent = 0; ;) {
      let child = 2 * parent + 1;
      if (child >= size) return;
      if (child + 1 < size && this.cellBefore(base + child + 1, base + child)) child++;
      if (!this.cellBefore(base + child, base + parent)) return;
      this.swap(base + child, base + parent);
      parent = child;
    }
  }

  private swap(a: number, b: number): void {
    const series = this.series[a]!;
    this.series[a] = this.series[b]!;
    this.series[b] = series;
    const value = this.values[a]!;
    this.values[a] = this.values[b]!;
    this.values[b] = value;
  }
}
