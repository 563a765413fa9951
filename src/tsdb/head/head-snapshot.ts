/**
 * The open chunks of a head as Prometheus leaves them at a stop when it is asked to: a little log of its own, a record
 * a series. Narthex writes none.
 *
 *   series:  u8 1 │ u64 series │ uvarint labels, names and values │ i64 0 │ uvarint 1: a chunk follows, 0: none
 *            │ i64 first time │ i64 last time │ u8 encoding │ uvarint size of chunk │ chunk │ what an appender needs
 */
import { join } from "node:path";
import { Labels } from "../../model/labels.ts";
import { CorruptionError } from "../corruption-error.ts";
import { parseHeadSnapshotName } from "../file-names.ts";
import { ByteReader } from "../varint.ts";
import { listFolder, listSegments, WalReader } from "../wal/segment.ts";
import type { HeadFileChunk } from "./head-chunk-files.ts";

const SERIES_RECORD = 1;

/** The newest snapshot of a data directory, null where there is none or it is of another log than this. */
export function findHeadSnapshot(dataDirectory: string, lastSegment: number): string | null {
  let newest: { readonly name: string; readonly segment: number; readonly offset: number } | null = null;
  for (const name of listFolder(dataDirectory)) {
    const place = parseHeadSnapshotName(name);
    if (place === null || place.segment > lastSegment) continue;
    const isNewer =
      newest === null ||
      place.segment > newest.segment ||
      (place.segment === newest.segment && place.offset > newest.offset);
    if (isNewer) newest = { name, ...place };
  }
  return newest && join(dataDirectory, newest.name);
}

/**
 * Visits the chunks of a snapshot, each with the labels of its series.
 * @throws CorruptionError at the first record that is damaged; those before it are sound
 */
export function readHeadSnapshot(
  directory: string,
  visit: (labels: Labels, chunk: HeadFileChunk) => void,
): void {
  const reader = new WalReader(directory, listSegments(directory));
  const record = new ByteReader();
  try {
    while (reader.next()) {
      if (reader.record[0] !== SERIES_RECORD) continue;
      record.reset(reader.record, 1);
      const ref = record.u64();
      const labels = readLabels(record);
      record.i64();
      if (record.uvarint() === 0) continue;
      const minTime = record.i64();
      const maxTime = record.i64();
      const encoding = record.u8();
      const bytes = record.view8(record.uvarint());
      visit(labels, { ref, minTime, maxTime, encoding, isOutOfOrder: false, bytes });
    }
  } finally {
    reader.close();
  }
}

function readLabels(record: ByteReader): Labels {
  const count = record.uvarint();
  if (2 * count > record.remaining) {
    throw new CorruptionError(`cannot read ${count} labels: only ${record.remaining} bytes left`);
  }
  const pairs: string[] = [];
  for (let i = 0; i < 2 * count; i++) pairs.push(record.string());
  return Labels.fromSortedPairs(pairs);
}
