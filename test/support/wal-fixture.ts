import { join } from "node:path";
import { Labels } from "../../src/model/labels.ts";
import { beginSeriesRecord, encodeSamplesRecord, encodeSeriesEntry } from "../../src/tsdb/wal/record.ts";
import { WalWriter } from "../../src/tsdb/wal/segment.ts";
import { ByteWriter } from "../../src/tsdb/varint.ts";

/** Series of one instance: 80 counters, 60 gauges, 60 histogram buckets. */
export const SERIES_PER_INSTANCE = 200;
const MAX_SERIES_RECORD_BYTES = 1 << 20;
const BUCKET_BOUNDS = [
  "0.005",
  "0.01",
  "0.025",
  "0.05",
  "0.1",
  "0.25",
  "0.5",
  "1.0",
  "2.5",
  "5.0",
  "10.0",
  "+Inf",
];

/**
 * Writes `dataDirectory/wal` as Prometheus would have left it after scraping some instances for some hours: counters
 * that step, gauges that walk, histograms that fill. The same numbers every time.
 */
export function writeWalFixture(options: {
  readonly dataDirectory: string;
  readonly instances: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  /** How far, at most, each scrape is off its time, to either side; not at all if it is left out. */
  readonly jitterMs?: number;
}): { readonly series: number; readonly samples: number } {
  const { dataDirectory, instances, startMs, endMs, stepMs, jitterMs = 0 } = options;
  const wal = new WalWriter(join(dataDirectory, "wal"));
  const writer = new ByteWriter(1 << 20);
  const random = randomNumbers(42);
  const count = instances * SERIES_PER_INSTANCE;

  const labelSets = Array.from({ length: instances }, (_, i) => labelsOfInstance(i)).flat();
  beginSeriesRecord(writer);
  for (const [index, labels] of labelSets.entries()) {
    encodeSeriesEntry(writer, index + 1, labels);
    if (writer.length < MAX_SERIES_RECORD_BYTES) continue;
    wal.append(writer.written());
    beginSeriesRecord(writer);
  }
  if (writer.length > 1) wal.append(writer.written());

  const values = new Float64Array(count);
  for (let i = 0; i < count; i++)
    values[i] = i % SERIES_PER_INSTANCE < 140 ? Math.floor(random() * 1e6) / 100 : 0;
  const refs = new Uint32Array(SERIES_PER_INSTANCE);
  const offTime = () => (jitterMs === 0 ? 0 : Math.round((2 * random() - 1) * jitterMs));
  let samples = 0;
  for (let timeMs = startMs; timeMs <= endMs; timeMs += stepMs) {
    for (let instance = 0; instance < instances; instance++) {
      const base = instance * SERIES_PER_INSTANCE;
      for (let i = 0; i < SERIES_PER_INSTANCE; i++) {
        refs[i] = base + i + 1;
        advance(values, base, i, random);
      }
      const words = new Uint32Array(values.buffer, 8 * base, 2 * SERIES_PER_INSTANCE);
      // Instances are scraped one after the other, each at its own offset in the interval, and never on the full
      // second: there 2.42 and 3.x differ on whether the left end of a range is in it.
      encodeSamplesRecord(
        writer,
        0,
        refs,
        timeMs + 7 + ((instance * 97) % (stepMs - 100)) + offTime(),
        words,
        SERIES_PER_INSTANCE,
      );
      wal.append(writer.written());
      samples += SERIES_PER_INSTANCE;
    }
    wal.flush();
  }
  wal.close();
  return { series: count, samples };
}

function labelsOfInstance(instance: number): Labels[] {
  const common = {
    instance: `10.0.${instance >> 8}.${instance & 255}:9100`,
    job: "service",
    zone: `zone-${instance % 3}`,
  };
  const sets: Labels[] = [];
  for (let i = 0; i < 80; i++) {
    sets.push(
      Labels.fromRecord({
        __name__: "http_requests_total",
        method: ["GET", "POST", "PUT", "DELETE"][i % 4]!,
        code: String([200, 204, 404, 500, 503][Math.floor(i / 4) % 5]),
        handler: `/api/${Math.floor(i / 20)}`,
        ...common,
      }),
    );
  }
  for (let i = 0; i < 60; i++) {
    sets.push(Labels.fromRecord({ __name__: "queue_length", queue: `queue-${i}`, ...common }));
  }
  for (let i = 0; i < 60; i++) {
    sets.push(
      Labels.fromRecord({
        __name__: "request_duration_seconds_bucket",
        handler: `/api/${Math.floor(i / 12)}`,
        le: BUCKET_BOUNDS[i % 12]!,
        ...common,
      }),
    );
  }
  return sets;
}

function advance(values: Float64Array, base: number, i: number, random: () => number): void {
  const at = base + i;
  if (i < 80) values[at] = Math.floor(values[at]!) + (i % 3 === 0 ? 0 : Math.floor(random() * 50));
  else if (i < 140) values[at] = Math.round((values[at]! + (random() - 0.5) * 10) * 1000) / 1000;
  else {
    // Buckets are cumulative: each adds at least what the one below it added.
    const isLowest = (i - 140) % 12 === 0;
    growth = (isLowest ? 0 : growth) + Math.floor(random() * 4);
    values[at] = values[at]! + growth;
  }
}

/** By how much the bucket just advanced grew: the next one, which contains it, grows by at least as much. */
let growth = 0;

/** A small generator with a seed (mulberry32): the fixture must be the same in every run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
