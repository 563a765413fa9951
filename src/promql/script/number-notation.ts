/** A number as it stands in a script: decimal, or Inf and NaN in any case, with an optional sign. */
export function parseNumber(text: string): number {
  const value = tryParseNumber(text);
  if (value === null) throw new Error(`cannot read number: ${JSON.stringify(text)}`);
  return value;
}

/** As `parseNumber`, or null where it is none. */
export function tryParseNumber(text: string): number | null {
  const match = /^([+-]?)(?:(inf)(?:inity)?|(nan)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?))$/i.exec(
    text,
  );
  if (match === null) return null;
  const [, sign, infinite, nan, digits] = match;
  const magnitude = infinite !== undefined ? Infinity : nan !== undefined ? NaN : Number(digits);
  return sign === "-" ? -magnitude : magnitude;
}
