// Reads an exposition page against the target's last page. A line whose text up to the value is the predicted one
// costs one comparison and one number; any other is looked up by its text among all the target's lines, whatever
// the order, and only a text never seen before, or a value out of the ordinary, is reported for TypeScript to judge.
//
// An entry is a line of the page as the target wrote it: for a sample all bytes before the value, without the blanks
// between the two; for a comment the whole line. Two words: offset of the text from the text's base; length in 24 bits, flags in the upper 8.

const COMMENT: u32 = 1 << 24;
const DROPPED: u32 = 2 << 24;
const UNTRACKED: u32 = 4 << 24;
const TYPE_SHIFT: u32 = 28;
const LENGTH_MASK: u32 = 0xffffff;
/** The type in force is what TypeScript makes of a comment it has been told of. */
const TYPE_REPORTED: u32 = 15;

/** Code of an entry that this page brought; without the bit, of one of the last page. */
const NEW_ENTRY: u32 = 0x80000000;
/** In the order of the page: a line that is not to be remembered. */
const NO_ENTRY: u32 = 0xffffffff;

/** What is noted of entries of the last page: this one has their line; and their flags are others now. */
const SEEN: u8 = 1;
const SEEN_AND_CHANGED: u8 = 3;

const REPORT_NEW: u32 = 1;
const REPORT_ODD_VALUE: u32 = 2;
const REPORT_REPEATED: u32 = 4;
const REPORT_COMMENT: u32 = 8;
const REPORT_BROKEN: u32 = 16;
const REPORT_BYTES: usize = 28;

const DONE: u32 = 0;
const REPORTS_FULL: u32 = 1;
const INDEX_NEEDED: u32 = 2;
const PAGE_TOO_LARGE: u32 = 3;

/** How many entries ahead a vanished line may leave the right prediction. */
const LOOK_AHEAD: u32 = 4;

@unmanaged
class PageState {
  cursor: u32;
  end: u32;
  isFinal: u32;
  isOpenMetrics: u32;
  entries: u32;
  entryCount: u32;
  text: u32;
  refs: u32;
  seen: u32;
  nextEntry: u32;
  lineCodes: u32;
  lineCount: u32;
  lineCapacity: u32;
  sampleRefs: u32;
  sampleValues: u32;
  sampleCount: u32;
  reports: u32;
  reportCount: u32;
  reportCapacity: u32;
  index: u32;
  indexMask: u32;
  newEntries: u32;
  newRefs: u32;
  newText: u32;
  newCount: u32;
  newTextSize: u32;
  newTextCapacity: u32;
  currentType: u32;
  droppedCount: u32;
  jumpCount: u32;
  seenCount: u32;
  hashSeed: u32;
  powersOfTen: u32;
  /** Whether a known line may end with a whole number, its time, to be written to the timed columns. */
  readsTimes: u32;
  /** Flag that an entry gets when its line has a time. */
  timedFlag: u32;
  timedSamples: u32;
  timedRefs: u32;
  timedTimes: u32;
  timedCount: u32;
}

/**
 * Reads lines from `cursor` on until the bytes end, the reports are full or the index is missing. The byte at `end`
 * must be a line feed. A line that is not complete before `end` is left for the next call, unless the bytes are final.
 */
