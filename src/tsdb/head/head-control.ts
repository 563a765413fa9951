/**
 * What all threads share of the head besides its generations: the number of the last commit. A query reads it first
 * and sees nothing later, so it never sees half of a scrape, in whichever generations that lies.
 *
 * On processors that let one core see another's writes out of order (ARM) a reader that meets a commit under way
 * could miss its mark on a series; x86 keeps the order.
 */
export class HeadControl {
  private readonly words: Int32Array;

  private constructor(readonly buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
  }

  static create(): HeadControl {
    return new HeadControl(new SharedArrayBuffer(64));
  }

  static attach(buffer: SharedArrayBuffer): HeadControl {
    return new HeadControl(buffer);
  }

  /** The last commit whose samples are all there. Wraps around at 2^32. */
  get commit(): number {
    return Atomics.load(this.words, 0);
  }

  get nextCommit(): number {
    return (this.commit + 1) | 0;
  }

  publish(commit: number): void {
    Atomics.store(this.words, 0, commit);
  }
}
