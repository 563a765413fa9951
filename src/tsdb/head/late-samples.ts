import { PlainColumns } from "../chunk/plain-columns.ts";
import { dropDeleted, readDeletions } from "./deletions.ts";
import type { GenerationWriter, LateFloat, PendingHistogram } from "./generation-writer.ts";
import { outOfOrderView, readOutOfOrder } from "./out-of-order.ts";

/** The out-of-order samples of a generation that are not deleted, under the references of the log. */
export function lateSamples(writer: GenerationWriter): {
  readonly floats: readonly LateFloat[];
  readonly histograms: readonly PendingHistogram[];
} {
  const { generation } = writer;
  const deletions = readDeletions(generation);
  const floats: LateFloat[] = [];
  const histograms: PendingHistogram[] = [];
  const columns = new PlainColumns();
  for (let series = 1; series <= generation.series.count; series++) {
    const view = outOfOrderView(generation, series, null);
    if (!view) continue;
    readOutOfOrder(generation, series, view, -Infinity, Infinity, columns.clear());
    dropDeleted(columns, 0, deletions?.get(series) ?? []);
    const ref = writer.logRef(series);
    for (let i = 0; i < columns.count; i++) {
      const timeMs = columns.times[i]!;
      const histogram = columns.histograms?.[i];
      const [valueLow, valueHigh] = [columns.valueWords[2 * i]!, columns.valueWords[2 * i + 1]!];
      const startMs = columns.startTimes?.[i] ?? 0;
      if (histogram) histograms.push({ ref, timeMs, histogram, startMs });
      else floats.push({ ref, timeMs, valueHigh, valueLow, startMs });
    }
  }
  return { floats, histograms };
}
