/**
 * Gives parsers inputs they were not made for and watches: nothing may crash, hang, grow without end, or say something
 * else than its twin.
 *
 *   node dist/fuzz/fuzz.js [--seconds 60] [--jobs 2] [--seed TEXT] [--only NAME,NAME] [--from N] [--count N]
 *   node dist/fuzz/fuzz.js --only NAME --input FILE
 *
 * Subjects are divided into groups. Each group runs in a process of its own at low priority, for `--seconds` of
 * processor time, which its subjects share in turns; `--jobs` groups run at a time. The thread with the inputs is
 * watched from another one, which sees when an input takes for ever.
 */
import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import {
  newProgress,
  Progress,
  type Failure,
  type Tally,
  type ThreadMessage,
  type ThreadTask,
} from "./messages.ts";
import { minimise } from "./minimise.ts";
import { inputOf } from "./subject.ts";
import { scratchRoot } from "./subjects/logs.ts";
import { SUBJECT_GROUPS, subjectNamed } from "./subjects/index.ts";

const LOWEST_PRIORITY = 19;
const LOOK_MS = 200;
/** Processor time that one input may take, and time by the clock where it waits for something. */
const HANG_CPU_MS = 5_000;
const HANG_CLOCK_MS = 120_000;
/** A watcher that did not look for so long was not let run. */
const PAUSE_MS = 5_000;
/** What a process may take beyond what it had when it began, and what may stay alive of it. */
const MOST_GROWTH_BYTES = 1.5 * 2 ** 30;
const MOST_LIVE_GROWTH_BYTES = 96 * 2 ** 20;
/** Caches are full by then. */
const SETTLED_SHARE = 0.4;
/** Where processors are scarce, so many times the seconds by the clock end a group too. */
const MOST_CLOCK_FACTOR = 2;
const MINIMISING_MS = 60_000;
const FAILURES_FOLDER = "fuzz-failures";

interface GroupResult {
  readonly tallies: readonly Tally[];
  readonly failures: readonly Failure[];
}

const { values: given } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    jobs: { type: "string", default: "2" },
    seed: { type: "string", default: Date.now().toString(36) },
    only: { type: "string" },
    from: { type: "string", default: "0" },
    count: { type: "string" },
    input: { type: "string" },
    group: { type: "string" },
  },
});
const seconds = Number(given.seconds);

async function runGroups(): Promise<boolean> {
  const only = given.only?.split(",").map((name) => subjectNamed(name).name);
  const waiting = only ? [only] : SUBJECT_GROUPS.map((group) => group.map(({ name }) => name));
  console.log(`fuzz: seed ${given.seed}, ${waiting.length} groups, ${seconds} s of processor time each`);
  const results: GroupResult[] = [];
  const work = async (): Promise<void> => {
    for (let names = waiting.shift(); names; names = waiting.shift()) results.push(await runApart(names));
  };
  await Promise.all(Array.from({ length: Number(given.jobs) }, work));
  const failures = results.flatMap((result) => result.failures);
  for (const { subject, tried, accepted } of results.flatMap(({ tallies }) => tallies)) {
    const count = failures.filter((failure) => failure.subject === subject).length;
    console.log(
      `${subject.padEnd(18)} ${String(tried).padStart(10)} inputs, ${String(accepted).padStart(10)} accepted, ${count} failures`,
    );
  }
  for (const failure of failures) report(failure);
  const total = results.flatMap(({ tallies }) => tallies).reduce((sum, { tried }) => sum + tried, 0);
  console.log(`fuzz: ${total} inputs, ${failures.length} failures`);
  return failures.length === 0;
}

function report({ subject, index, what, input }: Failure): void {
  mkdirSync(FAILURES_FOLDER, { recursive: true });
  const path = join(FAILURES_FOLDER, `${subject}-${given.seed}-${index}`);
  writeFileSync(path, input);
  console.log(`\n${subject}, input ${index} of seed ${given.seed}: ${what}`);
  console.log(
    `  again: node dist/fuzz/fuzz.js --only ${subject} --seed ${given.seed} --from ${index} --count 1`,
  );
  console.log(`  made smaller, ${input.length} bytes: ${path}`);
}

