import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ResponseReader, type BodyBuffers } from "../../src/http-client/response-reader.ts";

const buffers: BodyBuffers = { take: (size) => Buffer.alloc(size), give: () => undefined };

/** Feeds the bytes in pieces that end at `cuts`. */
function read(bytes: string | Buffer, { cuts = [] as number[], limitBytes = 1 << 20, ends = false } = {}) {
  const all = Buffer.from(bytes as string, "latin1");
  const reader = new ResponseReader(limitBytes, buffers);
  const borders = [...cuts.map((cut) => cut % (all.length + 1)), all.length].sort((a, b) => a - b);
  let from = 0;
  for (const to of borders) {
    if (to > from) reader.feed(all.subarray(from, to));
    from = Math.max(from, to);
  }
  if (ends) reader.end();
  return reader;
}

function bodyOf(reader: ResponseReader): string | null {
  return reader.answer && Buffer.concat(reader.answer.chunks).toString("latin1");
}

describe("an answer", () => {
  test("is the same however its bytes are cut, by length, in chunks or ended by the connection", () => {
    const body = fc.string({ unit: fc.constantFrom(..."ab\r\n:0;"), maxLength: 60 });
    const pieces = fc.array(fc.string({ unit: fc.constantFrom(..."xy\r\n0"), minLength: 1, maxLength: 30 }), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(
        body,
        pieces,
        fc.array(fc.nat(400), { maxLength: 12 }),
        fc.constantFrom("length", "chunks", "close"),
        (text, parts, cuts, framing) => {
          const head = "HTTP/1.1 200 All right\r\nContent-Type: text/plain\r\nX-Twice: a\r\nx-twice:b \r\n";
          const chunked = parts.map((part) => `${part.length.toString(16)};ext=1\r\n${part}\r\n`).join("");
          const [bytes, expected] =
            framing === "length"
              ? [`${head}Content-Length: ${text.length}\r\n\r\n${text}`, text]
              : framing === "chunks"
                ? [
                    `${head}Transfer-Encoding: chunked\r\n\r\n${chunked}0\r\nTrailer: x\r\n\r\n`,
                    parts.join(""),
                  ]
                : [`${head}\r\n${text}`, text];
          const reader = read(bytes, { cuts, ends: framing === "close" });
          expect(reader.answer).toMatchObject({
            statusCode: 200,
            statusText: "All right",
            sizeBytes: expected.length,
          });
          expect({ ...reader.answer!.headers }).toMatchObject({
            "content-type": "text/plain",
            "x-twice": ["a", "b"],
          });
          expect(bodyOf(reader)).toBe(expected);
          expect(reader.mayBeReused).toBe(framing !== "close");
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("may come after others that only say that it will", () => {
    const reader = read(
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    expect(bodyOf(reader)).toBe("hi");
    const patient = (count: number) =>
      read(`${"HTTP/1.1 100 Continue\r\n\r\n".repeat(count)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`);
    expect(patient(5).answer!.statusCode).toBe(200);
    expect(() => patient(6)).toThrow("too many 1xx");
    expect(() => read("HTTP/1.1 100 Continue\r\n\r\n", { ends: true })).toThrow("unexpected EOF");
  });

  test("that gives the connection over to another protocol is the last", () => {
    const reader = read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n");
    expect([reader.answer!.statusCode, reader.answer!.sizeBytes, reader.mayBeReused]).toEqual([
      101,
      0,
      false,
    ]);
  });

  test("may have headers in more than one line, without a name, or without a value", () => {
    const head = [
      "HTTP/1.1 200 OK",
      "Content-Type: text/plain;",
      " version=0.0.4  ",
      "\tcharset=utf-8",
      ": nothing",
      "X-Blank:",
      "Content-Length: 2",
    ];
    const { answer } = read(`${head.join("\r\n")}\r\n\r\nhi`);
    expect({ ...answer!.headers }).toEqual({
      "content-type": "text/plain; version=0.0.4 charset=utf-8",
      "x-blank": "",
      "content-length": "2",
    });
    expect(bodyOf(read("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi"))).toBe("hi");
    expect(bodyOf(read("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi", { ends: true }))).toBe("hi");
  });

  test("of an older or newer server is read by what its version knows", () => {
    const chunked = (version: string) =>
      read(`HTTP/${version} 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`, { ends: true });
    expect(bodyOf(chunked("1.0"))).toBe("1\r\na\r\n0\r\n\r\n");
    expect(bodyOf(chunked("1.2"))).toBe("a");
  });

  test("that only says how long it will be gets no more room than it may need", () => {
    const taken: number[] = [];
    const reader = new ResponseReader(2 ** 30, {
      take: (size) => {
        taken.push(size);
        return Buffer.alloc(size);
      },
      give: () => undefined,
    });
    reader.feed(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${2 ** 29}\r\n\r\n`));
    expect(Math.max(...taken)).toBeLessThanOrEqual(2 ** 24);
  });

  test("leaves the connection as its version and its options say", () => {
    const one = (head: string) => read(`${head}\r\nContent-Length: 0\r\n\r\n`).mayBeReused;
    expect(one("HTTP/1.1 200 OK")).toBe(true);
    expect(one("HTTP/1.1 200 OK\r\nConnection: Close")).toBe(false);
    expect(one("HTTP/1.0 200 OK")).toBe(false);
    expect(one("HTTP/1.0 200 OK\r\nConnection: keep-alive")).toBe(true);
    expect(
      read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=5, max=100\r\n\r\n").keepAliveMs,
    ).toBe(5000);
    // Bytes nobody asked for.
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc").mayBeReused).toBe(false);
  });

  test("without success is over when its body is, of which nothing is kept and not much is read", () => {
    const small = read(`HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nabc`);
    expect([small.answer!.statusCode, small.answer!.sizeBytes, small.mayBeReused]).toEqual([500, 0, true]);
    const large = read(`HTTP/1.1 404 Not Found\r\nContent-Length: 900000\r\n\r\n${"x".repeat(100_000)}`);
    expect([large.answer!.statusCode, large.mayBeReused]).toEqual([404, false]);
    expect(read("HTTP/1.1 204 No Content\r\n\r\n").answer!.statusCode).toBe(204);
  });

  test("that is cut short is no answer", () => {
    const cut = (bytes: string) => () => read(bytes, { ends: true });
    expect(cut("")).toThrow("EOF");
    expect(cut("HTTP/1.1 200 OK\r\nContent-")).toThrow("unexpected EOF");
    expect(cut("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")).toThrow("unexpected EOF");
    expect(cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")).toThrow("unexpected EOF");
    expect(cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")).toThrow(
      "unexpected EOF",
    );
  });

  test("that is no HTTP is refused, and says what it was", () => {
    const fault = (bytes: string) => () => read(bytes);
    // At once: it may have nothing more to say.
    expect(fault("SSH-2.0-OpenSSH\r\n")).toThrow('malformed HTTP response "SSH-2.0-OpenSSH"');
    expect(() => read("hello", { ends: true })).toThrow('malformed HTTP response "hello"');
    expect(fault("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")).toThrow('missing colon: "no colon"');
    expect(fault("HTTP/1.1 200 OK\r\n X: y\r\n\r\n")).toThrow("malformed MIME header initial line:  X: y");
    expect(fault("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")).toThrow(
      "bad Content-Length",
    );
    expect(fault("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")).toThrow("bad Content-Length");
    expect(fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n")).toThrow(
      "unsupported transfer encoding",
    );
    expect(fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")).toThrow(
      "invalid byte in chunk length",
    );
    expect(fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n")).toThrow(
      "malformed chunked encoding",
    );
    expect(fault(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(2 ** 20)}`)).toThrow("headers exceeded");
  });

  test("is taken up to its limit, whether or not it tells its length", () => {
    const body = "x".repeat(1000);
    const framings = [
      `Content-Length: 1000\r\n\r\n${body}`,
      `\r\n${body}`,
      `Transfer-Encoding: chunked\r\n\r\n3e8\r\n${body}\r\n0\r\n\r\n`,
    ];
    for (const framing of framings) {
      const bytes = `HTTP/1.1 200 OK\r\n${framing}`;
      expect(() => read(bytes, { limitBytes: 1000 })).toThrow(
        expect.objectContaining({ name: "AnswerTooLargeError" }),
      );
      expect(bodyOf(read(bytes, { limitBytes: 1001, ends: true }))).toBe(body);
    }
  });

  test("of any bytes ends in an answer or an error", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
      fc
        .array(
          fc.constantFrom(
            "HTTP/1.1 200 OK\r\n",
            "\r\n",
            "\n",
            "Content-Length: 3",
            "Transfer-Encoding: chunked",
            "3",
            "0",
            "abc",
            "HTTP/1.1 100 C",
            ":",
          ),
          { maxLength: 20 },
        )
        .map((parts) => Buffer.from(parts.join(""))),
    );
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(200), { maxLength: 6 }), (all, cuts) => {
        try {
          expect(read(all, { cuts, ends: true }).answer).not.toBeNull();
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
