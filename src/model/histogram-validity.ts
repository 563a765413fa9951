import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from "./histogram.ts";

const FINEST_SCHEMA = 8;
const COARSEST_SCHEMA = -4;

/** Why storage may not take a histogram, or null when it may. */
export function histogramFault(h: FloatHistogram): string | null {
  const isCustom = h.schema === CUSTOM_BUCKETS_SCHEMA;
  if (!isCustom && !(h.schema >= COARSEST_SCHEMA && h.schema <= FINEST_SCHEMA)) {
    return `histogram has an invalid schema: ${h.schema}`;
  }
  const fault =
    (isCustom
      ? customFault(h)
      : h.customValues.length > 0
        ? "histogram with exponential schema must not have custom bounds"
        : null) ??
    sideFault("positive", h.positiveSpans, h.positiveBuckets, isCustom) ??
    sideFault("negative", h.negativeSpans, h.negativeBuckets, isCustom);
  if (fault !== null) return fault;
  if (h.zeroCount < 0 || h.count < 0)
    return `histogram has a negative count: zero bucket ${h.zeroCount}, all ${h.count}`;
  if (!h.isInteger) return null;
  let observed = h.zeroCount;
  for (const count of h.positiveBuckets) observed += count;
  for (const count of h.negativeBuckets) observed += count;
  // NaN observations count, and lie in no bucket.
  const isPlausible = Number.isNaN(h.sum) ? observed <= h.count : observed === h.count;
  return isPlausible
    ? null
    : `${observed} observations found in buckets, but the Count field is ${h.count}: histogram's observation count should equal the number of observations found in the buckets`;
}

function sideFault(
  side: string,
  spans: readonly Span[],
  buckets: Float64Array,
  isCustom: boolean,
): string | null {
  let spanned = 0;
  for (const [i, { offset, length }] of spans.entries()) {
    if (offset < 0 && (i > 0 || isCustom))
      return `${side} side: span number ${i + 1} with offset ${offset}: histogram has a span whose offset is negative`;
    spanned += length;
  }
  if (spanned !== buckets.length) {
    return `${side} side: spans need ${spanned} buckets, have ${buckets.length} buckets: histogram spans specify different number of buckets than provided`;
  }
  const negative = buckets.findIndex((count) => count < 0);
  return negative < 0
    ? null
    : `${side} side: bucket number ${negative + 1} has observation count of ${buckets[negative]}: histogram has a bucket whose observation count is negative`;
}

function customFault(h: FloatHistogram): string | null {
  if (h.zeroCount !== 0 || h.zeroThreshold !== 0) return "custom buckets: must have no zero bucket";
  if (h.negativeSpans.length > 0 || h.negativeBuckets.length > 0)
    return "custom buckets: must not have negative buckets";
  let before = -Infinity;
  for (const [i, bound] of h.customValues.entries()) {
    if (Number.isNaN(bound) || !(bound > before) || bound === Infinity) {
      return `custom buckets: bound ${i + 1} is ${bound}, the one before ${before}: histogram custom bounds must be in strictly increasing order`;
    }
    before = bound;
  }
  const reach = h.positiveSpans.reduce((total, { offset, length }) => total + offset + length, 0);
  return reach > h.customValues.length + 1
    ? `custom buckets: only ${h.customValues.length} custom bounds defined which is insufficient to cover total span length of ${reach}`
    : null;
}
