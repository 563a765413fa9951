import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from "../model/histogram.ts";
import { copyToSchema, withHint } from "../model/histogram-arithmetic.ts";
import { SampleError } from "./series-labels.ts";

const FINEST_SCHEMA = 8;
const COARSEST_SCHEMA = -4;

/** A histogram has more buckets than the job allows, however coarse. */
export class BucketLimitError extends SampleError {
  override readonly name = "BucketLimitError";

  constructor() {
    super("histogram bucket limit exceeded");
  }
}

/** The finest schema whose buckets grow by at least `factor`; null when the factor asks for nothing. */
export function finestSchemaFor(factor: number): number | null {
  if (factor <= 1) return null;
  // Adding 0 turns -0 into 0.
  const schema = Math.floor(-Math.log2(Math.log2(factor))) + 0;
  return Math.min(FINEST_SCHEMA, Math.max(COARSEST_SCHEMA, schema));
}

/**
 * Halves the resolution until schema and number of buckets are within limits; 0 and null are none.
 *
 * @throws BucketLimitError
 */
export function limitBuckets(
  histogram: FloatHistogram,
  finestSchema: number | null,
  bucketLimit: number,
): FloatHistogram {
  const isCustom = histogram.schema === CUSTOM_BUCKETS_SCHEMA;
  let limited = histogram;
  if (!isCustom && finestSchema !== null && limited.schema > finestSchema)
    limited = coarser(limited, finestSchema);
  while (bucketLimit > 0 && limited.positiveBuckets.length + limited.negativeBuckets.length > bucketLimit) {
    if (isCustom || limited.schema <= COARSEST_SCHEMA) throw new BucketLimitError();
    limited = coarser(limited, limited.schema - 1);
  }
  return limited;
}

function coarser(histogram: FloatHistogram, schema: number): FloatHistogram {
  return withHint(copyToSchema(histogram, schema), histogram.counterResetHint);
}
