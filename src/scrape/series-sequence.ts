import {
  EMPTY_SEQUENCE,
  ENTRY_TYPE_SHIFT,
  EntryFlag,
  ReportFlag,
  TYPE_REPORTED,
  emptyReport,
  type LineReport,
  type ScrapeMemory,
  type StoredSequence,
} from "../kernels/index.ts";
import { LabelsBuilder, METRIC_NAME, type Labels } from "../model/labels.ts";
import type { Metadata, MetricType } from "../model/metadata.ts";
import { NORMAL_NAN_HIGH_WORD, NORMAL_NAN_LOW_WORD } from "../model/sample.ts";
import { NO_SERIES, SampleOutcome, type Appender, type SeriesRef } from "../model/storage.ts";
import { ExpositionError } from "./exposition/exposition-error.ts";
import {
  missingValue,
  type LineSyntax,
  type ParsedExemplar,
  type SampleRest,
} from "./exposition/line-syntax.ts";
import { openMetricsSyntax } from "./exposition/openmetrics.ts";
import type { PlainLines } from "./plain-lines.ts";
import { isOfFamily } from "./exposition/scraped-series.ts";
import { textSyntax } from "./exposition/text.ts";
import { SampleError, type BoundLabel, type SeriesLabels } from "./series-labels.ts";

/** The body of an answer, decompressed, in the pieces it came in. */
export interface Page {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly isOpenMetrics: boolean;
}

/** How the samples of a page are to be stored. */
export interface AppendOptions {
  readonly appender: Appender;
  readonly labels: SeriesLabels;
  readonly timeMs: number;
  readonly honorTimestamps: boolean;
  readonly trackTimestampsStaleness: boolean;
  /** 0 for none. */
  readonly sampleLimit: number;
  /** Tell storage the metadata of series that are new or newly described. */
  readonly appendsMetadata?: boolean | undefined;
  /** Put a sample of zero where a series says it began: the default where start times are taken. */
  readonly zerosAtStart?: boolean | undefined;
  /** Store each sample with its start time. */
  readonly storesStartTimes?: boolean | undefined;
  /** The page is read before the batch is begun that it goes into. */
  readonly readsAhead?: boolean | undefined;
}

/** What became of a page; right up to the line that failed, where one did. */
export interface PageCounts {
  scraped: number;
  postRelabel: number;
  seriesAdded: number;
  duplicateTimestamp: number;
  outOfOrder: number;
  outOfBounds: number;
  /** Exemplars dropped for being late, of samples all of whose exemplars are. */
  exemplarsOutOfOrder: number;
}

export function emptyCounts(): PageCounts {
  return {
    scraped: 0,
    postRelabel: 0,
    seriesAdded: 0,
    duplicateTimestamp: 0,
    outOfOrder: 0,
    outOfBounds: 0,
    exemplarsOutOfOrder: 0,
  };
}

/** More samples than `sample_limit` allows. */
export class SampleLimitError extends SampleError {
  override readonly name = "SampleLimitError";

  constructor() {
    super("sample limit exceeded");
  }
}

/** Reads all slices at once. */
export function readThrough<T>(reading: Generator<void, T>): T {
  let step = reading.next();
  while (!step.done) step = reading.next();
  return step.value;
}

/** What comments said that are gone, null while the comments are the same. */
type Vanished = ReadonlyMap<string, Metadata> | null;

/** Samples may lie this far ahead of the scrape when the target gives their times. */
export const MAX_AHEAD_MS = 10 * 60_000;

/** Type codes of the kernel: the index; 0 is a line that declares no type. */
const TYPES: readonly (MetricType | null)[] = [
  null,
  "unknown",
  "counter",
  "gauge",
  "histogram",
  "gaugehistogram",
  "summary",
  "info",
  "stateset",
];

/**
 * What one target said last time, line by line, with the reference of every series: the prediction for the next page
 * and the memory for staleness. A page like the last one passes through the kernel alone; lines never seen before are
 * parsed, relabelled and resolved here.
 */
