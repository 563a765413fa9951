import { statSync, watch, type FSWatcher } from "node:fs";
import { dirname } from "node:path";
import { glob } from "../config/glob.ts";
import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import type { DiscoverySurroundings, Mechanism } from "./mechanism.ts";
import type { TargetGroup } from "./target-group.ts";
import type { TargetListEntry } from "./target-list.ts";

/** Editors write in several steps: after the first event the files get this long to settle. */
const SETTLE_MS = 100;

/**
 * Targets from JSON and YAML files: read at start, when their folders change, and at every interval, since not every
 * file system tells of changes. A file that can't be read keeps the targets it gave before; one that is gone has none.
 */
export function fileDiscovery(
  config: DiscoveryConfigOf<"file">,
  surroundings: DiscoverySurroundings,
): Mechanism {
  return {
    async run(emit, signal) {
      // With the YAML parser and the schemas, megabytes that no other mechanism needs.
      const { readTargetFile } = await import("./target-file.ts");
      const files = new WatchedFiles(config.files, readTargetFile, surroundings);
      signal.addEventListener("abort", () => files.close(), { once: true });
      while (!signal.aborted) {
        const groups = files.read();
        if (groups.length > 0) emit(groups);
        const wake = new AbortController();
        const stop = () => wake.abort();
        signal.addEventListener("abort", stop, { once: true });
        files.onChange = stop;
        await surroundings.sleep(config.refreshInterval, wake.signal);
        signal.removeEventListener("abort", stop);
        if (files.hasChanged && !signal.aborted) await surroundings.sleep(SETTLE_MS, signal);
      }
    },
  };
}

class WatchedFiles {
  hasChanged = false;
  onChange = (): void => {};
  private readonly watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  /** How many groups each file gave when it was last read. */
  private groupCounts = new Map<string, number>();

  constructor(
    private readonly patterns: readonly string[],
    private readonly readFile: (path: string) => readonly TargetListEntry[],
    private readonly surroundings: DiscoverySurroundings,
  ) {}

  /** The groups of all files as they are now, with empty ones where there were more before. */
  read(): TargetGroup[] {
    const { counters, elapsedMs, log } = this.surroundings;
    const startedMs = elapsedMs();
    this.hasChanged = false;
    this.watchFolders();
    const groups: TargetGroup[] = [];
    const counts = new Map<string, number>();
    for (const path of new Set(this.patterns.flatMap((pattern) => this.expand(pattern)))) {
      const before = this.groupCounts.get(path) ?? 0;
      try {
        const entries = this.readFile(path);
        counters.set("file_mtime_seconds", { filename: path }, statSync(path).mtimeMs / 1_000);
        counts.set(path, entries.length);
        groups.push(...groupsOf(path, entries), ...emptyGroups(path, entries.length, before));
      } catch (err) {
        counters.add("file_read_errors_total");
        log.error({ path, err }, "Error reading file");
        counts.set(path, before);
      }
    }
    for (const [path, count] of this.groupCounts) {
      if (counts.has(path)) continue;
      groups.push(...emptyGroups(path, 0, count));
      counters.remove("file_mtime_seconds", { filename: path });
    }
    this.groupCounts = counts;
    counters.addDuration("file_scan_duration_seconds", {}, startedMs, elapsedMs());
    return groups;
  }

  private expand(pattern: string): readonly string[] {
    try {
      return glob(pattern);
    } catch (err) {
      this.surroundings.log.error({ glob: pattern, err }, "Error expanding glob");
      return [];
    }
  }

  private watchFolders(): void {
    for (const folder of new Set(this.patterns.map((pattern) => dirname(pattern)))) {
      const before = this.watchers.get(folder);
      try {
        // Inodes are used again, even for the next folder of the same name.
        const { birthtimeMs, ino } = statSync(folder);
        const identity = `${ino} ${birthtimeMs}`;
        if (before?.identity === identity) continue;
        this.unwatch(folder);
        const watcher = watch(folder, { persistent: false }, () => {
          this.hasChanged = true;
          this.onChange();
        });
        watcher.on("error", () => {
          this.surroundings.counters.add("file_watcher_errors_total");
          if (this.watchers.get(folder)?.watcher === watcher) this.unwatch(folder);
        });
        this.watchers.set(folder, { watcher, identity });
      } catch {
        // Not there, or no watching here: the interval has to do.
        this.unwatch(folder);
        this.surroundings.counters.add("file_watcher_errors_total");
      }
    }
  }

  private unwatch(folder: string): void {
    this.watchers.get(folder)?.watcher.close();
    this.watchers.delete(folder);
  }

  close(): void {
    for (const folder of [...this.watchers.keys()]) this.unwatch(folder);
  }
}

function groupsOf(path: string, entries: readonly TargetListEntry[]): TargetGroup[] {
  return entries.map(({ labels, targets }, i) => ({
    source: `${path}:${i}`,
    targets: targets.map((address) => ({ __address__: address })),
    labels: { ...labels, __meta_filepath: path },
  }));
}

function emptyGroups(path: string, from: number, to: number): TargetGroup[] {
  const groups: TargetGroup[] = [];
  for (let i = from; i < to; i++) groups.push({ source: `${path}:${i}`, targets: [], labels: {} });
  return groups;
}
