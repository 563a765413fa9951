import { statSync } from "node:fs";
import { join } from "node:path";
import { CHUNK_LIST_WORDS, CHUNK_PADDING_BYTES, decodeXorChunks } from "../../kernels/decode-kernel.ts";
import { QueryMemory } from "../../kernels/index.ts";
import type { SampleColumns } from "../../model/storage.ts";
import { decodeChunk, chunkSampleCount } from "../chunk/decode-chunk.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { PlainColumns } from "../chunk/plain-columns.ts";
import { CorruptionError } from "../corruption-error.ts";
import { HEAD_CHUNKS_FOLDER, WAL_FOLDER } from "../file-names.ts";
import type { RecordSink } from "../wal/record.ts";
import { listSegments, PAGE_BYTES } from "../wal/segment.ts";
import { type HeadFileChunk, readHeadChunkFiles } from "./head-chunk-files.ts";
import { type FoundSnapshot, readHeadSnapshot } from "./head-snapshot.ts";
import { RefSet } from "./ref-set.ts";

/** Reserved, and used as far as need be: one chunk at a time is in it. */
const MEMORY_BYTES = 2 ** 23;
/** Larger chunks, which nobody writes, are decoded another way. */
const MAX_CHUNK_BYTES = 2 ** 20;
/** A chunk's count has two bytes. */
const MAX_SAMPLES = 2 ** 16;

/** Takes what a snapshot holds. */
export interface SnapshotSink extends RecordSink {
  /** Samples of one series, ascending in time, without start times. */
  onRun(ref: number, times: Float64Array, valueWords: Uint32Array, count: number): void;
}

/** What a snapshot gave. */
export interface LoadedSnapshot {
  readonly series: number;
  readonly samples: number;
  /** Whether there are out-of-order chunks beside it, which are left to the log of such samples. */
  readonly hasLateChunks: boolean;
}

/**
 * Gives a replay what a snapshot of the head and the chunks beside it hold, as if it came from the log up to the place
 * that the snapshot names.
 *
 * @throws CorruptionError where something is damaged or missing. What the sink has by then are, of each series, the
 * oldest samples without a gap: the log, read from its beginning, goes on from there
 */
export function loadHeadSnapshot(
  dataDirectory: string,
  snapshot: FoundSnapshot,
  sink: SnapshotSink,
): LoadedSnapshot {
  refuseWrongPlace(dataDirectory, snapshot);
  const known = new RefSet();
  readHeadSnapshot(snapshot.path, {
    onSeries(ref, labels) {
      known.add(ref);
      sink.onSeries(ref, labels);
    },
  });

  const appender = new ChunkAppender(sink);
  let hasLateChunks = false;
  const chunksFolder = join(dataDirectory, HEAD_CHUNKS_FOLDER);
  if (!statSync(chunksFolder, { throwIfNoEntry: false })) {
    throw new CorruptionError(`cannot use ${snapshot.path}: the folder ${chunksFolder} is missing`);
  }
  const visit = (chunk: HeadFileChunk) => {
    if (chunk.isOutOfOrder) hasLateChunks = true;
    // The log behind the snapshot has all of a series that was born after it.
    else if (known.has(chunk.ref)) appender.append(chunk);
  };
  readHeadChunkFiles(chunksFolder, visit, (damage) => {
    throw damage;
  });
  readHeadSnapshot(snapshot.path, {
    onChunk: (chunk) => appender.append(chunk),
    onTombstone: (ref, minTime, maxTime) => sink.onTombstone(ref, minTime, maxTime),
    onExemplar: (ref, exemplar) => sink.onExemplar(ref, exemplar),
  });
  return { series: known.size, samples: appender.samples, hasLateChunks };
}

function refuseWrongPlace(dataDirectory: string, { path, segment, offset }: FoundSnapshot): void {
  const segments = listSegments(join(dataDirectory, WAL_FOLDER));
  const found = segments.find(({ index }) => index === segment);
  const sizeBytes = found ? statSync(found.path).size : 0;
  // Of a segment that is gone a checkpoint, read in its place, has what is needed.
  if (offset % PAGE_BYTES === 0 && (!found || offset <= sizeBytes)) return;
  throw new CorruptionError(
    `cannot use ${path}: byte ${offset} of segment ${segment} of the log, which is ${sizeBytes} long, is no end of a page`,
  );
}

/** Hands the samples of chunks to a replay. */
class ChunkAppender {
  samples = 0;
  private readonly memory = new QueryMemory(MEMORY_BYTES);
  private readonly list = this.memory.allocate(4 * CHUNK_LIST_WORDS);
  private readonly bits = this.memory.allocate(MAX_CHUNK_BYTES + CHUNK_PADDING_BYTES);
  private readonly columns = this.memory.columns(MAX_SAMPLES + 1);
  private readonly plain = new PlainColumns();
  private refs = new Float64Array(1024);

  constructor(private readonly sink: SnapshotSink) {}

  append(chunk: HeadFileChunk): void {
    const isPlain = chunk.encoding === ChunkEncoding.xor && chunk.bytes.length <= MAX_CHUNK_BYTES;
    this.give(chunk.ref, isPlain ? this.decodeXor(chunk) : this.decode(chunk));
  }

  private decode({ encoding, bytes }: HeadFileChunk): SampleColumns {
    decodeChunk(encoding, bytes.slice(), -Infinity, Infinity, this.plain.clear());
    return this.plain;
  }

  private decodeXor({ ref, encoding, bytes }: HeadFileChunk): SampleColumns {
    const { memory, columns, list, bits } = this;
    columns.count = 0;
    memory.bytes.set(bytes, bits);
    memory.words[list / 4] = bits + 2;
    memory.words[list / 4 + 1] = bytes.length - 2;
    memory.words[list / 4 + 2] = chunkSampleCount(encoding, bytes);
    try {
      decodeXorChunks(memory, list, 1, columns, -Infinity, Infinity);
    } catch (cause) {
      throw new CorruptionError(`cannot read a chunk of series ${ref}: ${(cause as Error).message}`, {
        cause,
      });
    }
    return columns;
  }

  private give(ref: number, columns: SampleColumns): void {
    const { times, valueWords, startTimes, histograms, count } = columns;
    this.samples += count;
    if (histograms === null && startTimes === null) this.sink.onRun(ref, times, valueWords, count);
    else if (histograms === null) {
      if (this.refs.length < count) this.refs = new Float64Array(2 * count);
      this.refs.fill(ref, 0, count);
      this.sink.onSamples(this.refs, times, valueWords, startTimes, count);
    } else {
      for (let i = 0; i < count; i++) {
        const histogram = histograms[i];
        if (histogram) this.sink.onHistogram(ref, times[i]!, histogram, startTimes?.[i] ?? 0);
      }
    }
  }
}
