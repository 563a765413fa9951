import { Popover, UnstyledButton } from "@mantine/core";
import type { BucketBoundaries, HistogramBody } from "../../api/types.ts";
import { formatCompact } from "../text/number.ts";

const OPEN: readonly string[] = ["(", "[", "(", "["];
const CLOSE: readonly string[] = ["]", ")", ")", "]"];

function bucketName(boundaries: BucketBoundaries, lower: string, upper: string): string {
  return `${OPEN[boundaries]}${formatCompact(Number(lower))}, ${formatCompact(Number(upper))}${CLOSE[boundaries]}`;
}

/** A native histogram in a cell: count and sum, its shape in bars, and the buckets on a click. */
export function HistogramValue({ histogram }: { histogram: HistogramBody }) {
  const buckets = histogram.buckets ?? [];
  const largest = buckets.reduce((max, [, , , count]) => Math.max(max, Number(count)), 0);
  return (
    <Popover position="bottom-end" withArrow shadow="md">
      <Popover.Target>
        <UnstyledButton className="histogram-value" aria-label="Show the buckets">
          <span className="histogram-bars" aria-hidden="true">
            {buckets.map(([, lower, , count]) => (
              <span key={lower} style={{ height: `${largest > 0 ? (100 * Number(count)) / largest : 0}%` }} />
            ))}
          </span>
          <span>
            count {histogram.count}, sum {formatCompact(Number(histogram.sum), 6)}
          </span>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown className="bucket-list">
        <table>
          <thead>
            <tr>
              <th>Bucket</th>
              <th>Count</th>
            </tr>
          </thead>
          <tbody>
            {buckets.map(([boundaries, lower, upper, count]) => (
              <tr key={lower}>
                <td>{bucketName(boundaries, lower, upper)}</td>
                <td>{count}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Popover.Dropdown>
    </Popover>
  );
}
