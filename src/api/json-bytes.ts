import { FloatPrinter, POINTS_PER_CALL } from "../kernels/index.ts";
import type { Labels } from "../model/labels.ts";

const INITIAL_BYTES = 64 * 1024;
const PART_BYTES = 4 * 1024 * 1024;
const MAX_SPARE_BYTES = 256 * 1024;
/** Short texts are written character by character, which is faster than asking Node to. */
const SHORT_TEXT = 64;

/** The first buffer of the last answer, for the next one: it is copied from, never handed out. */
let spare: Buffer | null = null;

/**
 * Writes JSON as bytes, without a string in between: numbers are the bulk of an answer, and most of them are integers
 * or short decimals, written digit by digit. Grows in parts, so that a large answer is never copied.
 */
export class JsonBytes {
  private readonly finished: Uint8Array[] = [];
  private buffer: Buffer;
  private length = 0;
  private finishedBytes = 0;
  private knownTimes: TimeTexts | null = null;

  constructor() {
    this.buffer = spare ?? Buffer.allocUnsafeSlow(INITIAL_BYTES);
    spare = null;
  }

  get sizeBytes(): number {
    return this.finishedBytes + this.length;
  }

  /** Ends the writing: the parts, in order, each owning its memory so that it can be transferred. */
  finish(): Uint8Array[] {
    // A transferred part takes its whole memory along: the last one is copied, and its buffer used again.
    this.finished.push(Uint8Array.prototype.slice.call(this.buffer, 0, this.length));
    if (this.buffer.length <= MAX_SPARE_BYTES) spare = this.buffer;
    return this.finished;
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    if (this.buffer.length >= PART_BYTES || bytes > PART_BYTES) {
      // From here on the parts are handed out as they are.
      this.finished.push(this.buffer.subarray(0, this.length));
      this.finishedBytes += this.length;
      this.buffer = Buffer.allocUnsafeSlow(Math.max(PART_BYTES, bytes));
      this.length = 0;
      return;
    }
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, this.length + bytes));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }

  /** ASCII only. */
  ascii(text: string): this {
    const { length } = text;
    this.room(length);
    if (length > SHORT_TEXT) {
      this.length += this.buffer.write(text, this.length, "latin1");
      return this;
    }
    const { buffer, length: at } = this;
    for (let i = 0; i < length; i++) buffer[at + i] = text.charCodeAt(i);
    this.length = at + length;
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.room(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** Any string, quoted and escaped. */
  string(text: string): this {
    const { length } = text;
    // Fast path: short, and no character that would be written in another way.
    if (length <= SHORT_TEXT) {
      this.room(length + 2);
      const { buffer, length: at } = this;
      buffer[at] = QUOTE;
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) break;
        buffer[at + 1 + i] = code;
      }
      if (i === length) {
        buffer[at + 1 + length] = QUOTE;
        this.length = at + length + 2;
        return this;
      }
    }
    const quoted = JSON.stringify(text);
    this.room(3 * quoted.length);
    this.length += this.buffer.write(quoted, this.length, "utf8");
    return this;
  }

  json(value: unknown): this {
    const text = JSON.stringify(value);
    this.room(3 * text.length);
    this.length += this.buffer.write(text, this.length, "utf8");
    return this;
  }

  labels(labels: Labels): this {
    const pairs = labels.pairs;
    this.ascii("{");
    for (let i = 0; i < pairs.length; i += 2) {
      if (i > 0) this.ascii(",");
      this.string(pairs[i]!)
        .ascii(":")
        .string(pairs[i + 1]!);
    }
    return this.ascii("}");
  }

  /** Milliseconds as seconds: no decimals where there are none, else always three. */
  timestamp(timeMs: number): this {
    this.room(32);
    if (timeMs < 0) this.buffer[this.length++] = MINUS;
    const absolute = Math.abs(timeMs);
    const seconds = Math.floor(absolute / 1000);
    const rest = absolute - seconds * 1000;
    this.digits(seconds);
    if (rest !== 0) {
      const buffer = this.buffer;
      buffer[this.length++] = POINT;
      buffer[this.length++] = ZERO + Math.floor(rest / 100);
      buffer[this.length++] = ZERO + (Math.floor(rest / 10) % 10);
      buffer[this.length++] = ZERO + (rest % 10);
    }
    return this;
  }

  /** `[1435781451.781,"1.5"]` */
  point(timeMs: number, value: number): this {
    this.room(96);
    this.buffer[this.length++] = OPEN_BRACKET;
    this.timestamp(timeMs);
    this.buffer[this.length++] = COMMA;
    this.sampleValue(value);
    this.buffer[this.length++] = CLOSE_BRACKET;
    return this;
  }

  /**
   * Points side by side, without brackets around them. Series of one answer mostly have the same times: those of the
   * series before are copied.
   */
  points(times: Float64Array | readonly number[], values: Float64Array | readonly number[]): this {
    const count = times.length;
    let known = this.knownTimes;
    if (known === null || !known.covers(times)) {
      this.knownTimes = known = new TimeTexts(times);
    }
    const { times: knownTimes, texts, ends } = known;
    let at = 0;
    let i = 0;
    // Fast path: as long as the times are those before, without a gap.
    if (values instanceof Float64Array) {
      printer ??= new FloatPrinter();
      while (at < knownTimes.length && knownTimes[at]! < times[0]!) at++;
      const hasTexts = printer.takeTexts(known, texts, ends);
      while (hasTexts && i < count) {
        let to = i;
        const end = Math.min(count, i + POINTS_PER_CALL);
        while (to < end && knownTimes[at + to - i] === times[to]) to++;
        if (to === i) break;
        this.bytes(printer.printPoints(values.subarray(i, to), at, i === 0));
        at += to - i;
        i = to;
      }
    }
    for (; i < count; i++) {
      this.room(96);
      const time = times[i]!;
      while (knownTimes[at]! < time) at++;
      if (knownTimes[at] !== time) {
        if (i > 0) this.buffer[this.length++] = COMMA;
        this.point(time, values[i]!);
        continue;
      }
      const { buffer } = this;
      let to = this.length;
      // The text begins with the comma, which the first point goes without.
      const end = ends[at]!;
      let from = at === 0 ? 0 : ends[at - 1]!;
      if (i === 0) from++;
      while (from < end) buffer[to++] = texts[from++]!;
      this.length = to;
      this.float(values[i]!);
      this.buffer[this.length++] = QUOTE;
      this.buffer[this.length++] = CLOSE_BRACKET;
    }
    return this;
  }

  /** A sample's value as a JSON string: the shortest digits that read back as the same number. */
  sampleValue(value: number): this {
    this.room(40);
    const buffer = this.buffer;
    buffer[this.length++] = QUOTE;
    this.float(value);
    this.buffer[this.length++] = QUOTE;
    return this;
  }

  private float(value: number): void {
    // Fast path: integers.
    if (value === Math.trunc(value) && value > -1e15 && value < 1e15) {
      if (value < 0 || Object.is(value, -0)) this.buffer[this.length++] = MINUS;
      this.digits(Math.abs(value));
      return;
    }
    // Fast path: up to four decimals. value·10⁴ is exact enough to be an integer only if the decimals are that few,
    // and dividing back must give the very same number.
    const absolute = Math.abs(value);
    if (absolute < 1e10 && absolute >= 1e-4) {
      const scaled = Math.round(absolute * 1e4);
      if (scaled / 1e4 === absolute) {
        if (value < 0) this.buffer[this.length++] = MINUS;
        const whole = Math.floor(scaled / 1e4);
        this.digits(whole);
        let rest = scaled - whole * 1e4;
        let places = 4;
        while (rest % 10 === 0) {
          rest /= 10;
          places--;
        }
        this.buffer[this.length] = POINT;
        for (let i = places; i > 0; i--) {
          const digit = rest % 10;
          this.buffer[this.length + i] = ZERO + digit;
          rest = (rest - digit) / 10;
        }
        this.length += places + 1;
        return;
      }
    }
    if (!Number.isFinite(value)) {
      this.length += this.buffer.write(formatSampleValue(value), this.length, "latin1");
      return;
    }
    printer ??= new FloatPrinter();
    const count = printer.print(value);
    const { text } = printer;
    const buffer = this.buffer;
    for (let i = 0; i < count; i++) buffer[this.length + i] = text[i]!;
    this.length += count;
  }

  private digits(value: number): void {
    const buffer = this.buffer;
    if (value < 10) {
      buffer[this.length++] = ZERO + value;
      return;
    }
    let count = 1;
    for (let power = 10; power <= value; power *= 10) count++;
    let high = value;
    let at = this.length + count;
    this.length = at;
    // Above 2³¹ the remainder is taken in floats, below it V8 works on small integers.
    while (high >= 0x7fffffff) {
      const next = Math.floor(high / 10);
      buffer[--at] = ZERO + (high - next * 10);
      high = next;
    }
    let low = high | 0;
    while (low > 0) {
      const next = (low / 10) | 0;
      buffer[--at] = ZERO + (low - next * 10);
      low = next;
    }
  }
}

