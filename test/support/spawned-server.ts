import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";

/** A free port on loopback, found by binding it for a moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A real program, started by the test, stopped by its process id. */
export class SpawnedServer {
  private output = "";

  private constructor(
    readonly process: ChildProcess,
    readonly url: string,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-200_000)));
    }
  }

  /**
   * Starts it and waits until `readyPath` answers 200, or until `isReady` says so where it speaks no HTTP.
   *
   * @throws Error with what it printed, if it doesn't
   */
  static async start(options: {
    readonly command: string;
    readonly args: readonly string[];
    readonly url: string;
    readonly readyPath?: string;
    readonly isReady?: () => boolean;
    readonly timeoutMs?: number;
    readonly env?: NodeJS.ProcessEnv;
    readonly cwd?: string;
  }): Promise<SpawnedServer> {
    const child = spawn(options.command, [...options.args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const server = new SpawnedServer(child, options.url);
    const deadline = Date.now() + (options.timeoutMs ?? 30_000);
    const isReady =
      options.isReady ??
      (async () => {
        const answer = await fetch(options.url + (options.readyPath ?? "/")).catch(() => null);
        await answer?.body?.cancel();
        return answer?.status === 200;
      });
    for (;;) {
      if (child.exitCode !== null || Date.now() > deadline) {
        await server.stop();
        throw new Error(`cannot start ${options.command}: exit code ${child.exitCode}\n${server.output}`);
      }
      if (await isReady()) return server;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** What it printed last, both streams. */
  get log(): string {
    return this.output;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.process;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const code = await exited;
    clearTimeout(late);
    return code;
  }
}
