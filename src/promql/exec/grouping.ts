import { METRIC_NAME, Labels } from "../../model/labels.ts";

/** by (…) or without (…): which series go together, and what the group is called. */
export class Grouping {
  private readonly names: ReadonlySet<string>;
  private readonly list: readonly string[];

  constructor(
    names: readonly string[],
    private readonly without: boolean,
  ) {
    this.names = new Set(without ? [...names, METRIC_NAME] : names);
    this.list = [...this.names];
  }

  /** Whether all series fall into one group without labels. */
  get isSingle(): boolean {
    return !this.without && this.names.size === 0;
  }

  /** Equal exactly for series of one group. */
  key(labels: Labels): string {
    if (this.isSingle) return "";
    if (this.without) return this.labels(labels).key;
    if (this.list.length === 1) return labels.get(this.list[0]!);
    let key = "";
    for (const name of this.list) key += labels.get(name) + "\u{10ffff}\u0000";
    return key;
  }

  labels(labels: Labels): Labels {
    if (this.isSingle) return Labels.empty;
    return this.without ? labels.without(this.names) : labels.only(this.names);
  }
}
