import type { Matcher } from "../../model/matcher.ts";
import { compareUtf8 } from "../../model/labels.ts";
import type { Generation } from "./generation.ts";

/**
 * The series of a generation that satisfy every matcher, ascending by number.
 *
 * Starts from the shortest list that must hold them all, then drops those which another matcher refuses. A matcher
 * is asked once for each value that occurs, not once for each series.
 */
export function selectSeries(generation: Generation, matchers: readonly Matcher[]): Uint32Array {
  const { postings } = generation;
  const required: number[] = [];
  const others: Matcher[] = [];
  for (const matcher of matchers) {
    const exact = exactValue(matcher);
    if (exact === null) {
      others.push(matcher);
      continue;
    }
    const list = findList(generation, matcher.name, exact);
    if (list === 0) return NONE;
    required.push(list);
  }
  required.sort((a, b) => postings.count(a) - postings.count(b));

  let ids: Uint32Array;
  const shortest = required.shift();
  if (shortest !== undefined) ids = postings.read(shortest);
  else {
    const start = others.findIndex((matcher) => !matcher.matchesEmpty);
    ids =
      start < 0 ? everySeries(generation) : seriesWithMatchingValue(generation, others.splice(start, 1)[0]!);
  }
  for (const list of required) {
    if (ids.length === 0) return NONE;
    ids = keepWithList(generation, ids, list);
  }
  for (const matcher of others) {
    if (ids.length === 0) return NONE;
    ids = keepMatching(generation, ids, matcher);
  }
  return ids;
}

/**
 * At least as many series as `selectSeries` would give, from what is counted anyway: as many as it would start from.
 * Infinity where it would have to ask matchers first.
 */
export function mostSelected(generation: Generation, matchers: readonly Matcher[]): number {
  let most = Infinity;
  for (const matcher of matchers) {
    const exact = exactValue(matcher);
    if (exact === null) continue;
    const list = findList(generation, matcher.name, exact);
    most = Math.min(most, list === 0 ? 0 : generation.postings.count(list));
  }
  return most;
}

const NONE = new Uint32Array(0);

/** The one value a matcher can match, or null where there may be several or none must be there. */
function exactValue(matcher: Matcher): string | null {
  if (matcher.type === "=") return matcher.value === "" ? null : matcher.value;
  if (matcher.type !== "=~") return null;
  const values = matcher.regexp!.setMatches;
  return values?.length === 1 && values[0] !== "" ? values[0]! : null;
}

function findList({ symbols, postings }: Generation, name: string, value: string): number {
  const nameSymbol = symbols.find(name);
  if (nameSymbol === 0) return 0;
  const valueSymbol = symbols.find(value);
  return valueSymbol === 0 ? 0 : postings.find(nameSymbol, valueSymbol);
}

function everySeries(generation: Generation): Uint32Array {
  const ids = new Uint32Array(generation.series.count);
  for (let i = 0; i < ids.length; i++) ids[i] = i + 1;
  return ids;
}

/** Lists of the pairs with this name whose value matches. */
function matchingLists(generation: Generation, matcher: Matcher): number[] {
  const { symbols, postings } = generation;
  const values = matcher.type === "=~" ? matcher.regexp!.setMatches : null;
  if (values) {
    return values
      .filter((value) => value !== "")
      .map((value) => findList(generation, matcher.name, value))
      .filter((list) => list !== 0);
  }
  const name = symbols.find(matcher.name);
  const lists = name === 0 ? 0 : postings.find(name, 0);
  if (lists === 0) return [];
  return [...postings.read(lists)].filter((list) => matcher.matches(symbols.text(postings.valueOf(list))));
}

function seriesWithMatchingValue(generation: Generation, matcher: Matcher): Uint32Array {
  const { postings } = generation;
  const lists = matchingLists(generation, matcher);
  if (lists.length === 1) return postings.read(lists[0]!);
  // A series has one value for a name, so the lists have nothing in common: mark, then gather in order.
  let total = 0;
  let greatest = 0;
  const parts = lists.map((list) => postings.read(list));
  for (const part of parts) {
    total += part.length;
    greatest = Math.max(greatest, part[part.length - 1] ?? 0);
  }
  const ids = new Uint32Array(total);
  if (total * 16 < greatest) {
    let at = 0;
    for (const part of parts) {
      ids.set(part, at);
      at += part.length;
    }
    return ids.sort();
  }
  const marks = new Uint8Array(greatest + 1);
  for (const part of parts) for (const id of part) marks[id] = 1;
  for (let id = 1, at = 0; id <= greatest; id++) if (marks[id] === 1) ids[at++] = id;
  return ids;
}

function keepWithList(generation: Generation, ids: Uint32Array, list: number): Uint32Array {
  const { postings, series } = generation;
  if (postings.count(list) > 8 * ids.length) return ids.filter((id) => series.hasList(id, list));
  const members = postings.read(list);
  const kept = new Uint32Array(Math.min(ids.length, members.length));
  let count = 0;
  for (let i = 0, j = 0; i < ids.length && j < members.length;) {
    const id = ids[i]!;
    const member = members[j]!;
    if (id === member) kept[count++] = id;
    if (id <= member) i++;
    if (member <= id) j++;
  }
  return kept.subarray(0, count);
}

function keepMatching(generation: Generation, ids: Uint32Array, matcher: Matcher): Uint32Array {
  const { symbols, postings, series } = generation;
  const name = symbols.find(matcher.name);
  const verdicts = new Map<number, boolean>([[0, matcher.matchesEmpty]]);
  return ids.filter((id) => {
    const list = name === 0 ? 0 : series.listWithName(id, name);
    let verdict = verdicts.get(list);
    if (verdict === undefined) {
      verdict = matcher.matches(symbols.text(postings.valueOf(list)));
      verdicts.set(list, verdict);
    }
    return verdict;
  });
}

/** Names of the labels of these series (of all where null), sorted. */
export function labelNamesOf(generation: Generation, ids: Uint32Array | null): string[] {
  const { symbols, postings, series } = generation;
  const names = new Set<number>();
  if (ids === null) for (const list of postings.nameLists()) names.add(postings.nameOf(list));
  else for (const id of ids) series.forEachList(id, (list) => names.add(postings.nameOf(list)));
  return Array.from(names, (name) => symbols.text(name)).sort(compareUtf8);
}

/** Values of a label over these series (over all where null), sorted. */
export function labelValuesOf(generation: Generation, name: string, ids: Uint32Array | null): string[] {
  const { symbols, postings, series } = generation;
  const nameSymbol = symbols.find(name);
  const valueLists = nameSymbol === 0 ? 0 : postings.find(nameSymbol, 0);
  if (valueLists === 0) return [];
  let lists: Iterable<number>;
  if (ids === null) lists = postings.read(valueLists);
  else {
    const found = new Set<number>();
    for (const id of ids) found.add(series.listWithName(id, nameSymbol));
    found.delete(0);
    lists = found;
  }
  return Array.from(lists, (list) => symbols.text(postings.valueOf(list))).sort(compareUtf8);
}
