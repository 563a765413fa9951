import { bodyBuffers, type BodyBuffers } from "../http-client/index.ts";
import type { ScrapeMemory } from "../kernels/index.ts";

/** Has pages read from the socket into the memory that parses them, as long as it has room: no byte is copied then. */
export class PageBuffers implements BodyBuffers {
  constructor(private readonly memory: ScrapeMemory) {}

  take(sizeBytes: number): Buffer {
    return this.memory.lendPage(sizeBytes) ?? bodyBuffers.take(sizeBytes);
  }

  give(buffer: Buffer): void {
    if (this.memory.holds(buffer)) this.memory.takeBackPage(buffer);
    else bodyBuffers.give(buffer);
  }
}
