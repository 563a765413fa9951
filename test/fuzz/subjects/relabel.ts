import { RE2JS } from "re2js";
import { glob } from "../../../src/config/glob.ts";
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSignedDuration,
  parseSize,
} from "../../../src/model/duration.ts";
import { LabelsBuilder } from "../../../src/model/labels.ts";
import { AnchoredRegexp, SearchRegexp } from "../../../src/model/regexp.ts";
import { compileRules, relabelInPlace, type RelabelAction } from "../../../src/model/relabel.ts";
import type { Random } from "../random.ts";
import { refusedOr, requireEqual, type Subject } from "../subject.ts";

const PIECES = [
  ...[
    "a",
    "b",
    "ab",
    ".",
    ".*",
    ".+",
    "a*",
    "(a|b)",
    "(?:ab)+",
    "[a-c]",
    "[^x]",
    "\\d",
    "\\.",
    "^",
    "$",
    "|",
  ],
  ...[
    "(?i)a",
    "(?P<n>b)",
    "x{2,3}",
    "é",
    "🎈",
    "\\pL",
    "(?s).",
    "(?m)^",
    "\\b",
    "\\Qa.b\\E",
    "(a*)*",
    "(a+)+$",
  ],
  ...[
    "x{1000}",
    "(x{30}){30}",
    "[[:alpha:]]",
    "\\x{1F388}",
    "\\C",
    "(?=a)",
    "\\1",
    "*",
    "(",
    ")",
    "[",
    "{2}",
  ],
];
const TEXTS = [
  "",
  "a",
  "b",
  "ab",
  "aab",
  "abab",
  "A",
  "é",
  "🎈",
  "a\nb",
  "a.b",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
  "x",
];

const patternOf = (random: Random): string => random.list(7, () => random.pick(PIECES)).join("");

/** A pattern and some values: our short cuts against RE2 itself. */
const regexp: Subject = {
  name: "regexp",
  words: PIECES,
  make: (random) =>
    Buffer.from(
      [
        patternOf(random),
        random.pick(["$1", "${1}x", "$n$$", "x"]),
        ...random.list(5, () => random.pick(TEXTS)),
      ].join("\n\x1e"),
    ),
  run: (input) => {
    const [pattern = "", template = "", ...values] = input.toString().split("\n\x1e");
    const compiled = refusedOr(() => AnchoredRegexp.compile(pattern), Error);
    const plain = refusedOr(() => RE2JS.compile(pattern, RE2JS.DOTALL), Error);
    requireEqual("result" in compiled, "result" in plain, "acceptance of a pattern");
    refusedOr(() => new SearchRegexp(pattern).replaceAll(values.join(" ").slice(0, 500), template), Error);
    if (!("result" in compiled && "result" in plain)) return false;
    const { result: ours } = compiled;
    for (const value of [...values, ...TEXTS]) {
      const expected = plain.result.testExact(value);
      requireEqual(ours.matches(value), expected, `answers for ${JSON.stringify(value)}`);
      requireEqual(ours.expand(value, template) !== null, expected, `expansions of ${JSON.stringify(value)}`);
      if (ours.setMatches) requireEqual(ours.setMatches.includes(value), expected, "sets of matches");
      if (expected) requireEqual(value.startsWith(ours.prefix), true, "prefixes");
    }
    return true;
  },
};

const ACTIONS: readonly RelabelAction[] = [
  ...(["replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap"] as const),
  ...(["labeldrop", "labelkeep", "lowercase", "uppercase"] as const),
];
const NAMES = ["a", "b", "__name__", "__address__", "é", "", "${1}", "$1_x", "__proto__"];

