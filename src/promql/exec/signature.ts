import { METRIC_NAME, type Labels } from "../../model/labels.ts";
import type { VectorMatching } from "../parse/ast.ts";

/** By which labels the series of two sides find each other. */
export class MatchSignature {
  private readonly names: ReadonlySet<string>;

  constructor(private readonly matching: VectorMatching) {
    this.names = new Set(matching.on ? matching.labels : [...matching.labels, METRIC_NAME]);
  }

  /** The labels that matching series have in common. */
  group(labels: Labels): Labels {
    return this.matching.on ? labels.only(this.names) : labels.without(this.names);
  }

  key(labels: Labels): string {
    return this.group(labels).key;
  }
}
