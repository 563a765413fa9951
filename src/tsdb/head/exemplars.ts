import type { Exemplar } from "../../model/exemplar.ts";
import { compareLabels, Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";

/** Labels of an exemplar hold at most this many characters together. */
const MAX_LABEL_CHARACTERS = 128;

/** Room for each exemplar on average; with longer ones fewer are kept. Touched only as it fills. */
const BYTES_PER_EXEMPLAR = 512;

/** So that an exemplar of the longest label sets, half a ring at most, still has its place. */
const MIN_RING_BYTES = 2 ** 20;

/** Words of the ring's header, in eights: where the oldest exemplar begins and the newest ends. */
const TAIL = 0;
const HEAD = 1;
const HEADER_BYTES = 64;
const ENTRY_HEADER_BYTES = 32;

/** Exemplars of one series, ascending in time. */
export interface SeriesExemplars {
  readonly labels: Labels;
  readonly exemplars: readonly Exemplar[];
}

/** For metrics. */
export interface ExemplarStatistics {
  appended: number;
  outOfOrder: number;
  stored: number;
  series: number;
  maxExemplars: number;
  /** Time of the oldest kept, 0 while there is none. */
  oldestTimeMs: number;
}

interface SeriesState {
  last: Exemplar;
  stored: number;
}

/**
 * The newest exemplars of all series, in a ring of bytes that other threads read by copying. Positions in it only
 * ever grow; where in the bytes they lie is their remainder. An entry never crosses the end of the bytes:
 *
 *   u32 size (0: go on at the start) │ u32 length of text │ f64 time │ f64 value │ u32 has timestamp │ … │ text
 *
 * The text is JSON: [label pairs of the series, label pairs of the exemplar].
 */
export class ExemplarStorage {
  private ring: Ring | null = null;
  private readonly bySeries = new Map<string, SeriesState>();
  private appended = 0;
  private outOfOrder = 0;
  private stored = 0;
  private maxExemplars = 0;

  /** @param maxExemplars 0 keeps none */
  constructor(
    maxExemplars: number,
    /** Other threads have to read from this buffer now, null for none. */
    private readonly onBuffer: (buffer: SharedArrayBuffer | null) => void = () => undefined,
  ) {
    this.resize(maxExemplars);
  }

  get isEnabled(): boolean {
    return this.maxExemplars > 0;
  }

  /** What other threads read, see `readExemplars`; null while none are kept. */
  get buffer(): SharedArrayBuffer | null {
    return this.ring?.buffer ?? null;
  }

  get statistics(): ExemplarStatistics {
    return {
      appended: this.appended,
      outOfOrder: this.outOfOrder,
      stored: this.stored,
      series: this.bySeries.size,
      maxExemplars: this.maxExemplars,
      oldestTimeMs: this.ring?.oldestTimeMs() ?? 0,
    };
  }

  /** Keeps at most this many from now on; of those there are, the newest that fit. */
  resize(maxExemplars: number): void {
    if (maxExemplars === this.maxExemplars) return;
    const kept = this.ring ? readRing(this.ring.buffer) : [];
    this.maxExemplars = Math.max(0, maxExemplars);
    this.ring =
      this.maxExemplars > 0
        ? new Ring(Math.max(MIN_RING_BYTES, this.maxExemplars * BYTES_PER_EXEMPLAR))
        : null;
    this.bySeries.clear();
    this.stored = 0;
    const { appended } = this;
    if (this.ring)
      for (const { labels, exemplar } of kept.slice(-this.maxExemplars)) this.append(labels, exemplar);
    this.appended = appended;
    this.onBuffer(this.buffer);
  }

  /**
   * Adds an exemplar, unless it repeats the newest of its series, or is older, or has too long labels.
   * @returns whether it is kept
   */
  append(labels: Labels, exemplar: Exemplar): boolean {
    const { ring } = this;
    if (!ring || labelCharacters(exemplar.labels) > MAX_LABEL_CHARACTERS) return false;
    const key = labels.key;
    const known = this.bySeries.get(key);
    if (known) {
      if (isRepeated(known.last, exemplar)) return false;
      if (isBefore(exemplar, known.last)) {
        this.outOfOrder++;
        return false;
      }
    }
    const text = encoder.encode(JSON.stringify([labels.pairs, exemplar.labels.pairs]));
    const size = Math.ceil((ENTRY_HEADER_BYTES + text.length) / 8) * 8;
    // With more than half of the bytes it might have no place even in an empty ring, where it must not be cut in two.
    if (size > ring.sizeBytes / 2) return false;
    while (this.stored >= this.maxExemplars || !ring.hasRoom(size)) this.evict(ring);
    ring.push(size, text, exemplar);
    this.stored++;
    this.appended++;
    const state = this.bySeries.get(key);
    if (state) {
      state.last = exemplar;
      state.stored++;
    } else this.bySeries.set(key, { last: exemplar, stored: 1 });
    return true;
  }

  /** Whether the series has a newer exemplar, so that `append` would refuse this one for its time. */
  isLate(labels: Labels, exemplar: Exemplar): boolean {
    const known = this.bySeries.get(labels.key);
    return known !== undefined && !isRepeated(known.last, exemplar) && isBefore(exemplar, known.last);
  }

  /** All there are, oldest first. Others may be appended while they are gone through. */
  *entries(): Generator<{ readonly labels: Labels; readonly exemplar: Exemplar }> {
    if (this.ring) yield* this.ring.entries();
  }

  /** A replay met exemplars twice, in a checkpoint and behind it: that is nothing to tell anyone. */
  forgetRefusals(): void {
    this.outOfOrder = 0;
  }

  private evict(ring: Ring): void {
    const pairs = ring.pop();
    if (!pairs) return;
    this.stored--;
    const key = Labels.fromSortedPairs(pairs).key;
    const state = this.bySeries.get(key);
    if (state && --state.stored === 0) this.bySeries.delete(key);
  }
}

const encoder = new TextEncoder();

/** The writer's end of the ring. */
class Ring {
  readonly sizeBytes: number;
  readonly buffer: SharedArrayBuffer;
  private readonly positions: BigInt64Array;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private head = 0;
  private tail = 0;

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.buffer = new SharedArrayBuffer(HEADER_BYTES + sizeBytes);
    this.positions = new BigInt64Array(this.buffer, 0, HEADER_BYTES / 8);
    this.bytes = new Uint8Array(this.buffer, HEADER_BYTES);
    this.view = new DataView(this.buffer, HEADER_BYTES);
  }

  private restOfBytes(position: number): number {
    return this.sizeBytes - (position % this.sizeBytes);
  }

  hasRoom(size: number): boolean {
    const rest = this.restOfBytes(this.head);
    const needed = rest < size ? rest + size : size;
    return this.head + needed - this.tail <= this.sizeBytes;
  }

  push(size: number, text: Uint8Array, exemplar: Exemplar): void {
    const rest = this.restOfBytes(this.head);
    if (rest < size) {
      this.view.setUint32(this.head % this.sizeBytes, 0, true);
      this.head += rest;
    }
    const at = this.head % this.sizeBytes;
    this.view.setUint32(at, size, true);
    this.view.setUint32(at + 4, text.length, true);
    this.view.setFloat64(at + 8, exemplar.timeMs, true);
    this.view.setFloat64(at + 16, exemplar.value, true);
    this.view.setUint32(at + 24, Number(exemplar.hasTimestamp), true);
    this.bytes.set(text, at + ENTRY_HEADER_BYTES);
    this.head += size;
    Atomics.store(this.positions, HEAD, BigInt(this.head));
  }

  /** Lets go of the oldest. @returns the label pairs of its series; null if it was a jump to the start */
  pop(): string[] | null {
    const at = this.tail % this.sizeBytes;
    const size = this.view.getUint32(at, true);
    let pairs: string[] | null = null;
    if (size === 0) this.tail += this.restOfBytes(this.tail);
    else {
      const length = this.view.getUint32(at + 4, true);
      const text = this.bytes.slice(at + ENTRY_HEADER_BYTES, at + ENTRY_HEADER_BYTES + length);
      [pairs] = parseText(text);
      this.tail += size;
    }
    // Before anything is written over it.
    Atomics.store(this.positions, TAIL, BigInt(this.tail));
    return pairs;
  }

  *entries(): Generator<StoredExemplar> {
    for (let position = this.tail; ;) {
      // What was evicted meanwhile is passed over.
      position = Math.max(position, this.tail);
      if (position >= this.head) return;
      const at = position % this.sizeBytes;
      const size = this.view.getUint32(at, true);
      if (size === 0) {
        position += this.restOfBytes(position);
        continue;
      }
      position += size;
      yield readEntry(this.bytes, this.view, at);
    }
  }

  oldestTimeMs(): number {
    if (this.tail === this.head) return 0;
    let at = this.tail % this.sizeBytes;
    if (this.view.getUint32(at, true) === 0) at = 0;
    return this.view.getFloat64(at + 8, true);
  }
}