/** A group in a process of its own, which it may take down. */
function runApart(names: readonly string[]): Promise<GroupResult> {
  return new Promise((resolve) => {
    // A thread that is ended leaves its files behind.
    const scratch = mkdtempSync(join(scratchRoot(), "narthex-fuzz-"));
    const passed = ["seconds", "seed", "from", "count"] as const;
    const child = fork(
      fileURLToPath(import.meta.url),
      [
        ...["--group", names.join(",")],
        ...passed.flatMap((name) => (given[name] === undefined ? [] : [`--${name}`, given[name]])),
      ],
      { serialization: "advanced", env: { ...process.env, FUZZ_SCRATCH: scratch } },
    );
    setPriority(child.pid!, LOWEST_PRIORITY);
    let result: GroupResult | null = null;
    child.on("message", (message) => (result = message as GroupResult));
    child.on("exit", (code, signal) => {
      rmSync(scratch, { recursive: true, force: true });
      const what = `the process ended with ${signal ?? code}`;
      const failure: Failure = { subject: names[0]!, index: -1, what, input: new Uint8Array() };
      resolve(result ?? { tallies: [], failures: [failure] });
    });
  });
}

/** Watches a thread, and begins another where it had to be ended. */
class Watch {
  private readonly tallies = new Map<string, Tally>();
  private readonly failures: Failure[] = [];
  private readonly next: Record<string, number> = {};
  private readonly startedRss = process.memoryUsage().rss;
  // Moved on by what making inputs smaller takes.
  private startedCpu = cpuMs();
  private startedMs = Date.now();
  private settledLive: number | null = null;
  private names: readonly string[];

  constructor(names: readonly string[]) {
    this.names = names;
    for (const name of names) this.next[name] = Number(given.from);
  }

  async run(): Promise<GroupResult> {
    while (this.names.length > 0 && !(await this.runThread()));
    return { tallies: [...this.tallies.values()], failures: this.failures };
  }

  private get share(): number {
    const ofCpu = (cpuMs() - this.startedCpu) / (1000 * seconds);
    return Math.max(ofCpu, (Date.now() - this.startedMs) / (1000 * seconds * MOST_CLOCK_FACTOR));
  }

  /** @returns whether all is done */
  private async runThread(): Promise<boolean> {
    const { names } = this;
    const progress = new Float64Array(newProgress(names));
    const worker = startThread({
      names,
      from: this.next,
      progress: progress.buffer as SharedArrayBuffer,
      count: given.count === undefined ? null : Number(given.count),
      only: null,
    });
    worker.on("message", (message: ThreadMessage) => {
      if (message.kind === "failure") this.failures.push(message.failure);
      else this.noteLiveBytes(message.liveBytes);
    });
    const stuck = new Stuck(progress);
    const ended = whenEnded(worker);
    let end: string | null = null;
    const timer = setInterval(() => {
      if (process.memoryUsage().rss - this.startedRss > MOST_GROWTH_BYTES) end = "takes too much memory";
      else if (stuck.isStuck()) end = "takes for ever";
      else if (this.share >= 1) end = "";
      if (end === null) return;
      clearInterval(timer);
      void worker.terminate();
    }, LOOK_MS);
    const error = await ended;
    clearInterval(timer);
    this.noteTallies(names, progress);
    if (end === "" || (end === null && error === null)) return true;
    const name = names[progress[Progress.subject]!]!;
    const index = progress[Progress.input]!;
    const what = end ?? error!.stack ?? error!.message;
    const [cpuBefore, msBefore] = [cpuMs(), Date.now()];
    const input = await this.smallest(name, inputOf(subjectNamed(name), given.seed, index), end !== null);
    this.startedCpu += cpuMs() - cpuBefore;
    this.startedMs += Date.now() - msBefore;
    this.failures.push({ subject: name, index, what, input });
    const told = this.failures.filter(({ subject }) => subject === name).length;
    if (told >= 5) this.names = this.names.filter((other) => other !== name);
    return false;
  }