/** The beginning of a point, `,[1435781451.781,"`, for each time of a series, behind each other. */
class TimeTexts {
  readonly texts: Uint8Array;
  readonly ends: Uint32Array;

  constructor(readonly times: Float64Array | readonly number[]) {
    this.ends = new Uint32Array(times.length);
    const out = new JsonBytes();
    for (let i = 0; i < times.length; i++) {
      out.ascii(",[").timestamp(times[i]!).ascii(',"');
      this.ends[i] = out.sizeBytes;
    }
    this.texts = Buffer.concat(out.finish());
  }

  /** Whether other times may well be among these. */
  covers(others: Float64Array | readonly number[]): boolean {
    const { times } = this;
    return (
      others.length <= times.length && others[0]! >= times[0]! && others.at(-1)! <= times[times.length - 1]!
    );
  }
}

/** Made with the first number that needs it. */
let printer: FloatPrinter | null = null;

const ZERO = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * A sample's value as Prometheus prints it in JSON. JavaScript chooses digits and the exponent form as Go does there
 * (below 1e-6 and from 1e21 on), but writes one-digit exponents with one digit where Go writes two.
 */
export function formatSampleValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  if (Object.is(value, -0)) return "-0";
  const text = String(value);
  return text.at(-3) === "e" ? `${text.slice(0, -1)}0${text.at(-1)}` : text;
}