export function parsePage(state: usize): u32 {
  const s = changetype<PageState>(state);
  const end: usize = s.end;
  const isFinal = s.isFinal != 0;
  const entries: usize = s.entries;
  const entryCount = s.entryCount;
  const text: usize = s.text;
  const seen: usize = s.seen;
  let p: usize = s.cursor;
  let next = s.nextEntry;
  let status = DONE;

  while (p < end) {
    if (s.reportCount == s.reportCapacity) {
      status = REPORTS_FULL;
      break;
    }
    if (s.lineCount == s.lineCapacity) {
      status = PAGE_TOO_LARGE;
      break;
    }
    if (load<u8>(p) == 10) {
      if (s.isOpenMetrics) report(s, p, 0, 0, NO_ENTRY, REPORT_BROKEN);
      p++;
      continue;
    }

    // ── the predicted line, or one of the few after it ──
    let code = NO_ENTRY;
    let length: usize = 0;
    let valueStart: usize = 0;
    let word: u32 = 0;
    const last = min(next + LOOK_AHEAD, entryCount);
    for (let e = next; e < last; e++) {
      const entry = entries + ((<usize>e) << 3);
      word = load<u32>(entry, 4);
      length = word & LENGTH_MASK;
      if (p + length > end || !areEqual(p, text + load<u32>(entry), length)) continue;
      // What begins like it may still be another line: a longer comment, another name, or `name {…}` for `name`.
      if (word & COMMENT) {
        if (load<u8>(p + length) != 10) continue;
      } else {
        valueStart = valueAfter(p + length, s.isOpenMetrics != 0);
        if (valueStart == 0) continue;
      }
      code = e;
      break;
    }
    let flags: u32 = 0;
    let isJump = false;

    if (code == NO_ENTRY) {
      // ── any other line: by its text ──
      if (load<u8>(p) == 35) length = commentLength(p, end);
      else {
        length = textLength(p, end);
        if (length == UNFINISHED) {
          if (!isFinal) break;
          length = 0;
        }
        valueStart = p + length;
        while (length != 0 && isBlank(load<u8>(p + length - 1))) length--;
        if (length != 0 && valueAfter(p + length, s.isOpenMetrics != 0) == 0) length = 0;
      }
      const stop = lineEnd(p + length, end);
      if (stop == end && !isFinal) break;
      if (length == 0) {
        report(s, p, 0, <u32>(stop - p), NO_ENTRY, REPORT_BROKEN);
        p = stop + 1;
        continue;
      }
      if (s.index == 0 || (s.newCount + entryCount) * 2 > s.indexMask) {
        status = INDEX_NEEDED;
        break;
      }
      const slot = findSlot(s, p, length);
      code = load<u32>(slot);
      if (code == NO_ENTRY) {
        if (s.newTextSize + <u32>length > s.newTextCapacity) {
          status = PAGE_TOO_LARGE;
          break;
        }
        code = NEW_ENTRY | s.newCount;
        word = <u32>length | (load<u8>(p) == 35 ? COMMENT : 0);
        const entry: usize = <usize>s.newEntries + ((<usize>s.newCount) << 3);
        store<u32>(entry, s.newTextSize);
        store<u32>(entry, word, 4);
        store<u32>(<usize>s.newRefs + ((<usize>s.newCount) << 2), 0);
        memory.copy(<usize>s.newText + s.newTextSize, p, length);
        s.newTextSize += <u32>length;
        s.newCount++;
        store<u32>(slot, code);
        flags = REPORT_NEW;
      } else if (code & NEW_ENTRY) {
        word = load<u32>(<usize>s.newEntries + ((<usize>(code & ~NEW_ENTRY)) << 3), 4);
        flags = REPORT_REPEATED;
      } else {
        word = load<u32>(entries + ((<usize>code) << 3), 4);
        isJump = true;
      }
    }

    // ── a comment has nothing to read ──
    if (word & COMMENT) {
      if (p + length >= end && !isFinal) break;
      if (flags == 0) {
        const type = word >> TYPE_SHIFT;
        if (type) s.currentType = type;
        if (load<u8>(seen + code)) code = NO_ENTRY;
        else {
          store<u8>(seen + code, SEEN);
          s.seenCount++;
          if (isJump) s.jumpCount++;
          next = code + 1;
        }
      } else {
        report(s, p, <u32>length, <u32>length, code, flags | REPORT_COMMENT);
        s.currentType = TYPE_REPORTED;
        if (flags & REPORT_REPEATED) code = NO_ENTRY;
      }
      store<u32>(<usize>s.lineCodes + ((<usize>s.lineCount) << 2), code);
      s.lineCount++;
      p += length + 1;
      continue;
    }

    // ── the value ──
    const sample: usize = s.sampleCount;
    let stop = readValue(valueStart, s.powersOfTen, <usize>s.sampleValues + (sample << 3));
    let isTimed = false;
    if (stop != 0 && load<u8>(stop) == 32) {
      isTimed = s.readsTimes != 0 && flags == 0 && !(code & NEW_ENTRY) && load<u8>(seen + code) == 0;
      stop = isTimed ? readTime(stop + 1, <usize>s.timedTimes + ((<usize>s.timedCount) << 3)) : 0;
    }
    if (stop == 0) {
      isTimed = false;
      stop = lineEnd(valueStart, end);
      flags |= REPORT_ODD_VALUE;
    }
    if (stop >= end && !isFinal) break;

    let ref: u32 = 0;
    let rememberedCode = code;
    if (flags & REPORT_REPEATED) rememberedCode = NO_ENTRY;
    else if (!(code & NEW_ENTRY)) {
      if (load<u8>(seen + code)) {
        flags |= REPORT_REPEATED;
        rememberedCode = NO_ENTRY;
      } else {
        let mark: u8 = SEEN;
        s.seenCount++;
        ref = load<u32>(<usize>s.refs + ((<usize>code) << 2));
        if (word & DROPPED) s.droppedCount++;
        if (isTimed) {
          if (!(word & DROPPED)) {
            store<u32>(<usize>s.timedSamples + ((<usize>s.timedCount) << 2), <u32>sample);
            store<u32>(<usize>s.timedRefs + ((<usize>s.timedCount) << 2), ref);
            s.timedCount++;
          }
          ref = 0;
          if (s.timedFlag & ~word) {
            store<u32>(entries + ((<usize>code) << 3), word | s.timedFlag, 4);
            mark = SEEN_AND_CHANGED;
          }
        } else if (word & UNTRACKED && flags == 0) {
          store<u32>(entries + ((<usize>code) << 3), word & ~UNTRACKED, 4);
          mark = SEEN_AND_CHANGED;
        }
        store<u8>(seen + code, mark);
        if (isJump) s.jumpCount++;
        next = code + 1;
      }
    }
    if (flags) report(s, p, <u32>length, <u32>(stop - p), code, flags);
    store<u32>(<usize>s.sampleRefs + (sample << 2), ref);
    s.sampleCount = <u32>sample + 1;
    store<u32>(<usize>s.lineCodes + ((<usize>s.lineCount) << 2), rememberedCode);
    s.lineCount++;
    p = stop + 1;
  }
  s.cursor = <u32>min(p, end);
  s.nextEntry = next;
  return status;
}

