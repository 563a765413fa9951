/** Random numbers that a text decides: the same seed makes the same input on every machine. */
export class Random {
  private state: number;

  constructor(seed: string) {
    // FNV-1a, then a few rounds so that seeds which differ in their last digit go apart.
    let hash = 0x811c9dc5;
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    this.state = hash;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** From 0 up to below 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from 0 up to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** Up to `most` things; few more often than many. */
  list<T>(most: number, make: (index: number) => T): T[] {
    return Array.from({ length: Math.floor(this.next() * this.next() * (most + 1)) }, (_, i) => make(i));
  }

  bytes(most: number): Buffer {
    return Buffer.from(this.list(most, () => this.below(256)));
  }

  text(alphabet: string, most: number): string {
    const characters = [...alphabet];
    return this.list(most, () => this.pick(characters)).join("");
  }

  /** Numbers as people and programs write them, edges among them. */
  number(): string {
    switch (this.below(6)) {
      case 0:
        return String(this.below(1000));
      case 1:
        return String((this.next() - 0.5) * 10 ** this.below(20));
      case 2:
        return (this.next() * 10 ** (this.below(620) - 310)).toExponential();
      case 3:
        return this.text("0123456789", 25);
      case 4:
        return this.text("+-.0123456789eExX_InfNa", 12);
      default:
        return this.pick(EDGES);
    }
  }
}

const EDGES = [
  ...["0", "-0", "1", "-1", "NaN", "+Inf", "-Inf", "Inf", "nan", "infinity", "1e308", "1e309", "5e-324"],
  ...["9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e-400"],
  ...[
    "2147483648",
    "4294967296",
    "0x10",
    "1_000",
    ".5",
    "5.",
    "1e",
    "00",
    "253402300800",
    "1.7976931348623157e308",
  ],
];
