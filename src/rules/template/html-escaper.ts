/**
 * Escapes what templates put into HTML pages by where it stands, as Go's html/template does: the text of the page is
 * followed through tags, attributes, URLs, scripts and styles, and each value is written so that it can't leave its
 * place. Go finds the places from the template, this from the output as it grows.
 */
import { printable } from "./functions.ts";
import { sprint } from "./printf.ts";
import { HtmlValue, isNil, isObject, type Value } from "./value.ts";

/** What stands for a value that has no safe form in its place. */
const UNSAFE = "ZgotmplZ";

type State =
  | "text"
  | "tagName"
  | "tag"
  | "attributeName"
  | "afterName"
  | "beforeValue"
  | "attribute"
  | "comment"
  | "rawText";

type Content = "plain" | "url" | "script" | "style";

/** Inside a script or a style sheet. */
type CodeState =
  "code" | "doubleQuoted" | "singleQuoted" | "template" | "regexp" | "lineComment" | "blockComment";

const RAW_TEXT_ELEMENTS: ReadonlySet<string> = new Set(["script", "style", "textarea", "title"]);

const URL_ATTRIBUTES: ReadonlySet<string> = new Set([
  "action",
  "archive",
  "background",
  "cite",
  "classid",
  "codebase",
  "data",
  "formaction",
  "href",
  "icon",
  "longdesc",
  "manifest",
  "poster",
  "profile",
  "src",
  "srcset",
  "usemap",
  "xmlns",
]);

const REGEXP_PRECEDERS: ReadonlySet<string> = new Set([
  "break",
  "case",
  "continue",
  "delete",
  "do",
  "else",
  "finally",
  "in",
  "instanceof",
  "return",
  "throw",
  "try",
  "typeof",
  "void",
]);

export class HtmlEscaper {
  private state: State = "text";
  private element = "";
  private isClosingTag = false;
  private attributeName = "";
  /** What ends the attribute's value: a quote, or "" for a blank or the tag's end. */
  private quote = "";
  private content: Content = "plain";
  /** What stands in the URL so far: its parts are escaped in different ways. */
  private urlSoFar = "";
  private code: CodeState = "code";
  /** The code before this point, as much as tells a regular expression from a division. */
  private codeTail = "";

  /** The page's own text, which moves the place on; comments are taken out, lone `<` made harmless. */
  text(text: string): string {
    let out = "";
    let position = 0;
    while (position < text.length) {
      const next = this.step(text, position);
      out += next.output ?? text.slice(position, next.end);
      position = next.end;
    }
    return out;
  }

  private step(text: string, position: number): { readonly end: number; readonly output?: string } {
    const character = text[position]!;
    const end = position + 1;
    switch (this.state) {
      case "text":
        return this.stepText(text, position);
      case "comment": {
        const close = text.indexOf("-->", position);
        if (close < 0) return { end: text.length, output: "" };
        this.state = "text";
        return { end: close + 3, output: "" };
      }
      case "tagName":
        if (/[a-zA-Z0-9:-]/.test(character)) this.element += character.toLowerCase();
        else {
          this.state = "tag";
          return this.step(text, position);
        }
        return { end };
      case "tag":
        if (character === ">") this.endTag();
        else if (!/[ \t\n\f\r/]/.test(character)) {
          this.state = "attributeName";
          this.attributeName = character.toLowerCase();
        }
        return { end };
      case "attributeName":
        if (/[^ \t\n\f\r=>/]/.test(character)) {
          this.attributeName += character.toLowerCase();
          return { end };
        }
        this.state = "afterName";
        return this.step(text, position);
      case "afterName":
        if (/[ \t\n\f\r]/.test(character)) return { end };
        if (character === "=") {
          this.state = "beforeValue";
          return { end };
        }
        this.state = "tag";
        return this.step(text, position);
      case "beforeValue":
        if (/[ \t\n\f\r]/.test(character)) return { end };
        if (character === ">") {
          this.endTag();
          return { end };
        }
        this.beginAttribute(character === '"' || character === "'" ? character : "");
        return this.quote === "" ? this.step(text, position) : { end };
      case "attribute": {
        const isEnd = this.quote === "" ? /[ \t\n\f\r>]/.test(character) : character === this.quote;
        if (!isEnd) {
          this.stepContent(character);
          return { end };
        }
        this.state = "tag";
        return this.quote === "" ? this.step(text, position) : { end };
      }
      case "rawText":
        return this.stepRawText(text, position);
    }
  }

