/** Go's time.Time and time.Duration as templates can have them: what they print, and the methods worth calling. */
import type { Value } from "./value.ts";

const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const NANOSECONDS = 1_000_000_000n;

/** A point in time, UTC. */
export class GoTime {
  readonly kind = "time";
  readonly typeName = "*time.Time";

  constructor(readonly unixNanoseconds: bigint) {}

  static fromMilliseconds(milliseconds: number): GoTime {
    return new GoTime(BigInt(Math.trunc(milliseconds)) * 1_000_000n);
  }

  get text(): string {
    return this.format("2006-01-02 15:04:05.999999999 -0700 MST");
  }

  /** Text by a layout: the moment 2006-01-02 15:04:05.000 written as the result is to look. */
  format(layout: string): string {
    const seconds = floorDivide(this.unixNanoseconds, NANOSECONDS);
    const nanoseconds = this.unixNanoseconds - seconds * NANOSECONDS;
    const date = new Date(Number(seconds) * 1000);
    if (Number.isNaN(date.getTime())) return "time out of range";
    return layout.replace(LAYOUT_ELEMENT, (element) => formatElement(element, date, nanoseconds));
  }

  /** The method of this name, or null. */
  method(name: string): ((args: readonly Value[]) => Value) | null {
    const seconds = floorDivide(this.unixNanoseconds, NANOSECONDS);
    const date = new Date(Number(seconds) * 1000);
    const noArgs = (value: () => Value) => (args: readonly Value[]) => {
      expectArgs(name, args, []);
      return value();
    };
    switch (name) {
      case "String":
        return noArgs(() => this.text);
      case "Format":
        return (args) => {
          const [layout] = expectArgs(name, args, ["string"]) as [string];
          return this.format(layout);
        };
      case "Unix":
        return noArgs(() => seconds);
      case "UnixMilli":
        return noArgs(() => floorDivide(this.unixNanoseconds, 1_000_000n));
      case "UnixMicro":
        return noArgs(() => floorDivide(this.unixNanoseconds, 1_000n));
      case "UnixNano":
        return noArgs(() => this.unixNanoseconds);
      case "Year":
        return noArgs(() => BigInt(date.getUTCFullYear()));
      case "Month":
        return noArgs(() => MONTHS[date.getUTCMonth()]!);
      case "Day":
        return noArgs(() => BigInt(date.getUTCDate()));
      case "Weekday":
        return noArgs(() => WEEKDAYS[date.getUTCDay()]!);
      case "YearDay":
        return noArgs(() => BigInt(dayOfYear(date)));
      case "Hour":
        return noArgs(() => BigInt(date.getUTCHours()));
      case "Minute":
        return noArgs(() => BigInt(date.getUTCMinutes()));
      case "Second":
        return noArgs(() => BigInt(date.getUTCSeconds()));
      case "Nanosecond":
        return noArgs(() => this.unixNanoseconds - seconds * NANOSECONDS);
      case "UTC":
      case "Local":
        return noArgs(() => this);
      case "IsZero":
        return noArgs(() => false);
      case "Add":
        return (args) => {
          const [duration] = expectArgs(name, args, ["time.Duration"]) as [GoDuration];
          return new GoTime(this.unixNanoseconds + duration.nanoseconds);
        };
      case "AddDate":
        return (args) => {
          const [years, months, days] = expectArgs(name, args, ["int", "int", "int"]) as [
            bigint,
            bigint,
            bigint,
          ];
          const moved = Date.UTC(
            date.getUTCFullYear() + Number(years),
            date.getUTCMonth() + Number(months),
            date.getUTCDate() + Number(days),
            date.getUTCHours(),
            date.getUTCMinutes(),
            date.getUTCSeconds(),
          );
          if (Number.isNaN(moved)) throw new Error("time out of range");
          return new GoTime(BigInt(moved) * 1_000_000n + (this.unixNanoseconds - seconds * NANOSECONDS));
        };
      case "Sub":
      case "Before":
      case "After":
      case "Equal":
        return (args) => {
          const [other] = expectArgs(name, args, ["time.Time"]) as [GoTime];
          const difference = this.unixNanoseconds - other.unixNanoseconds;
          if (name === "Sub") return new GoDuration(difference);
          return name === "Before" ? difference < 0n : name === "After" ? difference > 0n : difference === 0n;
        };
      default:
        return null;
    }
  }
}

/** A span of time in nanoseconds. */
export class GoDuration {
  readonly kind = "duration";
  readonly typeName = "*time.Duration";

  constructor(readonly nanoseconds: bigint) {}

  get seconds(): number {
    return Number(this.nanoseconds) / 1e9;
  }

  /** `1h2m3.5s`, `350ms`, `0s`. */
  get text(): string {
    const sign = this.nanoseconds < 0n ? "-" : "";
    const size = this.nanoseconds < 0n ? -this.nanoseconds : this.nanoseconds;
    if (size === 0n) return "0s";
    for (const [unit, length] of [
      ["ns", 1n],
      ["µs", 1_000n],
      ["ms", 1_000_000n],
    ] as const) {
      if (size < length * 1000n) return `${sign}${decimalFraction(size, length)}${unit}`;
    }
    const hours = size / (3600n * NANOSECONDS);
    const minutes = (size / (60n * NANOSECONDS)) % 60n;
    const seconds = `${decimalFraction(size % (60n * NANOSECONDS), NANOSECONDS)}s`;
    if (hours > 0n) return `${sign}${hours}h${minutes}m${seconds}`;
    return sign + (minutes > 0n ? `${minutes}m${seconds}` : seconds);
  }

