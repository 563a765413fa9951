/** The typed door to the AssemblyScript kernels. A file per kernel; memories are made here and nowhere else. */
export {
  instantiateKernels,
  reserveSharedMemory,
  RESERVED_BYTES,
  type KernelExports,
} from "./instantiate.ts";
export { QueryMemory, QueryMemoryError, QuerySampleColumns } from "./query-memory.ts";
export { decodeXorChunks, ChunkDecodeError, CHUNK_LIST_WORDS, CHUNK_PADDING_BYTES } from "./decode-kernel.ts";
export {
  WindowKernel,
  SlidingWindows,
  InstantLookup,
  GroupAccumulator,
  type WindowGrid,
  type WindowArgument,
  type WindowFunction,
  type AccumulatedOp,
  type SampleSlice,
  type ColumnPointers,
} from "./window-kernel.ts";
export {
  ScrapeMemory,
  ScrapeMemoryError,
  EMPTY_SEQUENCE,
  ENTRY_TYPE_SHIFT,
  EntryFlag,
  LONGEST_LINE_BYTES,
  ReportFlag,
  TYPE_REPORTED,
  emptyReport,
  type LineReport,
  type StoredSequence,
} from "./parse-kernel.ts";
export { FloatPrinter, POINTS_PER_CALL } from "./float-printer.ts";
export { AppendKernel } from "./append-kernel.ts";
export { LogSamplesKernel, SLOT_BYTES, SLOT_SAMPLES, Taken } from "./log-samples-kernel.ts";
export { MAX_SNAPPY_BYTES, SnappyKernel } from "./snappy-kernel.ts";