export class SeriesSequence {
  private stored: StoredSequence = EMPTY_SEQUENCE;
  private epoch = -1;
  private syntax: LineSyntax = textSyntax;
  /** Whether the series have no staleness marker yet. */
  private isLive = false;
  private reorderings = 0;
  /** Series that pages brought which failed later on: they are counted as added once. */
  private readonly addedByFailures = new Set<SeriesRef>();

  constructor(private ownMemory: ScrapeMemory) {}

  /** Where its lines are, and its pages are read. */
  get memory(): ScrapeMemory {
    return this.ownMemory;
  }

  /** Goes on in another memory. @throws ScrapeMemoryError when there is no room */
  moveTo(memory: ScrapeMemory): void {
    if (memory === this.ownMemory) return;
    const moved = memory.adopt(this.stored, this.ownMemory);
    this.ownMemory.free(this.stored);
    this.stored = moved;
    this.ownMemory = memory;
  }

  /** How many lines are remembered. */
  get size(): number {
    return this.stored.count;
  }

  /**
   * Appends a page between the appender's `begin` and `commit`, with staleness markers for what it no longer holds.
   * When it throws, the caller rolls back, and this sequence is as before but for series that now exist in storage.
   *
   * @returns what comments said that are gone, null while the comments are the same
   * @throws ExpositionError, SampleError (limits, invalid labels), ScrapeMemoryError
   */
  append(page: Page, options: AppendOptions, counts: PageCounts): Vanished {
    return readThrough(this.read(page, options, counts))();
  }

  /**
   * The same in two steps: reads the page slice by slice, in a memory that reads no other page meanwhile, and gives what
   * appends it. Between slices others may append; with `readsAhead` nothing is appended before all is read, though series
   * may come into being.
   */
  *read(page: Page, options: AppendOptions, counts: PageCounts): Generator<void, () => Vanished> {
    const { memory } = this;
    const syntax = page.isOpenMetrics ? openMetricsSyntax : textSyntax;
    const epoch = this.enterEpoch(options);
    const flag = options.trackTimestampsStaleness ? 0 : EntryFlag.untracked;
    const readsTimes = options.honorTimestamps && !page.isOpenMetrics;
    memory.beginPage(this.stored, page.isOpenMetrics, readsTimes ? { flag } : null);
    const judge = new LineJudge(memory, options, epoch, syntax, counts, this.addedByFailures);
    let isRead = false;
    try {
      yield* readChunks(page, memory, judge);

      const sampleCount = memory.sampleCount;
      counts.scraped = sampleCount;
      counts.postRelabel = sampleCount - memory.droppedCount - judge.droppedCount;
      if (options.sampleLimit > 0 && counts.postRelabel - judge.repeatedCount > options.sampleLimit) {
        throw new SampleLimitError();
      }
      isRead = true;
    } finally {
      if (!isRead) {
        this.noteFailure(judge, counts);
        memory.undoPage();
      }
    }
    return () => {
      try {
        return this.appendRead(judge, epoch, syntax, options, counts);
      } catch (error) {
        this.noteFailure(judge, counts);
        memory.undoPage();
        throw error;
      }
    };
  }

  private appendRead(
    judge: LineJudge,
    epoch: number,
    syntax: LineSyntax,
    options: AppendOptions,
    counts: PageCounts,
  ): Vanished {
    const { memory } = this;
    const { appender, timeMs } = options;
    if (appender.epochAt(timeMs) !== epoch) {
      throw new SampleError(`cannot append scrape at ${timeMs}: storage turned to another epoch meanwhile`);
    }
    for (const append of judge.beforehand) append();
    const { sampleCount } = memory;
    const refs = memory.sampleRefs.subarray(0, sampleCount);
    const outcomes = memory.outcomes.subarray(0, sampleCount);
    const refused = appender.appendFloats(epoch, refs, memory.sampleValues, sampleCount, timeMs, outcomes);
    if (refused > 0) {
      for (let i = 0; i < sampleCount; i++) if (refs[i] !== NO_SERIES) countOutcome(outcomes[i]!, counts);
    }
    for (const i of judge.newSamples) {
      const isGood = outcomes[i]! <= SampleOutcome.repeated;
      if (isGood && !this.addedByFailures.has(refs[i]!)) counts.seriesAdded++;
    }
    this.addedByFailures.clear();
    appendTimedSamples(memory, options, epoch, counts);
    for (const append of judge.afterwards) append();
    if (memory.seenCount < this.stored.count && this.isLive) {
      const timed = options.trackTimestampsStaleness ? memory.timedRefs.subarray(0, memory.timedCount) : [];
      this.endVanished(appender, epoch, timeMs, [refs, timed, judge.timedRefs]);
    }
    const vanished = this.remember(judge, syntax);
    if (options.appendsMetadata) this.appendMetadata(judge, appender, epoch);
    return vanished;
  }