  private stepText(text: string, position: number): { readonly end: number; readonly output?: string } {
    if (text[position] !== "<") {
      const tag = text.indexOf("<", position);
      return { end: tag < 0 ? text.length : tag };
    }
    if (text.startsWith("<!--", position)) {
      this.state = "comment";
      return { end: position + 4, output: "" };
    }
    this.isClosingTag = text[position + 1] === "/";
    const name = position + (this.isClosingTag ? 2 : 1);
    if (/[a-zA-Z]/.test(text[name] ?? "")) {
      this.state = "tagName";
      this.element = "";
      return { end: name };
    }
    if (/^<!doctype/i.test(text.slice(position, position + 9))) return { end: position + 9 };
    return { end: position + 1, output: "&lt;" };
  }

  private endTag(): void {
    this.state = "text";
    if (this.isClosingTag || !RAW_TEXT_ELEMENTS.has(this.element)) return;
    this.state = "rawText";
    this.beginCode(this.element === "script" ? "script" : this.element === "style" ? "style" : "plain");
  }

  private beginAttribute(quote: string): void {
    this.state = "attribute";
    this.quote = quote;
    this.urlSoFar = "";
    this.beginCode(contentOf(this.attributeName));
  }

  private beginCode(content: Content): void {
    this.content = content;
    this.code = "code";
    this.codeTail = "";
  }

  private stepRawText(text: string, position: number): { readonly end: number; readonly output?: string } {
    const close = `</${this.element}`;
    if (text.slice(position, position + close.length).toLowerCase() === close) {
      this.state = "tag";
      this.isClosingTag = true;
      return { end: position + close.length };
    }
    if (this.content === "plain") return { end: position + 1 };
    const before = this.code;
    const length = this.stepContent(text[position]!, text.slice(position, position + 2));
    const isComment = (code: CodeState) => code === "lineComment" || code === "blockComment";
    if (!isComment(before) && !isComment(this.code)) return { end: position + length };
    // A comment is worth a blank, or the end of its line.
    const ends = isComment(before) && !isComment(this.code);
    return { end: position + length, output: !ends ? "" : before === "lineComment" ? text[position]! : " " };
  }

  /** Moves through a URL, a script or a style; gives how many characters that took. */
  private stepContent(character: string, pair = character): number {
    if (this.content === "url") this.urlSoFar += character;
    if (this.content !== "script" && this.content !== "style") return 1;
    const isScript = this.content === "script";
    switch (this.code) {
      case "code":
        if (character === '"') this.code = "doubleQuoted";
        else if (character === "'") this.code = "singleQuoted";
        else if (character === "`" && isScript) this.code = "template";
        else if (pair === "/*") {
          this.code = "blockComment";
          return 2;
        } else if (pair === "//" && isScript) {
          this.code = "lineComment";
          return 2;
        } else if (character === "/" && isScript && startsRegexp(this.codeTail)) this.code = "regexp";
        this.codeTail = (this.codeTail + character).slice(-20);
        return 1;
      case "lineComment":
        if (character === "\n") this.code = "code";
        return 1;
      case "blockComment":
        if (pair !== "*/") return 1;
        this.code = "code";
        return 2;
      case "doubleQuoted":
      case "singleQuoted":
      case "template":
      case "regexp": {
        if (character === "\\") return pair.length;
        const end = { doubleQuoted: '"', singleQuoted: "'", template: "`", regexp: "/" }[this.code];
        if (character === end) {
          this.code = "code";
          this.codeTail = ")";
        }
        return 1;
      }
    }
  }

