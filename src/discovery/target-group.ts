/** Targets that were found together, by what tells them from other finds of the same mechanism. */
export interface TargetGroup {
  /** The newest group of a source stands for all before it; one without targets ends the source. */
  readonly source: string;
  /** The labels of each target, `__address__` among them. */
  readonly targets: readonly LabelRecord[];
  /** Labels of every target that lacks them. */
  readonly labels: LabelRecord;
}

export type LabelRecord = Readonly<Record<string, string>>;

/**
 * A group with texts for labels and nothing else. What services answer is taken at its word about the kind of each
 * field; a field that is missing gives no label, and a number its text.
 */
export function soundGroup({ source, targets, labels }: TargetGroup): TargetGroup {
  return { source: String(source), targets: targets.map(soundLabels), labels: soundLabels(labels) };
}

function soundLabels(labels: LabelRecord): LabelRecord {
  const entries = Object.entries(labels as Readonly<Record<string, unknown>>);
  if (entries.every(([, value]) => typeof value === "string")) return labels;
  const texts = entries.flatMap(([name, value]): [string, string][] => {
    if (typeof value === "string") return [[name, value]];
    return typeof value === "number" || typeof value === "boolean" ? [[name, String(value)]] : [];
  });
  return Object.fromEntries(texts);
}

/** A label name made of any text: what isn't a letter, a digit or `_` in ASCII becomes `_`. */
export function sanitizeLabelName(text: string): string {
  return text.replace(/[^a-zA-Z0-9_]/gu, "_");
}

/** Names with a prefix, made fit to be label names, each with its value. */
export function prefixedLabels(
  prefix: string,
  values: Readonly<Record<string, string | null | undefined>> | null | undefined,
): LabelRecord {
  return Object.fromEntries(
    Object.entries(values ?? {}).map(([name, value]) => [prefix + sanitizeLabelName(name), value ?? ""]),
  );
}

/** `host:port`, with brackets around an address of version 6. */
export function joinHostPort(host: string, port: number | string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
