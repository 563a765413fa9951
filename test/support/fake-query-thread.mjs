// Stands in for the query thread: what a query's text says is what it does.
import { parentPort, workerData } from "node:worker_threads";

const cancelFlags = new Int32Array(workerData.cancelFlags);
const told = [];

parentPort.on("message", (message) => {
  if (message.type === "sync") return parentPort.postMessage({ type: "synced", id: message.id });
  if (message.type !== "run") return told.push(message.type);
  const { id, slot, task } = message;
  if (workerData.lane === "light" && task.query.startsWith("heavy")) {
    return parentPort.postMessage({ type: "heavy", id, estimatedSamples: 1e9 });
  }
  if (task.query.includes("never ends")) for (;;);
  if (task.query.includes("dies")) throw new Error("out of everything");
  if (task.query.includes("until cancelled")) while (Atomics.load(cancelFlags, slot) === 0);
  const text = JSON.stringify({ lane: workerData.lane, told });
  parentPort.postMessage({
    type: "answer",
    id,
    answer: { status: 200, parts: [Buffer.from(text)], report: null },
  });
});
parentPort.postMessage({ type: "ready" });
