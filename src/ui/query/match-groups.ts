import type { LabelsBody, VectorMatchingBody } from "../../api/types.ts";

/** How the series of a group meet: or why they don't. */
export type MatchOutcome = "matched" | "only on the left" | "only on the right" | "too many";

/** The series on both sides of a binary operator that have the same values in the labels it matches by. */
export interface MatchGroup {
  readonly labels: LabelsBody;
  readonly left: number;
  readonly right: number;
  readonly outcome: MatchOutcome;
}

function groupLabels(labels: LabelsBody, { on, labels: names }: VectorMatchingBody): LabelsBody {
  return Object.fromEntries(
    Object.entries(labels)
      .filter(([name]) => (on ? names.includes(name) : name !== "__name__" && !names.includes(name)))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function outcomeOf(left: number, right: number, { card }: VectorMatchingBody): MatchOutcome {
  if (card !== "many-to-many") {
    // The "one" side may hold one series a group, whether the other side has any or not.
    const [one, many] = card === "one-to-many" ? [left, right] : [right, left];
    if (one > 1 || (card === "one-to-one" && many > 1 && one > 0)) return "too many";
  }
  if (right === 0) return "only on the left";
  if (left === 0) return "only on the right";
  return "matched";
}

/** Groups both sides as the operator does; groups that make it fail come first, then those without partner. */
export function matchGroups(
  left: readonly LabelsBody[],
  right: readonly LabelsBody[],
  matching: VectorMatchingBody,
): readonly MatchGroup[] {
  const groups = new Map<string, { labels: LabelsBody; left: number; right: number }>();
  const count = (series: readonly LabelsBody[], side: "left" | "right") => {
    for (const one of series) {
      const labels = groupLabels(one, matching);
      const key = JSON.stringify(Object.entries(labels));
      const group = groups.get(key) ?? { labels, left: 0, right: 0 };
      group[side]++;
      groups.set(key, group);
    }
  };
  count(left, "left");
  count(right, "right");
  const order: readonly MatchOutcome[] = ["too many", "only on the left", "only on the right", "matched"];
  return [...groups.values()]
    .map((group) => ({ ...group, outcome: outcomeOf(group.left, group.right, matching) }))
    .sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome));
}
