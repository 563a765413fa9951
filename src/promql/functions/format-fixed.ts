/** A number with six decimals, as Go's %f prints it. */
export function formatFixed(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (Math.abs(value) < 1e21) return Object.is(value, -0) ? "-0.000000" : value.toFixed(6);
  return `${BigInt(value)}.000000`;
}