  /** A page that fails has still added the series that came before its fault; but none twice. */
  private noteFailure({ newSamples, newTimedRefs }: LineJudge, counts: PageCounts): void {
    const known = this.addedByFailures;
    if (known.size > 2 * this.stored.count + FORGOTTEN_BEYOND) known.clear();
    const before = known.size;
    for (const i of newSamples) known.add(this.memory.sampleRefs[i]!);
    for (const ref of newTimedRefs) known.add(ref);
    counts.seriesAdded = known.size - before;
  }

  /** Ends every series that has not ended yet. */
  markStale(appender: Appender, timeMs: number): void {
    if (!this.isLive) return;
    this.isLive = false;
    const epoch = appender.epochAt(timeMs);
    if (epoch === null) return;
    this.carryTo(appender, epoch);
    const refs = this.memory.refsOf(this.stored).map((ref, i) => (this.isTracked(i) ? ref : NO_SERIES));
    appender.appendStale(epoch, refs, timeMs);
  }

  /** What HELP, TYPE and UNIT lines of the last good page say, by metric. Read from the page's text at every call. */
  metadata(): ReadonlyMap<string, Metadata> {
    return this.described(() => true);
  }

  private described(includes: (entry: number) => boolean): ReadonlyMap<string, Metadata> {
    const found = new Map<string, { type: MetricType; unit: string; help: string }>();
    const { memory, stored } = this;
    for (let i = 0; i < stored.count; i++) {
      if (!(memory.flagsOf(stored, i) & EntryFlag.comment) || !includes(i)) continue;
      const comment = this.syntax.parseComment(memory.textOf(stored, i));
      if (comment.kind === "remark" || comment.kind === "eof") continue;
      let entry = found.get(comment.metric);
      if (!entry) found.set(comment.metric, (entry = { type: "unknown", unit: "", help: "" }));
      if (comment.kind === "type") entry.type = comment.type;
      else entry[comment.kind] = comment.text;
    }
    return found;
  }

  release(): void {
    this.memory.free(this.stored);
    this.stored = EMPTY_SEQUENCE;
    this.isLive = false;
    this.addedByFailures.clear();
  }

  private enterEpoch({ appender, labels, timeMs }: AppendOptions): number {
    const epoch = appender.epochAt(timeMs);
    if (epoch === null) throw new SampleError(`cannot append scrape at ${timeMs}: out of bounds`);
    if (this.epoch === epoch) return epoch;
    this.carryTo(appender, epoch);
    const refs = this.memory.refsOf(this.stored);
    let bound: BoundLabel = null;
    for (let i = 0; i < refs.length; i++) {
      const flags = this.memory.flagsOf(this.stored, i);
      if (flags >>> ENTRY_TYPE_SHIFT) bound = boundOf(flags >>> ENTRY_TYPE_SHIFT);
      if (refs[i] !== NO_SERIES || flags & (EntryFlag.comment | EntryFlag.dropped)) continue;
      const resolved = labels.of(pairsOf(this.syntax, this.memory.textOf(this.stored, i)), bound);
      if (resolved) refs[i] = appender.resolve(epoch, resolved).ref;
    }
    return epoch;
  }

