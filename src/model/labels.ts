/**
 * A label set: sorted, unique names with non-empty values, the identity of a series.
 *
 * Kept as one flat array `[name0, value0, name1, value1, …]`, names ascending by UTF-8 bytes (which is not the
 * order of JavaScript's `<` once surrogates are involved). An empty value means that the label is absent, so it
 * never stands in a label set. Immutable; share freely.
 */
export class Labels {
  static readonly empty = new Labels([]);

  private constructor(readonly pairs: readonly string[]) {}

  /** Takes an array that is already sorted, unique and free of empty values; the array becomes ours. */
  static fromSortedPairs(pairs: readonly string[]): Labels {
    return pairs.length === 0 ? Labels.empty : new Labels(pairs);
  }

  /** Builds from any name → value record; empty values are left out. */
  static fromRecord(record: Readonly<Record<string, string>>): Labels {
    const names = Object.keys(record)
      .filter((name) => record[name] !== "")
      .sort(compareUtf8);
    const pairs: string[] = [];
    for (const name of names) pairs.push(name, record[name]!);
    return Labels.fromSortedPairs(pairs);
  }

  get size(): number {
    return this.pairs.length / 2;
  }

  /** The label's value, or "" where it is absent. */
  get(name: string): string {
    const pairs = this.pairs;
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1]!;
    return "";
  }

  has(name: string): boolean {
    return this.get(name) !== "";
  }

  get metricName(): string {
    return this.get(METRIC_NAME);
  }

  /** The label set without these names; itself if none is there. */
  without(names: ReadonlySet<string>): Labels {
    return this.filter((name) => !names.has(name));
  }

  /** The label set with only these names. */
  only(names: ReadonlySet<string>): Labels {
    return this.filter((name) => names.has(name));
  }

  private filter(keep: (name: string) => boolean): Labels {
    const kept: string[] = [];
    for (let i = 0; i < this.pairs.length; i += 2) {
      if (keep(this.pairs[i]!)) kept.push(this.pairs[i]!, this.pairs[i + 1]!);
    }
    return kept.length === this.pairs.length ? this : Labels.fromSortedPairs(kept);
  }

  /** A string that is equal exactly for equal label sets: a Map key, not for people. */
  get key(): string {
    return this.pairs.join("\u{10ffff}\u0000");
  }

  equals(other: Labels): boolean {
    const a = this.pairs;
    const b = other.pairs;
    if (a === b) return true;
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  toRecord(): Record<string, string> {
    const record: Record<string, string> = {};
    for (let i = 0; i < this.pairs.length; i += 2) record[this.pairs[i]!] = this.pairs[i + 1]!;
    return record;
  }
}

export const METRIC_NAME = "__name__";

/** Label by label: names by UTF-8 bytes, then values; a set that is a prefix of another sorts first. */
export function compareLabels(a: Labels, b: Labels): number {
  const shared = Math.min(a.pairs.length, b.pairs.length);
  for (let i = 0; i < shared; i++) {
    if (a.pairs[i] !== b.pairs[i]) return compareUtf8(a.pairs[i]!, b.pairs[i]!);
  }
  return a.pairs.length - b.pairs.length;
}

/**
 * Orders two strings as their UTF-8 bytes are ordered. UTF-16 order differs only where a surrogate (0xd800–0xdfff,
 * a code point above 0xffff) meets a unit from 0xe000 on: moving the surrogates above those mends it.
 */
export function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Gathers labels in any order, then gives the label set. `set` with "" deletes. */
export class LabelsBuilder {
  private readonly values = new Map<string, string>();

  constructor(base: Labels = Labels.empty) {
    this.reset(base);
  }

  reset(base: Labels = Labels.empty): this {
    this.values.clear();
    for (let i = 0; i < base.pairs.length; i += 2) this.values.set(base.pairs[i]!, base.pairs[i + 1]!);
    return this;
  }

  get(name: string): string {
    return this.values.get(name) ?? "";
  }

  set(name: string, value: string): this {
    if (value === "") this.values.delete(name);
    else this.values.set(name, value);
    return this;
  }

  delete(name: string): this {
    this.values.delete(name);
    return this;
  }

  /** The names now set, in no particular order; a copy, so that setting while walking is safe. */
  names(): string[] {
    return [...this.values.keys()];
  }

  labels(): Labels {
    const names = this.names().sort(compareUtf8);
    const pairs: string[] = [];
    for (const name of names) pairs.push(name, this.values.get(name)!);
    return Labels.fromSortedPairs(pairs);
  }
}
