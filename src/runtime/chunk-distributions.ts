import { type BucketCounts, emptyBuckets, exponentialBounds } from "../telemetry/distribution.ts";

/** Size in bytes, samples and milliseconds of the chunks that compactions meet for the first time. */
export interface ChunkDistributions {
  readonly sizeBytes: BucketCounts;
  readonly samples: BucketCounts;
  readonly rangeMs: BucketCounts;
}

export function emptyChunkDistributions(): ChunkDistributions {
  return {
    sizeBytes: emptyBuckets(exponentialBounds(32, 1.5, 12)),
    samples: emptyBuckets(exponentialBounds(4, 1.5, 12)),
    rangeMs: emptyBuckets(exponentialBounds(100, 4, 10)),
  };
}