  private noteTallies(names: readonly string[], progress: Float64Array): void {
    for (const [i, subject] of names.entries()) {
      const old = this.tallies.get(subject);
      const tried = progress[Progress.tallies + 2 * i]!;
      const accepted = progress[Progress.tallies + 2 * i + 1]!;
      this.tallies.set(subject, {
        subject,
        tried: tried + (old?.tried ?? 0),
        accepted: accepted + (old?.accepted ?? 0),
      });
      this.next[subject] = this.next[subject]! + tried;
    }
  }

  private noteLiveBytes(liveBytes: number): void {
    if (this.share < SETTLED_SHARE) return;
    this.settledLive ??= liveBytes;
    const grown = liveBytes - this.settledLive;
    if (grown < MOST_LIVE_GROWTH_BYTES) return;
    this.settledLive = Infinity;
    const what = `${grown} bytes more stay alive than after ${SETTLED_SHARE} of the time`;
    this.failures.push({ subject: this.names[0]!, index: -1, what, input: new Uint8Array() });
  }

  /** Runs candidates in threads of their own, since they may not come back. */
  private smallest(name: string, input: Buffer, mayHang: boolean): Promise<Buffer> {
    const fails = async (candidate: Buffer): Promise<boolean> => {
      const progress = newProgress([name]);
      const worker = startThread({ names: [name], from: {}, progress, count: null, only: candidate });
      const limit = setTimeout(() => void worker.terminate(), 2 * HANG_CPU_MS);
      const startedMs = Date.now();
      const error = await whenEnded(worker);
      clearTimeout(limit);
      return mayHang ? Date.now() - startedMs >= HANG_CPU_MS : error !== null;
    };
    return minimise(input, fails, Date.now() + MINIMISING_MS);
  }
}

function startThread(task: Omit<ThreadTask, "seed">): Worker {
  return new Worker(new URL("./fuzz-thread.js", import.meta.url), {
    workerData: { ...task, seed: given.seed } satisfies ThreadTask,
    resourceLimits: { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 64 },
  });
}

/** Resolves with the error that ended a thread, null where it ended by itself or was ended. */
function whenEnded(worker: Worker): Promise<Error | null> {
  return new Promise((resolve) => {
    let error: Error | null = null;
    worker.on("error", (cause) => (error = cause instanceof Error ? cause : new Error(String(cause))));
    worker.on("exit", () => resolve(error));
  });
}

/** Whether the thread has been at the same input for too long. */
class Stuck {
  private count = -1;
  private sinceCpu = 0;
  private sinceMs = 0;
  private lookedMs = Date.now();

  constructor(private readonly progress: Float64Array) {}

  isStuck(): boolean {
    // Whoever was not let run for a while, on a machine that slept or was wanted by others, was not at anything meanwhile.
    const notLookedMs = Date.now() - this.lookedMs;
    this.lookedMs += notLookedMs;
    if (notLookedMs > PAUSE_MS) this.sinceMs += notLookedMs;
    if (this.progress[Progress.runs] !== this.count) {
      this.count = this.progress[Progress.runs]!;
      this.sinceCpu = cpuMs();
      this.sinceMs = Date.now();
    }
    return cpuMs() - this.sinceCpu > HANG_CPU_MS || Date.now() - this.sinceMs > HANG_CLOCK_MS;
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

if (given.input !== undefined) {
  await subjectNamed(given.only ?? "").run(readFileSync(given.input));
  console.log("the input is taken, or refused as it should be");
} else if (given.group !== undefined) {
  const result = await new Watch(given.group.split(",")).run();
  await new Promise((resolve) => process.send!(result, resolve));
  process.disconnect();
} else {
  process.exitCode = (await runGroups()) ? 0 : 1;
}
