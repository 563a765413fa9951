import type { FunctionImplementation, ScalarFunction } from "./contract.ts";

/**
 * Parts of a date from seconds since the epoch, as Go's proleptic Gregorian calendar has them in UTC. Seconds are a
 * signed 64-bit integer; what does not fit (NaN, infinities, ±2^63 and beyond) becomes the smallest.
 */
export interface CivilTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  /** Sunday is 0. */
  readonly dayOfWeek: number;
  /** 1 is the first of January. */
  readonly dayOfYear: number;
  readonly daysInMonth: number;
}

const SECONDS_PER_DAY = 86_400n;
/** Go counts from year −292277022399: seconds before it wrap round by 2^64. */
const ABSOLUTE_START = -9223371966579724800n;
const INT64_MIN = -(2n ** 63n);

export function civilTime(seconds: number): CivilTime {
  let whole = INT64_MIN;
  if (Math.abs(seconds) < 2 ** 63) whole = BigInt(Math.trunc(seconds));
  if (whole < ABSOLUTE_START) whole += 2n ** 64n;
  let days = whole / SECONDS_PER_DAY;
  let second = whole % SECONDS_PER_DAY;
  if (second < 0n) {
    second += SECONDS_PER_DAY;
    days--;
  }
  const day = Number(days);
  const date = civilDate(day);
  const secondOfDay = Number(second);
  return {
    ...date,
    hour: Math.floor(secondOfDay / 3600),
    minute: Math.floor(secondOfDay / 60) % 60,
    // The epoch was a Thursday.
    dayOfWeek: (((day + 4) % 7) + 7) % 7,
  };
}

/** Days since the epoch → date. Years are taken to begin in March, so that the leap day ends one. */
function civilDate(
  daysSinceEpoch: number,
): Pick<CivilTime, "year" | "month" | "day" | "dayOfYear" | "daysInMonth"> {
  const days = daysSinceEpoch + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfMarchYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfMarchYear + 2) / 153);
  const day = dayOfMarchYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + Number(month <= 2);
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  let dayOfYear = day;
  for (let m = 0; m < month - 1; m++) dayOfYear += lengths[m]!;
  return { year, month, day, dayOfYear, daysInMonth: lengths[month - 1]! };
}

/** Which part of the date each date function gives. */
export const dateParts: Readonly<Record<string, (time: CivilTime) => number>> = {
  days_in_month: (time) => time.daysInMonth,
  day_of_month: (time) => time.day,
  day_of_week: (time) => time.dayOfWeek,
  day_of_year: (time) => time.dayOfYear,
  hour: (time) => time.hour,
  minute: (time) => time.minute,
  month: (time) => time.month,
  year: (time) => time.year,
};

const time: ScalarFunction = { kind: "scalar", apply: (timeMs) => timeMs / 1000 };

export const timeFunctions: Readonly<Record<string, FunctionImplementation>> = { time };
