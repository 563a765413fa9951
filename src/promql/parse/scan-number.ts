/** What stands at some place in a query where a digit, or a dot and a digit, begins it. */
export type NumberScan =
  | { readonly kind: "number" | "duration"; readonly end: number }
  /** Neither; `end` is behind the last character that was taken, for the message. */
  | { readonly kind: "bad"; readonly end: number };

/**
 * Finds the end of a number ("1_000", "0x1F", ".5e3") or duration ("1h30m") that starts at `start`. What it accepts
 * need not be valid yet ("1e+", "1.5h"): turning it into a value says so.
 */
export function scanNumber(text: string, start: number): NumberScan {
  const digits = scanDigits(text, start);
  if (digits.isWhole && !isWordCharacter(text, digits.end)) return { kind: "number", end: digits.end };
  return scanDurationUnits(text, digits.end);
}

/** The number's own characters. `isWhole` is false where it broke off at something that may not stand there. */
function scanDigits(text: string, start: number): { readonly end: number; readonly isWhole: boolean } {
  let end = start;
  const isHex = text[end] === "0" && (text[end + 1] === "x" || text[end + 1] === "X");
  const isDigit = isHex ? isHexDigit : isDecimalDigit;
  if (isHex) {
    end += 2;
    if (text[end] === "_") end++;
  }
  let hasDot = false;
  let hasExponent = false;
  for (;;) {
    const character = text[end];
    if (isDigit(character)) {
      end++;
    } else if (character === ".") {
      end++;
      if (hasDot || isHex) return { end, isWhole: false };
      hasDot = true;
      if (text[end] === "_" || text[end] === ".") return { end: end + 1, isWhole: false };
    } else if (character === "e" || character === "E") {
      end++;
      if (hasExponent) return { end, isWhole: false };
      hasExponent = true;
      if (text[end] === "+" || text[end] === "-") end++;
      if (isJoint(text[end])) return { end: end + 1, isWhole: false };
    } else if (character === "_") {
      end++;
      if (isJoint(text[end])) return { end: end + 1, isWhole: false };
      if (end === text.length) return { end, isWhole: false };
    } else return { end, isWhole: true };
  }
}

/** The first unit and further digits with units: "h30m" of "1h30m". */
function scanDurationUnits(text: string, start: number): NumberScan {
  let end = start;
  if (!isOneOf("smhdwy", text[end])) return { kind: "bad", end };
  end++;
  if (text[end] === "s") end++;
  while (isDecimalDigit(text[end])) {
    while (isDecimalDigit(text[end])) end++;
    if (!isOneOf("smhdw", text[end])) return { kind: "bad", end };
    end++;
    if (text[end] === "s") end++;
  }
  return isWordCharacter(text, end) ? { kind: "bad", end: end + 1 } : { kind: "duration", end };
}

/** What must not follow an exponent sign or an underscore. */
function isJoint(character: string | undefined): boolean {
  return isOneOf("._eE", character);
}

function isOneOf(characters: string, character: string | undefined): boolean {
  return character !== undefined && characters.includes(character);
}

function isDecimalDigit(character: string | undefined): boolean {
  return character !== undefined && character >= "0" && character <= "9";
}

function isHexDigit(character: string | undefined): boolean {
  return (
    isDecimalDigit(character) ||
    (character !== undefined &&
      ((character >= "a" && character <= "f") || (character >= "A" && character <= "F")))
  );
}

/** Letters, digits and underscores. */
export function isWordCharacter(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    code === 0x5f ||
    (code >= 0x61 && code <= 0x7a)
  );
}
