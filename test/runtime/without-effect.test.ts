import { expect, test } from "vitest";
import { parseFlags } from "../../src/config/flags.ts";
import { loadConfig } from "../../src/config/load.ts";
import { flagsWithoutEffect, sectionsWithoutEffect } from "../../src/runtime/without-effect.ts";

test("features that change nothing here are named, and only those that were asked for", () => {
  const asked = (features: string) => flagsWithoutEffect(parseFlags([`--enable-feature=${features}`]));
  expect(asked("st-storage,exemplar-storage")).toEqual([]);
  const sentences = asked("fast-startup,st-storage,memory-snapshot-on-shutdown,use-uncached-io");
  expect(sentences.map((sentence) => sentence.split(":")[0])).toEqual(["feature fast-startup"]);
});

test("sections that change nothing here are named", () => {
  const sentences = (text: string) => sectionsWithoutEffect(loadConfig(text, { fileName: "p.yml" }));
  expect(sentences("runtime: {gogc: 75}")).toEqual([]);
  expect(sentences("runtime: {gogc: 50}\nremote_write: [{url: 'http://h'}]")).toEqual([
    expect.stringContaining("runtime.gogc"),
    expect.stringContaining("remote_write"),
  ]);
});
