import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Deadlines } from "../../src/http-client/deadlines.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function after(ms: number, passed: string[], name: string) {
  return { lastsMs: ms, atMs: 0, pass: () => void passed.push(name) };
}

describe("deadlines", () => {
  test("pass in the order of their times, whatever the order they were added in", () => {
    const deadlines = new Deadlines();
    const passed: string[] = [];
    for (const [ms, name] of [
      [300, "c"],
      [100, "a"],
      [200, "b"],
    ] as const)
      deadlines.add(after(ms, passed, name));
    vi.advanceTimersByTime(99);
    expect(passed).toEqual([]);
    vi.advanceTimersByTime(10);
    expect(passed).toEqual(["a"]);
    vi.advanceTimersByTime(100);
    expect(passed).toEqual(["a", "b"]);
    vi.advanceTimersByTime(1000);
    expect(passed).toEqual(["a", "b", "c"]);
  });

  test("that were met pass never, and those added later on time", () => {
    const deadlines = new Deadlines();
    const passed: string[] = [];
    for (let i = 0; i < 50; i++) {
      const met = after(100, passed, "met");
      deadlines.add(met);
      vi.advanceTimersByTime(30);
      deadlines.remove(met);
    }
    deadlines.add(after(40, passed, "late"));
    vi.advanceTimersByTime(39);
    expect(passed).toEqual([]);
    vi.advanceTimersByTime(6);
    expect(passed).toEqual(["late"]);
    vi.advanceTimersByTime(10_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("need one timer, however many they are", () => {
    const deadlines = new Deadlines();
    const passed: string[] = [];
    for (let i = 0; i < 1000; i++) deadlines.add(after(100 + i, passed, String(i)));
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(2000);
    expect(passed).toHaveLength(1000);
  });

  test("pass by their own times where many of each kind come and go", () => {
    const deadlines = new Deadlines();
    const passed: string[] = [];
    const due: { atMs: number; name: string }[] = [];
    for (let i = 0; i < 400; i++) {
      const one = after([70, 200, 30][i % 3]!, passed, String(i));
      deadlines.add(one);
      due.push({ atMs: one.atMs, name: String(i) });
      vi.advanceTimersByTime(1);
      const shouldHave = due.filter(({ atMs }) => atMs <= performance.now() - 6).map(({ name }) => name);
      expect(passed).toEqual(expect.arrayContaining(shouldHave));
      expect(due.filter(({ atMs, name }) => atMs > performance.now() && passed.includes(name))).toEqual([]);
    }
    vi.advanceTimersByTime(1000);
    expect(passed).toHaveLength(400);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("may end one another, and begin anew, as they pass", () => {
    const deadlines = new Deadlines();
    const passed: string[] = [];
    const second = after(100, passed, "second");
    const again = after(50, passed, "again");
    deadlines.add({
      lastsMs: 100,
      atMs: 0,
      pass() {
        passed.push("first");
        deadlines.remove(second);
        deadlines.add(again);
      },
    });
    deadlines.add(second);
    vi.advanceTimersByTime(1000);
    expect(passed).toEqual(["first", "again"]);
  });
});
