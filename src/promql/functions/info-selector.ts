import { METRIC_NAME } from "../../model/labels.ts";
import { Matcher } from "../../model/matcher.ts";
import type { AtModifier, Call, Expr, VectorSelector } from "../parse/ast.ts";
import { childrenOf } from "../parse/children.ts";

/** Which info series are wanted, and which of their labels. */
export interface InfoQuestion {
  /** On the names of info metrics. */
  readonly nameMatchers: readonly Matcher[];
  /** On their other labels; where there are any, only the labels they name are taken over. */
  readonly dataMatchers: readonly Matcher[];
}

/** The matchers of the second argument, with the name that is meant where none is written. */
export function infoQuestion(selector: Expr | undefined): InfoQuestion {
  const matchers = selector?.kind === "vectorSelector" ? selector.matchers : [];
  const nameMatchers = matchers.filter(({ name }) => name === METRIC_NAME);
  const dataMatchers = matchers.filter(({ name }) => name !== METRIC_NAME);
  if (nameMatchers.length === 0) nameMatchers.push(new Matcher("=", METRIC_NAME, "target_info"));
  else if (nameMatchers.every(({ type }) => type === "!=" || type === "!~")) {
    nameMatchers.push(new Matcher("=~", METRIC_NAME, ".+_info"));
  }
  return { nameMatchers, dataMatchers };
}

/**
 * The selector that info() reads info metrics with: at the time at which the first selector of its first argument
 * reads, offsets and `@` of subqueries around that included.
 */
export function infoSelector(call: Call): VectorSelector {
  const { at, offsetMs } = readingTime(call.args[0]!) ?? { at: null, offsetMs: 0 };
  const { nameMatchers, dataMatchers } = infoQuestion(call.args[1]);
  return {
    kind: "vectorSelector",
    name: "",
    matchers: [...nameMatchers, ...dataMatchers],
    extension: null,
    offset: { milliseconds: offsetMs, expression: null },
    at,
    position: call.position,
  };
}

interface ReadingTime {
  readonly at: AtModifier | null;
  readonly offsetMs: number;
}

/** When the first selector below `expr` reads; null where there is none. */
function readingTime(expr: Expr): ReadingTime | null {
  const selector = expr.kind === "matrixSelector" ? expr.selector : expr;
  if (selector.kind === "vectorSelector") {
    return { at: selector.at, offsetMs: selector.offset.milliseconds };
  }
  for (const child of childrenOf(expr)) {
    const time = readingTime(child);
    if (time === null) continue;
    if (expr.kind !== "subquery" || time.at !== null) return time;
    return { at: expr.at, offsetMs: time.offsetMs + expr.offset.milliseconds };
  }
  return null;
}