interface StoredExemplar {
  readonly labels: Labels;
  readonly exemplar: Exemplar;
}

/** All exemplars in a ring, oldest first. What the writer overwrites meanwhile is left out. */
function readRing(buffer: SharedArrayBuffer): StoredExemplar[] {
  const positions = new BigInt64Array(buffer, 0, HEADER_BYTES / 8);
  const head = Number(Atomics.load(positions, HEAD));
  const tail = Number(Atomics.load(positions, TAIL));
  const shared = new Uint8Array(buffer, HEADER_BYTES);
  const size = shared.length;
  const local = new Uint8Array(head - tail);
  const first = Math.min(local.length, size - (tail % size));
  local.set(shared.subarray(tail % size, (tail % size) + first));
  local.set(shared.subarray(0, local.length - first), first);
  // Entries from here on were whole while they were copied.
  const sound = Number(Atomics.load(positions, TAIL));
  const view = new DataView(local.buffer);
  const found: StoredExemplar[] = [];
  for (let position = Math.max(tail, sound); position < head;) {
    const at = position - tail;
    const entrySize = view.getUint32(at, true);
    if (entrySize === 0) {
      position += size - (position % size);
      continue;
    }
    found.push(readEntry(local, view, at));
    position += entrySize;
  }
  return found;
}

