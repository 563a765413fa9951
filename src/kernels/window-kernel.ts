import type { QueryMemory } from "./query-memory.ts";

/** The steps of a range function: window k is the left-open (end − rangeMs, end] with end = firstMs + k · stepMs. */
export interface WindowGrid {
  readonly firstMs: number;
  readonly stepMs: number;
  readonly count: number;
  readonly rangeMs: number;
}

/** Where samples lie in query memory: float64 columns by byte offset. Staleness markers have been dropped. */
export interface SampleSlice {
  readonly timesPointer: number;
  readonly valuesPointer: number;
  readonly count: number;
  /** Whether what lies there stays the same through the query: then what was found out about the times is remembered. */
  readonly isLasting?: boolean;
}

/** Where an operator's column lies: float64 values and a byte of kind (0 absent, 1 float) per step. */
export interface ColumnPointers {
  readonly valuesPointer: number;
  readonly kindsPointer: number;
}

export type WindowFunction =
  | "rate"
  | "increase"
  | "delta"
  | "irate"
  | "idelta"
  | "resets"
  | "changes"
  | "sum_over_time"
  | "avg_over_time"
  | "min_over_time"
  | "max_over_time"
  | "count_over_time"
  | "present_over_time"
  | "last_over_time"
  | "first_over_time"
  | "stddev_over_time"
  | "stdvar_over_time"
  | "deriv"
  | "predict_linear"
  | "quantile_over_time";

/** What predict_linear and quantile_over_time take beside the window. */
export interface WindowArgument {
  /** A number per step: seconds ahead, or a quantile from 0 to 1. */
  readonly values: Float64Array;
  /** The times of the query's own steps, which offset and `@` do not move. */
  readonly steps: { readonly startMs: number; readonly stepMs: number };
}

type Exports = Readonly<
  Record<
    | "windowBounds"
    | "newestWithin"
    | "gather"
    | "sameColumn"
    | "dropStale"
    | "extrapolation"
    | "counterIncrease"
    | "gaugeDelta"
    | "lastTwo"
    | "countEvents"
    | "sumOverTime"
    | "extremeOverTime"
    | "pickOverTime"
    | "varianceOverTime"
    | "lineSums"
    | "lineOverTime"
    | "quantileOverTime"
    | "accumulateSum"
    | "accumulateAvg"
    | "accumulateExtreme"
    | "accumulateCount"
    | "accumulateVariance",
    (...args: number[]) => number
  >
>;

/**
 * The window kernels over one query memory. All columns passed in must lie in it.
 * Bound to the memory's buffer of now: make a new one after `memory.renew()`.
 */
export class WindowKernel {
  private readonly exports: Exports;

  constructor(readonly memory: QueryMemory) {
    this.exports = memory.exports as unknown as Exports;
  }

  /** Takes staleness markers out of the columns, in place. @returns how many samples remain */
  dropStale(samples: SampleSlice): number {
    return this.exports.dropStale(samples.timesPointer, samples.valuesPointer, samples.count);
  }

  /** Whether two columns of `count` float64 hold the same bits. */
  sameColumn(aPointer: number, bPointer: number, count: number): boolean {
    return this.exports.sameColumn(aPointer, bPointer, count) !== 0;
  }

  /** Makes the window geometry of one selector: bounds for each series' timestamps, kept while they repeat. */
  windows(grid: WindowGrid): SlidingWindows {
    return new SlidingWindows(this.memory, this.exports, grid);
  }

  /** Makes the look-up of an instant selector. */
  lookup(grid: Omit<WindowGrid, "rangeMs">, lookbackMs: number): InstantLookup {
    return new InstantLookup(this.memory, this.exports, grid, lookbackMs);
  }

  /** Makes an accumulator for `groupCount` groups of an aggregation. */
  accumulator(op: AccumulatedOp, groupCount: number, stepCount: number): GroupAccumulator {
    return new GroupAccumulator(this.memory, this.exports, op, groupCount, stepCount);
  }
}

/** Room for n numbers in query memory that grows and is never given back before the query's end. */
class Scratch {
  private capacity = 0;
  pointer = 0;

  constructor(
    private readonly memory: QueryMemory,
    private readonly bytesEach: number,
  ) {}

  reserve(count: number): number {
    if (count > this.capacity) {
      this.capacity = Math.max(count, 2 * this.capacity, 64);
      this.pointer = this.memory.allocate(this.bytesEach * this.capacity);
    }
    return this.pointer;
  }
}

