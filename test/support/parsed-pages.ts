import {
  EMPTY_SEQUENCE,
  ENTRY_TYPE_SHIFT,
  EntryFlag,
  ReportFlag,
  emptyReport,
  type ScrapeMemory,
  type StoredSequence,
} from "../../src/kernels/index.ts";
import { parsePageByHand, type TwinEntry, type TwinReport } from "../oracles/exposition-parse.ts";

/** What the parse kernel makes of a page. */
export interface KernelPage {
  refs: number[];
  /** Bits of the values as two words. */
  bits: string[];
  reports: TwinReport[];
  timed: (readonly [sample: number, ref: number, timeMs: number])[];
}

/** Runs the kernel over a page of one character a byte, in pieces of `pieceBytes`, or where it lies for 0 of them. */
export function parseWithKernel(
  memory: ScrapeMemory,
  page: string,
  sequence: StoredSequence,
  isOpenMetrics: boolean,
  pieceBytes: number,
  timedFlag: number | null = null,
): KernelPage {
  const body = Buffer.from(page, "latin1");
  const out: KernelPage = { refs: [], bits: [], reports: [], timed: [] };
  memory.beginPage(sequence, isOpenMetrics, timedFlag === null ? null : { flag: timedFlag });
  const report = emptyReport();
  const run = (isFinal: boolean): void => {
    for (let isThrough = false; !isThrough;) {
      isThrough = memory.parse(isFinal);
      for (let i = 0; i < memory.reportCount; i++) {
        memory.readReport(i, report);
        const line = memory.text.toString("latin1", report.line, report.line + report.lineLength);
        const { textLength, sampleIndex, code, flags, type } = report;
        out.reports.push({ line, textLength, sampleIndex, code, flags, type });
      }
    }
  };
  const lent = pieceBytes === 0 ? memory.lendPage(body.length) : null;
  if (lent !== null) {
    // What an earlier page left there is not to be seen.
    lent.fill("0");
    body.copy(lent);
    memory.takeInPlace(lent.subarray(0, body.length));
  }
  for (let start = 0; lent === null && start < body.length; start += pieceBytes) {
    const piece = body.subarray(start, start + pieceBytes);
    for (let offset = 0; offset < piece.length;) offset += memory.take(piece, offset);
    run(false);
    memory.shift();
  }
  run(true);
  if (lent !== null) memory.takeBackPage(lent);
  for (let i = 0; i < memory.sampleCount; i++) {
    out.refs.push(memory.sampleRefs[i]!);
    out.bits.push(`${memory.sampleValueWords[2 * i + 1]}:${memory.sampleValueWords[2 * i]}`);
  }
  for (let i = 0; i < memory.timedCount; i++) {
    out.timed.push([memory.timedSamples[i]!, memory.timedRefs[i]!, memory.timedTimes[i]!]);
  }
  return out;
}

/** The bits of a value as `KernelPage` shows them; NaN is the one that storage knows. */
export function scrapedBitsOf(value: number): string {
  if (Number.isNaN(value)) return `${0x7ff80000}:1`;
  const words = new Uint32Array(new Float64Array([value]).buffer);
  return `${words[1]}:${words[0]}`;
}

export interface PagesOptions {
  readonly isOpenMetrics: boolean;
  readonly pieceBytes: number;
  /** As `ScrapeMemory.beginPage` takes it; null where times are not read. */
  readonly timedFlag: number | null;
}

/**
 * Gives one page after the other to the kernel and to its twin, each predicting from the page before, and has them
 * compared: `same` is told what each said and throws where it differs.
 */
export function compareWithTwin(
  memory: ScrapeMemory,
  pages: readonly string[],
  { isOpenMetrics, pieceBytes, timedFlag }: PagesOptions,
  same: (actual: unknown, expected: unknown, what: string) => void,
): void {
  let sequence = EMPTY_SEQUENCE;
  let entries: TwinEntry[] = [];
  let nextRef = 1000;
  try {
    for (const text of pages) {
      const expected = parsePageByHand(text, entries, isOpenMetrics, timedFlag);
      const actual = parseWithKernel(memory, text, sequence, isOpenMetrics, pieceBytes, timedFlag);
      same(actual.reports, expected.reports, "reports");
      same(actual.refs, expected.refs, "references");
      same(actual.timed, expected.timed, "timed samples");
      const read = actual.bits.filter((_, i) => expected.values[i] !== null);
      same(read, expected.values.filter((number) => number !== null).map(scrapedBitsOf), "values");
      same(
        expected.seen.map((_, i) => memory.wasSeen(i)),
        expected.seen,
        "lines seen",
      );
      same(memory.seenCount, expected.seen.filter(Boolean).length, "counts of lines seen");

      // As the judge of lines would: references for new series, flags for some entries.
      const fresh = new Map<TwinEntry, number>();
      const news = expected.reports.filter(({ flags }) => flags & ReportFlag.new);
      const created = expected.next.filter((entry) => !entries.includes(entry));
      for (const [i, { code, flags }] of news.entries()) {
        const isComment = (flags & ReportFlag.comment) !== 0;
        const extra = isComment
          ? (i % 9) << ENTRY_TYPE_SHIFT
          : [EntryFlag.untracked, EntryFlag.dropped, 0][i % 3]!;
        memory.setEntryFlags(code, extra);
        const ref = isComment ? 0 : ++nextRef;
        memory.setEntryRef(code, ref);
        created[i]!.flags |= extra;
        fresh.set(created[i]!, ref);
      }
      entries = expected.next.map((entry) => ({ ...entry, ref: fresh.get(entry) ?? entry.ref }));
      sequence = memory.storePage();
      const all = Array.from({ length: sequence.count }, (_, i) => i);
      same(
        all.map((i) => memory.textOf(sequence, i)),
        entries.map(({ text: stored }) => stored),
        "stored texts",
      );
      same(
        [...memory.refsOf(sequence)],
        entries.map(({ ref }) => ref),
        "stored references",
      );
      same(
        all.map((i) => memory.flagsOf(sequence, i)),
        entries.map((entry) => entry.flags | (entry.isComment ? EntryFlag.comment : 0)),
        "stored flags",
      );
    }
  } finally {
    memory.free(sequence);
  }
}
