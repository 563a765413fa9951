import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../../test/support/servers.ts";
import { freePort } from "../../test/support/spawned-server.ts";
import { processUsage, type ProcessUsage } from "./process-usage.ts";

export type ServerKind = "prometheus" | "narthex";
export const serverKinds: readonly ServerKind[] = ["prometheus", "narthex"];

/** What each prints once its log is replayed. */
const REPLAYED: Record<ServerKind, RegExp> = {
  prometheus: /WAL replay completed.*total_replay_duration=(?<text>\S+)/,
  narthex: /the write-ahead log is replayed" seconds=(?<text>\S+)/,
};
const LOOK_INTERVAL_MS = 20;
/** A server that has used less than a fiftieth of a core for so long has nothing to do. */
const IDLE_MS = 4000;
const IDLE_CPU_SECONDS = 0.08;

/** A server that is watched from its first instruction on: when its log was replayed, what it used until then. */
export class MeasuredServer {
  private output = "";
  private readonly begunMs = performance.now();
  /** What it says of the duration of its replay, in its own words. */
  replayText = "";
  /** Seconds from its start, and what it had used then. */
  replayed: { readonly seconds: number; readonly usage: ProcessUsage } | null = null;
  ready: { readonly seconds: number; readonly usage: ProcessUsage } | null = null;

  private constructor(
    readonly kind: ServerKind,
    private readonly process: ChildProcess,
    readonly url: string,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on("data", (chunk: Buffer) => this.read(chunk.toString()));
    }
  }

  /** Starts it on `folder/data`, with nothing to scrape if nothing else is configured, and waits until it is ready. */
  static async start(
    kind: ServerKind,
    folder: string,
    flags: readonly string[] = [],
    configuration = "scrape_configs: []\n",
  ): Promise<MeasuredServer> {
    mkdirSync(folder, { recursive: true });
    const config = join(folder, "prometheus.yml");
    writeFileSync(config, configuration);
    const address = `127.0.0.1:${await freePort()}`;
    const command = kind === "prometheus" ? "prometheus" : process.execPath;
    const child = spawn(
      command,
      [
        ...(kind === "prometheus" ? [] : [join(repositoryRoot, "dist/server.js")]),
        `--config.file=${config}`,
        `--web.listen-address=${address}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        ...flags,
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const server = new MeasuredServer(kind, child, `http://${address}`);
    while (!(await server.isReady())) await sleep(LOOK_INTERVAL_MS);
    return server;
  }

  private async isReady(): Promise<boolean> {
    if (this.process.exitCode !== null) throw new Error(`${this.kind} ended\n${this.output}`);
    const answer = await fetch(`${this.url}/-/ready`).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status !== 200) return false;
    this.ready = this.moment();
    return true;
  }

  private read(text: string): void {
    this.output = (this.output + text).slice(-200_000);
    if (this.replayed) return;
    const found = REPLAYED[this.kind].exec(this.output);
    if (!found) return;
    this.replayText = found.groups!["text"]!;
    this.replayed = this.moment();
    this.resetPeak();
  }

  private moment() {
    return { seconds: (performance.now() - this.begunMs) / 1000, usage: this.usage };
  }

  get usage(): ProcessUsage {
    return processUsage(this.process.pid!);
  }

  /** From now on the peak is that of the time after this. */
  resetPeak(): void {
    writeFileSync(`/proc/${this.process.pid}/clear_refs`, "5");
  }

  /** Waits until `isDone`, and then until the server has come to rest. @throws Error with its log after the timeout */
  async restsAfter(isDone: () => boolean, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!isDone()) {
      if (performance.now() > deadline) throw new Error(`${this.kind} does not get done\n${this.output}`);
      await sleep(LOOK_INTERVAL_MS);
    }
    for (;;) {
      const before = this.usage.cpuSeconds;
      await sleep(IDLE_MS);
      if (this.usage.cpuSeconds - before < IDLE_CPU_SECONDS) return;
    }
  }

  async query(path: string): Promise<{ readonly seconds: number; readonly body: string }> {
    const begun = performance.now();
    const response = await fetch(this.url + path);
    const body = await response.text();
    if (response.status !== 200) throw new Error(`${this.kind} answered ${response.status}: ${body}`);
    return { seconds: (performance.now() - begun) / 1000, body };
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    const exited = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    await exited;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
