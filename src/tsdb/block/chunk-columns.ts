/** Chunks of one series as the index knows them, by columns that grow and are used again for the next series. */
export class ChunkColumns {
  count = 0;
  /** Both ends included. */
  minTimes = new Float64Array(16);
  maxTimes = new Float64Array(16);
  /** Each a `ChunkRef`. */
  refs = new Float64Array(16);

  clear(): this {
    this.count = 0;
    return this;
  }

  push(minTime: number, maxTime: number, ref: number): void {
    const at = this.count++;
    if (at === this.refs.length) this.grow();
    this.minTimes[at] = minTime;
    this.maxTimes[at] = maxTime;
    this.refs[at] = ref;
  }

  private grow(): void {
    const grown = (column: Float64Array) => {
      const longer = new Float64Array(2 * column.length);
      longer.set(column);
      return longer;
    };
    this.minTimes = grown(this.minTimes);
    this.maxTimes = grown(this.maxTimes);
    this.refs = grown(this.refs);
  }
}
