// Records of series, as whoever made them numbered their label pairs → entries of an index, with the symbols' final
// numbers, and the lists of the series that each label pair has.
//
//   record:  uvarint size of the body │ uvarint size of the label pairs │ body: uvarint how many label pairs │ uvarint
//            number of each │ chunks
//   entry:   zeroes up to a multiple of 16 │ uvarint size │ uvarint how many label pairs │ uvarint symbols of each │
//            chunks │ u32 checksum, big-endian
//   state:   u32 record at, end of records │ entry at, end of the room │ symbols of the pairs, two u32 each │ by pair:
//            where its next series goes │ where the next of all series goes │ first byte of the room, its id
import { crc32c } from "./checksum";
import { numbersEnd, putUvarint, readNumbers, uvarint, wasNumberCut } from "./varint";

const ALIGNMENT: usize = 16;

const DONE: i32 = 0;
const NEEDS_ROOM: i32 = -1;
const IS_DAMAGED: i32 = -2;

/**
 * Turns records into entries while there are records and room. Lists hold ids big-endian, as they are written.
 * @returns 0 at the end of the records, how many bytes the record at hand needs where it is cut, -1 where the room is
 *   too small for it, -2 where it makes no sense
 */
export function putSeriesEntries(state: usize): i32 {
  const recordsEnd = <usize>load<u32>(state, 4);
  const roomEnd = <usize>load<u32>(state, 12);
  const symbols = <usize>load<u32>(state, 16);
  const places = <usize>load<u32>(state, 20);
  const room = <usize>load<u32>(state, 28);
  const firstId = load<u32>(state, 32);
  for (let start = <usize>load<u32>(state); start != recordsEnd; start = <usize>load<u32>(state)) {
    readNumbers(start, recordsEnd);
    const size = <usize>uvarint();
    const labelsSize = <usize>uvarint();
    if (wasNumberCut()) return recordsEnd - start >= 10 ? IS_DAMAGED : 10;
    if (labelsSize > size || size > 1 << 30) return IS_DAMAGED;
    const body = numbersEnd();
    const end = body + size;
    if (end > recordsEnd) return <i32>(end - start);
    // A pair takes a byte at least, and becomes two symbols of five at most.
    const entryAt = <usize>load<u32>(state, 8);
    if (entryAt + ALIGNMENT + 20 + 10 * labelsSize + size > roomEnd) return NEEDS_ROOM;

    const aligned = (entryAt + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    memory.fill(entryAt, 0, aligned - entryAt);
    const id = firstId + <u32>((aligned - room) / ALIGNMENT);
    const all = <usize>load<u32>(state, 24);
    store<u32>(all, bswap<u32>(id));
    store<u32>(state, <u32>(all + 4), 24);

    const labelsEnd = body + labelsSize;
    readNumbers(body, labelsEnd);
    const count = uvarint();
    const entryBody = aligned + 5;
    let at = putUvarint(entryBody, count);
    for (let left = count; left != 0; left--) {
      const pair = <usize>uvarint();
      if (wasNumberCut()) return IS_DAMAGED;
      const place = <usize>load<u32>(places + (pair << 2));
      store<u32>(place, bswap<u32>(id));
      store<u32>(places + (pair << 2), <u32>(place + 4));
      at = putUvarint(at, load<u32>(symbols + (pair << 3)));
      at = putUvarint(at, load<u32>(symbols + (pair << 3), 4));
    }
    memory.copy(at, labelsEnd, end - labelsEnd);
    const entrySize = at + (end - labelsEnd) - entryBody;
    at = putUvarint(aligned, entrySize);
    memory.copy(at, entryBody, entrySize);
    const entryEnd = at + entrySize;
    store<u32>(entryEnd, bswap<u32>(crc32c(at, entryEnd, 0xffffffff) ^ 0xffffffff));
    store<u32>(state, <u32>(entryEnd + 4), 8);
    store<u32>(state, <u32>end);
  }
  return DONE;
}
