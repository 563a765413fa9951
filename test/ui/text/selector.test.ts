import { expect, test } from "vitest";
import { seriesSelector, selectorText } from "../../../src/ui/text/selector.ts";

test("a series is written as the selector that finds it", () => {
  expect(seriesSelector({ __name__: "up", instance: "a:1", job: "node" })).toBe(
    'up{instance="a:1", job="node"}',
  );
  expect(seriesSelector({ __name__: "up" })).toBe("up");
  expect(seriesSelector({ job: "node" })).toBe('{job="node"}');
  expect(seriesSelector({})).toBe("{}");
});

test("names that need quotes get them, and values are escaped", () => {
  expect(seriesSelector({ __name__: "my.metric", "a.b": 'say "no"\\\n' })).toBe(
    '{"my.metric", "a.b"="say \\"no\\"\\\\\\n"}',
  );
  expect(selectorText("my.metric", [])).toBe('{"my.metric"}');
});
