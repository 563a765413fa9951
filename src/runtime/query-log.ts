import { closeSync, openSync, writeSync } from "node:fs";
import type { QueryOrigin } from "../api/ports.ts";
import type { QueryAnswer, QueryTask } from "../api/query-tasks.ts";

/** The query log: one JSON line a query, in a file that is opened anew at each reload. */
export class QueryLog {
  private descriptor: number | null = null;
  private path = "";

  get isEnabled(): boolean {
    return this.descriptor !== null;
  }

  /** "" turns it off. @throws Error when the file cannot be opened; the earlier one then stays in use */
  open(path: string): void {
    const next = path === "" ? null : openSync(path, "a");
    this.close();
    this.descriptor = next;
    this.path = path;
  }

  close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
  }

  /** @throws Error naming the file when it cannot be written */
  write(
    task: QueryTask,
    answer: QueryAnswer,
    origin: QueryOrigin | { file: string; name: string } | null,
  ): void {
    if (this.descriptor === null) return;
    const times = timesOf(task);
    if (times === null) return;
    const { report } = answer;
    const line = {
      time: new Date().toISOString(),
      level: "INFO",
      source: "query-log.ts",
      msg: "promql query logged",
      params: {
        query: "query" in task ? task.query : "",
        start: new Date(times.startMs).toISOString(),
        end: new Date(times.endMs).toISOString(),
        step: times.stepMs / 1000,
      },
      ...(report?.error ? { error: report.error } : {}),
      stats: {
        timings: {
          evalTotalTime:
            (report?.evalSeconds ?? 0) + (report?.prepareSeconds ?? 0) + (report?.sortSeconds ?? 0),
          resultSortTime: report?.sortSeconds ?? 0,
          queryPreparationTime: report?.prepareSeconds ?? 0,
          innerEvalTime: report?.evalSeconds ?? 0,
          execQueueTime: 0,
          execTotalTime:
            (report?.evalSeconds ?? 0) + (report?.prepareSeconds ?? 0) + (report?.sortSeconds ?? 0),
        },
        samples: {
          totalQueryableSamples: report?.totalQueryableSamples ?? 0,
          samplesRead: report?.samplesRead ?? 0,
          peakSamples: 0,
        },
      },
      spanID: "0000000000000000",
      traceID: "00000000000000000000000000000000",
      ...(origin && "clientIP" in origin ? { httpRequest: origin } : {}),
      ...(origin && "file" in origin ? { ruleGroup: origin } : {}),
    };
    try {
      writeSync(this.descriptor, `${JSON.stringify(line)}\n`);
    } catch (cause) {
      throw new Error(`cannot write query log ${this.path}: ${(cause as Error).message}`, { cause });
    }
  }
}

function timesOf(task: QueryTask): { startMs: number; endMs: number; stepMs: number } | null {
  switch (task.kind) {
    case "instant":
    case "rule":
      return { startMs: task.timeMs, endMs: task.timeMs, stepMs: 0 };
    case "range":
      return task;
    default:
      return null;
  }
}