function report(s: PageState, line: usize, textLength: u32, lineLength: u32, code: u32, flags: u32): void {
  const r: usize = <usize>s.reports + <usize>s.reportCount * REPORT_BYTES;
  store<u32>(r, <u32>line);
  store<u32>(r, textLength, 4);
  store<u32>(r, lineLength, 8);
  store<u32>(r, s.sampleCount, 12);
  store<u32>(r, s.lineCount, 16);
  store<u32>(r, code, 20);
  store<u32>(r, flags | (s.currentType << 16), 24);
  s.reportCount++;
}

// @ts-ignore: decorator
@inline
function areEqual(a: usize, b: usize, length: usize): bool {
  if (length < 16) {
    for (let i: usize = 0; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
    return true;
  }
  const lastStart = length - 16;
  for (let i: usize = 0; i < lastStart; i += 16) {
    if (v128.any_true(v128.xor(v128.load(a + i), v128.load(b + i)))) return false;
  }
  return !v128.any_true(v128.xor(v128.load(a + lastStart), v128.load(b + lastStart)));
}

function commentLength(p: usize, end: usize): usize {
  const start = p;
  while (p < end && load<u8>(p) != 10) p++;
  return p - start;
}

/** The bytes end before it is clear where the value begins. */
const UNFINISHED: usize = 0xffffffff;

/** Bytes before the value: blanks, a name, perhaps braces, blanks. 0 where there is no value to find. */
function textLength(start: usize, end: usize): usize {
  let p = start;
  while (p < end && isBlank(load<u8>(p))) p++;
  while (p < end) {
    const c = load<u8>(p);
    if (c == 123 || c == 10 || isBlank(c)) break;
    p++;
  }
  while (p < end && isBlank(load<u8>(p))) p++;
  if (p < end && load<u8>(p) == 123) {
    let isQuoted = false;
    for (p++; p < end; p++) {
      const c = load<u8>(p);
      if (isQuoted) {
        if (c == 92) p++;
        else if (c == 34) isQuoted = false;
      } else if (c == 34) isQuoted = true;
      else if (c == 125) break;
      else if (c == 10) return 0;
    }
    if (p >= end) return UNFINISHED;
    p++;
    while (p < end && isBlank(load<u8>(p))) p++;
  }
  if (p >= end) return UNFINISHED;
  return load<u8>(p) == 10 ? 0 : p - start;
}

/**
 * Where the value begins whose series' text ends at `p`; 0 where there is none, the text goes on, or blanks are not as
 * OpenMetrics has them. The byte behind all others is a line feed.
 */
// @ts-ignore: decorator
@inline
function valueAfter(p: usize, isOpenMetrics: bool): usize {
  let c = load<u8>(p);
  if (!isBlank(c)) return !isOpenMetrics && c != 10 && load<u8>(p - 1) == 125 ? p : 0;
  if (isOpenMetrics && c != 32) return 0;
  c = load<u8>(++p);
  if (isBlank(c)) {
    if (isOpenMetrics) return 0;
    do c = load<u8>(++p);
    while (isBlank(c));
  }
  return c == 10 || c == 123 ? 0 : p;
}

// @ts-ignore: decorator
@inline
function isBlank(c: u8): bool {
  return c == 32 || c == 9;
}

/** The line feed that ends the line, which may not be one within quotes; `end` where there is none before. */
function lineEnd(p: usize, end: usize): usize {
  let isQuoted = false;
  for (; p < end; p++) {
    const c = load<u8>(p);
    if (c == 34) isQuoted = !isQuoted;
    else if (c == 92 && isQuoted) p++;
    else if (c == 10 && !isQuoted) return p;
  }
  return end;
}

// ───────────────────────────────────────────── numbers ─────────────────────────────────────────────

const POWERS_OF_TEN: StaticArray<f64> = [
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
];
const LARGEST_EXACT: u64 = 9007199254740992;
/** `powersOfTen` holds the upper 128 bits of 10^e for e from -MOST_EXPONENT to MOST_EXPONENT, high word first. */
const MOST_EXPONENT: i32 = 300;

/**
 * Writes the bits of the number at `p` and returns where it ends, at a line feed or a blank; 0 for what is not a plain
 * decimal number, or cannot be rounded with certainty here.
 */
function readValue(p: usize, powersOfTen: usize, out: usize): usize {
  const start = p;
  let c: u32 = load<u8>(p);
  let isNegative = false;
  if (c == 45) {
    isNegative = true;
    c = load<u8>(++p);
  } else if (c == 43) c = load<u8>(++p);
  const digitsStart = p;
  let mantissa: u64 = 0;
  let digit = c - 48;
  while (digit <= 9) {
    mantissa = mantissa * 10 + digit;
    c = load<u8>(++p);
    digit = c - 48;
  }
  let digitCount = p - digitsStart;
  let exponent: i32 = 0;
  if (c == 46) {
    const fractionStart = ++p;
    c = load<u8>(p);
    digit = c - 48;
    while (digit <= 9) {
      mantissa = mantissa * 10 + digit;
      c = load<u8>(++p);
      digit = c - 48;
    }
    const fractionCount = p - fractionStart;
    digitCount += fractionCount;
    exponent = -(<i32>fractionCount);
  }
  if (digitCount == 0) return readSpecial(p, digitsStart, digitsStart != start, isNegative, out);
  if (digitCount > 19) {
    // Zeros before the first digit do not count.
    let z = digitsStart;
    while (load<u8>(z) == 48 || load<u8>(z) == 46) {
      if (load<u8>(z) == 48) digitCount--;
      z++;
    }
    if (digitCount > 19) return 0;
  }
  if ((c | 32) == 101) {
    c = load<u8>(++p);
    let isBelow = false;
    if (c == 45) {
      isBelow = true;
      c = load<u8>(++p);
    } else if (c == 43) c = load<u8>(++p);
    const exponentStart = p;
    let written: i32 = 0;
    digit = c - 48;
    while (digit <= 9) {
      written = written * 10 + <i32>digit;
      c = load<u8>(++p);
      digit = c - 48;
    }
    if (p == exponentStart || p - exponentStart > 4) return 0;
    exponent += isBelow ? -written : written;
  }
  if (c != 10 && c != 32) return 0;

  if (mantissa <= LARGEST_EXACT && exponent >= -22 && exponent <= 22) {
    let value = <f64>mantissa;
    if (exponent < 0) value /= unchecked(POWERS_OF_TEN[-exponent]);
    else if (exponent > 0) value *= unchecked(POWERS_OF_TEN[exponent]);
    store<f64>(out, isNegative ? -value : value);
    return p;
  }
  if (mantissa == 0) {
    store<f64>(out, isNegative ? -0.0 : 0.0);
    return p;
  }
  const bits = roundDecimal(mantissa, exponent, powersOfTen);
  if (bits == 0) return 0;
  store<u64>(out, isNegative ? bits | 0x8000000000000000 : bits);
  return p;
}

/** Writes the whole number from `p` to the end of the line and returns where that is; 0 for anything else. */
function readTime(p: usize, out: usize): usize {
  const start = p;
  let time: u64 = 0;
  let digit = <u32>load<u8>(p) - 48;
  while (digit <= 9) {
    time = time * 10 + digit;
    digit = <u32>load<u8>(++p) - 48;
  }
  if (p == start || p - start > 15 || load<u8>(p) != 10) return 0;
  store<f64>(out, <f64>time);
  return p;
}

/** NaN and the infinities as everyone writes them; other spellings go to TypeScript. */
function readSpecial(p: usize, afterSign: usize, isSigned: bool, isNegative: bool, out: usize): usize {
  if (p != afterSign) return 0;
  const word = load<u32>(p);
  if (word == 0x0a4e614e && !isSigned) {
    store<u64>(out, 0x7ff8000000000001);
    return p + 3;
  }
  if (word == 0x0a666e49) {
    store<f64>(out, isNegative ? -Infinity : Infinity);
    return p + 3;
  }
  return 0;
}

/**
 * The double nearest to mantissa × 10^exponent, by one or two multiplications with a truncated power (Eisel and
 * Lemire, "Number Parsing at a Gigabyte per Second"). 0 where the truncation leaves a doubt, or the result is not a
 * normal number.
 */
function roundDecimal(mantissa: u64, exponent: i32, powersOfTen: usize): u64 {
  if (exponent < -MOST_EXPONENT || exponent > MOST_EXPONENT) return 0;
  const leading = clz<u64>(mantissa);
  const shifted = mantissa << leading;
  let binaryExponent: i64 = ((217706 * <i64>exponent) >> 16) + 64 + 1023 - <i64>leading;

  const power = powersOfTen + ((<usize>(exponent + MOST_EXPONENT)) << 4);
  const powerHigh = load<u64>(power);
  let high = multiplyHigh(shifted, powerHigh);
  let low = shifted * powerHigh;
  if ((high & 0x1ff) == 0x1ff && low + shifted < shifted) {
    const powerLow = load<u64>(power, 8);
    const lowerHigh = multiplyHigh(shifted, powerLow);
    const lowerLow = shifted * powerLow;
    let mergedHigh = high;
    const mergedLow = low + lowerHigh;
    if (mergedLow < low) mergedHigh++;
    if ((mergedHigh & 0x1ff) == 0x1ff && mergedLow + 1 == 0 && lowerLow + shifted < shifted) return 0;
    high = mergedHigh;
    low = mergedLow;
  }
  const top = high >> 63;
  let rounded = high >> (top + 9);
  binaryExponent -= <i64>(1 ^ top);
  if (low == 0 && (high & 0x1ff) == 0 && (rounded & 3) == 1) return 0;
  rounded += rounded & 1;
  rounded >>= 1;
  if (rounded >> 53) {
    rounded >>= 1;
    binaryExponent++;
  }
  if (binaryExponent < 1 || binaryExponent >= 0x7ff) return 0;
  return ((<u64>binaryExponent) << 52) | (rounded & 0x000fffffffffffff);
}

function multiplyHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const other = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}

