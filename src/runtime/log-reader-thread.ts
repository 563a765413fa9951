/** Reads a long log ahead of the ingest thread that replays it, and ends. */
import { workerData } from "node:worker_threads";
import { readAhead, type ReadAheadTask } from "../tsdb/wal/read-ahead.ts";

readAhead(workerData as ReadAheadTask);