  /** The method of this name, or null. */
  method(name: string): ((args: readonly Value[]) => Value) | null {
    const noArgs = (value: () => Value) => (args: readonly Value[]) => {
      expectArgs(name, args, []);
      return value();
    };
    switch (name) {
      case "String":
        return noArgs(() => this.text);
      case "Hours":
        return noArgs(() => this.seconds / 3600);
      case "Minutes":
        return noArgs(() => this.seconds / 60);
      case "Seconds":
        return noArgs(() => this.seconds);
      case "Milliseconds":
        return noArgs(() => this.nanoseconds / 1_000_000n);
      case "Microseconds":
        return noArgs(() => this.nanoseconds / 1_000n);
      case "Nanoseconds":
        return noArgs(() => this.nanoseconds);
      case "Abs":
        return noArgs(() => (this.nanoseconds < 0n ? new GoDuration(-this.nanoseconds) : this));
      case "Truncate":
      case "Round":
        return (args) => {
          const [unit] = expectArgs(name, args, ["time.Duration"]) as [GoDuration];
          if (unit.nanoseconds <= 0n) return this;
          const rest = this.nanoseconds % unit.nanoseconds;
          const truncated = this.nanoseconds - rest;
          const isFar = (rest < 0n ? -rest : rest) * 2n >= unit.nanoseconds;
          if (name === "Truncate" || !isFar) return new GoDuration(truncated);
          return new GoDuration(truncated + (rest < 0n ? -unit.nanoseconds : unit.nanoseconds));
        };
      default:
        return null;
    }
  }
}

type ArgType = "string" | "int" | "time.Duration" | "time.Time";

function expectArgs(name: string, args: readonly Value[], types: readonly ArgType[]): readonly Value[] {
  if (args.length !== types.length) {
    throw new Error(`wrong number of args for ${name}: want ${types.length} got ${args.length}`);
  }
  return args.map((arg, i) => {
    const type = types[i]!;
    // Whole constants and numbers of nanoseconds are durations too.
    if (type === "time.Duration" && typeof arg === "bigint") return new GoDuration(arg);
    const isRight =
      type === "string"
        ? typeof arg === "string"
        : type === "int"
          ? typeof arg === "bigint"
          : type === "time.Duration"
            ? arg instanceof GoDuration
            : arg instanceof GoTime;
    if (!isRight) throw new Error(`wrong type for value; expected ${type}`);
    return arg;
  });
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

/** `value / unit` as a decimal without needless zeros. */
function decimalFraction(value: bigint, unit: bigint): string {
  const places = String(unit).length - 1;
  const fraction = String(value % unit)
    .padStart(places, "0")
    .slice(0, places)
    .replace(/0+$/, "");
  return fraction === "" ? `${value / unit}` : `${value / unit}.${fraction}`;
}

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
}

/** What a layout is made of, longer elements before those they begin with. */
const LAYOUT_ELEMENT =
  /January|Jan|Monday|Mon|MST|2006|Z07:00:00|Z07:00|Z0700|Z07|-07:00:00|-07:00|-070000|-0700|-07|002|__2|01|02|03|04|05|06|15|PM|pm|_2(?!006)|[.,]0+(?![0-9])|[.,]9+(?![0-9])|1|2|3|4|5/g;

function formatElement(element: string, date: Date, nanoseconds: bigint): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const hour12 = date.getUTCHours() % 12 || 12;
  switch (element) {
    case "January":
      return MONTHS[date.getUTCMonth()]!;
    case "Jan":
      return MONTHS[date.getUTCMonth()]!.slice(0, 3);
    case "Monday":
      return WEEKDAYS[date.getUTCDay()]!;
    case "Mon":
      return WEEKDAYS[date.getUTCDay()]!.slice(0, 3);
    case "MST":
      return "UTC";
    case "2006":
      return String(date.getUTCFullYear()).padStart(4, "0");
    case "06":
      return two(date.getUTCFullYear() % 100);
    case "01":
      return two(date.getUTCMonth() + 1);
    case "1":
      return String(date.getUTCMonth() + 1);
    case "02":
      return two(date.getUTCDate());
    case "_2":
      return String(date.getUTCDate()).padStart(2, " ");
    case "2":
      return String(date.getUTCDate());
    case "002":
      return String(dayOfYear(date)).padStart(3, "0");
    case "__2":
      return String(dayOfYear(date)).padStart(3, " ");
    case "15":
      return two(date.getUTCHours());
    case "03":
      return two(hour12);
    case "3":
      return String(hour12);
    case "04":
      return two(date.getUTCMinutes());
    case "4":
      return String(date.getUTCMinutes());
    case "05":
      return two(date.getUTCSeconds());
    case "5":
      return String(date.getUTCSeconds());
    case "PM":
      return date.getUTCHours() < 12 ? "AM" : "PM";
    case "pm":
      return date.getUTCHours() < 12 ? "am" : "pm";
    case "-0700":
      return "+0000";
    case "-07:00":
      return "+00:00";
    case "-07":
      return "+00";
    case "-070000":
      return "+000000";
    case "-07:00:00":
      return "+00:00:00";
  }
  if (element.startsWith("Z")) return "Z";
  const digits = String(nanoseconds).padStart(9, "0");
  const shown = digits.slice(0, element.length - 1).padEnd(element.length - 1, "0");
  if (element[1] === "0") return element[0]! + shown;
  const cut = shown.replace(/0+$/, "");
  return cut === "" ? "" : element[0]! + cut;
}