// ───────────────────────────────────────────── the index ─────────────────────────────────────────────

/** Fills the table of `capacity` slots (a power of two) with every entry of the last page and of this one. */
export function indexEntries(state: usize, table: u32, capacity: u32): void {
  const s = changetype<PageState>(state);
  s.index = table;
  s.indexMask = capacity - 1;
  memory.fill(table, 0xff, (<usize>capacity) << 2);
  for (let e: u32 = 0; e < s.entryCount; e++) insert(s, s.entries, s.text, e, e);
  for (let e: u32 = 0; e < s.newCount; e++) insert(s, s.newEntries, s.newText, e, e | NEW_ENTRY);
}

function insert(s: PageState, entries: usize, text: usize, e: u32, code: u32): void {
  const entry = entries + ((<usize>e) << 3);
  const slot = findSlot(s, text + load<u32>(entry), load<u32>(entry, 4) & LENGTH_MASK);
  if (load<u32>(slot) == NO_ENTRY) store<u32>(slot, code);
}

/** The slot that holds the entry with this text, or the empty one where it belongs. */
function findSlot(s: PageState, p: usize, length: usize): usize {
  let i = hashText(p, length, s.hashSeed) & s.indexMask;
  while (true) {
    const slot: usize = <usize>s.index + ((<usize>i) << 2);
    const code = load<u32>(slot);
    if (code == NO_ENTRY) return slot;
    const isNew = (code & NEW_ENTRY) != 0;
    const entry: usize = (isNew ? <usize>s.newEntries : <usize>s.entries) + ((<usize>(code & ~NEW_ENTRY)) << 3);
    if ((load<u32>(entry, 4) & LENGTH_MASK) == <u32>length) {
      const text: usize = isNew ? s.newText : s.text;
      if (areEqual(p, text + load<u32>(entry), length)) return slot;
    }
    i = (i + 1) & s.indexMask;
  }
}

