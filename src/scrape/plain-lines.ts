import { compareUtf8, METRIC_NAME } from "../model/labels.ts";
import { NO_SERIES, type SeriesInterner, type SeriesRef } from "../model/storage.ts";
import { normalizeBound } from "./exposition/go-float.ts";
import type { BoundLabel, SeriesLabelsOptions } from "./series-labels.ts";

/** More labels than this are read with care. */
const MAX_LABELS = 64;

/** How the names of a line's labels fall in with those of the target: the same for line after line. */
interface Shape {
  /** The symbols of the names, in the order written. */
  readonly names: Uint32Array;
  readonly count: number;
  /** Where among the series' labels the pair of each of them goes, and that of the metric's name. */
  readonly places: Uint8Array;
  readonly metricPlace: number;
  /** Positions of labels whose value may be a bound, -1 where there is none. */
  readonly le: number;
  readonly quantile: number;
  /** The pairs of a series with room for those of the line; the target's are there. */
  readonly pairs: Uint32Array;
}

// One line is read at a time: where its names and values are.
const nameStarts = new Uint32Array(MAX_LABELS);
const nameEnds = new Uint32Array(MAX_LABELS);
const valueStarts = new Uint32Array(MAX_LABELS);
const valueEnds = new Uint32Array(MAX_LABELS);
const names = new Uint32Array(MAX_LABELS);

/**
 * From sample lines to series without a string, for the lines that nearly all targets write: `name{label="value",…}`
 * in ASCII, without escapes, blanks or empty values, whose labels neither clash with the target's nor are relabelled.
 * What is not certain to be such a line, and whatever is wrong with one, is left to `SeriesLabels`. Lives for one page.
 */
export class PlainLines {
  private readonly targetPairs: Uint32Array;
  private readonly metricNameSymbol: number;
  private readonly bounds = new Map<string, number>();
  private shape: Shape | null = null;

  private constructor(
    private readonly options: SeriesLabelsOptions,
    private readonly interner: SeriesInterner,
  ) {
    const target = options.targetLabels.pairs;
    this.targetPairs = new Uint32Array(target.length / 2);
    for (let i = 0; i < this.targetPairs.length; i++) {
      this.targetPairs[i] = interner.pair(
        interner.symbol(target[2 * i]!),
        interner.symbol(target[2 * i + 1]!),
      );
    }
    this.metricNameSymbol = interner.symbol(METRIC_NAME);
  }

  /** Null where lines are more than what they say: with metric relabelling. */
  static of(options: SeriesLabelsOptions, interner: SeriesInterner): PlainLines | null {
    const { metricRelabelRules, targetLabels, labelValueLengthLimit: limit } = options;
    if (metricRelabelRules.length > 0 || targetLabels.size > MAX_LABELS) return null;
    if (limit > 0 && targetLabels.pairs.some((text) => Buffer.byteLength(text) > limit)) return null;
    return new PlainLines(options, interner);
  }

  /**
   * The series of the line whose text, up to the blanks before its value, is in `bytes` from `start` to `end`.
   * @returns NO_SERIES for a line that is to be read with care
   */
  resolve(bytes: Uint8Array, start: number, end: number, bound: BoundLabel): SeriesRef {
    const nameEnd = skip(bytes, start, end, METRIC);
    if (nameEnd === start || isDigit(bytes[start]!)) return NO_SERIES;
    const count = this.split(bytes, nameEnd, end);
    if (count < 0 || this.isTooLong(start, nameEnd, count)) return NO_SERIES;
    const { interner } = this;
    for (let i = 0; i < count; i++) names[i] = interner.symbolOfBytes(bytes, nameStarts[i]!, nameEnds[i]!);
    const shape = this.shapeOf(bytes, count);
    if (shape === null) return NO_SERIES;

    const { places, pairs } = shape;
    const boundAt = bound === null ? -1 : shape[bound];
    pairs[shape.metricPlace] = interner.pair(
      this.metricNameSymbol,
      interner.symbolOfBytes(bytes, start, nameEnd),
    );
    for (let i = 0; i < count; i++) {
      const value =
        i === boundAt
          ? this.boundSymbol(bytes, valueStarts[i]!, valueEnds[i]!)
          : interner.symbolOfBytes(bytes, valueStarts[i]!, valueEnds[i]!);
      if (value === TOO_LONG) return NO_SERIES;
      pairs[places[i]!] = interner.pair(names[i]!, value);
    }
    return interner.series(pairs, pairs.length);
  }

