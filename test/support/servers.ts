import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort, SpawnedServer } from "./spawned-server.ts";

/** The root of the checkout, from a test file as from a bundled bench. */
export const repositoryRoot = resolve(process.env["NARTHEX_ROOT"] ?? process.cwd());

/** A folder for one test's data, removed by `removeFolder`. */
export function temporaryFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `narthex-${name}-`));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Whether a program is installed; where it must be (CI), its absence is an error. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync("which", [program], { stdio: "ignore" });
    return true;
  } catch {
    if (process.env["CI"] === "true")
      throw new Error(`${program} is not installed, and CI must not skip its tests`);
    return false;
  }
}

export interface ServerOptions {
  /** The text of prometheus.yml. */
  readonly config: string;
  /** A folder that holds the configuration and, in `data`, the data directory. */
  readonly folder: string;
  readonly flags?: readonly string[];
  readonly timeoutMs?: number;
  readonly port?: number;
  /** Where it tells that it is ready: elsewhere behind a route prefix. */
  readonly readyPath?: string;
}

function writeConfig({ config, folder }: ServerOptions): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "prometheus.yml");
  writeFileSync(path, config);
  return path;
}

/** Starts the built Narthex on loopback. */
export async function startNarthex(options: ServerOptions): Promise<SpawnedServer> {
  const port = options.port ?? (await freePort());
  return SpawnedServer.start({
    command: process.execPath,
    args: [
      join(repositoryRoot, "dist/server.js"),
      `--config.file=${writeConfig(options)}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--storage.tsdb.path=${join(options.folder, "data")}`,
      ...(options.flags ?? []),
    ],
    url: `http://127.0.0.1:${port}`,
    readyPath: options.readyPath ?? "/-/ready",
    timeoutMs: options.timeoutMs ?? 60_000,
  });
}

/** Starts Debian's Prometheus 2.42 on loopback. */
export async function startPrometheus(options: ServerOptions): Promise<SpawnedServer> {
  const port = options.port ?? (await freePort());
  return SpawnedServer.start({
    command: "prometheus",
    args: [
      `--config.file=${writeConfig(options)}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--storage.tsdb.path=${join(options.folder, "data")}`,
      ...(options.flags ?? []),
    ],
    url: `http://127.0.0.1:${port}`,
    readyPath: "/-/ready",
    timeoutMs: options.timeoutMs ?? 60_000,
  });
}
