/** Which names are good: any UTF-8 text, or only letters, digits and underscores as before Prometheus 3. */
export type NameValidationScheme = "utf8" | "legacy";

/** Whether `name` may name a label. */
export function isValidLabelName(name: string, scheme: NameValidationScheme = "utf8"): boolean {
  return scheme === "legacy" ? /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) : name !== "" && name.isWellFormed();
}

/** Whether `name` may name a metric: as a label, and colons too. */
export function isValidMetricName(name: string, scheme: NameValidationScheme = "utf8"): boolean {
  return scheme === "legacy" ? /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name) : name !== "" && name.isWellFormed();
}

/** Whether `value` may be a label's value: text without broken characters. */
export function isValidLabelValue(value: string): boolean {
  return value.isWellFormed();
}
