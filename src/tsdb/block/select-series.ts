import { compareUtf8 } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import type { IndexReader } from "./index-file.ts";

/**
 * Below this many candidates a series a value, looking at the candidates' own labels is cheaper than at the values.
 */
const VALUES_PER_CANDIDATE = 4;

/**
 * The series of a block that satisfy every matcher, ascending: by id and by labels.
 *
 * First the matchers that a series without the label fails: what they let through is listed in the index. Then the
 * others, which take away from that.
 */
export function selectSeries(index: IndexReader, matchers: readonly Matcher[]): Uint32Array {
  const requiring = matchers.filter((matcher) => !matcher.matchesEmpty);
  const excluding = matchers.filter((matcher) => matcher.matchesEmpty && !matchesEverything(matcher));

  const exact: { readonly name: string; readonly value: string; readonly count: number }[] = [];
  const others: Matcher[] = [];
  for (const matcher of requiring) {
    const value = exactValue(matcher);
    if (value === null) others.push(matcher);
    else exact.push({ name: matcher.name, value, count: index.postingsCount(matcher.name, value) });
  }
  // The shortest list first: the rest only makes it shorter.
  exact.sort((a, b) => a.count - b.count);
  others.sort((a, b) => index.estimateValueCount(a.name) - index.estimateValueCount(b.name));

  let ids: Uint32Array | null = null;
  for (const { name, value, count } of exact) {
    if (count === 0) return NONE;
    const list = index.postings(name, value);
    ids = ids === null ? list : intersect(ids, list);
    if (ids.length === 0) return NONE;
  }
  for (const matcher of others) {
    if (ids !== null && isCheaperByLabels(index, ids, matcher)) ids = keepMatching(index, ids, matcher);
    else {
      const list = matchingSeries(index, matcher);
      ids = ids === null ? list : intersect(ids, list);
    }
    if (ids.length === 0) return NONE;
  }
  ids ??= index.allPostings();
  for (const matcher of excluding) {
    if (isCheaperByLabels(index, ids, matcher)) ids = keepMatching(index, ids, matcher);
    else ids = subtract(ids, excludedSeries(index, matcher));
    if (ids.length === 0) return NONE;
  }
  return ids;
}

const NONE = new Uint32Array(0);

/** Whether no value of the label, and not its absence either, is refused. */
function matchesEverything(matcher: Matcher): boolean {
  return matcher.type === "=~" && matcher.value === ".*";
}

/** The one value that satisfies the matcher, or null where there may be several. */
function exactValue(matcher: Matcher): string | null {
  if (matcher.type === "=") return matcher.value;
  const values = matcher.type === "=~" ? matcher.regexp!.setMatches : null;
  return values?.length === 1 ? values[0]! : null;
}

/** Whether decoding the labels of the candidates costs less than the lists of all values that count. */
function isCheaperByLabels(index: IndexReader, ids: Uint32Array, matcher: Matcher): boolean {
  return ids.length * VALUES_PER_CANDIDATE < triedValues(index, matcher);
}

function triedValues(index: IndexReader, matcher: Matcher): number {
  if (matcher.type === "!=" && matcher.value !== "") return 1;
  return matcher.regexp?.setMatches?.length ?? index.estimateValueCount(matcher.name);
}

function keepMatching(index: IndexReader, ids: Uint32Array, matcher: Matcher): Uint32Array {
  return ids.filter((id) => matcher.matches(index.labelValue(id, matcher.name)));
}

/** The series whose value of the label satisfies a matcher that needs the label to be there. */
function matchingSeries(index: IndexReader, matcher: Matcher): Uint32Array {
  const values = matcher.type === "=~" ? matcher.regexp!.setMatches : null;
  if (values) return union(values.filter(isPresent).map((value) => index.postings(matcher.name, value)));
  const prefix = matcher.type === "=~" ? matcher.regexp!.prefix : "";
  return union(index.postingsOfValues(matcher.name, prefix, (value) => matcher.matches(value)));
}

/** The series whose value of the label fails a matcher that their lacking the label would satisfy. */
function excludedSeries(index: IndexReader, matcher: Matcher): Uint32Array {
  if (matcher.type === "!=") return index.postings(matcher.name, matcher.value);
  const values = matcher.type === "!~" ? matcher.regexp!.setMatches : null;
  if (values) return union(values.filter(isPresent).map((value) => index.postings(matcher.name, value)));
  const prefix = matcher.type === "!~" ? matcher.regexp!.prefix : "";
  return union(index.postingsOfValues(matcher.name, prefix, (value) => !matcher.matches(value)));
}

function isPresent(value: string): boolean {
  return value !== "";
}

/** A series has one value of a label, so lists of different values have nothing in common. */
function union(lists: readonly Uint32Array[]): Uint32Array {
  if (lists.length === 1) return lists[0]!;
  let total = 0;
  let isAscending = true;
  let last = -1;
  for (const list of lists) {
    if (list.length === 0) continue;
    if (list[0]! <= last) isAscending = false;
    last = list[list.length - 1]!;
    total += list.length;
  }
  const ids = new Uint32Array(total);
  let at = 0;
  for (const list of lists) {
    ids.set(list, at);
    at += list.length;
  }
  return isAscending ? ids : ids.sort();
}

function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  const kept = new Uint32Array(short.length);
  let count = 0;
  let from = 0;
  for (const id of short) {
    from = firstNotBelow(long, id, from);
    if (from === long.length) break;
    if (long[from] === id) kept[count++] = id;
  }
  return kept.subarray(0, count);
}

function subtract(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (b.length === 0) return a;
  const kept = new Uint32Array(a.length);
  let count = 0;
  let from = 0;
  for (const id of a) {
    from = firstNotBelow(b, id, from);
    if (b[from] !== id) kept[count++] = id;
  }
  return kept.subarray(0, count);
}

/** Galloping search: quick where the next one is near, and where it is far. */
function firstNotBelow(ids: Uint32Array, id: number, from: number): number {
  let low = from;
  let step = 1;
  while (low + step <= ids.length && ids[low + step - 1]! < id) {
    low += step;
    step *= 2;
  }
  let high = Math.min(ids.length, low + step);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Names of the labels of the series that match, sorted. */
export function labelNames(index: IndexReader, matchers: readonly Matcher[]): string[] {
  if (matchers.length === 0) return index.labelNames();
  const names = new Set<string>();
  for (const id of selectSeries(index, matchers)) index.addLabelNames(id, names);
  return index.labelNames().filter((name) => names.has(name));
}

/** A value is worth looking for in its list where there are not many fewer series than candidates. */
const CANDIDATES_SHARE = 8;

/** Values of a label over the series that match, sorted. */
export function labelValues(index: IndexReader, name: string, matchers: readonly Matcher[]): string[] {
  if (matchers.length === 0) return index.labelValues(name);
  const ids = selectSeries(index, matchers);
  if (ids.length === 0) return [];
  if (ids.length * CANDIDATES_SHARE < index.postingsCount("", "")) {
    const values = new Set<string>();
    for (const id of ids) values.add(index.labelValue(id, name));
    values.delete("");
    return [...values].sort(compareUtf8);
  }
  return index.labelValues(name).filter((value) => intersect(ids, index.postings(name, value)).length > 0);
}
