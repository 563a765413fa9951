import { ExpositionError } from "./exposition/exposition-error.ts";
import { SampleLimitError, type PageCounts } from "./series-sequence.ts";

/** A page may hold this many samples: more would not go into storage in one piece. */
export const MAX_PAGE_SAMPLES = 2 ** 20;
/** A page that is this far over `sample_limit` is not read further. */
export const READ_BEYOND_LIMIT = 2 ** 19;
/** Lines are counted only where the size says that there may be too many: hardly any sample is shorter. */
const SHORT_LINE_BYTES = 8;

/** @throws ExpositionError once more than a page may have were seen of what `what` says */
export function checkPageCount(count: number, what: string): void {
  if (count > MAX_PAGE_SAMPLES)
    throw new ExpositionError(`cannot take page: more than ${MAX_PAGE_SAMPLES} ${what}`);
}

/**
 * Refuses a text page whose samples would not be taken in the end, before they cost anything: one thread reads the
 * pages of all targets, and none may keep it for long.
 *
 * @param sampleLimit 0 where none is set, or lines don't tell what will count
 * @throws ExpositionError, SampleLimitError
 */
export function refuseOversizedPage(
  chunks: readonly Uint8Array[],
  sizeBytes: number,
  sampleLimit: number,
  counts: PageCounts,
): void {
  const bound =
    sampleLimit > 0 ? Math.min(MAX_PAGE_SAMPLES, sampleLimit + READ_BEYOND_LIMIT) : MAX_PAGE_SAMPLES;
  if (sizeBytes / SHORT_LINE_BYTES <= bound) return;
  const samples = countSampleLines(chunks);
  if (samples <= bound) return;
  counts.scraped = samples;
  counts.postRelabel = samples;
  if (sampleLimit > 0 && samples > sampleLimit) throw new SampleLimitError();
  checkPageCount(samples, "samples");
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const HASH = 0x23;
const BLANKS = new Set([0x20, 0x09]);

/** Lines that are neither empty nor comments. */
function countSampleLines(chunks: readonly Uint8Array[]): number {
  let count = 0;
  let isUndecided = true;
  for (const chunk of chunks) {
    let at = 0;
    while (at < chunk.length) {
      if (isUndecided) {
        const byte = chunk[at]!;
        if (!BLANKS.has(byte) && byte !== CARRIAGE_RETURN && byte !== LINE_FEED) {
          isUndecided = false;
          if (byte !== HASH) count++;
        }
        at++;
        continue;
      }
      const end = chunk.indexOf(LINE_FEED, at);
      if (end < 0) break;
      at = end + 1;
      isUndecided = true;
    }
  }
  return count;
}