  /** A value as it may stand at this place; what the template has escaped for it is not escaped twice. */
  value(given: Value, escapedBy: "html" | "urlquery" | null): string {
    const isMarkup = escapedBy === "html" && typeof given === "string";
    const value = isMarkup ? new HtmlValue(given) : given;
    if (escapedBy === "urlquery" && this.isInUrl) {
      this.urlSoFar += "x";
      return escapeHtmlText(String(given));
    }
    const text = value instanceof HtmlValue ? value.text : isNil(value) ? "" : sprint([printable(value)]);
    switch (this.state) {
      case "text":
        return value instanceof HtmlValue ? text : escapeHtmlText(text);
      case "comment":
        return "";
      case "rawText":
        return this.content === "plain" ? escapeHtmlText(text) : this.contentValue(value, text);
      case "beforeValue":
        this.beginAttribute("");
        return this.attributeValue(value, text);
      case "attribute":
        return this.attributeValue(value, text);
      case "tagName":
      case "tag":
      case "attributeName":
      case "afterName":
        return this.nameValue(text);
    }
  }

  private get isInUrl(): boolean {
    return this.state === "attribute" && this.content === "url";
  }

  private attributeValue(value: Value, text: string): string {
    const isPlain = this.content === "plain";
    // Markup becomes the text it shows, whose references stay.
    if (isPlain && value instanceof HtmlValue) return this.attributeText(text.replace(/<[^>]*>/g, ""), "&");
    return this.attributeText(isPlain ? text : this.contentValue(value, text), "");
  }

  private attributeText(inner: string, kept: string): string {
    if (this.quote !== "") return escapeHtmlText(inner, kept);
    return inner === "" ? UNSAFE : escapeUnquoted(inner, kept);
  }

  /** Part of a name of a tag or an attribute: only plain attributes can be named by values. */
  private nameValue(text: string): string {
    if (this.state === "tag" || this.state === "afterName") {
      this.state = "attributeName";
      this.attributeName = "";
    }
    const name = text.toLowerCase();
    const isSafe = /^[a-z0-9]+$/.test(name) && contentOf(this.attributeName + name) === "plain";
    const shown = isSafe ? name : UNSAFE;
    if (this.state === "attributeName") this.attributeName += shown.toLowerCase();
    return shown;
  }

  private contentValue(value: Value, text: string): string {
    switch (this.content) {
      case "plain":
        return text;
      case "url":
        return this.urlValue(text);
      case "script":
        return this.scriptValue(value, text);
      case "style":
        if (this.code === "lineComment" || this.code === "blockComment") return "";
        return this.code === "code" ? filterStyle(text) : escapeStyleString(text);
    }
  }

  private urlValue(text: string): string {
    const before = this.urlSoFar;
    this.urlSoFar += text;
    if (/[?#]/.test(before)) return encodeUrl(text, { keepsReserved: false });
    if (before === "") {
      const colon = text.indexOf(":");
      const scheme = text.slice(0, Math.max(0, colon)).toLowerCase();
      if (colon >= 0 && !scheme.includes("/") && !["http", "https", "mailto"].includes(scheme))
        return `#${UNSAFE}`;
    }
    return encodeUrl(text, { keepsReserved: true });
  }

  private scriptValue(value: Value, text: string): string {
    switch (this.code) {
      case "lineComment":
      case "blockComment":
        return "";
      case "code": {
        this.codeTail = ")";
        const json = escapeJson(JSON.stringify(jsonOf(value)));
        // A blank on either side keeps words and numbers from growing together.
        return /^[\w$]|[\w$]$/.test(json) ? ` ${json} ` : json;
      }
      case "regexp":
        return text === "" ? "(?:)" : escapeScriptString(text.replace(/[-.*+?^${}()|[\]]/g, "\\$&"));
      case "doubleQuoted":
      case "singleQuoted":
      case "template":
        return escapeScriptString(text);
    }
  }
}

function contentOf(attribute: string): Content {
  let name = attribute.replace(/^data-/, "");
  const colon = name.indexOf(":");
  if (colon > 0) {
    if (name.startsWith("xmlns:")) return "url";
    name = name.slice(colon + 1);
  }
  if (name.startsWith("on")) return "script";
  if (name === "style") return "style";
  return URL_ATTRIBUTES.has(name) || /src|uri|url/.test(name) ? "url" : "plain";
}

/** Whether a `/` after this code begins a regular expression rather than divides. */
function startsRegexp(code: string): boolean {
  const trimmed = code.trimEnd();
  const word = /[a-zA-Z]+$/.exec(trimmed)?.[0];
  if (word !== undefined && REGEXP_PRECEDERS.has(word)) return true;
  return trimmed === "" || !/[\w$)\]}.]$/.test(trimmed);
}

