import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gzipPieces } from "../../src/api/gzip-pieces.ts";

async function packed(parts: readonly Uint8Array[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of gzipPieces(parts)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("parts compressed piece by piece", () => {
  test("are one gzip file of all their bytes", async () => {
    const part = fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(1, 3, 30_000));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (kinds) => {
        const parts = kinds.map(([bytes, times]) => Buffer.concat(Array<Uint8Array>(times).fill(bytes)));
        expect(gunzipSync(await packed(parts)).equals(Buffer.concat(parts))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("may be more than are compressed at once, and larger than a piece", async () => {
    const parts = [5, 1, 3].map((mebibytes) => {
      const bytes = Buffer.alloc(mebibytes * 1024 * 1024 + 7);
      for (let i = 0; i < bytes.length; i++) bytes[i] = 48 + ((i * i * mebibytes) % 11);
      return bytes;
    });
    expect(gunzipSync(await packed(parts)).equals(Buffer.concat(parts))).toBe(true);
  });
});
