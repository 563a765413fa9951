import { describe, expect, test } from "vitest";
import { Matcher } from "../../../src/model/matcher.ts";
import { KnownLists } from "../../../src/tsdb/block/known-lists.ts";

describe("lists of names and values of a block", () => {
  test("are read once for the same question, and told apart by label, matcher and its kind", () => {
    const lists = new KnownLists();
    let reads = 0;
    const ask = (name: string, matchers: readonly Matcher[]) =>
      lists.find(name, matchers, () => [`list ${++reads}`])[0];
    const questions: [string, Matcher[]][] = [
      ["", []],
      ["job", []],
      ["job", [new Matcher("=", "a", "b")]],
      ["job", [new Matcher("!=", "a", "b")]],
      ["job", [new Matcher("=", "a", "c")]],
      ["job", [new Matcher("=", "a", "b"), new Matcher("=", "a", "c")]],
    ];
    const first = questions.map(([name, matchers]) => ask(name, matchers));
    expect(new Set(first).size).toBe(questions.length);
    expect(questions.map(([name, matchers]) => ask(name, matchers))).toEqual(first);
    expect(reads).toBe(questions.length);
  });

  test("make room for others, those used longest ago first; one that is too long is not kept", () => {
    const lists = new KnownLists();
    let reads = 0;
    const ask = (name: string, length: number) =>
      lists.find(name, [], () => {
        reads++;
        return Array.from({ length }, String);
      });
    ask("a", 1000);
    ask("b", 1000);
    ask("a", 1000);
    ask("c", 1000);
    expect(reads).toBe(3);
    ask("a", 1000);
    expect(reads).toBe(3);
    ask("b", 1000);
    expect(reads).toBe(4);
    ask("long", 5000);
    ask("long", 5000);
    expect(reads).toBe(6);
    ask("b", 1000);
    expect(reads).toBe(6);
  });
});
