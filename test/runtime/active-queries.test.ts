import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ActiveQueries } from "../../src/runtime/active-queries.ts";

let dataDirectory: string;
let active: ActiveQueries | null;
const logged: { msg: string; queries?: string }[] = [];
const log = pino({ level: "info" }, { write: (line: string) => void logged.push(JSON.parse(line) as never) });

beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), "narthex-active-"));
  logged.length = 0;
});

afterEach(() => {
  active?.close();
  rmSync(dataDirectory, { recursive: true });
});

function open(slots = 3): ActiveQueries {
  active = ActiveQueries.open({ dataDirectory, slots, nowMs: () => 1_700_000_000_900, log });
  return active!;
}

function reopen(): void {
  active!.close();
  open();
}

const file = () => readFileSync(join(dataDirectory, "queries.active"));

describe("the file of active queries", () => {
  test("has a bracket and, for each slot, 1000 bytes that are NUL while it is free", () => {
    open(20);
    expect(file().length).toBe(20_001);
    expect(file().toString().replaceAll("\0", "")).toBe("[");
  });

  test("has a query with its time in its slot, with a comma at the end, until it ends", () => {
    const queries = open();
    queries.begin(1, 'up{job="a"}');
    const slot = file().subarray(1001, 2001).toString();
    expect(slot.replaceAll("\0", "")).toBe('{"query":"up{job=\\"a\\"}","timestamp_sec":1700000000},');
    expect(slot.at(-1)).toBe(",");
    queries.end(1);
    expect(file().toString().replaceAll("\0", "")).toBe("[");
  });

  test.each([
    ["of one-byte characters", "x".repeat(5000)],
    ["of four-byte characters", "😀".repeat(500)],
    ["of characters that are escaped", "\u0001".repeat(500)],
  ])("has the beginning of a long query %s, as much of it as there is room for", (_, query) => {
    const queries = open();
    queries.begin(0, query);
    queries.begin(1, "next");
    const [first, second] = JSON.parse(`${file().toString().replaceAll("\0", "").slice(0, -1)}]`) as {
      query: string;
    }[];
    expect(query.startsWith(first!.query)).toBe(true);
    expect(first!.query.length).toBeGreaterThan(150);
    expect(first!.query).not.toMatch(/[\ud800-\udbff]$/);
    expect(second!.query).toBe("next");
  });
});

describe("a start", () => {
  test("tells which queries the last run left unfinished, and forgets them", () => {
    open().begin(0, "first");
    active!.begin(2, "second");
    reopen();
    expect(logged).toHaveLength(1);
    expect(logged[0]!.msg).toMatch(/didn't finish/);
    expect(JSON.parse(logged[0]!.queries!)).toEqual([
      { query: "first", timestamp_sec: 1_700_000_000 },
      { query: "second", timestamp_sec: 1_700_000_000 },
    ]);
    reopen();
    expect(logged).toHaveLength(1);
  });

  test("says nothing where none was left, or no file", () => {
    open().begin(0, "ended in time");
    active!.end(0);
    reopen();
    writeFileSync(join(dataDirectory, "queries.active"), "");
    reopen();
    expect(logged).toEqual([]);
  });

  test("has, where writing waits, only those queries that take longer", async () => {
    vi.useFakeTimers();
    try {
      active = ActiveQueries.open({
        dataDirectory,
        slots: 3,
        nowMs: () => 1_700_000_000_900,
        log,
        delayMs: 10,
      });
      active!.begin(0, "short");
      active!.begin(1, "long");
      active!.end(0);
      expect(file().toString().replaceAll("\0", "")).toBe("[");
      await vi.advanceTimersByTimeAsync(10);
      expect(file().toString().replaceAll("\0", "")).toBe('[{"query":"long","timestamp_sec":1700000000},');
      active!.begin(0, "next");
      await vi.advanceTimersByTimeAsync(10);
      expect(file().subarray(1, 1001).toString()).toContain('"next"');
      active!.end(0);
      active!.end(1);
      expect(file().toString().replaceAll("\0", "")).toBe("[");
    } finally {
      vi.useRealTimers();
    }
  });

  test("goes without where the file cannot be made", () => {
    active = ActiveQueries.open({
      dataDirectory: join(dataDirectory, "none"),
      slots: 1,
      nowMs: () => 0,
      log,
    });
    expect(active).toBeNull();
    expect(logged).toHaveLength(1);
  });
});
