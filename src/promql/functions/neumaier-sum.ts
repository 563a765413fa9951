/** A sum with Neumaier's compensation, in the order added: Prometheus's digits depend on it. */
export class NeumaierSum {
  sum = 0;
  compensation = 0;

  constructor(start = 0) {
    this.sum = start;
  }

  add(x: number): void {
    const t = this.sum + x;
    if (t === Infinity || t === -Infinity) this.compensation = 0;
    else if (Math.abs(this.sum) >= Math.abs(x)) this.compensation += this.sum - t + x;
    else this.compensation += x - t + this.sum;
    this.sum = t;
  }

  get compensated(): number {
    return this.sum + this.compensation;
  }
}
