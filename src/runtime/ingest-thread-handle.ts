import { Worker } from "node:worker_threads";
import type { FromIngestThread, IngestCalls, IngestThreadOptions } from "./ingest-messages.ts";
import { ThreadCaller } from "./thread-calls.ts";
import type { GenerationAnnouncement, ReplayProgress } from "../tsdb/tsdb.ts";

export interface IngestEvents {
  onExemplarBuffer(buffer: SharedArrayBuffer | null): void;
  onReplayProgress(progress: ReplayProgress): void;
  onGenerationBorn(announcement: GenerationAnnouncement): void;
  /** The thread is gone though nobody stopped it: the server cannot go on. */
  onLost(cause: string): void;
}

/** The main thread's end of the ingest thread. */
export class IngestThread {
  private isStopping = false;

  private constructor(
    private readonly worker: Worker,
    private readonly caller: ThreadCaller<IngestCalls>,
    /** What readers need to follow commits: given to every query thread. */
    readonly control: SharedArrayBuffer,
    readonly replaySeconds: number,
    /** Damaged logs that were found and repaired. */
    readonly corruptions: number,
  ) {}

  /** Starts the thread and waits for the replay. Events may come before this resolves. @throws Error why it could not open */
  static open(file: URL, options: IngestThreadOptions, events: IngestEvents): Promise<IngestThread> {
    const worker = new Worker(file, {
      workerData: options,
      name: "ingest",
      // Garbage is young here: pages come and go. A small nursery keeps it out of resident memory.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const caller = new ThreadCaller<IngestCalls>(worker);
    return new Promise((resolve, reject) => {
      let thread: IngestThread | null = null;
      let cause = "it ended";
      worker.on("message", (message: FromIngestThread) => {
        switch (message.type) {
          case "opened":
            thread = new IngestThread(
              worker,
              caller,
              message.control,
              message.replaySeconds,
              message.corruptions,
            );
            resolve(thread);
            return;
          case "failed":
            reject(new Error(message.error));
            return;
          case "replaying":
            events.onReplayProgress(message.progress);
            return;
          case "exemplarBuffer":
            events.onExemplarBuffer(message.buffer);
            return;
          case "generationBorn":
            events.onGenerationBorn(message.announcement);
        }
      });
      worker.on("error", (error) => (cause = error.stack ?? error.message));
      worker.on("exit", () => {
        caller.abandon(`the ingest thread is gone: ${cause}`);
        reject(new Error(cause));
        if (thread && !thread.isStopping) events.onLost(cause);
      });
    });
  }

  call<Name extends keyof IngestCalls & string>(name: Name, ...args: Parameters<IngestCalls[Name]>) {
    return this.caller.call(name, args);
  }

  /** Ends scraping and closes the storage. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.caller.call("stop", []).catch(() => undefined);
    await this.worker.terminate();
  }
}
