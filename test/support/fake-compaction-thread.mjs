// Stands in for the compaction thread: a merge goes on until it is interrupted, or, once that came too often, ends.
import { parentPort, workerData } from "node:worker_threads";

const { interrupt, deeds } = workerData;
const Deed = { merging: 0, interrupted: 1, merged: 2, deleted: 3 };

const calls = {
  list: () => ({ blocks: [], problems: [] }),
  writeGeneration: () => false,
  compactNext() {
    // One merge is due until it is done.
    if (Atomics.load(deeds, Deed.merged) > 0) return null;
    Atomics.add(deeds, Deed.merging, 1);
    Atomics.notify(deeds, Deed.merging);
    if (Atomics.load(deeds, Deed.interrupted) < workerData.interruptions) {
      while (Atomics.load(interrupt, 0) === 0);
      Atomics.add(deeds, Deed.interrupted, 1);
      return "interrupted";
    }
    Atomics.add(deeds, Deed.merged, 1);
    return { isVertical: false };
  },
  retire: () => ({ kept: [], doomed: [], byTime: 0, bySize: 0, problems: [] }),
  deleteBlocks: () => undefined,
  deleteSeries() {
    Atomics.add(deeds, Deed.deleted, 1);
    return [];
  },
  chunkDistributions: () => null,
};

parentPort.on("message", ({ id, name, args }) => {
  parentPort.postMessage({ type: "result", id, value: calls[name](...args) });
});
