/** Writes protobuf messages by hand, field by field: the other side of the reader under test. */
export type Field = readonly [
  number: number,
  kind: Kind,
  value: number | string | Buffer | readonly number[],
];
type Kind = "varint" | "int64" | "sint" | "double" | "bytes" | "packed-sint" | "packed-double";

export function message(...fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(([number, kind, value]) => field(number, kind, value)));
}

function field(number: number, kind: Kind, value: Field[2]): Buffer {
  switch (kind) {
    case "varint":
    case "int64":
      return Buffer.concat([key(number, 0), varint(BigInt.asUintN(64, BigInt(value as number)))]);
    case "sint":
      return Buffer.concat([key(number, 0), varint(zigzag(value as number))]);
    case "double":
      return Buffer.concat([key(number, 1), double(value as number)]);
    case "bytes":
      return delimited(number, Buffer.isBuffer(value) ? value : Buffer.from(value as string));
    case "packed-sint":
      return delimited(number, Buffer.concat((value as readonly number[]).map((n) => varint(zigzag(n)))));
    case "packed-double":
      return delimited(number, Buffer.concat((value as readonly number[]).map(double)));
  }
}

function delimited(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([key(number, 2), varint(BigInt(bytes.length)), bytes]);
}

function key(number: number, wireType: number): Buffer {
  return varint(BigInt(number * 8 + wireType));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  bytes.push(Number(value));
  return Buffer.from(bytes);
}

function zigzag(value: number): bigint {
  const n = BigInt(value);
  return BigInt.asUintN(64, (n << 1n) ^ (n >> 63n));
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

/** A page of families, each with its length before it. */
export function page(...families: readonly Buffer[]): Buffer {
  return Buffer.concat(families.flatMap((family) => [varint(BigInt(family.length)), family]));
}

export const label = (name: string, value: string): Field => [
  1,
  "bytes",
  message([1, "bytes", name], [2, "bytes", value]),
];

export const FamilyType = {
  counter: 0,
  gauge: 1,
  summary: 2,
  untyped: 3,
  histogram: 4,
  gaugeHistogram: 5,
} as const;

export function family(name: string, type: number, ...metrics: readonly Buffer[]): Buffer {
  return message(
    [1, "bytes", name],
    [2, "bytes", `help of ${name}`],
    [3, "varint", type],
    ...metrics.map((metric): Field => [4, "bytes", metric]),
  );
}
