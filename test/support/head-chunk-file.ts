import { crc32c } from "../../src/tsdb/crc32c.ts";
import { ByteWriter } from "../../src/tsdb/varint.ts";
import type { EncodedChunk } from "../../src/tsdb/block/chunk-series.ts";

/** A chunk as Prometheus moves it out of its head. */
export interface MovedChunk extends EncodedChunk {
  readonly ref: number;
  readonly isOutOfOrder?: boolean;
}

/** The bytes of a file of `chunks_head`, with the zeros that Prometheus leaves behind the last chunk. */
export function headChunkFile(chunks: readonly MovedChunk[]): Uint8Array {
  const file = new ByteWriter();
  file.u32(0x0130bc91);
  file.raw(Uint8Array.of(1, 0, 0, 0));
  for (const { ref, minTime, maxTime, encoding, bytes, isOutOfOrder } of chunks) {
    const start = file.length;
    file.u64(ref);
    file.i64(minTime);
    file.i64(maxTime);
    file.u8(encoding | (isOutOfOrder ? 0x80 : 0));
    file.uvarint(bytes.length);
    file.raw(bytes);
    file.u32(crc32c(file.bytes, start, file.length));
  }
  file.raw(new Uint8Array(4096));
  return file.written().slice();
}
