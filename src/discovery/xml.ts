/** An element: its name, its text (that of its children left out), and the elements in it. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

const MAX_DEPTH = 100;

/**
 * Reads the plain XML that service registries answer: elements, attributes, text, CDATA, comments. Entities other
 * than the five of XML and numbered characters are refused, and with them everything a document type could do.
 *
 * @throws Error saying at which character it stops making sense
 */
export function parseXml(source: string): XmlElement {
  const stack: MutableElement[] = [{ name: "", attributes: {}, text: "", children: [] }];
  let position = 0;
  const fail = (why: string): never => {
    throw new Error(`cannot read XML at character ${position}: ${why}`);
  };
  const skipPast = (end: string): string => {
    const found = source.indexOf(end, position);
    if (found < 0) fail(`${end} is missing`);
    const skipped = source.slice(position, found);
    position = found + end.length;
    return skipped;
  };
  while (position < source.length) {
    const top = stack[stack.length - 1]!;
    if (source[position] !== "<") {
      const next = source.indexOf("<", position);
      const end = next < 0 ? source.length : next;
      top.text += decodeEntities(source.slice(position, end), fail);
      position = end;
    } else if (source.startsWith("<!--", position)) skipPast("-->");
    else if (source.startsWith("<![CDATA[", position)) top.text += skipPast("]]>").slice("<![CDATA[".length);
    else if (source.startsWith("<?", position)) skipPast("?>");
    else if (source.startsWith("<!", position)) fail("document types are not taken");
    else if (source.startsWith("</", position)) {
      const name = skipPast(">").slice(2).trim();
      if (stack.length < 2 || top.name !== name) fail(`</${name}> ends <${top.name}>`);
      stack.pop();
    } else {
      START_TAG.lastIndex = position;
      const tag = START_TAG.exec(source) ?? fail("not a tag");
      position = START_TAG.lastIndex;
      const element: MutableElement = { name: tag[1]!, attributes: {}, text: "", children: [] };
      for (const [, name, quoted] of tag[2]!.matchAll(ATTRIBUTE)) {
        element.attributes[name!] = decodeEntities(quoted!.slice(1, -1), fail);
      }
      top.children.push(element);
      if (tag[3] === "") stack.push(element);
      if (stack.length > MAX_DEPTH) fail(`more than ${MAX_DEPTH} levels`);
    }
  }
  const [root] = stack[0]!.children;
  if (stack.length > 1) fail(`</${stack[stack.length - 1]!.name}> is missing`);
  return root ?? fail("there is no element");
}

interface MutableElement {
  name: string;
  attributes: Record<string, string>;
  text: string;
  children: MutableElement[];
}

const START_TAG = /<([^\s<>/"'=]+)((?:\s+[^\s<>/"'=]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y;
const ATTRIBUTE = /([^\s<>/"'=]+)\s*=\s*("[^"]*"|'[^']*')/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decodeEntities(text: string, fail: (why: string) => never): string {
  if (!text.includes("&")) return text;
  return text.replace(/&([^;&<]*);?/g, (whole, name: string) => {
    if (!whole.endsWith(";")) return fail("a lone &");
    const number = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
    if (number === null) return ENTITIES[name] ?? fail(`unknown entity &${name};`);
    const code = number[1] === undefined ? Number(number[2]) : parseInt(number[1], 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : fail(`no character ${code}`);
  });
}

/** The first child of a name. */
export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((candidate) => candidate.name === name);
}

/** The text of the first child of a name, without blanks around it; "" where there is none. */
export function childText(element: XmlElement | undefined, name: string): string {
  return child(element, name)?.text.trim() ?? "";
}
