/** Every name the database gives a file or folder, and the reading of those names. */

export const LOCK_FILE = "lock";
export const WAL_FOLDER = "wal";
export const WBL_FOLDER = "wbl";
export const HEAD_CHUNKS_FOLDER = "chunks_head";
export const SNAPSHOTS_FOLDER = "snapshots";
export const SERIES_STATE_FILE = "series_state.json";

export const META_FILE = "meta.json";
export const INDEX_FILE = "index";
export const TOMBSTONES_FILE = "tombstones";
export const CHUNKS_FOLDER = "chunks";

export const TMP_FOR_CREATION = ".tmp-for-creation";
export const TMP_FOR_DELETION = ".tmp-for-deletion";
/** What releases before 2.21 used for both. */
const TMP_OF_OLD = ".tmp";

/** `00000012`: the reader takes any decimal name, the writer pads to eight. */
export function segmentName(index: number): string {
  return String(index).padStart(8, "0");
}

/** The number of a WAL segment, or null where the name is not one. */
export function parseSegmentName(name: string): number | null {
  return isDecimal(name, 0) ? Number(name) : null;
}

/** `000001`: the files of chunks inside a block, counted from 1. */
export function chunkFileName(number: number): string {
  return String(number).padStart(6, "0");
}

export function parseChunkFileName(name: string): number | null {
  return isDecimal(name, 0) ? Number(name) : null;
}

const CHECKPOINT_PREFIX = "checkpoint.";

/** `checkpoint.00000012` holds what is still wanted of segments up to 12. */
export function checkpointName(segment: number): string {
  return CHECKPOINT_PREFIX + segmentName(segment);
}

export function parseCheckpointName(name: string): number | null {
  if (!name.startsWith(CHECKPOINT_PREFIX) || !isDecimal(name, CHECKPOINT_PREFIX.length)) return null;
  return Number(name.slice(CHECKPOINT_PREFIX.length));
}

function isDecimal(name: string, from: number): boolean {
  if (name.length <= from || name.length - from > 15) return false;
  for (let i = from; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x30 || unit > 0x39) return false;
  }
  return true;
}

const ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Whether a folder's name is a block's id: 26 characters of Crockford's base 32, below 2^128. */
export function isBlockName(name: string): boolean {
  if (name.length !== 26 || name.charCodeAt(0) > 0x37) return false;
  for (const character of name.toUpperCase()) if (!ULID_ALPHABET.includes(character)) return false;
  return true;
}

const HEAD_SNAPSHOT_PREFIX = "chunk_snapshot.";

/** What is behind the name of a folder as long as it is being written. */
export const UNFINISHED = ".tmp";

/** Where files of head chunks are written. Newer Prometheus, too, removes what is left of it: by its name a snapshot. */
export const HEAD_CHUNKS_UNFINISHED = `${HEAD_SNAPSHOT_PREFIX}${HEAD_CHUNKS_FOLDER}${UNFINISHED}`;

/** Whether a folder is what is left of a head at a stop, when that was asked for. */
export function isHeadSnapshot(name: string): boolean {
  return name.startsWith(HEAD_SNAPSHOT_PREFIX);
}

/** `chunk_snapshot.000003.0000123456`: up to where in the log it goes. */
export function headSnapshotName({ segment, offset }: { segment: number; offset: number }): string {
  return `${HEAD_SNAPSHOT_PREFIX}${String(segment).padStart(6, "0")}.${String(offset).padStart(10, "0")}`;
}

const HEAD_SNAPSHOT = /^chunk_snapshot\.(\d+)\.(\d+)$/;

/** Up to where in the log a finished snapshot of the head goes; null for other names. */
export function parseHeadSnapshotName(name: string): { segment: number; offset: number } | null {
  const match = HEAD_SNAPSHOT.exec(name);
  return match && { segment: Number(match[1]), offset: Number(match[2]) };
}

/** Whether a folder in the data directory is the leftover of a block being made or deleted. */
export function isTemporaryBlockFolder(name: string): boolean {
  for (const suffix of [TMP_FOR_CREATION, TMP_FOR_DELETION, TMP_OF_OLD]) {
    if (name.endsWith(suffix) && isBlockName(name.slice(0, -suffix.length))) return true;
  }
  return isHeadSnapshot(name) && name.endsWith(TMP_OF_OLD);
}

/** Whether a folder in `wal/` is a checkpoint that was never finished. */
export function isTemporaryCheckpoint(name: string): boolean {
  return name.startsWith(CHECKPOINT_PREFIX) && name.endsWith(TMP_OF_OLD);
}
