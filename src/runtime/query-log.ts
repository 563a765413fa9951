import { closeSync, openSync, writeSync } from "node:fs";
import type { QueryOrigin } from "../api/ports.ts";
import { fileError } from "../config/read-text-file.ts";
import { isQuery, type QueryAnswer, type QueryTask } from "../api/query-tasks.ts";
import type { RuleGroupName } from "../rules/ports.ts";

/** The query log: one JSON line a query, in a file that is opened anew at each reload. */
export class QueryLog {
  private descriptor: number | null = null;
  private path = "";

  get isEnabled(): boolean {
    return this.descriptor !== null;
  }

  /** "" turns it off. @throws Error when the file cannot be opened; the earlier one then stays in use */
  open(path: string): void {
    const next = path === "" ? null : openAtEnd(path);
    this.close();
    this.descriptor = next;
    this.path = path;
  }

  close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
  }

  /** @throws Error naming the file when it cannot be written */
  write(task: QueryTask, { report }: QueryAnswer, origin: QueryOrigin | RuleGroupName | null): void {
    if (this.descriptor === null || report === null || !isQuery(task)) return;
    const { startMs, endMs, stepMs } = task.kind === "range" ? task : instantRange(task.timeMs);
    const { timings, samples } = report.statistics;
    const { totalQueryableSamples, samplesRead, peakSamples } = samples;
    const line = {
      time: new Date().toISOString(),
      level: "INFO",
      source: "query-log.ts",
      msg: "promql query logged",
      params: {
        query: task.query,
        start: new Date(startMs).toISOString(),
        end: new Date(endMs).toISOString(),
        step: stepMs / 1000,
      },
      ...(report.error === null ? {} : { error: report.error }),
      stats: { timings, samples: { totalQueryableSamples, samplesRead, peakSamples } },
      spanID: "0000000000000000",
      traceID: "00000000000000000000000000000000",
      ...(origin && "clientIP" in origin ? { httpRequest: origin } : {}),
      ...(origin && "file" in origin ? { ruleGroup: { file: origin.file, name: origin.name } } : {}),
    };
    try {
      writeSync(this.descriptor, `${JSON.stringify(line)}\n`);
    } catch (cause) {
      throw new Error(`cannot write query log ${this.path}: ${(cause as Error).message}`, { cause });
    }
  }
}

function openAtEnd(path: string): number {
  try {
    return openSync(path, "a");
  } catch (cause) {
    throw new Error(`cannot open the query log: ${fileError(path, cause).message}`, { cause });
  }
}

function instantRange(timeMs: number) {
  return { startMs: timeMs, endMs: timeMs, stepMs: 0 };
}