const HTML_REFERENCES: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "&": "&amp;",
  "'": "&#39;",
  "+": "&#43;",
  "<": "&lt;",
  ">": "&gt;",
};

function escapeHtmlText(text: string, kept = ""): string {
  return text.replace(/[\0"&'+<>]/g, (character) =>
    character === kept ? character : HTML_REFERENCES[character]!,
  );
}

function escapeUnquoted(text: string, kept: string): string {
  return escapeHtmlText(text, kept).replace(
    /[\t\n\v\f\r =`]/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}

function encodeUrl(text: string, { keepsReserved }: { readonly keepsReserved: boolean }): string {
  const kept = keepsReserved ? /%[0-9a-fA-F]{2}|[a-zA-Z0-9\-._~!#$&*+,/:;=?@[\]]/y : /[a-zA-Z0-9\-._~]/y;
  let out = "";
  for (let position = 0; position < text.length;) {
    kept.lastIndex = position;
    const match = kept.exec(text);
    const piece = match?.[0] ?? String.fromCodePoint(text.codePointAt(position)!);
    out += match !== null ? piece : percentBytes(piece);
    position += piece.length;
  }
  return out;
}

function percentBytes(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

/** What JSON has for a value of a template. */
function jsonOf(value: Value): unknown {
  if (isNil(value)) return null;
  if (typeof value === "bigint") return Number(value);
  if (!isObject(value)) return value;
  switch (value.kind) {
    case "map":
      return Object.fromEntries([...value.entries].map(([key, element]) => [key, jsonOf(element)]));
    case "list":
      return value.items.map(jsonOf);
    case "struct":
      return Object.fromEntries([...value.fields].map(([name, field]) => [name, jsonOf(field)]));
    case "time":
    case "duration":
    case "histogram":
    case "html":
      return value.text;
  }
}

function escapeJson(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, unicodeEscape);
}

const SCRIPT_ESCAPES: Readonly<Record<string, string>> = {
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
  "/": "\\/",
  "\\": "\\\\",
};

function escapeScriptString(text: string): string {
  return text.replace(
    /[\0\t\n\v\f\r"`&'+/<>\\\u2028\u2029]/g,
    (character) => SCRIPT_ESCAPES[character] ?? unicodeEscape(character),
  );
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function filterStyle(text: string): string {
  const isUnsafe = /[\0"'()/;@[\\\]`{}<>]|--|expression|mozbinding/i.test(text);
  return isUnsafe ? UNSAFE : text;
}

function escapeStyleString(text: string): string {
  return text.replace(/[\0\t\n\f\r"&'()+/:;<>\\{}]/g, (character, position: number) => {
    if (character === "\\") return "\\\\";
    // A blank ends the number where what follows could be part of it.
    const following = text[position + 1];
    const needsEnd = following === undefined || /[0-9a-fA-F\t\n\f\r ]/.test(following);
    return `\\${character.charCodeAt(0).toString(16)}${needsEnd ? " " : ""}`;
  });
}
