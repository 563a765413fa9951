import type { ScrapeMemory } from "../kernels/index.ts";
import type { Metadata } from "../model/metadata.ts";
import type { Appender } from "../model/storage.ts";
import { parseFamilyText } from "./exposition/family-text.ts";
import type { ExpositionFormat } from "./exposition/negotiate.ts";
import { openMetricsSyntax } from "./exposition/openmetrics.ts";
import { parseProtobuf } from "./exposition/protobuf.ts";
import type { FamilyOptions } from "./exposition/scraped-series.ts";
import { textSyntax } from "./exposition/text.ts";
import { RememberedMetadata } from "./remembered-metadata.ts";
import { SeriesCache, type HistogramLimits } from "./series-cache.ts";
import { readThrough, SeriesSequence, type AppendOptions, type PageCounts } from "./series-sequence.ts";

/** A page as it came, decompressed. */
export interface TargetPage {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly format: ExpositionFormat;
}

export interface MetadataSize {
  readonly entries: number;
  /** Lengths of help, unit and type texts. */
  readonly bytes: number;
}

/**
 * The series of one target, whatever format it speaks: text goes line by line through the kernel; protobuf, and text
 * whose families are converted, family by family through a cache. A target may change its mind at any scrape.
 */
export class TargetSeries {
  private readonly sequence: SeriesSequence;
  /** Made by the first page that needs it; few targets ever do. */
  private cache: SeriesCache | null = null;
  private usesCache = false;
  private readonly remembered = new RememberedMetadata();
  private metadataSizeCache: MetadataSize | null = null;

  constructor(memory: ScrapeMemory) {
    this.sequence = new SeriesSequence(memory);
  }

  /** Where the lines of the target are, and its pages are read. */
  get memory(): ScrapeMemory {
    return this.sequence.memory;
  }

  /** Goes on in another memory. @throws ScrapeMemoryError when there is no room */
  moveTo(memory: ScrapeMemory): void {
    this.sequence.moveTo(memory);
  }

  /** Appends a page, and staleness markers for what it no longer holds; see the two ways for what it throws. */
  append(
    page: TargetPage,
    options: AppendOptions,
    families: FamilyOptions,
    limits: HistogramLimits,
    counts: PageCounts,
  ): void {
    readThrough(this.read(page, options, families, limits, counts))();
  }

  /** The same in two steps, as `SeriesSequence.read`; pages that go by families are not read before the second. */
  *read(
    page: TargetPage,
    options: AppendOptions,
    families: FamilyOptions,
    limits: HistogramLimits,
    counts: PageCounts,
  ): Generator<void, () => void> {
    // A target that says nothing for once has the same series later on.
    if (page.sizeBytes === 0) return () => this.markStale(options.appender, options.timeMs);
    const usesCache = page.format === "protobuf" || needsFamilies(families);
    const hasChanged = usesCache !== this.usesCache;
    // Said on the page before, and looked for on this one.
    const before: ReadonlyMap<string, Metadata> | null = hasChanged ? this.spoken() : null;
    if (usesCache) {
      return () => {
        const cache = this.appendFamilies(page, options, families, limits, counts);
        if (hasChanged) this.sequence.markStale(options.appender, options.timeMs);
        this.turnPage(usesCache, before ?? cache);
      };
    }
    const isOpenMetrics = page.format === "openmetrics";
    const { chunks, sizeBytes } = page;
    const append = yield* this.sequence.read({ chunks, sizeBytes, isOpenMetrics }, options, counts);
    return () => {
      const vanished = append();
      // Where the same series goes on in the other format, its marker comes second at the same time and is refused.
      if (hasChanged) this.cache?.markStale(options.appender, options.timeMs);
      this.turnPage(usesCache, before ?? vanished);
    };
  }

  /** @returns what the page before said */
  private appendFamilies(
    page: TargetPage,
    options: AppendOptions,
    families: FamilyOptions,
    limits: HistogramLimits,
    counts: PageCounts,
  ): ReadonlyMap<string, Metadata> {
    this.cache ??= new SeriesCache(this.memory);
    const before = this.cache.metadata();
    const body = Buffer.concat(page.chunks, page.sizeBytes);
    const isOpenMetrics = page.format === "openmetrics";
    const scraped =
      page.format === "protobuf"
        ? parseProtobuf(body, families)
        : parseFamilyText(
            body.toString("latin1"),
            isOpenMetrics ? openMetricsSyntax : textSyntax,
            isOpenMetrics,
            families,
          );
    this.cache.append(scraped, options, limits, counts);
    return before;
  }

  /** @param before what was said before and may be gone, null where the same is said */
  private turnPage(usesCache: boolean, before: ReadonlyMap<string, Metadata> | null): void {
    this.usesCache = usesCache;
    if (before !== null) {
      const now = this.spoken();
      this.remembered.keep([...before].filter(([metric]) => !now.has(metric)));
    }
    const hasForgotten = this.remembered.turnPage();
    if (before !== null || hasForgotten) this.metadataSizeCache = null;
  }

  /** Ends every series that has not ended yet. */
  markStale(appender: Appender, timeMs: number): void {
    this.sequence.markStale(appender, timeMs);
    this.cache?.markStale(appender, timeMs);
  }

  /** What the last good pages say of their metrics. Read anew at every call. */
  metadata(): ReadonlyMap<string, Metadata> {
    return this.remembered.with(this.spoken());
  }

  /** What the last good page says. */
  private spoken(): ReadonlyMap<string, Metadata> {
    return this.usesCache && this.cache ? this.cache.metadata() : this.sequence.metadata();
  }

  /** Cheap while comments stay the same. */
  metadataSize(): MetadataSize {
    this.metadataSizeCache ??= sizeOf(this.metadata());
    return this.metadataSizeCache;
  }

  release(): void {
    this.sequence.release();
    this.cache?.release();
    this.remembered.clear();
  }
}

function needsFamilies({ convertClassic, takesStartTimes, addsTypeAndUnit }: FamilyOptions): boolean {
  return convertClassic || takesStartTimes || addsTypeAndUnit;
}

function sizeOf(metadata: ReadonlyMap<string, Metadata>): MetadataSize {
  let bytes = 0;
  for (const { help, unit, type } of metadata.values()) bytes += help.length + unit.length + type.length;
  return { entries: metadata.size, bytes };
}
