/** Which of two values is nearer the root; NaN is always nearer. */
export type HeapOrder = "least-first" | "greatest-first";

/**
 * The samples chosen so far for one group at one step: a binary heap whose root is the first to give way. Laid out and
 * sifted as Go's container/heap does it, since the order of equal values shows in results.
 */
export class StepHeap {
  readonly series: number[] = [];
  private readonly values: number[] = [];

  constructor(private readonly order: HeapOrder) {}

  get size(): number {
    return this.series.length;
  }

  /** Whether the element at `a` is nearer the root than the one at `b`. */
  before(a: number, b: number): boolean {
    return this.isBefore(this.values[a]!, this.values[b]!);
  }

  private isBefore(a: number, b: number): boolean {
    if (Number.isNaN(a)) return true;
    return this.order === "least-first" ? a < b : a > b;
  }

  push(series: number, value: number): void {
    this.series.push(series);
    this.values.push(value);
    for (let child = this.size - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!this.before(child, parent)) return;
      this.swap(child, parent);
      child = parent;
    }
  }

  /** Takes a sample if there is room for `limit`, or if it is better than the root, which then goes. */
  offer(series: number, value: number, limit: number): void {
    if (limit < 1) return;
    if (this.size < limit) return this.push(series, value);
    const root = this.values[0]!;
    const isBetter = this.order === "least-first" ? root < value : root > value;
    if (!isBetter && !(Number.isNaN(root) && !Number.isNaN(value))) return;
    this.series[0] = series;
    this.values[0] = value;
    this.siftDown();
  }

  private siftDown(): void {
    const size = this.size;
    for (let parent = 0; ;) {
      let child = 2 * parent + 1;
      if (child >= size) return;
      if (child + 1 < size && this.before(child + 1, child)) child++;
      if (!this.before(child, parent)) return;
      this.swap(child, parent);
      parent = child;
    }
  }

  private swap(a: number, b: number): void {
    [this.series[a], this.series[b]] = [this.series[b]!, this.series[a]!];
    [this.values[a], this.values[b]] = [this.values[b]!, this.values[a]!];
  }
}