  private carryTo(appender: Appender, epoch: number): void {
    if (this.epoch === epoch) return;
    const refs = this.memory.refsOf(this.stored);
    if (this.epoch < 0) refs.fill(NO_SERIES);
    else appender.carryOver(refs, refs.length, this.epoch, epoch);
    this.epoch = epoch;
    this.addedByFailures.clear();
  }

  private isTracked(entry: number): boolean {
    return (this.memory.flagsOf(this.stored, entry) & UNTRACKED) === 0;
  }

  /** A series lives on when another line of the page leads to it: the same labels may be written in many ways. */
  private endVanished(
    appender: Appender,
    epoch: number,
    timeMs: number,
    present: readonly ArrayLike<SeriesRef>[],
  ): void {
    const vanished = this.memory.unseenRefs(UNTRACKED);
    if (vanished.length > 0) appender.appendStale(epoch, withoutPresent(vanished, present), timeMs);
  }

  /** Series belong to the comments before them, as far as their names allow. */
  private appendMetadata(judge: LineJudge, appender: Appender, epoch: number): void {
    if (judge.newRefs.size === 0 && judge.newMetrics.size === 0) return;
    const { memory, stored } = this;
    const refs = memory.refsOf(stored);
    let metric = "";
    let metadata: { type: MetricType; unit: string; help: string } | null = null;
    for (let i = 0; i < stored.count; i++) {
      if (memory.flagsOf(stored, i) & EntryFlag.comment) {
        const comment = this.syntax.parseComment(memory.textOf(stored, i));
        if (comment.kind === "remark" || comment.kind === "eof") continue;
        if (metadata === null || comment.metric !== metric)
          metadata = { type: "unknown", unit: "", help: "" };
        metric = comment.metric;
        if (comment.kind === "type") metadata.type = comment.type;
        else metadata[comment.kind] = comment.text;
        continue;
      }
      const ref = refs[i]!;
      if (ref === NO_SERIES || metadata === null) continue;
      if (!judge.newRefs.has(ref) && !judge.newMetrics.has(metric)) continue;
      const name = nameOf(pairsOf(this.syntax, memory.textOf(stored, i)));
      if (isOfFamily(name, metric)) appender.updateMetadata(appender.labelsOf(epoch, ref), metadata);
    }
  }

  /** Keeps this page as the next prediction if it differs; for order alone only while that seems to help. */
  private remember(judge: LineJudge, syntax: LineSyntax): Vanished {
    const { memory } = this;
    this.isLive = true;
    const hasAll = memory.seenCount === this.stored.count;
    const isSameSet = hasAll && memory.newCount === 0;
    const vanished = hasAll ? NOTHING_SAID : this.described((entry) => !memory.wasSeen(entry));
    this.syntax = syntax;
    if (isSameSet && memory.jumpCount === 0) {
      this.reorderings = 0;
      return null;
    }
    if (isSameSet && ++this.reorderings > MAX_REORDERINGS) return null;
    this.stored = memory.storePage();
    return judge.hasNewComments || vanished.size > 0 ? vanished : null;
  }
}

/** A target whose pages go on failing is forgotten when it has brought so many series more than it had twice. */
export const FORGOTTEN_BEYOND = 1000;

/** Entries with one of these get no staleness markers. */
const UNTRACKED = EntryFlag.comment | EntryFlag.dropped | EntryFlag.untracked;

/**
 * Those of `vanished` that are not present after all, each once. Most of what is present never was among them: a byte
 * tells.
 */
function withoutPresent(vanished: Uint32Array, present: readonly ArrayLike<SeriesRef>[]): Uint32Array {
  const mask = 2 ** Math.ceil(Math.log2(FILTER_BYTES_PER_REF * vanished.length)) - 1;
  const mayBeVanished = new Uint8Array(mask + 1);
  for (let i = 0; i < vanished.length; i++) mayBeVanished[vanished[i]! & mask] = 1;
  const alive = new Set<SeriesRef>();
  for (const refs of present) {
    for (let i = 0; i < refs.length; i++) if (mayBeVanished[refs[i]! & mask] === 1) alive.add(refs[i]!);
  }
  return vanished.sort().filter((ref, i) => (i === 0 || vanished[i - 1] !== ref) && !alive.has(ref));
}