/** Keeps a copy of the newest time column, to tell whether the next series has the same one. */
class TimesSeen {
  private readonly kept: Scratch;
  private count = -1;

  constructor(
    memory: QueryMemory,
    private readonly exports: Exports,
    private readonly bytes: () => Uint8Array,
  ) {
    this.kept = new Scratch(memory, 8);
  }

  /** Whether `times` are those of the last call; remembers them if not. */
  same(timesPointer: number, count: number): boolean {
    if (count === this.count && this.exports.sameColumn(timesPointer, this.kept.pointer, count) !== 0)
      return true;
    const pointer = this.kept.reserve(count);
    this.bytes().copyWithin(pointer, timesPointer, timesPointer + 8 * count);
    this.count = count;
    return false;
  }
}

/** What is known of lasting time columns may take so much memory, and be so many. */
const MAX_KNOWN_BYTES = 32 * 1024 * 1024;
const MAX_KNOWN_COLUMNS = 4096;

/** Things found out about lasting time columns, by where they lie and how long they are. */
class KnownColumns<T> {
  private readonly byColumn = new Map<number, T>();
  private readonly most: number;

  /** @param bytesEach of query memory that a thing takes */
  constructor(bytesEach: number) {
    this.most = Math.min(MAX_KNOWN_COLUMNS, Math.floor(MAX_KNOWN_BYTES / Math.max(1, bytesEach)));
  }

  get(timesPointer: number, count: number): T | undefined {
    return this.byColumn.get(keyOf(timesPointer, count));
  }

  get isFull(): boolean {
    return this.byColumn.size >= this.most;
  }

  set(timesPointer: number, count: number, thing: T): T {
    this.byColumn.set(keyOf(timesPointer, count), thing);
    return thing;
  }
}

/** A memory has less than 2^29 numbers. */
function keyOf(timesPointer: number, count: number): number {
  return (timesPointer / 8) * 2 ** 24 + count;
}

/** What the table of a time column holds: extrapolation factors, or sums of times (`line`) for one function or the other. */
type TableUse = "none" | "plain" | "per-second" | "deriv" | "predict_linear";

/** The windows over one time column. */
class BoundWindows {
  readonly loPointer: number;
  readonly hiPointer: number;
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  /** Samples in all windows together. */
  windowSamples = 0;
  tablePointer = 0;
  tableFor: TableUse = "none";
  private distinct = -1;
  private largest = -1;

  constructor(
    memory: QueryMemory,
    private readonly exports: Exports,
    private readonly grid: WindowGrid,
  ) {
    this.loPointer = memory.allocate(4 * grid.count);
    this.hiPointer = memory.allocate(4 * grid.count);
    this.lo = new Int32Array(memory.buffer, this.loPointer, grid.count);
    this.hi = new Int32Array(memory.buffer, this.hiPointer, grid.count);
  }

  find(timesPointer: number, count: number): this {
    const { firstMs, stepMs, rangeMs } = this.grid;
    this.windowSamples = this.exports.windowBounds(
      timesPointer,
      count,
      firstMs,
      stepMs,
      this.grid.count,
      rangeMs,
      this.loPointer,
      this.hiPointer,
    );
    this.tableFor = "none";
    this.distinct = -1;
    this.largest = -1;
    return this;
  }

  largestWindow(): number {
    if (this.largest < 0) {
      this.largest = 0;
      for (let k = 0; k < this.lo.length; k++) {
        const size = this.hi[k]! - this.lo[k]!;
        if (size > this.largest) this.largest = size;
      }
    }
    return this.largest;
  }

  distinctSamples(): number {
    if (this.distinct < 0) {
      this.distinct = 0;
      let counted = 0;
      for (let k = 0; k < this.lo.length; k++) {
        const hi = this.hi[k]!;
        if (hi <= counted) continue;
        this.distinct += hi - Math.max(counted, this.lo[k]!);
        counted = hi;
      }
    }
    return this.distinct;
  }
}

/** A step of the table of a time column. */
const TABLE_BYTES = 40;
/** Lines that are asked for their slope alone count from the first sample of each window. */
const FROM_FIRST_SAMPLES = { startMs: 0, stepMs: 0 };