const relabel: Subject = {
  name: "relabel",
  words: [...NAMES, ...PIECES, "\x1e", "\x1f"],
  make: (random) =>
    Buffer.from(
      [
        random.list(5, () => `${random.pick(NAMES)}\x1f${random.pick(TEXTS)}`).join("\x1f"),
        ...random.list(4, () =>
          [
            String(random.below(ACTIONS.length)),
            patternOf(random),
            random.pick(NAMES),
            random.pick(["$1", "x", "", "${1}", "$0"]),
            random.pick(["", ";", "é"]),
            String(random.below(20)),
            ...random.list(3, () => random.pick(NAMES)),
          ].join("\x1f"),
        ),
      ].join("\x1e"),
    ),
  run: (input) => {
    const [labels = "", ...written] = input.toString().split("\x1e");
    const rules = written.slice(0, 10).map((line) => {
      const [
        action,
        regex = "",
        targetLabel = "",
        replacement = "",
        separator = "",
        modulus,
        ...sourceLabels
      ] = line.split("\x1f");
      return {
        action: ACTIONS[Math.abs(Math.trunc(Number(action))) % ACTIONS.length || 0]!,
        regex,
        targetLabel,
        replacement,
        separator,
        modulus: Math.min(Math.abs(Math.trunc(Number(modulus))), Number.MAX_SAFE_INTEGER) || 1,
        sourceLabels,
      };
    });
    const compiled = refusedOr(() => compileRules(rules, input.length % 2 ? "utf8" : "legacy"), Error);
    if ("refusal" in compiled) return false;
    const builder = (): LabelsBuilder => {
      const made = new LabelsBuilder();
      const words = labels.split("\x1f");
      for (let i = 0; i + 1 < words.length; i += 2) made.set(words[i]!, words[i + 1]!);
      return made;
    };
    const [first, second] = [builder(), builder()];
    const kept = relabelInPlace(first, compiled.result);
    requireEqual(relabelInPlace(second, compiled.result), kept, "outcomes of the same rules");
    requireEqual(second.labels().pairs, first.labels().pairs, "labels of the same rules");
    const { pairs } = first.labels();
    for (let i = 0; i < pairs.length; i += 2) requireEqual(pairs[i + 1] !== "", true, "empty values");
    return kept;
  },
};

const durations: Subject = {
  name: "durations",
  words: ["y", "w", "d", "h", "m", "s", "ms", "0", "1", "-", "KB", "MiB", "EB", ".", " ", "999999999999"],
  make: (random) =>
    Buffer.from(
      random.chance(0.5)
        ? random
            .list(4, () => `${random.below(100)}${random.pick(["y", "w", "d", "h", "m", "s", "ms"])}`)
            .join("")
        : `${random.number()}${random.pick(["B", "KB", "MB", "GiB", "EB", "TB"])}`,
    ),
  run: (input) => {
    const text = input.toString();
    const duration = refusedOr(() => parseDuration(text), Error);
    if ("result" in duration) {
      requireEqual(parseDuration(formatDuration(duration.result)), duration.result, "durations");
      requireEqual(parseSignedDuration(`-${text}`), duration.result === 0 ? 0 : -duration.result, "signs");
    }
    const size = refusedOr(() => parseSize(text), Error);
    if ("result" in size) requireEqual(parseSize(formatSize(size.result)), size.result, "sizes");
    return "result" in duration || "result" in size;
  },
};

const FILES = [
  "a",
  "ab",
  "b.yml",
  "a-b",
  "]",
  "^",
  "!",
  "\\",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
  "é",
];

const globs: Subject = {
  name: "glob",
  words: ["*", "?", "[", "]", "-", "^", "\\", "/", "a", ".yml", "**", "!"],
  make: (random) => Buffer.from(random.text("*?[]-^\\/ab.", 14)),
  run: (input) => {
    const found = refusedOr(
      () =>
        glob(input.toString(), {
          names: (path) => (path.length > 9 ? [] : FILES),
          exists: (path) => FILES.includes(path),
        }),
      Error,
    );
    return "result" in found && found.result.length > 0;
  },
};

export const patterns: readonly Subject[] = [regexp, relabel, durations, globs];
