import type { FloatHistogram } from "../../model/histogram.ts";
import type { Annotations } from "../annotations.ts";
import type { Position } from "../parse/ast.ts";

export class HistogramSums {
  constructor(_op: "sum" | "avg", _count: number, _annotations: Annotations, _position: Position) {}
  add(_step: number, _histogram: FloatHistogram, _name: string): void {
    throw new Error("cannot add native histograms yet");
  }
  has(_step: number): boolean {
    return false;
  }
  result(_step: number, _hasFloat: boolean): FloatHistogram | undefined {
    return undefined;
  }
  finish(): void {}
}
