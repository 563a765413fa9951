/**
 * The parse kernel in plain TypeScript: strings of one character a byte, a Map instead of the index. It says line by
 * line what the kernel must say: which entry, which reference, which bits, what is reported.
 */
export interface TwinEntry {
  readonly text: string;
  readonly isComment: boolean;
  readonly ref: number;
  flags: number;
}

export interface TwinReport {
  readonly line: string;
  readonly textLength: number;
  readonly sampleIndex: number;
  readonly code: number;
  readonly flags: number;
  readonly type: number;
}

export interface TwinPage {
  readonly refs: number[];
  /** null where the value is left to others. */
  readonly values: (number | null)[];
  readonly reports: TwinReport[];
  readonly next: TwinEntry[];
  readonly seen: boolean[];
  /** Samples of known lines that give their time: position, reference, time. */
  readonly timed: (readonly [sample: number, ref: number, timeMs: number])[];
}

const NEW = 1;
const ODD = 2;
const REPEATED = 4;
const COMMENT = 8;
const BROKEN = 16;
const NEW_ENTRY = 0x80000000;
const NO_ENTRY = 0xffffffff;
const LOOK_AHEAD = 4;
const DROPPED = 2 << 24;
const UNTRACKED = 4 << 24;

export function parsePageByHand(
  page: string,
  last: readonly TwinEntry[],
  isOpenMetrics: boolean,
  timedFlag: number | null = null,
): TwinPage {
  const body = page;
  // A last line without its line feed ends where the page does.
  const end = (found: number): number => (found < 0 ? body.length : found);
  const seen = last.map(() => false);
  const created: TwinEntry[] = [];
  const known = new Map<string, number>();
  for (const [i, entry] of last.entries()) if (!known.has(entry.text)) known.set(entry.text, i);
  const out: TwinPage = { refs: [], values: [], reports: [], next: [], seen, timed: [] };
  let predicted = 0;
  let type = 0;
  let p = 0;

  const report = (lineLength: number, textLength: number, code: number, flags: number): void => {
    out.reports.push({
      line: body.slice(p, p + lineLength),
      textLength,
      sampleIndex: out.refs.length,
      code,
      flags,
      type,
    });
  };

  while (p < body.length) {
    if (body[p] === "\n") {
      if (isOpenMetrics) report(0, 0, NO_ENTRY, BROKEN);
      p++;
      continue;
    }
    let code = NO_ENTRY;
    for (let e = predicted; e < Math.min(predicted + LOOK_AHEAD, last.length); e++) {
      const { text, isComment } = last[e]!;
      if (!body.startsWith(text, p)) continue;
      const isOther = isComment
        ? (body[p + text.length] ?? "\n") !== "\n"
        : valueAfter(body, p + text.length, isOpenMetrics) < 0;
      if (isOther) continue;
      code = e;
      break;
    }
    let flags = 0;
    if (code === NO_ENTRY) {
      const isComment = body[p] === "#";
      const length = isComment ? end(body.indexOf("\n", p)) - p : textLengthAt(body, p, isOpenMetrics);
      if (length === 0) {
        const stop = lineEndAt(body, p);
        report(stop - p, 0, NO_ENTRY, BROKEN);
        p = stop + 1;
        continue;
      }
      const text = body.slice(p, p + length);
      const found = known.get(text);
      if (found === undefined) {
        code = NEW_ENTRY + created.length;
        known.set(text, code);
        created.push({ text, isComment, ref: 0, flags: 0 });
        flags = NEW;
      } else {
        code = found;
        if (code >= NEW_ENTRY) flags = REPEATED;
      }
    }
    const entry = code >= NEW_ENTRY ? created[code - NEW_ENTRY]! : last[code]!;
    const { text } = entry;
    const isFirst = code >= NEW_ENTRY ? flags === NEW : !seen[code];

    if (entry.isComment) {
      if (flags !== 0) {
        report(text.length, text.length, code, flags | COMMENT);
        type = 15;
      } else {
        if (entry.flags >>> 28) type = entry.flags >>> 28;
        if (isFirst) {
          seen[code] = true;
          predicted = code + 1;
        }
      }
      if (isFirst) out.next.push(entry);
      p += text.length + 1;
      continue;
    }

    const start = valueAfter(body, p + text.length, isOpenMetrics);
    let stop = end(body.indexOf("\n", start));
    let value = readValueByHand(body.slice(start, stop));
    const withTime = /^([^ ]+) (\d{1,15})$/.exec(body.slice(start, stop));
    let timeMs: number | null = null;
    if (withTime && timedFlag !== null && flags === 0 && code < NEW_ENTRY && isFirst) {
      value = /\d/.test(withTime[1]!) ? readValueByHand(withTime[1]!) : null;
      if (value !== null) timeMs = Number(withTime[2]);
    }
    if (value === null) {
      stop = lineEndAt(body, start);
      flags |= ODD;
      value = null;
    }
    let ref = 0;
    if (!isFirst) flags |= REPEATED;
    else {
      if (code < NEW_ENTRY) {
        seen[code] = true;
        predicted = code + 1;
        ref = entry.ref;
        if (timeMs !== null) {
          if (!(entry.flags & DROPPED)) out.timed.push([out.refs.length, ref, timeMs]);
          ref = 0;
          entry.flags |= timedFlag ?? 0;
        } else if (flags === 0) entry.flags &= ~UNTRACKED;
      }
      out.next.push(entry);
    }
    if (flags !== 0) report(stop - p, text.length, code, flags);
    out.refs.push(ref);
    out.values.push(value);
    p = stop + 1;
  }
  return out;
}