function readEntry(bytes: Uint8Array, view: DataView, at: number): StoredExemplar {
  const length = view.getUint32(at + 4, true);
  const [series, own] = parseText(bytes.slice(at + ENTRY_HEADER_BYTES, at + ENTRY_HEADER_BYTES + length));
  return {
    labels: Labels.fromSortedPairs(series),
    exemplar: {
      labels: Labels.fromSortedPairs(own),
      timeMs: view.getFloat64(at + 8, true),
      value: view.getFloat64(at + 16, true),
      hasTimestamp: view.getUint32(at + 24, true) !== 0,
    },
  };
}

/** @returns label pairs of the series and of the exemplar */
function parseText(text: Uint8Array): [string[], string[]] {
  return JSON.parse(Buffer.from(text.buffer, text.byteOffset, text.length).toString("utf8")) as [
    string[],
    string[],
  ];
}

/**
 * The exemplars between two times, both included, of the series that satisfy all matchers of one of the sets, sorted
 * by label set. Any thread may call it.
 */
export function readExemplars(
  buffer: SharedArrayBuffer,
  matcherSets: readonly (readonly Matcher[])[],
  minTime: number,
  maxTime: number,
): SeriesExemplars[] {
  const bySeries = new Map<string, { readonly labels: Labels; readonly exemplars: Exemplar[] } | null>();
  for (const { labels, exemplar } of readRing(buffer)) {
    if (exemplar.timeMs < minTime || exemplar.timeMs > maxTime) continue;
    let entry = bySeries.get(labels.key);
    if (entry === undefined) {
      const isWanted = matcherSets.some((set) =>
        set.every((matcher) => matcher.matches(labels.get(matcher.name))),
      );
      entry = isWanted ? { labels, exemplars: [] } : null;
      bySeries.set(labels.key, entry);
    }
    entry?.exemplars.push(exemplar);
  }
  return [...bySeries.values()]
    .filter((entry) => entry !== null)
    .sort((a, b) => compareLabels(a.labels, b.labels));
}

function labelCharacters(labels: Labels): number {
  let characters = 0;
  for (const text of labels.pairs) characters += [...text].length;
  return characters;
}

function isRepeated(last: Exemplar, next: Exemplar): boolean {
  return (
    Object.is(last.value, next.value) &&
    last.labels.equals(next.labels) &&
    // One without a time of its own is the same however often it is scraped.
    (!next.hasTimestamp || last.timeMs === next.timeMs)
  );
}

/** Exemplars of a series ascend by time, of equal times by value, of equal values by labels. */
function isBefore(a: Exemplar, b: Exemplar): boolean {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
  if (a.value !== b.value) return a.value < b.value;
  return compareLabels(a.labels, b.labels) < 0;
}
