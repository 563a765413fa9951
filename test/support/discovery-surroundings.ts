import { createHttpClient } from "../../src/http-client/index.ts";
import {
  DiscoveryCounters,
  type DiscoverySurroundings,
  type Mechanism,
} from "../../src/discovery/mechanism.ts";
import type { TargetGroup } from "../../src/discovery/target-group.ts";

/**
 * Surroundings with a real network, which remember what was logged. Nobody sleeps longer than `maxSleepMs`, so that
 * what happens every minute happens at once.
 */
export function realSurroundings({
  environment = {},
  maxSleepMs = Infinity,
}: { environment?: Record<string, string>; maxSleepMs?: number } = {}): DiscoverySurroundings & {
  readonly logged: string[];
  readonly counters: DiscoveryCounters;
  /** What was timed: the name and the values of the labels. */
  readonly timed: string[];
  /** How long each request over HTTP might have taken. */
  readonly timeouts: (number | undefined)[];
} {
  const logged: string[] = [];
  const timed: string[] = [];
  const timeouts: (number | undefined)[] = [];
  const note = (fields: Readonly<Record<string, unknown>>, message: string) =>
    void logged.push(`${message}: ${fields["err"] instanceof Error ? fields["err"].message : ""}`);
  return {
    now: Date.now,
    elapsedMs: () => performance.now(),
    sleep: (durationMs, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const finish = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", finish);
          resolve();
        };
        const timer = setTimeout(finish, Math.min(durationMs, maxSleepMs));
        signal.addEventListener("abort", finish, { once: true });
      }),
    createHttpClient: (options) => {
      const client = createHttpClient(options, { environment: {} });
      const request = client.request.bind(client);
      client.request = (url, more) => {
        timeouts.push(more?.timeoutMs);
        return request(url, more);
      };
      return client;
    },
    userAgent: "Narthex/test",
    environment,
    log: { warn: note, error: note },
    counters: new DiscoveryCounters({
      expect: () => undefined,
      observe: (name, labels) => void timed.push([name, ...Object.values(labels)].join(" ")),
    }),
    random: () => 0,
    logged,
    timed,
    timeouts,
  };
}

/** A mechanism that runs in the background, and what it has found so far. */
export interface Running {
  /** The newest group of every source that has targets. */
  groups(): TargetGroup[];
  /** Every target with the labels of its group, sorted by address. */
  targets(): Record<string, string>[];
  /** Resolves once the condition holds, looked at after every update. */
  until(condition: (running: Running) => boolean): Promise<void>;
  stop(): Promise<void>;
}

export function runMechanism(mechanism: Mechanism): Running {
  const stopping = new AbortController();
  const bySource = new Map<string, TargetGroup>();
  let onUpdate = () => {};
  const end = mechanism.run((groups) => {
    for (const group of groups) {
      if (group.targets.length === 0) bySource.delete(group.source);
      else bySource.set(group.source, group);
    }
    onUpdate();
  }, stopping.signal);
  const running: Running = {
    groups: () => [...bySource.values()],
    targets: () =>
      [...bySource.values()]
        .flatMap(({ labels, targets }) =>
          targets.map((target) => ({ ...labels, ...target }) as Record<string, string>),
        )
        .sort((a, b) => (a["__address__"]! < b["__address__"]! ? -1 : 1)),
    until: (condition) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (condition(running)) resolve();
        };
        onUpdate = check;
        check();
        end.catch(reject);
      }),
    stop: async () => {
      stopping.abort();
      await end;
    },
  };
  return running;
}
