/**
 * `series_state.json` beside the segments of a log: what the last series is called there, and whether the log was ended
 * as it should. It is kept where the feature `fast-startup` asks for it.
 *
 *   {"last_series_id":4711,"last_wal_segment":12,"clean_shutdown":true}
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../block/file-writer.ts";
import { SERIES_STATE_FILE } from "../file-names.ts";

export interface SeriesState {
  /** No series of the log has a greater number. */
  readonly lastSeries: number;
  readonly lastSegment: number;
  readonly isCleanStop: boolean;
}

/** @throws StorageError where the disk refuses */
export function writeSeriesState(
  walDirectory: string,
  { lastSeries, lastSegment, isCleanStop }: SeriesState,
): void {
  const state = { last_series_id: lastSeries, last_wal_segment: lastSegment, clean_shutdown: isCleanStop };
  replaceFile(join(walDirectory, SERIES_STATE_FILE), Buffer.from(`${JSON.stringify(state)}\n`));
}

/** Null where there is none, or none that makes sense: the log itself tells what it says. */
export function readSeriesState(walDirectory: string): SeriesState | null {
  let state: Record<string, unknown>;
  try {
    const text = fs.readFileSync(join(walDirectory, SERIES_STATE_FILE), "utf8");
    state = Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return null;
  }
  const [lastSeries, lastSegment] = [state["last_series_id"], state["last_wal_segment"]];
  if (!Number.isSafeInteger(lastSeries) || !Number.isSafeInteger(lastSegment)) return null;
  return {
    lastSeries: lastSeries as number,
    lastSegment: lastSegment as number,
    isCleanStop: state["clean_shutdown"] === true,
  };
}

/** Who goes on with the log without keeping the file makes it wrong. */
export function removeSeriesState(walDirectory: string): void {
  fs.rmSync(join(walDirectory, SERIES_STATE_FILE), { force: true });
}
