// Stands in for the query thread: what a query's text says is what it does.
import { parentPort, workerData } from "node:worker_threads";

const cancelFlags = new Int32Array(workerData.cancelFlags);
const told = [];

parentPort.on("message", (message) => {
  if (message.type === "sync") return parentPort.postMessage({ type: "synced", id: message.id });
  if (message.type !== "run") return told.push(message.type);
  const { id, slot, task } = message;
  if (workerData.lane === "light" && task.query.startsWith("heavy")) {
    return parentPort.postMessage({ type: "heavy", id, estimatedSamples: 1e9, division: divisionOf(task) });
  }
  if (task.query.includes("never ends")) for (;;);
  if (task.query.includes("dies")) throw new Error("out of everything");
  if (task.query.includes("until cancelled")) while (Atomics.load(cancelFlags, slot) === 0);
  if (task.part) {
    if (task.startMs > 0 && task.query.includes("second part dies")) throw new Error("out of everything");
    const fragment = {
      marks: new Float64Array(0),
      warnings: [],
      infos: ["a part"],
      peakSamples: 1,
      mustBeWhole: task.query.includes("whole"),
    };
    const answer = { status: 200, parts: [Buffer.alloc(0)], report: null, fragment };
    return parentPort.postMessage({ type: "answer", id, answer });
  }
  const text = JSON.stringify({ lane: workerData.lane, told });
  parentPort.postMessage({
    type: "answer",
    id,
    answer: { status: 200, parts: [Buffer.from(text)], report: null },
  });
});
parentPort.postMessage({ type: "ready" });

function divisionOf(task) {
  return task.query.includes("divided") ? "steps" : null;
}
