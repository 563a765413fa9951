/**
 * The deleted ranges of a block's series.
 *
 *   u32 0x0130BA30 │ u8 1 │ { uvarint series │ varint minTime │ varint maxTime } … │ u32 CRC-32C of the entries
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { CorruptionError } from "../corruption-error.ts";
import { crc32c } from "../crc32c.ts";
import { TOMBSTONES_FILE } from "../file-names.ts";
import { ByteReader, ByteWriter } from "../varint.ts";
import { replaceFile } from "./file-writer.ts";

const MAGIC = 0x0130ba30;
const VERSION = 1;
const HEADER_BYTES = 5;
const CRC_BYTES = 4;

/** A deleted range, both ends included. */
export interface Interval {
  readonly minTime: number;
  readonly maxTime: number;
}

/** By series: its deleted ranges, ascending, apart from each other. */
export type Tombstones = ReadonlyMap<number, readonly Interval[]>;

/** @throws CorruptionError */
export function readTombstones(blockDirectory: string): Tombstones {
  const path = join(blockDirectory, TOMBSTONES_FILE);
  let bytes: Uint8Array;
  try {
    bytes = fs.readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
  try {
    return decodeTombstones(bytes);
  } catch (cause) {
    throw new CorruptionError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

export function writeTombstones(blockDirectory: string, tombstones: Tombstones): void {
  replaceFile(join(blockDirectory, TOMBSTONES_FILE), encodeTombstones(tombstones));
}

export function encodeTombstones(tombstones: Tombstones): Uint8Array {
  const writer = new ByteWriter();
  writer.u32(MAGIC);
  writer.u8(VERSION);
  for (const [series, intervals] of [...tombstones].sort((a, b) => a[0] - b[0])) {
    for (const { minTime, maxTime } of intervals) {
      writer.uvarint(series);
      writer.varint(minTime);
      writer.varint(maxTime);
    }
  }
  writer.u32(crc32c(writer.bytes, HEADER_BYTES, writer.length));
  return writer.written().slice();
}

export function decodeTombstones(bytes: Uint8Array): Tombstones {
  if (bytes.length < HEADER_BYTES + CRC_BYTES) {
    throw new CorruptionError(`cannot decode tombstones: only ${bytes.length} bytes`);
  }
  const reader = new ByteReader(bytes, 0, bytes.length - CRC_BYTES);
  const magic = reader.u32();
  const version = reader.u8();
  if (magic !== MAGIC || version !== VERSION) {
    throw new CorruptionError(
      `cannot decode tombstones: unknown kind ${magic.toString(16)}, version ${version}`,
    );
  }
  const expected = new ByteReader(bytes, bytes.length - CRC_BYTES).u32();
  const actual = crc32c(bytes, HEADER_BYTES, bytes.length - CRC_BYTES);
  if (actual !== expected) {
    throw new CorruptionError(
      `cannot decode tombstones: checksum is ${actual.toString(16)}, expected ${expected.toString(16)}`,
    );
  }
  const found = new Map<number, Interval[]>();
  while (reader.remaining > 0) {
    const series = reader.uvarint();
    const minTime = reader.varint();
    const interval = { minTime, maxTime: reader.varint() };
    const intervals = found.get(series);
    if (intervals) intervals.push(interval);
    else found.set(series, [interval]);
  }
  return new Map([...found].map(([series, intervals]) => [series, joined(intervals)]));
}

/** The same ranges ascending and apart from each other, however many there are. */
function joined(intervals: readonly Interval[]): Interval[] {
  const apart: Interval[] = [];
  for (const { minTime, maxTime } of intervals.toSorted((a, b) => a.minTime - b.minTime)) {
    const last = apart.at(-1);
    if (maxTime < minTime) continue;
    if (last === undefined || last.maxTime < minTime - 1) apart.push({ minTime, maxTime });
    else if (last.maxTime < maxTime) apart[apart.length - 1] = { minTime: last.minTime, maxTime };
  }
  return apart;
}

/** Adds a deleted range, joined with those it touches. */
export function addInterval(
  tombstones: Map<number, readonly Interval[]>,
  series: number,
  interval: Interval,
): void {
  let { minTime, maxTime } = interval;
  const before: Interval[] = [];
  const after: Interval[] = [];
  for (const known of tombstones.get(series) ?? []) {
    if (known.maxTime < minTime - 1) before.push(known);
    else if (known.minTime > maxTime + 1) after.push(known);
    else {
      minTime = Math.min(minTime, known.minTime);
      maxTime = Math.max(maxTime, known.maxTime);
    }
  }
  tombstones.set(series, [...before, { minTime, maxTime }, ...after]);
}

/** Whether a time lies in one of the intervals, which ascend. */
export function isDeleted(intervals: readonly Interval[], timeMs: number): boolean {
  for (const { minTime, maxTime } of intervals) {
    if (timeMs < minTime) return false;
    if (timeMs <= maxTime) return true;
  }
  return false;
}

export function intervalCount(tombstones: Tombstones): number {
  let count = 0;
  for (const intervals of tombstones.values()) count += intervals.length;
  return count;
}
