import { expect, test } from "vitest";
import { deletionSelectors } from "../../src/runtime/deletion-selectors.ts";

test("a selector without matchers deletes nothing, others what they select", () => {
  expect(deletionSelectors(["{}"])).toEqual([]);
  expect(deletionSelectors(["{}", 'up{job!="a"}', '{x=~".*"}'])).toEqual([
    expect.arrayContaining([
      ["=", "__name__", "up"],
      ["!=", "job", "a"],
    ]),
    [["=~", "x", ".*"]],
  ]);
});

test("what is no selector is refused with the parameter's name", () => {
  expect(() => deletionSelectors(["up", "up{"])).toThrow(
    'invalid parameter "match[]": 1:4: parse error: unexpected end of input inside braces',
  );
});