  /** Finds the names and values between the metric's name and `end`. @returns how many, -1 for any other text */
  private split(bytes: Uint8Array, from: number, end: number): number {
    if (from === end) return 0;
    let at = from;
    if (bytes[at++] !== OPENING_BRACE || bytes[end - 1] !== CLOSING_BRACE) return -1;
    for (let count = 0; count < MAX_LABELS;) {
      const nameEnd = skip(bytes, at, end, LABEL);
      if (
        nameEnd === at ||
        isDigit(bytes[at]!) ||
        bytes[nameEnd] !== EQUALS ||
        bytes[nameEnd + 1] !== QUOTE
      ) {
        return -1;
      }
      const valueStart = nameEnd + 2;
      const valueEnd = skip(bytes, valueStart, end, VALUE);
      if (valueEnd === valueStart || bytes[valueEnd] !== QUOTE) return -1;
      nameStarts[count] = at;
      nameEnds[count] = nameEnd;
      valueStarts[count] = valueStart;
      valueEnds[count] = valueEnd;
      count++;
      at = valueEnd + 1;
      if (bytes[at] === COMMA) at++;
      else return at === end - 1 ? count : -1;
    }
    return -1;
  }

  private isTooLong(start: number, nameEnd: number, count: number): boolean {
    const { labelValueLengthLimit: limit } = this.options;
    if (limit === 0) return false;
    let longest = nameEnd - start;
    for (let i = 0; i < count; i++) longest = Math.max(longest, valueEnds[i]! - valueStarts[i]!);
    return longest > limit;
  }

  private boundSymbol(bytes: Uint8Array, start: number, end: number): number {
    let text = "";
    for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
    let symbol = this.bounds.get(text);
    if (symbol === undefined) {
      const usual = normalizeBound(text);
      const { labelValueLengthLimit: limit } = this.options;
      if (limit > 0 && usual.length > limit) return TOO_LONG;
      symbol = this.interner.symbol(usual);
      if (this.bounds.size < MAX_KNOWN_BOUNDS) this.bounds.set(text, symbol);
    }
    return symbol;
  }

  private shapeOf(bytes: Uint8Array, count: number): Shape | null {
    const { shape } = this;
    if (shape !== null && shape.count === count) {
      let i = 0;
      while (i < count && shape.names[i] === names[i]) i++;
      if (i === count) return shape;
    }
    const found = this.findShape(bytes, count);
    this.shape = found ?? shape;
    return found;
  }

  private findShape(bytes: Uint8Array, count: number): Shape | null {
    const { targetLabels, labelLimit, labelNameLengthLimit } = this.options;
    const written: string[] = [];
    for (let i = 0; i < count; i++) {
      written.push(String.fromCharCode(...bytes.subarray(nameStarts[i]!, nameEnds[i]!)));
    }
    const all = [METRIC_NAME, ...written];
    for (let i = 0; i < targetLabels.pairs.length; i += 2) all.push(targetLabels.pairs[i]!);
    const size = all.length;
    const sorted = [...new Set(all)].sort(compareUtf8);
    const hasClash = sorted.length < size;
    const isOverLimit =
      (labelLimit > 0 && size > labelLimit) ||
      (labelNameLengthLimit > 0 && all.some((name) => Buffer.byteLength(name) > labelNameLengthLimit));
    if (hasClash || isOverLimit) return null;
    const placeOf = new Map(sorted.map((name, place) => [name, place]));
    const pairs = new Uint32Array(size);
    this.targetPairs.forEach((pair, i) => (pairs[placeOf.get(targetLabels.pairs[2 * i]!)!] = pair));
    return {
      names: names.slice(0, count),
      count,
      places: Uint8Array.from(written, (name) => placeOf.get(name)!),
      metricPlace: placeOf.get(METRIC_NAME)!,
      le: written.indexOf("le"),
      quantile: written.indexOf("quantile"),
      pairs,
    };
  }
}

/** In place of a symbol: a bound whose usual form is longer than a value may be. */
const TOO_LONG = 0;

/** Bounds whose usual form is remembered. */
const MAX_KNOWN_BOUNDS = 256;

const QUOTE = 0x22;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** What a byte may be part of. */
const METRIC = 1;
const LABEL = 2;
const VALUE = 4;
const BYTE_CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  // A line feed may stand within quotes in one of the formats only.
  const isPlain = byte < 0x80 && !'"\\\n'.includes(character);
  return (
    (/[a-zA-Z0-9_:]/.test(character) ? METRIC : 0) |
    (/[a-zA-Z0-9_]/.test(character) ? LABEL : 0) |
    (isPlain ? VALUE : 0)
  );
});

function skip(bytes: Uint8Array, from: number, end: number, wanted: number): number {
  let at = from;
  while (at < end && (BYTE_CLASSES[bytes[at]!]! & wanted) !== 0) at++;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
