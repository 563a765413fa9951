import { Fragment, useMemo } from "react";

interface Token {
  readonly kind: "key" | "string" | "number" | "word" | "comment" | "mark" | "plain";
  readonly text: string;
}

const VALUE_KINDS: readonly (readonly [RegExp, Token["kind"]])[] = [
  [/^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')$/, "string"],
  [/^[-+]?\d[\d._]*(?:[a-zA-Z]{1,3}(?:\d+[a-z]{1,2})*)?$/, "number"],
  [/^(?:true|false|null|~)$/, "word"],
  [/^<secret>$/, "word"],
  [/^[|>][-+]?$/, "mark"],
];

function valueToken(text: string): Token {
  const kind = VALUE_KINDS.find(([pattern]) => pattern.test(text))?.[1] ?? "plain";
  return { kind, text };
}

/**
 * One line of block YAML in colours. It knows lines only: a text block under `|` is coloured as if it were
 * YAML, which harms nothing.
 */
function tokensOf(line: string): Token[] {
  const tokens: Token[] = [];
  let rest = line;
  const lead = /^\s*(?:- )*/.exec(rest)?.[0] ?? "";
  if (lead) tokens.push({ kind: "mark", text: lead });
  rest = rest.slice(lead.length);
  if (rest.startsWith("#")) return [...tokens, { kind: "comment", text: rest }];
  const key = /^("[^"]*"|'[^']*'|[^\s:#"'][^:#]*):(?=\s|$)/.exec(rest)?.[0];
  if (key !== undefined) {
    tokens.push({ kind: "key", text: key.slice(0, -1) }, { kind: "mark", text: ":" });
    rest = rest.slice(key.length);
    const space = /^\s*/.exec(rest)?.[0] ?? "";
    tokens.push({ kind: "plain", text: space });
    rest = rest.slice(space.length);
  }
  if (rest) tokens.push(valueToken(rest));
  return tokens;
}

/** Configuration as it is written, with colours and the numbers of its lines. */
export function YamlText({ yaml, label }: { yaml: string; label: string }) {
  const lines = useMemo(() => yaml.replace(/\n$/, "").split("\n").map(tokensOf), [yaml]);
  return (
    <pre className="yaml" tabIndex={0} aria-label={label}>
      <code>
        {lines.map((tokens, index) => (
          <span key={index} className="yaml-line">
            {tokens.map((token, position) =>
              token.kind === "plain" ? (
                <Fragment key={position}>{token.text}</Fragment>
              ) : (
                <span key={position} className={`yaml-${token.kind}`}>
                  {token.text}
                </span>
              ),
            )}
            {"\n"}
          </span>
        ))}
      </code>
    </pre>
  );
}
