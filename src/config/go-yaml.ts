/** What can be printed: maps keep their order. */
export type YamlValue =
  string | number | boolean | null | FlowList | readonly YamlValue[] | ReadonlyMap<string, YamlValue>;

/** A list of strings to be printed in brackets on one line. */
export class FlowList {
  constructor(readonly items: readonly string[]) {}
}

/**
 * YAML laid out as Prometheus prints its configuration: two blanks a level, list dashes not indented, quotes only
 * where a reader would otherwise take the text for something else.
 */
export function printYaml(value: YamlValue): string {
  const lines: string[] = [];
  if (value instanceof Map || Array.isArray(value)) printBlock(value as YamlValue, "", lines);
  else lines.push(inline(value, ""));
  return lines.join("\n") + "\n";
}

function printBlock(value: YamlValue, indent: string, lines: string[]): void {
  if (value instanceof Map) {
    for (const [key, item] of value as ReadonlyMap<string, YamlValue>) {
      const name = `${indent}${printFlowString(key)}:`;
      if (!isBlock(item)) lines.push(`${name} ${inline(item, indent)}`);
      else {
        lines.push(name);
        printBlock(item, Array.isArray(item) ? indent : `${indent}  `, lines);
      }
    }
    return;
  }
  for (const item of value as readonly YamlValue[]) {
    if (!isBlock(item)) {
      lines.push(`${indent}- ${inline(item, indent)}`);
      continue;
    }
    const first = lines.length;
    printBlock(item, `${indent}  `, lines);
    lines[first] = `${indent}- ${lines[first]!.slice(indent.length + 2)}`;
  }
}

/** Whether it takes lines of its own. */
function isBlock(value: YamlValue): boolean {
  if (value instanceof Map) return value.size > 0;
  return Array.isArray(value) && value.length > 0;
}

function inline(value: YamlValue, indent: string): string {
  if (value === null) return "null";
  if (typeof value === "string") return printString(value, indent);
  if (value instanceof FlowList) return `[${value.items.map((item) => printFlowString(item)).join(", ")}]`;
  if (value instanceof Map) return "{}";
  if (Array.isArray(value)) return "[]";
  return typeof value === "number" ? printNumber(value) : String(value);
}

function printNumber(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  if (!Number.isFinite(value)) return value > 0 ? ".inf" : "-.inf";
  return String(value).replace(/e([+-])(\d)$/, "e$10$2");
}

function printFlowString(text: string): string {
  if (text.includes("\n")) return doubleQuoted(text);
  const plain = printString(text, "");
  return /^["']/.test(plain) || !/[,[\]{}?]/.test(text) ? plain : singleQuoted(text);
}

function printString(text: string, indent: string): string {
  if (text === "" || meansSomethingElse(text) || UNPRINTABLE.test(text)) return doubleQuoted(text);
  if (text.includes("\n")) return mayStandLiteral(text) ? literal(text, indent) : doubleQuoted(text);
  return mayStandPlain(text) ? text : singleQuoted(text);
}

/** Unquoted, a reader would take it for a number, a truth value, null or a date. */
function meansSomethingElse(text: string): boolean {
  return (
    /^(?:~|null|Null|NULL|y|Y|n|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|true|True|TRUE|false|False|FALSE)$/.test(
      text,
    ) ||
    /^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text) ||
    /^[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+)$/.test(text) ||
    /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/.test(text) ||
    /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/.test(text) ||
    /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?$/.test(text)
  );
}

// Characters beyond the basic plane count as unprintable here, as they do in Go's YAML.

const UNPRINTABLE = /[^\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]|[\ud800-\udfff]/;

function mayStandPlain(text: string): boolean {
  if (text.startsWith(" ") || text.endsWith(" ")) return false;
  if (text.includes(": ") || text.includes(" #") || text.endsWith(":")) return false;
  if (/^(?:---|\.\.\.)/.test(text)) return false;
  if (/^[-?:](?:\s|$)/.test(text)) return false;
  return !/^[#,[\]{}&*!|>'"%@`]/.test(text);
}

function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

const ESCAPES = new Map([
  ["\0", "\\0"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\v", "\\v"],
  ["\f", "\\f"],
  ["\r", "\\r"],
  ["\x1b", "\\e"],
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\x85", "\\N"],
  ["\xa0", "\\_"],
  ["\u2028", "\\L"],
  ["\u2029", "\\P"],
]);

function doubleQuoted(text: string): string {
  let out = '"';
  for (const character of text) {
    const escape = ESCAPES.get(character);
    const code = character.codePointAt(0)!;
    if (escape !== undefined) out += escape;
    else if (!UNPRINTABLE.test(character)) out += character;
    else if (code <= 0xff) out += "\\x" + code.toString(16).toUpperCase().padStart(2, "0");
    else if (code <= 0xffff) out += "\\u" + code.toString(16).toUpperCase().padStart(4, "0");
    else out += "\\U" + code.toString(16).toUpperCase().padStart(8, "0");
  }
  return out + '"';
}

/** Lines of their own need no escapes, unless blanks at an edge would get lost. */
function mayStandLiteral(text: string): boolean {
  return !/^[ \n]/.test(text) && !/ (?:\n|$)/.test(text) && !text.endsWith("\n\n");
}

/** A text of several lines; the dash says that it doesn't end with a line end. */
function literal(text: string, indent: string): string {
  const lines = text.replace(/\n$/, "").split("\n");
  const body = lines.map((line) => (line === "" ? "" : `${indent}  ${line}`));
  return [text.endsWith("\n") ? "|" : "|-", ...body].join("\n");
}