/** The windows of one range selector over one series after another. */
export class SlidingWindows {
  private readonly known: KnownColumns<BoundWindows>;
  private readonly changing: BoundWindows;
  /** Those of the series now bound. */
  private bound: BoundWindows;
  private readonly scratch: Scratch;
  private readonly seen: TimesSeen;
  private argument: Float64Array | null = null;
  private argumentAt = 0;

  constructor(
    private readonly memory: QueryMemory,
    private readonly exports: Exports,
    readonly grid: WindowGrid,
  ) {
    this.changing = this.bound = new BoundWindows(memory, exports, grid);
    this.known = new KnownColumns((8 + TABLE_BYTES) * grid.count);
    this.scratch = new Scratch(memory, 8);
    this.seen = new TimesSeen(memory, exports, () => memory.bytes);
  }

  /** Finds the windows of a series; cheap when its timestamps are known, or those of the series before. */
  bind({ timesPointer, count, isLasting }: Omit<SampleSlice, "valuesPointer">): void {
    if (isLasting) {
      const known = this.known.get(timesPointer, count);
      if (known !== undefined || !this.known.isFull) {
        this.bound =
          known ??
          this.known.set(
            timesPointer,
            count,
            new BoundWindows(this.memory, this.exports, this.grid).find(timesPointer, count),
          );
        return;
      }
    }
    this.bound = this.changing;
    if (!this.seen.same(timesPointer, count)) this.changing.find(timesPointer, count);
  }

  /** First and past-the-last sample of each window of the series now bound. */
  get lo(): Int32Array {
    return this.bound.lo;
  }

  get hi(): Int32Array {
    return this.bound.hi;
  }

  /** Samples in all windows of the series now bound. */
  get windowSamples(): number {
    return this.bound.windowSamples;
  }

  /** Samples in the fullest window of the series now bound. */
  largestWindow(): number {
    return this.bound.largestWindow();
  }

  /** Samples in at least one window of the series now bound. */
  distinctSamples(): number {
    return this.bound.distinctSamples();
  }

  /** Computes `name` over the windows of the series just bound. @returns how many steps hold a value */
  compute(
    name: WindowFunction,
    samples: SampleSlice,
    out: ColumnPointers,
    argument?: WindowArgument,
  ): number {
    const { exports } = this;
    const { loPointer: lo, hiPointer: hi } = this.bound;
    const { count: steps } = this.grid;
    const { timesPointer: times, valuesPointer: values, count: n } = samples;
    const { valuesPointer, kindsPointer: kinds } = out;
    switch (name) {
      case "rate":
      case "increase": {
        const rangeSeconds = name === "rate" ? this.grid.rangeMs / 1000 : 0;
        const table = this.extrapolation(times, rangeSeconds);
        const drops = this.scratch.reserve(n);
        return exports.counterIncrease(
          values,
          lo,
          hi,
          steps,
          table,
          drops,
          rangeSeconds,
          valuesPointer,
          kinds,
        );
      }
      case "delta":
        return exports.gaugeDelta(values, lo, hi, steps, this.extrapolation(times, 0), valuesPointer, kinds);
      case "irate":
      case "idelta":
        return exports.lastTwo(times, values, lo, hi, steps, Number(name === "irate"), valuesPointer, kinds);
      case "resets":
      case "changes": {
        const prefix = this.scratch.reserve(n);
        return exports.countEvents(
          values,
          lo,
          hi,
          steps,
          Number(name === "changes"),
          prefix,
          valuesPointer,
          kinds,
        );
      }
      case "sum_over_time":
      case "avg_over_time": {
        const prefix = this.scratch.reserve(n + 1);
        const mean = Number(name === "avg_over_time");
        return exports.sumOverTime(values, lo, hi, steps, mean, prefix, valuesPointer, kinds);
      }
      case "min_over_time":
      case "max_over_time": {
        const deque = this.scratch.reserve(n);
        const max = Number(name === "max_over_time");
        return exports.extremeOverTime(values, lo, hi, steps, max, deque, valuesPointer, kinds);
      }
      case "count_over_time":
        return exports.pickOverTime(values, lo, hi, steps, 0, valuesPointer, kinds);
      case "present_over_time":
        return exports.pickOverTime(values, lo, hi, steps, 1, valuesPointer, kinds);
      case "last_over_time":
        return exports.pickOverTime(values, lo, hi, steps, 2, valuesPointer, kinds);
      case "first_over_time":
        return exports.pickOverTime(values, lo, hi, steps, 3, valuesPointer, kinds);
      case "stddev_over_time":
      case "stdvar_over_time":
        return exports.varianceOverTime(
          values,
          lo,
          hi,
          steps,
          Number(name === "stddev_over_time"),
          valuesPointer,
          kinds,
        );
      case "deriv":
      case "predict_linear": {
        const isSlope = name === "deriv";
        const { startMs, stepMs } = isSlope ? FROM_FIRST_SAMPLES : argument!.steps;
        const durations = isSlope ? 0 : this.argumentPointer(argument!.values);
        return exports.lineOverTime(
          times,
          values,
          lo,
          hi,
          steps,
          startMs,
          stepMs,
          durations,
          this.lineSums(times, name, startMs, stepMs),
          valuesPointer,
          kinds,
        );
      }
      case "quantile_over_time": {
        const quantiles = this.argumentPointer(argument!.values);
        const room = this.scratch.reserve(n);
        return exports.quantileOverTime(values, lo, hi, steps, quantiles, room, valuesPointer, kinds);
      }
    }
  }

