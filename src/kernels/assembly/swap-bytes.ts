/** The bytes of a word in the other order: one instruction of the vector unit, for the language has it as twelve others. */
// prettier-ignore
@inline
export function swapBytes(word: u64): u64 {
  const vector = i64x2.splat(word);
  return v128.extract_lane<u64>(v128.shuffle<u8>(vector, vector, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8), 0);
}
