import type { SeriesInterner, SeriesRef } from "../../model/storage.ts";
import type { GenerationWriter } from "./generation-writer.ts";
import type { Head } from "./head.ts";

/** Makes series of one generation. */
export class GenerationInterner implements SeriesInterner {
  constructor(
    private readonly head: Head,
    private readonly writer: GenerationWriter,
  ) {}

  symbol(text: string): number {
    return this.writer.generation.symbols.intern(text);
  }

  symbolOfBytes(bytes: Uint8Array, start: number, end: number): number {
    return this.writer.generation.symbols.internBytes(bytes, start, end);
  }

  pair(nameSymbol: number, valueSymbol: number): number {
    return this.writer.generation.postings.intern(nameSymbol, valueSymbol);
  }

  series(pairs: Uint32Array, count: number): SeriesRef {
    return this.head.resolveLists(this.writer, pairs, count);
  }
}
