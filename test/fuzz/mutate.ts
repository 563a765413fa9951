import type { Random } from "./random.ts";

/** Some changes to a valid input, of the kinds that parsers trip over. `words` are the ones its language knows. */
export function mutate(input: Buffer, random: Random, words: readonly string[]): Buffer {
  let bytes = input;
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = change(bytes, random, words);
  return bytes;
}

function change(bytes: Buffer, random: Random, words: readonly string[]): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(random.chance(0.2) ? bytes.length + 1 : 8));
  const part = bytes.subarray(at, end);
  switch (random.below(10)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (flipped.length > 0) flipped[random.below(flipped.length)]! ^= 1 << random.below(8);
      return flipped;
    }
    case 1:
      return splice(bytes, at, end, random.bytes(8));
    case 2:
      return splice(bytes, at, end, Buffer.alloc(0));
    case 3:
      return bytes.subarray(0, at);
    case 4:
      return splice(bytes, at, at, Buffer.concat(Array.from({ length: 1 + random.below(8) }, () => part)));
    case 5: {
      const to = random.below(bytes.length + 1);
      return splice(bytes, to, to, part);
    }
    case 6:
      return splice(bytes, at, random.chance(0.5) ? at : end, Buffer.from(random.number()));
    case 7:
      return splice(
        bytes,
        at,
        at + 1,
        Buffer.from([random.pick([0, 0x0a, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0xff])]),
      );
    case 8: {
      const exotic = random.pick(["é", "🎈", "\ud800", "\u2028", "\ufeff", "\u0000", "__proto__", "ſ"]);
      return splice(bytes, at, at, Buffer.from(exotic));
    }
    default:
      if (words.length === 0) return splice(bytes, at, end, random.bytes(4));
      return splice(bytes, at, random.chance(0.5) ? at : end, Buffer.from(random.pick(words)));
  }
}

function splice(bytes: Buffer, from: number, to: number, into: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), into, bytes.subarray(to)]);
}
