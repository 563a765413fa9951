import { formatSize } from "../../model/duration.ts";
import { quote } from "../../model/quote.ts";
import {
  choice,
  duration,
  field,
  float,
  integer,
  maybe,
  section,
  size,
  type ValueOf,
} from "./config-type.ts";

const retention = section(
  "config.plain",
  {
    time: maybe(duration),
    size: maybe(size),
    percentage: maybe(float),
  },
  ({ percentage, size: limit }, report) => {
    if (limit !== undefined && limit < 0) {
      report(`'storage.tsdb.retention.size' must be greater than or equal to 0, got ${formatSize(limit)}`, [
        "size",
      ]);
    }
    if (percentage !== undefined && !(percentage >= 0 && percentage <= 100)) {
      report(`'storage.tsdb.retention.percentage' must be in the range [0, 100], got ${percentage}`, [
        "percentage",
      ]);
    }
  },
);

const floatsEncoding = choice(
  ["xor", "xor2"],
  (value) =>
    `'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got ${quote(value)}`,
);

const tsdb = section("config.plain", {
  outOfOrderTimeWindow: field(duration, 0),
  staleSeriesCompactionThreshold: field(float, 0),
  chunkEncoding: maybe(section("config.plain", { floats: maybe(floatsEncoding) })),
  retention: maybe(retention),
});

const exemplars = section("config.plain", { maxExemplars: field(integer, 100_000) });

/** What is reloadable of the storage. An absent `tsdb.retention` leaves retention to the flags. */
export const storageConfig = section("config.StorageConfig", {
  tsdb: maybe(tsdb),
  exemplars: maybe(exemplars),
});

export type StorageConfig = ValueOf<typeof storageConfig>;