/** What the kernel reads itself: plain decimals, NaN and the infinities in their usual spelling. */
export function readValueByHand(text: string): number | null {
  if (text === "NaN") return NaN;
  if (text === "Inf" || text === "+Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/.test(text)) return null;
  const digits = text
    .replace(/[eE].*/, "")
    .replace(/[+.-]/g, "")
    .replace(/^0+/, "");
  if (digits.length > 19) return null;
  const fraction = /\.(\d*)/.exec(text)?.[1] ?? "";
  const exponent = Number(/[eE](.*)/.exec(text)?.[1] ?? 0) - fraction.length;
  return isRoundedWithCertainty(BigInt(digits || 0), exponent) ? Number(text) : null;
}

const WORD = 1n << 64n;

/** Whether the upper 128 bits of 10^exponent are enough to tell which double is nearest, and it is a normal one. */
function isRoundedWithCertainty(mantissa: bigint, exponent: number): boolean {
  if (mantissa === 0n || (mantissa <= 1n << 53n && Math.abs(exponent) <= 22)) return true;
  if (Math.abs(exponent) > 300) return false;
  const shifted = mantissa << BigInt(64 - mantissa.toString(2).length);
  const power = upperBits(exponent);
  let product = shifted * (power / WORD);
  const isUndecided = () => ((product / WORD) & 0x1ffn) === 0x1ffn;
  if (isUndecided() && (product % WORD) + shifted >= WORD) {
    const lower = shifted * (power % WORD);
    product += lower / WORD;
    if (isUndecided() && product % WORD === WORD - 1n && (lower % WORD) + shifted >= WORD) return false;
  }
  const high = product / WORD;
  const isHalfway = product % WORD === 0n && (high & 0x1ffn) === 0n;
  if (isHalfway && ((high >> ((high >> 63n) + 9n)) & 3n) === 1n) return false;
  const value = Number(`${mantissa}e${exponent}`);
  return Number.isFinite(value) && value >= 2 ** -1022;
}

/** The first 128 bits of a power of ten, cut off. */
function upperBits(exponent: number): bigint {
  const power = 10n ** BigInt(Math.abs(exponent));
  const bits = BigInt(power.toString(2).length);
  if (exponent >= 0) return bits > 128n ? power >> (bits - 128n) : power << (128n - bits);
  let inverse = (1n << (bits + 128n)) / power;
  while (inverse >> 128n > 0n) inverse >>= 1n;
  return inverse;
}

/** Where the value begins behind a series' text that ends at `p`; -1 where none may. */
function valueAfter(body: string, p: number, isOpenMetrics: boolean): number {
  const at = (i: number): string => body[i] ?? "\n";
  const blanks = /^[ \t]*/.exec(body.slice(p))![0];
  if (blanks === "") return !isOpenMetrics && at(p) !== "\n" && body[p - 1] === "}" ? p : -1;
  if (isOpenMetrics && blanks !== " ") return -1;
  const start = p + blanks.length;
  return at(start) === "\n" || at(start) === "{" ? -1 : start;
}

function textLengthAt(body: string, start: number, isOpenMetrics: boolean): number {
  let p = start;
  const isBlank = (): boolean => body[p] === " " || body[p] === "\t";
  while (isBlank()) p++;
  while (p < body.length && body[p] !== "{" && body[p] !== "\n" && !isBlank()) p++;
  while (isBlank()) p++;
  if (body[p] === "{") {
    let isQuoted = false;
    for (p++; p < body.length; p++) {
      if (isQuoted) {
        if (body[p] === "\\") p++;
        else if (body[p] === '"') isQuoted = false;
      } else if (body[p] === '"') isQuoted = true;
      else if (body[p] === "}") break;
      else if (body[p] === "\n") return 0;
    }
    if (p >= body.length) return 0;
    p++;
    while (isBlank()) p++;
  }
  if (p >= body.length || body[p] === "\n") return 0;
  const { length } = body.slice(start, p).replace(/[ \t]+$/, "");
  return valueAfter(body, start + length, isOpenMetrics) < 0 ? 0 : length;
}

function lineEndAt(body: string, start: number): number {
  let isQuoted = false;
  for (let p = start; p < body.length; p++) {
    if (body[p] === '"') isQuoted = !isQuoted;
    else if (body[p] === "\\" && isQuoted) p++;
    else if (body[p] === "\n" && !isQuoted) return p;
  }
  return body.length;
}
