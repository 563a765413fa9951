import { Badge } from "@mantine/core";
import type { AlertState, RuleHealth, TargetHealth } from "../../api/types.ts";

type State = AlertState | RuleHealth | TargetHealth;

const COLORS: Readonly<Record<State, string>> = {
  up: "fennel",
  ok: "fennel",
  inactive: "fennel",
  pending: "yellow",
  firing: "red",
  down: "red",
  err: "red",
  unknown: "gray",
};

const NAMES: Partial<Record<State, string>> = { err: "error" };

/** A state in its colour and, for those who don't tell colours apart, in its word. */
export function StateBadge({ state, count }: { state: State; count?: number }) {
  return (
    <Badge color={COLORS[state] ?? "gray"} variant="light" radius="sm" className="state-badge">
      {NAMES[state] ?? state}
      {count !== undefined && ` ${count}`}
    </Badge>
  );
}
