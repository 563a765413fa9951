/** Runs inputs one after the other and says in shared memory which one is under way. */
import { parentPort, workerData } from "node:worker_threads";
import { collectGarbage } from "../../src/runtime/collect-garbage.ts";
import { Progress, type Failure, type ThreadMessage, type ThreadTask } from "./messages.ts";
import { kindOf, minimise } from "./minimise.ts";
import { inputOf, type Subject } from "./subject.ts";
import { subjectNamed } from "./subjects/index.ts";

/** A subject has the thread for so long before the next one gets it. */
const TURN_MS = 250;
const LOOK_AT_MEMORY_MS = 2_000;
const MINIMISING_MS = 5_000;
/** Failures of one kind are told once, and after so many kinds a subject has said enough. */
const MOST_KINDS = 5;

const task = workerData as ThreadTask;
const progress = new Float64Array(task.progress);
const say = (message: ThreadMessage): void => parentPort!.postMessage(message);

interface Work {
  readonly subject: Subject;
  readonly position: number;
  tried: number;
  readonly kinds: Set<string>;
  next: number;
}

const works: Work[] = task.names.map((name, position) => ({
  subject: subjectNamed(name),
  position,
  tried: 0,
  kinds: new Set(),
  next: task.from[name] ?? 0,
}));

process.on("unhandledRejection", (error) => {
  throw error;
});

if (task.only) {
  await works[0]!.subject.run(Buffer.from(task.only));
} else {
  await runAll();
}

async function runAll(): Promise<void> {
  let lookedAt = Date.now();
  for (let isBusy = true; isBusy;) {
    isBusy = false;
    for (const work of works) {
      for (const turnEnd = Date.now() + TURN_MS; Date.now() < turnEnd && !isDone(work); isBusy = true) {
        await runNext(work);
      }
      // Messages and timers get their turn too.
      await new Promise(setImmediate);
    }
    if (Date.now() - lookedAt < LOOK_AT_MEMORY_MS) continue;
    lookedAt = Date.now();
    say({ kind: "live", liveBytes: liveBytes() });
  }
}

function isDone({ tried, kinds }: Work): boolean {
  return kinds.size >= MOST_KINDS || (task.count !== null && tried >= task.count);
}

async function runNext(work: Work): Promise<void> {
  const { subject, position, kinds } = work;
  const index = work.next++;
  progress[Progress.input] = index;
  progress[Progress.subject] = position;
  progress[Progress.runs]!++;
  const input = inputOf(subject, task.seed, index);
  progress[Progress.tallies + 2 * position] = ++work.tried;
  try {
    if (await subject.run(input)) progress[Progress.tallies + 2 * position + 1]!++;
  } catch (error) {
    const kind = kindOf(error);
    if (kinds.has(kind)) return;
    kinds.add(kind);
    const minimal = await minimise(
      input,
      async (candidate) => {
        progress[Progress.runs]!++;
        try {
          await subject.run(candidate);
          return false;
        } catch (again) {
          return kindOf(again) === kind;
        }
      },
      Date.now() + MINIMISING_MS,
    );
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const failure: Failure = { subject: subject.name, index, what, input: minimal };
    say({ kind: "failure", failure });
  }
}

/** What is still held when all that can be let go is gone. */
function liveBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