/** Seeded, so that no target can choose texts that collide. */
export function hashText(p: usize, length: usize, seed: u32): u32 {
  let h: u64 = ((<u64>seed) << 32) ^ (<u64>length * 0x9e3779b97f4a7c15) ^ <u64>seed;
  const end = p + length;
  for (; p + 8 <= end; p += 8) h = mix(h, load<u64>(p));
  let tail: u64 = 0;
  for (; p < end; p++) tail = (tail << 8) | load<u8>(p);
  h = mix(h, tail);
  return <u32>(h ^ (h >> 32));
}

// @ts-ignore: decorator
@inline
function mix(h: u64, word: u64): u64 {
  h = (h ^ word) * 0xff51afd7ed558ccd;
  return h ^ (h >> 29);
}

// ───────────────────────────────────────────── the next prediction ─────────────────────────────────────────────

/** Writes to `out` how many entries and how many bytes of text the lines of this page make. */
export function measureSequence(state: usize, out: usize): void {
  const s = changetype<PageState>(state);
  let count: u32 = 0;
  let size: u32 = 0;
  for (let i: u32 = 0; i < s.lineCount; i++) {
    const code = load<u32>(<usize>s.lineCodes + ((<usize>i) << 2));
    if (code == NO_ENTRY) continue;
    count++;
    size += load<u32>(entryOf(s, code), 4) & LENGTH_MASK;
  }
  store<u32>(out, count);
  store<u32>(out, size, 4);
}

/** Writes entries, references and texts in the order of this page. */
export function writeSequence(state: usize, entries: usize, refs: usize, text: usize): void {
  const s = changetype<PageState>(state);
  let size: u32 = 0;
  for (let i: u32 = 0; i < s.lineCount; i++) {
    const code = load<u32>(<usize>s.lineCodes + ((<usize>i) << 2));
    if (code == NO_ENTRY) continue;
    const isNew = (code & NEW_ENTRY) != 0;
    const e: usize = code & ~NEW_ENTRY;
    const from = entryOf(s, code);
    const word = load<u32>(from, 4);
    const length: usize = word & LENGTH_MASK;
    memory.copy(text + size, <usize>(isNew ? s.newText : s.text) + load<u32>(from), length);
    store<u32>(entries, size);
    store<u32>(entries, word, 4);
    store<u32>(refs, load<u32>(<usize>(isNew ? s.newRefs : s.refs) + (e << 2)));
    entries += 8;
    refs += 4;
    size += <u32>length;
  }
}

// @ts-ignore: decorator
@inline
function entryOf(s: PageState, code: u32): usize {
  return <usize>(code & NEW_ENTRY ? s.newEntries : s.entries) + ((<usize>(code & ~NEW_ENTRY)) << 3);
}