  /** Where an argument's column lies in query memory; copied there once. */
  private argumentPointer(values: Float64Array): number {
    if (this.argument !== values) {
      if (this.argumentAt === 0) this.argumentAt = this.memory.allocate(8 * this.grid.count);
      new Float64Array(this.memory.buffer, this.argumentAt, this.grid.count).set(values);
      this.argument = values;
    }
    return this.argumentAt;
  }

  private lineSums(
    timesPointer: number,
    name: "deriv" | "predict_linear",
    firstMs: number,
    stepMs: number,
  ): number {
    const { bound } = this;
    const { count } = this.grid;
    if (bound.tablePointer === 0) bound.tablePointer = this.memory.allocate(TABLE_BYTES * count);
    if (bound.tableFor !== name) {
      this.exports.lineSums(
        timesPointer,
        bound.loPointer,
        bound.hiPointer,
        count,
        Number(name === "predict_linear"),
        firstMs,
        stepMs,
        bound.tablePointer,
      );
      bound.tableFor = name;
    }
    return bound.tablePointer;
  }

  private extrapolation(timesPointer: number, rangeSeconds: number): number {
    const wanted = rangeSeconds > 0 ? "per-second" : "plain";
    const { firstMs, stepMs, count, rangeMs } = this.grid;
    const { bound } = this;
    if (bound.tablePointer === 0) bound.tablePointer = this.memory.allocate(TABLE_BYTES * count);
    if (bound.tableFor !== wanted) {
      this.exports.extrapolation(
        timesPointer,
        bound.loPointer,
        bound.hiPointer,
        firstMs,
        stepMs,
        count,
        rangeMs,
        rangeSeconds,
        bound.tablePointer,
      );
      bound.tableFor = wanted;
    }
    return bound.tablePointer;
  }
}

/** Finds the newest sample within the lookback at each step. */
export class InstantLookup {
  private readonly known: KnownColumns<Int32Array>;
  private readonly changing: Int32Array;
  /** Sample index for each step of the series now bound, −1 for none; markers are not yet told apart. */
  index: Int32Array;
  private readonly seen: TimesSeen;

  constructor(
    private readonly memory: QueryMemory,
    private readonly exports: Exports,
    private readonly grid: Omit<WindowGrid, "rangeMs">,
    private readonly lookbackMs: number,
  ) {
    this.changing = this.index = this.makeIndex();
    this.known = new KnownColumns(4 * grid.count);
    this.seen = new TimesSeen(memory, exports, () => memory.bytes);
  }

  private makeIndex(): Int32Array {
    const { count } = this.grid;
    return new Int32Array(this.memory.buffer, this.memory.allocate(4 * count), count);
  }

  /** Fills `index` for a series; cheap when its timestamps are known, or those of the series before. */
  bind({ timesPointer, count, isLasting }: Omit<SampleSlice, "valuesPointer">): void {
    if (isLasting) {
      const known = this.known.get(timesPointer, count);
      if (known !== undefined) {
        this.index = known;
        return;
      }
      if (!this.known.isFull) {
        this.index = this.known.set(timesPointer, count, this.makeIndex());
        this.find(timesPointer, count);
        return;
      }
    }
    this.index = this.changing;
    if (!this.seen.same(timesPointer, count)) this.find(timesPointer, count);
  }

