import type { FloatHistogram } from "../../model/histogram.ts";
import type { Annotations } from "../annotations.ts";
import type { Binary } from "../parse/ast.ts";

export function combineHistograms(
  _node: Binary,
  _left: FloatHistogram,
  _right: FloatHistogram,
  _annotations: Annotations,
): FloatHistogram | boolean | "incompatible" | "dropped" {
  throw new Error("cannot combine native histograms yet");
}
export function scaleHistogram(_op: "*" | "/", _histogram: FloatHistogram, _factor: number): FloatHistogram {
  throw new Error("cannot scale native histograms yet");
}
export function trimHistogram(_op: "</" | ">/", _histogram: FloatHistogram, _bound: number): FloatHistogram {
  throw new Error("cannot trim native histograms yet");
}
