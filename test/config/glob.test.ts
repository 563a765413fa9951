import { describe, expect, test } from "vitest";
import { glob, type FileLister } from "../../src/config/glob.ts";

const tree: Record<string, string[]> = {
  "": ["a.yml", "b.json", "dir"],
  "dir/": ["x1.yml", "x2.yml", "y.yml", "[z].yml"],
  "/abs/": ["one", "two"],
  "/abs/one": ["f.yml"],
  "/abs/two": ["f.yml", "g.yml"],
};
const files: FileLister = {
  names: (directory) => tree[directory] ?? [],
  exists: (path) => path === "plain.yml",
};

describe("a shell pattern", () => {
  test.each([
    ["plain.yml", ["plain.yml"]],
    ["missing.yml", []],
    ["*.yml", ["a.yml"]],
    ["dir/x?.yml", ["dir/x1.yml", "dir/x2.yml"]],
    ["dir/[xy]*.yml", ["dir/x1.yml", "dir/x2.yml", "dir/y.yml"]],
    ["dir/[^x]*", ["dir/[z].yml", "dir/y.yml"]],
    ["dir/x[2-9].yml", ["dir/x2.yml"]],
    ["dir/\\[z\\].yml", ["dir/[z].yml"]],
    ["dir/*1*", ["dir/x1.yml"]],
    ["/abs/*/f.yml", ["/abs/one/f.yml", "/abs/two/f.yml"]],
    ["nowhere/*", []],
  ])("%s names %j", (pattern, expected) => {
    expect(glob(pattern, files)).toEqual(expected);
  });

  test("that is broken is refused", () => {
    expect(() => glob("dir/[a", files)).toThrow("syntax error in pattern: [a");
  });

  test("with many stars answers at once", () => {
    const long: FileLister = { names: () => ["a".repeat(200)], exists: () => false };
    expect(glob(`${"a*".repeat(50)}b`, long)).toEqual([]);
  });
});
