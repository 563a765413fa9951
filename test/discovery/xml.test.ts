import { describe, expect, test } from "vitest";
import { child, childText, parseXml } from "../../src/discovery/xml.ts";

describe("XML", () => {
  test("gives elements with text, attributes and children", () => {
    const root = parseXml(
      `<?xml version="1.0"?><!-- c --><a x="1" y='&lt;2'> t<b/><c>&#65;&#x42;&amp;</c><d><![CDATA[<&>]]></d>u </a>`,
    );
    expect(root).toMatchObject({ name: "a", attributes: { x: "1", y: "<2" }, text: " tu " });
    expect(root.children.map(({ name }) => name)).toEqual(["b", "c", "d"]);
    expect([childText(root, "c"), childText(root, "d"), childText(root, "z")]).toEqual(["AB&", "<&>", ""]);
    expect(child(root, "b")).toMatchObject({ text: "", children: [] });
  });

  test.each([
    ["", "there is no element"],
    ["<a>", "</a> is missing"],
    ["<a></b>", "</b> ends <a>"],
    ["</a>", "</a> ends <>"],
    ["<a>&x;</a>", "unknown entity &x;"],
    ["<a>&</a>", "a lone &"],
    ["<a b></a>", "not a tag"],
    ["<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", "document types are not taken"],
    ["<a>".repeat(200), "more than 100 levels"],
    ["<a><!-- x</a>", "--> is missing"],
  ])("%s is refused: %s", (text, message) => {
    expect(() => parseXml(text)).toThrow(message);
  });
});