const FILTER_BYTES_PER_REF = 16;

const NOTHING_SAID: ReadonlyMap<string, Metadata> = new Map();

/** Names and values of a line, whose text ends where the blanks before its value begin. */
function pairsOf(syntax: LineSyntax, text: string): string[] {
  return syntax.parseSeries(`${text} `);
}

function nameOf(pairs: readonly string[]): string {
  return pairs[pairs.indexOf(METRIC_NAME) + 1]!;
}

/** After this many pages in a row that only changed their order, the order is taken to be random. */
const MAX_REORDERINGS = 3;

const EOF_MARK = "# EOF";

const BLANK = 0x20;
const TAB = 0x09;

/** Feeds the page to the kernel slice by slice and has every reported line judged. Yields between slices. */
function* readChunks(page: Page, memory: ScrapeMemory, judge: LineJudge): Generator<void> {
  let remaining = page.sizeBytes;
  let hasEof = true;
  if (page.isOpenMetrics && page.sizeBytes > 0) {
    const tail = tailOf(page.chunks, EOF_MARK.length + 2);
    const mark = /(?:^|\n)(# EOF\n?)$/.exec(tail)?.[1];
    hasEof = mark !== undefined;
    remaining -= mark?.length ?? 0;
  }
  const [first] = page.chunks;
  const isInPlace = first !== undefined && page.chunks.length === 1 && memory.holds(first);
  if (isInPlace) memory.takeInPlace(first.subarray(0, remaining));
  for (const chunk of isInPlace ? [] : page.chunks) {
    const size = Math.min(chunk.length, remaining);
    remaining -= size;
    const piece = size === chunk.length ? chunk : chunk.subarray(0, size);
    for (let offset = 0; offset < size;) {
      const taken = memory.take(piece, offset);
      offset += taken;
      if (taken > 0) continue;
      parseAll(memory, judge, false);
      memory.shift();
      yield;
    }
  }
  parseAll(memory, judge, true);
  if (!hasEof) throw judge.fail(new ExpositionError("data does not end with # EOF"), memory.sampleCount);
}

function parseAll(memory: ScrapeMemory, judge: LineJudge, isFinal: boolean): void {
  let isThrough: boolean;
  do {
    isThrough = memory.parse(isFinal);
    judge.judgeReports();
  } while (!isThrough);
}

function tailOf(chunks: readonly Uint8Array[], length: number): string {
  let tail = "";
  for (let i = chunks.length - 1; i >= 0 && tail.length < length; i--) {
    const chunk = chunks[i]!;
    const wanted = chunk.subarray(Math.max(0, chunk.length - (length - tail.length)));
    tail = Buffer.from(wanted).toString("latin1") + tail;
  }
  return tail;
}

/** Judges the lines the kernel reports: one page's worth of state. */
class LineJudge {
  /** Positions of samples whose series came with this page. */
  readonly newSamples: number[] = [];
  /** Series that came with this page, with a time of the target's own. */
  readonly newTimedRefs: SeriesRef[] = [];
  /** Dropped by metric relabelling, beyond what the kernel knows. */
  droppedCount = 0;
  repeatedCount = 0;
  hasNewComments = false;
  /** Series whose samples brought their own time, where those are tracked. */
  readonly timedRefs: SeriesRef[] = [];
  /** Series and metrics that this page brought or describes anew; kept only where metadata is stored. */
  readonly newRefs = new Set<SeriesRef>();
  readonly newMetrics = new Set<string>();
  /** What waits until a batch is begun, where the page is read ahead. */
  readonly beforehand: (() => void)[] = [];
  /** What must wait until the samples are appended that come before on the page. */
  readonly afterwards: (() => void)[] = [];
  /** Samples whose reference is 0 although relabelling kept them. */
  private keptWithoutRef = 0;
  private type = 0;
  private readonly report = emptyReport();
  /** Undefined until the first new line. */
  private plainLines: PlainLines | null | undefined;

  constructor(
    private readonly memory: ScrapeMemory,
    private readonly options: AppendOptions,
    private readonly epoch: number,
    private readonly syntax: LineSyntax,
    private readonly counts: PageCounts,
    /** Series that are new here, but were counted as added already. */
    private readonly addedBefore: ReadonlySet<SeriesRef>,
  ) {}

  judgeReports(): void {
    const { report } = this;
    for (let i = 0; i < this.memory.reportCount; i++) {
      this.memory.readReport(i, report);
      if (report.type !== TYPE_REPORTED) this.type = report.type;
      try {
        if (report.flags & ReportFlag.broken) this.judgeBroken();
        else if (report.flags & ReportFlag.comment) this.judgeComment();
        else this.judgeSample();
      } catch (error) {
        const isCounted = error instanceof SampleError;
        throw this.fail(error, report.sampleIndex + Number(isCounted));
      }
    }
  }

  /** Notes how far the page was good, for the series that report on the scrape. */
  fail(error: unknown, scraped: number): unknown {
    const refs = this.memory.sampleRefs;
    let dropped = -this.keptWithoutRef;
    for (let i = 0; i < scraped; i++) if (refs[i] === NO_SERIES) dropped++;
    this.counts.scraped = scraped;
    this.counts.postRelabel = scraped - Math.max(0, dropped);
    return error;
  }

  private bytesOf(start: number, length: number): string {
    return this.memory.text.toString("latin1", start, start + length);
  }

  /** What comes after the series and its blanks. */
  private restOf({ line, textLength, lineLength }: LineReport): string {
    let start = line + textLength;
    while (this.memory.bytes[start] === BLANK || this.memory.bytes[start] === TAB) start++;
    return this.bytesOf(start, line + lineLength - start);
  }

  /** The kernel found no value: whatever is wrong, the format's parser says it best. */
  private judgeBroken(): void {
    const line = this.bytesOf(this.report.line, this.report.lineLength);
    if (this.syntax.isEmptyLine(line)) return;
    this.syntax.parseSeries(line);
    throw missingValue(line);
  }

  private judgeComment(): void {
    const { report } = this;
    const comment = this.syntax.parseComment(this.bytesOf(report.line, report.textLength));
    this.hasNewComments = true;
    if (comment.kind === "eof") throw new ExpositionError("unexpected data after # EOF");
    if (comment.kind !== "remark" && this.options.appendsMetadata) this.newMetrics.add(comment.metric);
    if (comment.kind !== "type") return;
    this.type = TYPES.indexOf(comment.type);
    this.memory.setEntryFlags(report.code, this.type << ENTRY_TYPE_SHIFT);
  }

  private judgeSample(): void {
    const { report, memory, options } = this;
    const { sampleIndex, code, flags } = report;
    const ref = flags & ReportFlag.new ? this.resolveNew() : memory.entryRef(code);

    const isDropped = (memory.entryFlags(code) & EntryFlag.dropped) !== 0;
    const isKnownToKernel = (flags & (ReportFlag.new | ReportFlag.repeated)) === 0;
    if (isDropped && !isKnownToKernel) this.droppedCount++;

    let timestampMs: number | null = null;
    let rest: SampleRest | null = null;
    if (flags & ReportFlag.oddValue) {
      rest = this.syntax.parseRest(this.restOf(report));
      this.setValue(sampleIndex, rest.value);
      if (options.honorTimestamps) timestampMs = rest.timestampMs;
    }
    if (isDropped) return;
    if (ref === NO_SERIES) {
      // Over the limit: the page will be refused.
      this.keptWithoutRef++;
      return;
    }

    let labels: Labels | null = null;
    if (timestampMs !== null) {
      labels = options.appender.labelsOf(this.epoch, ref);
      this.judgeTimed(ref, labels, timestampMs);
    } else if (flags & ReportFlag.repeated) {
      this.keptWithoutRef++;
      this.repeatedCount++;
      this.counts.duplicateTimestamp++;
    } else {
      if (flags & ReportFlag.oddValue) memory.setTracked(code, true);
      memory.sampleRefs[sampleIndex] = ref;
      if (flags & ReportFlag.new) this.newSamples.push(sampleIndex);
    }
    const exemplar = rest?.exemplar;
    if (exemplar) {
      const owner = labels ?? options.appender.labelsOf(this.epoch, ref);
      const timeMs = timestampMs ?? options.timeMs;
      this.append(() => {
        if (!appendExemplar(options.appender, owner, exemplar, timeMs)) this.counts.exemplarsOutOfOrder++;
      });
    }
  }

  private append(append: () => void): void {
    if (this.options.readsAhead) this.beforehand.push(append);
    else append();
  }

  /** The series of a line that was never seen before; NO_SERIES where it is not to come into being. */
  private resolveNew(): SeriesRef {
    const { report, memory, options } = this;
    const { line, textLength, code } = report;
    const bound = boundOf(this.type);
    const isOverLimit = this.isOverLimit(report.sampleIndex);
    if (this.plainLines === undefined) {
      this.plainLines = options.labels.plainLines(options.appender.interner(this.epoch));
    }
    let ref = isOverLimit
      ? NO_SERIES
      : (this.plainLines?.resolve(memory.bytes, line, line + textLength, bound) ?? NO_SERIES);
    if (ref === NO_SERIES) {
      const labels = options.labels.of(pairsOf(this.syntax, this.bytesOf(line, textLength)), bound);
      if (labels === null) memory.setEntryFlags(code, EntryFlag.dropped);
      if (labels === null || isOverLimit) return NO_SERIES;
      ref = options.appender.resolve(this.epoch, labels).ref;
    }
    memory.setEntryRef(code, ref);
    if (options.appendsMetadata) this.newRefs.add(ref);
    return ref;
  }

  /**
   * Whether the page is certain to hold more samples than its limit when this one is kept. Its series must not come
   * into being then: the limit is there to keep storage from a flood of them.
   */
  private isOverLimit(sampleIndex: number): boolean {
    const { sampleLimit } = this.options;
    const notCounted = this.memory.droppedCount + this.droppedCount + this.repeatedCount;
    return sampleLimit > 0 && sampleIndex - notCounted >= sampleLimit;
  }

  /** A sample with the target's own time goes its own way. */
  private judgeTimed(ref: SeriesRef, labels: Labels, timestampMs: number): void {
    const { memory, options, counts } = this;
    const { sampleIndex, code, flags } = this.report;
    const isNew = (flags & ReportFlag.new) !== 0;
    if (isNew) this.newTimedRefs.push(ref);
    this.keptWithoutRef++;
    memory.sampleRefs[sampleIndex] = NO_SERIES;
    if (options.trackTimestampsStaleness) this.timedRefs.push(ref);
    else if (!(flags & ReportFlag.repeated)) memory.setTracked(code, false);
    const low = memory.sampleValueWords[2 * sampleIndex]!;
    const high = memory.sampleValueWords[2 * sampleIndex + 1]!;
    const append = (): void => {
      const outcome = appendTimed(options, labels, timestampMs, high, low, counts);
      if (isNew && outcome <= SampleOutcome.repeated && !this.addedBefore.has(ref)) counts.seriesAdded++;
    };
    if (flags & ReportFlag.repeated) this.afterwards.push(append);
    else this.append(append);
  }

  private setValue(sampleIndex: number, value: number): void {
    const { memory } = this;
    if (Number.isNaN(value)) {
      memory.sampleValueWords[2 * sampleIndex] = NORMAL_NAN_LOW_WORD;
      memory.sampleValueWords[2 * sampleIndex + 1] = NORMAL_NAN_HIGH_WORD;
    } else memory.sampleValues[sampleIndex] = value;
  }
}

function appendTimed(
  { appender, timeMs }: AppendOptions,
  labels: Labels,
  timestampMs: number,
  high: number,
  low: number,
  counts: PageCounts,
): SampleOutcome {
  const isTooFarAhead = timestampMs > timeMs + MAX_AHEAD_MS;
  const outcome = isTooFarAhead
    ? SampleOutcome.outOfBounds
    : appender.appendFloat(labels, timestampMs, high, low);
  countOutcome(outcome, counts);
  return outcome;
}

/**
 * Appends the samples of known series whose lines gave their times. Many share a time, so they are put in the order of
 * their times' first appearance, and every time is appended at once.
 */
function appendTimedSamples(
  memory: ScrapeMemory,
  options: AppendOptions,
  epoch: number,
  counts: PageCounts,
): void {
  const count = memory.timedCount;
  if (count === 0) return;
  const { timedSamples, timedRefs, timedTimes, sampleValueWords, orderedRefs, orderedValueWords, outcomes } =
    memory;
  const { appender } = options;
  const groups = new Map<number, { size: number; end: number }>();
  for (let i = 0; i < count; i++) {
    const group = groups.get(timedTimes[i]!);
    if (group) group.size++;
    else groups.set(timedTimes[i]!, { size: 1, end: 0 });
  }
  let start = 0;
  for (const group of groups.values()) {
    group.end = start;
    start += group.size;
  }
  for (let i = 0; i < count; i++) {
    const place = groups.get(timedTimes[i]!)!.end++;
    const sample = timedSamples[i]!;
    orderedRefs[place] = timedRefs[i]!;
    orderedValueWords[2 * place] = sampleValueWords[2 * sample]!;
    orderedValueWords[2 * place + 1] = sampleValueWords[2 * sample + 1]!;
  }
  for (const [timestampMs, { size, end }] of groups) {
    const first = end - size;
    if (timestampMs > options.timeMs + MAX_AHEAD_MS) counts.outOfBounds += size;
    else if (appender.epochAt(timestampMs) === epoch) {
      const refs = orderedRefs.subarray(first, end);
      const refused = appender.appendFloats(
        epoch,
        refs,
        memory.orderedValues.subarray(first, end),
        size,
        timestampMs,
        outcomes,
      );
      if (refused > 0) for (let i = 0; i < size; i++) countOutcome(outcomes[i]!, counts);
    } else {
      for (let i = first; i < end; i++) {
        const labels = appender.labelsOf(epoch, orderedRefs[i]!);
        appendTimed(
          options,
          labels,
          timestampMs,
          orderedValueWords[2 * i + 1]!,
          orderedValueWords[2 * i]!,
          counts,
        );
      }
    }
  }
}

function boundOf(type: number): BoundLabel {
  if (TYPES[type] === "histogram") return "le";
  return TYPES[type] === "summary" ? "quantile" : null;
}

/** @throws SampleError for the one outcome that fails the whole scrape, as in Prometheus */
export function countOutcome(outcome: number, counts: PageCounts): void {
  switch (outcome) {
    case SampleOutcome.duplicateTimestamp:
      counts.duplicateTimestamp++;
      break;
    case SampleOutcome.outOfOrder:
      counts.outOfOrder++;
      break;
    case SampleOutcome.outOfBounds:
      counts.outOfBounds++;
      break;
    case SampleOutcome.tooOld:
      throw new SampleError("too old sample");
  }
}

/**
 * @param sampleTimeMs stands in where the exemplar has no time of its own
 * @returns false where it comes too late
 */
export function appendExemplar(
  appender: Appender,
  labels: Labels,
  { pairs, value, timestampMs }: ParsedExemplar,
  sampleTimeMs: number,
): boolean {
  const builder = new LabelsBuilder();
  for (let i = 0; i < pairs.length; i += 2) builder.set(pairs[i]!, pairs[i + 1]!);
  return appender.appendExemplar(labels, {
    labels: builder.labels(),
    value,
    timeMs: timestampMs ?? sampleTimeMs,
    hasTimestamp: timestampMs !== null,
  });
}