  private find(timesPointer: number, count: number): void {
    const { firstMs, stepMs } = this.grid;
    this.exports.newestWithin(
      timesPointer,
      count,
      firstMs,
      stepMs,
      this.grid.count,
      this.lookbackMs,
      this.index.byteOffset,
    );
  }

  /** Copies the values found, but for staleness markers. @returns how many steps hold a value */
  gather(valuesPointer: number, out: ColumnPointers): number {
    return this.exports.gather(
      valuesPointer,
      this.index.byteOffset,
      this.grid.count,
      out.valuesPointer,
      out.kindsPointer,
    );
  }
}

export type AccumulatedOp = "sum" | "avg" | "min" | "max" | "count" | "group" | "stddev" | "stdvar";

/**
 * The running state of an aggregation, columns per group: what the series seen so far give at each step. Takes in
 * floats only (count and group: anything).
 */
export class GroupAccumulator {
  /** How many samples each group has seen at each step, group after group. */
  readonly seen: Int32Array;
  /** The running value (sum, mean, extreme) and its companion (compensation, sum of squares), group after group. */
  readonly main: Float64Array;
  readonly companion: Float64Array;
  /** avg: 1 once the sum would have overflowed and a running mean took its place. */
  readonly mode: Uint8Array;

  constructor(
    memory: QueryMemory,
    private readonly exports: Exports,
    private readonly op: AccumulatedOp,
    groupCount: number,
    private readonly stepCount: number,
  ) {
    const cells = groupCount * stepCount;
    const needsMain = op !== "count" && op !== "group";
    const needsCompanion = op === "sum" || op === "avg" || op === "stddev" || op === "stdvar";
    this.seen = new Int32Array(memory.buffer, memory.allocate(4 * cells), cells).fill(0);
    this.main = new Float64Array(
      memory.buffer,
      memory.allocate(needsMain ? 8 * cells : 0),
      needsMain ? cells : 0,
    );
    this.companion = new Float64Array(
      memory.buffer,
      memory.allocate(needsCompanion ? 8 * cells : 0),
      needsCompanion ? cells : 0,
    );
    const modes = op === "avg" ? cells : 0;
    this.mode = new Uint8Array(memory.buffer, memory.allocate(modes), modes).fill(0);
  }

  /** Takes one series into its group. */
  add(group: number, column: ColumnPointers): void {
    const { exports, stepCount } = this;
    const first = group * stepCount;
    const seen = this.seen.byteOffset + 4 * first;
    const main = this.main.byteOffset + 8 * first;
    const companion = this.companion.byteOffset + 8 * first;
    const { valuesPointer, kindsPointer } = column;
    switch (this.op) {
      case "sum":
        exports.accumulateSum(valuesPointer, kindsPointer, stepCount, main, companion, seen);
        return;
      case "avg":
        exports.accumulateAvg(
          valuesPointer,
          kindsPointer,
          stepCount,
          main,
          companion,
          seen,
          this.mode.byteOffset + first,
        );
        return;
      case "min":
      case "max":
        exports.accumulateExtreme(
          valuesPointer,
          kindsPointer,
          stepCount,
          Number(this.op === "max"),
          main,
          seen,
        );
        return;
      case "count":
      case "group":
        exports.accumulateCount(kindsPointer, stepCount, seen);
        return;
      case "stddev":
      case "stdvar":
        exports.accumulateVariance(valuesPointer, kindsPointer, stepCount, main, companion, seen);
        return;
    }
  }

  /** What a group gives at a step where it has seen a float. */
  result(group: number, step: number): number {
    const cell = group * this.stepCount + step;
    switch (this.op) {
      case "sum":
        return this.main[cell]! + this.companion[cell]!;
      case "avg": {
        if (this.mode[cell] === 1) return this.main[cell]! + this.companion[cell]!;
        const n = this.seen[cell]!;
        return this.main[cell]! / n + this.companion[cell]! / n;
      }
      case "min":
      case "max":
        return this.main[cell]!;
      case "count":
        return this.seen[cell]!;
      case "group":
        return 1;
      case "stddev":
        return Math.sqrt(this.companion[cell]! / this.seen[cell]!);
      case "stdvar":
        return this.companion[cell]! / this.seen[cell]!;
    }
  }
}
