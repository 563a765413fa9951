import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import { readSeriesState } from "../../../src/tsdb/wal/series-state.ts";

let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-state-"));
});
afterEach(() => {
  fs.rmSync(directory, { recursive: true });
});

const wal = () => join(directory, "wal");
const text = () => fs.readFileSync(join(wal(), "series_state.json"), "utf8");

/** Appends a sample to each of some series. @returns the log's number of the last */
function use(names: readonly string[], keepsSeriesState: boolean): number {
  const tsdb = Tsdb.open({ directory, generationBytes: 2 ** 24, keepsSeriesState });
  tsdb.appender.begin();
  for (const name of names) tsdb.appender.appendFloat(Labels.fromRecord({ __name__: name }), 1_000, 0, 0);
  tsdb.appender.commit();
  const last = tsdb.head.lastLogRef;
  tsdb.close();
  return last;
}

test("the last series' number and the way of the end are kept beside the log", () => {
  expect(use(["a", "b"], true)).toBe(2);
  expect(text()).toBe('{"last_series_id":2,"last_wal_segment":0,"clean_shutdown":true}\n');
  const tsdb = Tsdb.open({ directory, generationBytes: 2 ** 24, keepsSeriesState: true });
  expect(text()).toBe('{"last_series_id":2,"last_wal_segment":1,"clean_shutdown":false}\n');
  tsdb.close();
  expect(readSeriesState(wal())).toEqual({ lastSeries: 2, lastSegment: 1, isCleanStop: true });
});

test("a number that was given once is not given again, though the log has forgotten it", () => {
  use(["a", "b"], true);
  fs.writeFileSync(
    join(wal(), "series_state.json"),
    '{"last_series_id":700,"last_wal_segment":0,"clean_shutdown":false}\n',
  );
  expect(use(["c"], true)).toBe(701);
});

test.each(["", "null", "7", "{}", '{"last_series_id":"2","last_wal_segment":0}', '{"last_series_id":1e300}'])(
  "a file that says %s says nothing",
  (content) => {
    use(["a", "b"], true);
    fs.writeFileSync(join(wal(), "series_state.json"), content);
    expect(readSeriesState(wal())).toBeNull();
    expect(use(["c"], true)).toBe(3);
  },
);

test("who does not keep it removes it, for it would be wrong later", () => {
  use(["a"], true);
  use(["b"], false);
  expect(fs.existsSync(join(wal(), "series_state.json"))).toBe(false);
});
