import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headBytes, headEnd, parseResponseHead } from "../../src/http-client/response-head.ts";

/** The headers of a head, read with expressions: what is not a head is the message of an error. */
function headersByHand(head: string): Record<string, string | string[]> | string {
  const text = head.slice(head.indexOf("\n") + 1);
  if (/^[ \t]/.test(text)) return "initial line";
  const headers: Record<string, string | string[]> = {};
  for (const line of text.replace(/\s*\n[ \t]+/g, " ").split(/\r?\n/)) {
    if (line === "" || line.startsWith(":")) continue;
    const [, name, value] = /^([^:]*):([^]*)$/.exec(line) ?? [];
    if (name === undefined) return "missing colon";
    const key = name.toLowerCase();
    headers[key] = key in headers ? [headers[key]!, value!.trim()].flat() : value!.trim();
  }
  return headers;
}

describe("a head", () => {
  const piece = fc.constantFrom(
    ...[
      "Content-Type",
      "X",
      "x",
      "X-Long-Header-Name",
      ":",
      ": ",
      " ",
      "\t",
      "\r\n",
      "\n",
      "\r",
      "a",
      "ä",
      "é b",
    ],
  );
  const line = fc.oneof(
    fc
      .tuple(fc.constantFrom("A", "a", "Date", "X-Y", ""), fc.constantFrom(":", ": ", " :\t", ""), piece)
      .map((all) => all.join("")),
    fc.array(piece, { maxLength: 5 }).map((all) => all.join("")),
  );

  test("of any lines says what it says to one who reads it line by line", () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\r\n"), (lines, end) => {
        const whole = `HTTP/1.1 200 OK${end}${lines.join(end)}${end}${end}`;
        const head = whole.slice(0, headEnd(whole, 0));
        const expected = headersByHand(head);
        if (typeof expected === "string") expect(() => parseResponseHead(head)).toThrow(expected);
        else expect({ ...parseResponseHead(head)!.headers }).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });

  test("is never taken to be longer than the bytes up to its empty line, nor shorter", () => {
    const text = fc.array(fc.constantFrom("\r\n", "\n", "\r", "a", "b: c"), { maxLength: 20 });
    fc.assert(
      fc.property(text, fc.nat(10), fc.nat(60), (parts, skipped, most) => {
        const bytes = Buffer.from(parts.join(""));
        const from = Math.min(skipped, bytes.length);
        const to = Math.min(from + most, bytes.length);
        const size = headBytes(bytes, from, to);
        const end = headEnd(bytes.subarray(from, to).toString("latin1"), 0);
        expect(size).toBe(end < 0 ? to - from : end);
      }),
      { numRuns: 3000 },
    );
  });

  test("with a name of an object's own is like any other", () => {
    const head = parseResponseHead("HTTP/1.1 200 OK\r\n__proto__: a\r\nconstructor: b\r\n\r\n")!;
    expect(Object.entries(head.headers)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
  });

  test("tells a length only where all that tell it agree", () => {
    const lengthOf = (...lengths: string[]) =>
      parseResponseHead(
        `HTTP/1.1 200 OK\r\n${lengths.map((length) => `Content-Length: ${length}\r\n`).join("")}\r\n`,
      )!.lengthBytes;
    expect(lengthOf("12")).toBe(12);
    expect(lengthOf("12", "12", "12")).toBe(12);
    expect(() => lengthOf("12", "12", "13")).toThrow("bad Content-Length");
    expect(() => lengthOf("1x")).toThrow("bad Content-Length");
  });
});
