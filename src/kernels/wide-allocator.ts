/**
 * Hands out blocks of a linear memory from `start` to `end`, in four size classes to each doubling, so that at most a
 * fifth of a block is idle and a freed block serves any other of its class. Never moves, never merges.
 */
export class WideAllocator {
  private readonly freeBlocks = new Map<number, number[]>();
  private top: number;
  private used = 0;

  constructor(
    start: number,
    private readonly end: number,
  ) {
    this.top = start;
  }

  /** @returns a pointer that is a multiple of 64, or 0 when there is no room */
  allocate(sizeBytes: number): number {
    const size = classSize(sizeBytes);
    const reused = this.freeBlocks.get(size)?.pop();
    if (reused === undefined && this.top + size > this.end) return 0;
    this.used += size;
    if (reused !== undefined) return reused;
    const pointer = this.top;
    this.top += size;
    return pointer;
  }

  /** Gives back a block; `sizeBytes` as it was asked for. */
  free(pointer: number, sizeBytes: number): void {
    const size = classSize(sizeBytes);
    this.used -= size;
    const blocks = this.freeBlocks.get(size);
    if (blocks) blocks.push(pointer);
    else this.freeBlocks.set(size, [pointer]);
  }

  get usedBytes(): number {
    return this.used;
  }
}

const SMALLEST_BYTES = 256;

function classSize(sizeBytes: number): number {
  if (sizeBytes <= SMALLEST_BYTES) return SMALLEST_BYTES;
  const quarter = 2 ** (29 - Math.clz32(sizeBytes - 1));
  return Math.ceil(sizeBytes / quarter) * quarter;
}
