import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { constants, crc32, deflateRaw } from "node:zlib";

/** A piece is compressed by itself: large enough that what it cannot refer back to is nothing, small enough to share. */
const PIECE_BYTES = 1024 * 1024;
/** The lowest level costs a quarter of the default one and packs numbers nearly as well. */
export const GZIP_LEVEL = 1;

const compress = promisify(deflateRaw);

/**
 * One gzip file of all parts, piece by piece, in order: pieces are compressed side by side on as many threads as there
 * are cores, and none waits for those behind it.
 */
export async function* gzipPieces(parts: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  const pieces = parts.flatMap(piecesOf);
  const under = pieces.slice(0, availableParallelism()).map((piece) => start(piece));
  yield Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
  let checksum = 0;
  let sizeBytes = 0;
  for (const [i, piece] of pieces.entries()) {
    checksum = crc32(piece, checksum);
    sizeBytes += piece.length;
    const packed = await under[i]!;
    const next = pieces[under.length];
    if (next) under.push(start(next));
    yield packed;
  }
  const trailer = Buffer.alloc(10);
  // An empty last block with fixed codes ends the stream.
  trailer.writeUInt16LE(0x0003, 0);
  trailer.writeUInt32LE(checksum, 2);
  trailer.writeUInt32LE(sizeBytes % 2 ** 32, 6);
  yield trailer;
}

function piecesOf(part: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < part.length; at += PIECE_BYTES) pieces.push(part.subarray(at, at + PIECE_BYTES));
  return pieces;
}

/** Ends on a byte, without being the stream's end, so that another piece may follow. */
function start(piece: Uint8Array): Promise<Buffer> {
  const packed = compress(piece, { level: GZIP_LEVEL, finishFlush: constants.Z_SYNC_FLUSH });
  // Whoever waits for it hears of a failure; one that nobody waits for any more is no crash.
  packed.catch(() => undefined);
  return packed;
}
