import { AnchoredRegexp } from "./regexp.ts";

export type MatchType = "=" | "!=" | "=~" | "!~";

/** One condition on one label. A label that is absent counts as "". */
export class Matcher {
  readonly regexp: AnchoredRegexp | null;

  /** @throws Error with RE2's own text when `value` is not a regular expression RE2 accepts */
  constructor(
    readonly type: MatchType,
    readonly name: string,
    readonly value: string,
  ) {
    this.regexp = type === "=~" || type === "!~" ? AnchoredRegexp.compile(value) : null;
  }

  matches(value: string): boolean {
    switch (this.type) {
      case "=":
        return value === this.value;
      case "!=":
        return value !== this.value;
      case "=~":
        return this.regexp!.matches(value);
      case "!~":
        return !this.regexp!.matches(value);
    }
  }

  /** Whether a series without this label satisfies it. */
  get matchesEmpty(): boolean {
    return this.matches("");
  }
}
