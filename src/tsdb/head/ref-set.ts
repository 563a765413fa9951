/** So many references share a leaf. */
const LEAF_REFS = 2 ** 16;

/** A set of the log's references, up to 2^53. They come in runs, so a bit each is little. */
export class RefSet {
  size = 0;
  private readonly leaves = new Map<number, Uint32Array>();
  private lastIndex = -1;
  private lastLeaf: Uint32Array = NO_LEAF;

  private leaf(ref: number): Uint32Array | undefined {
    const index = Math.floor(ref / LEAF_REFS);
    if (index === this.lastIndex) return this.lastLeaf;
    const leaf = this.leaves.get(index);
    if (!leaf) return undefined;
    this.lastIndex = index;
    return (this.lastLeaf = leaf);
  }

  add(ref: number): void {
    let leaf = this.leaf(ref);
    if (!leaf) this.leaves.set(Math.floor(ref / LEAF_REFS), (leaf = new Uint32Array(LEAF_REFS / 32)));
    const bit = ref % LEAF_REFS;
    const mask = 1 << (bit & 31);
    if ((leaf[bit >>> 5]! & mask) !== 0) return;
    leaf[bit >>> 5]! |= mask;
    this.size++;
  }

  has(ref: number): boolean {
    const bit = ref % LEAF_REFS;
    return ((this.leaf(ref)?.[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  }

  delete(ref: number): void {
    const leaf = this.leaf(ref);
    const bit = ref % LEAF_REFS;
    const mask = 1 << (bit & 31);
    if (!leaf || (leaf[bit >>> 5]! & mask) === 0) return;
    leaf[bit >>> 5]! &= ~mask;
    this.size--;
  }
}

const NO_LEAF = new Uint32Array(0);
