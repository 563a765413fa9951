/** The chunk encodings, by the byte that names them on disk. */
export const ChunkEncoding = {
  xor: 1,
  histogram: 2,
  floatHistogram: 3,
  xor2: 4,
  /** The last two carry start timestamps. */
  histogramWithStart: 5,
  floatHistogramWithStart: 6,
} as const;
export type ChunkEncoding = (typeof ChunkEncoding)[keyof typeof ChunkEncoding];

export function isChunkEncoding(byte: number): byte is ChunkEncoding {
  return byte >= ChunkEncoding.xor && byte <= ChunkEncoding.floatHistogramWithStart;
}
