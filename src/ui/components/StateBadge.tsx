import type { AlertState, RuleHealth, TargetHealth } from "../../api/types.ts";

type State = AlertState | RuleHealth | TargetHealth;
type Tone = "good" | "warn" | "bad" | "neutral";

const TONES: Readonly<Record<State, Tone>> = {
  up: "good",
  ok: "good",
  inactive: "good",
  pending: "warn",
  firing: "bad",
  down: "bad",
  err: "bad",
  unknown: "neutral",
};

const NAMES: Partial<Record<State, string>> = { err: "error" };

/** A state in its colour and, for those who don't tell colours apart, in its word. */
export function StateBadge({ state, count }: { state: State; count?: number }) {
  return (
    <span className="state-badge" data-tone={TONES[state] ?? "neutral"}>
      {NAMES[state] ?? state}
      {count !== undefined && ` ${count}`}
    </span>
  );
}
