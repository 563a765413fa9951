/** The bound that a label `le` names, written as Go's floats may be: "0.5", "1_000", "0x1p-2", "+Inf"; null for others. */
export function parseBucketBound(text: string): number | null {
  if (text === "+Inf") return Infinity;
  const match =
    /^([+-]?)(?:(inf(?:inity)?)|(nan)|0x([^p]*)p([+-]?[0-9_]+)|([0-9._]+(?:e[+-]?[0-9_]+)?))$/i.exec(text);
  if (match === null) return null;
  const [, sign, infinity, nan, hexMantissa, hexExponent, decimal] = match;
  let value: number | null;
  if (infinity !== undefined) value = Infinity;
  else if (nan !== undefined) value = sign === "" ? NaN : null;
  else {
    if (!hasTidyUnderscores(text)) return null;
    value =
      decimal !== undefined
        ? decimalValue(decimal.replaceAll("_", ""))
        : hexValue(hexMantissa!.replaceAll("_", ""), hexExponent!.replaceAll("_", ""));
    if (value === Infinity) return null;
  }
  return value === null ? null : sign === "-" ? -value : value;
}

/** Underscores stand between digits, or after 0x, alone. */
function hasTidyUnderscores(text: string): boolean {
  return !text.includes("_") || /^[+-]?(?:0x_?)?(?:[0-9a-f](?:_(?=[0-9a-f]))?|[.p+-])*$/i.test(text);
}

function decimalValue(text: string): number | null {
  return /^(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i.test(text) ? Number(text) : null;
}

function hexValue(mantissa: string, exponent: string): number | null {
  const match = /^([0-9a-f]*)\.?([0-9a-f]*)$/i.exec(mantissa);
  if (match === null || match[1]! + match[2]! === "") return null;
  const digits = Number(BigInt(`0x${match[1]!}${match[2]!}`));
  return digits * 2 ** (Number(exponent) - 4 * match[2]!.length);
}
