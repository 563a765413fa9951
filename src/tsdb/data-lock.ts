import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StorageError } from "../model/storage.ts";
import { LOCK_FILE } from "./file-names.ts";

/**
 * Keeps two servers from writing to one data directory. Node cannot lock a file, so ours says which process holds
 * it; a lock that Prometheus holds is found in the kernel's list of locks.
 */
export class DataLock {
  private constructor(
    private readonly path: string,
    private readonly owner: string,
    /** Whether a server that did not stop cleanly had left its lock. */
    readonly wasLeftBehind: boolean,
  ) {}

  /** @throws StorageError when another process has the directory */
  static take(directory: string): DataLock {
    const path = join(directory, LOCK_FILE);
    const owner = `${process.pid} ${startOf(process.pid) ?? ""}`;
    let wasLeftBehind = true;
    try {
      writeFileSync(path, owner, { flag: "wx" });
      wasLeftBehind = false;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new StorageError(`cannot lock ${directory}: ${(cause as Error).message}`, { cause });
      }
      const holder = holderOf(path);
      if (holder !== null) {
        throw new StorageError(`cannot lock ${directory}: process ${holder} has it open`);
      }
      // Two servers may find the same dead lock: whose name stands there in the end has it.
      const ours = `${path}.${process.pid}`;
      writeFileSync(ours, owner);
      renameSync(ours, path);
      if (readFileSync(path, "utf8") !== owner) {
        throw new StorageError(`cannot lock ${directory}: another process took it just now`);
      }
    }
    return new DataLock(path, owner, wasLeftBehind);
  }

  release(): void {
    try {
      if (readFileSync(this.path, "utf8") === this.owner) rmSync(this.path);
    } catch {
      // Gone already: nothing is left to release.
    }
  }
}

/** The process that holds a lock file, or null if it was left behind. */
function holderOf(path: string): number | null {
  const [pid = "", start = ""] = readFileSync(path, "utf8").split(" ");
  if (/^[1-9][0-9]*$/.test(pid) && isRunning(Number(pid))) {
    const now = startOf(Number(pid));
    if (now === null || now === start) return Number(pid);
  }
  return kernelLockHolder(path);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When a process started, as the kernel counts; tells it from a later one of the same number. Null off Linux. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in brackets, may hold spaces; field 22 is the 20th behind it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

/** Who has the file locked by flock, as Prometheus does. */
function kernelLockHolder(path: string): number | null {
  let locks: string;
  try {
    locks = readFileSync("/proc/locks", "utf8");
  } catch {
    return null;
  }
  const inode = statSync(path).ino;
  for (const line of locks.split("\n")) {
    // "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF"
    const fields = line.trim().split(/\s+/);
    const at = fields.indexOf("WRITE");
    if (at >= 0 && fields[at + 2]?.split(":")[2] === String(inode)) return Number(fields[at + 1]);
  }
  return null;
}
