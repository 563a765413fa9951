import type { CallNotes, RangeWindow } from "../exec/range-window.ts";
import type { FloatHistogram } from "../../model/histogram.ts";

export function sumHistograms(_window: RangeWindow, _notes: CallNotes): FloatHistogram | undefined {
  throw new Error("cannot add native histograms yet");
}
export const averageHistograms = sumHistograms;
