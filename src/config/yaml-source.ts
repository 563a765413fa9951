import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Alias,
  type Node,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { ConfigError, type ConfigProblem } from "./config-error.ts";

/**
 * A scalar as written. What it means is up to the field that takes it, as in Go's decoder: `017` is the text "017"
 * to a label and the number 15 to a limit; only unquoted text may be a number, a truth value or null.
 */
export class RawScalar {
  constructor(
    readonly text: string,
    readonly isPlain: boolean,
    readonly offset: number,
  ) {}
}

export type RawMap = { readonly [key: string]: RawValue };
export type RawValue = RawScalar | null | readonly RawValue[] | RawMap;

/** A file whose aliases stand for more nodes than this is refused: a few lines of YAML could keep us busy for ever. */
const MAX_ALIASED_NODES = 1_000_000;

/** The first document of a YAML file, and where everything in it stands. */
export class YamlSource {
  readonly root: RawValue;
  private readonly lines = new LineCounter();
  private readonly offsets = new WeakMap<object, number>();
  private readonly keyOffsets = new WeakMap<object, Map<string, number>>();
  /** What each anchor seen so far stands for, and how many nodes that is with all aliases unfolded. */
  private readonly anchors = new Map<string, { readonly value: RawValue; readonly nodeCount: number }>();
  private nodeCount = 0;
  private aliasedCount = 0;

  /** @throws ConfigError for text that isn't YAML, with all that is wrong */
  constructor(
    text: string,
    readonly fileName: string,
  ) {
    const documents = parseAllDocuments(text, {
      schema: "failsafe",
      lineCounter: this.lines,
      prettyErrors: false,
      uniqueKeys: true,
      strict: true,
    });
    const document = Array.isArray(documents) ? documents[0] : undefined;
    if (document === undefined) {
      this.root = null;
      return;
    }
    if (document.errors.length > 0) {
      throw new ConfigError(
        document.errors.map((error) => this.problemAt(error.pos[0], "", `yaml: ${error.message}`)),
      );
    }
    this.root = this.convert(document.contents as Node | null);
  }

  /** A problem with the value at `path`, or with the key there where `atKey` says so. */
  problem(path: readonly PropertyKey[], message: string, atKey = false): ConfigProblem {
    return this.problemAt(this.offsetOf(path, atKey), formatPath(path), message);
  }

  /** Where the value at `path` begins, both from 1; where it is absent, what should hold it. */
  positionOf(path: readonly PropertyKey[]): { readonly line: number; readonly column: number } {
    const { line, col } = this.lines.linePos(this.offsetOf(path, false));
    return { line, column: col };
  }

  private offsetOf(path: readonly PropertyKey[], atKey: boolean): number {
    let value: RawValue = this.root;
    let offset = this.startOf(value) ?? 0;
    for (const [depth, step] of path.entries()) {
      if (value === null || value instanceof RawScalar) break;
      const key = String(step);
      const next: RawValue | undefined = (value as RawMap)[key];
      const keyOffset = this.keyOffsets.get(value)?.get(key);
      if (next === undefined) break;
      const isLast = depth === path.length - 1;
      offset = (isLast && atKey ? keyOffset : undefined) ?? this.startOf(next) ?? keyOffset ?? offset;
      value = next;
    }
    return offset;
  }

  private startOf(value: RawValue): number | undefined {
    if (value === null) return undefined;
    return value instanceof RawScalar ? value.offset : this.offsets.get(value);
  }

  private problemAt(offset: number, path: string, message: string): ConfigProblem {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.fileName, line, column: col, path, message };
  }

  private convert(node: Node | null): RawValue {
    if (isAlias(node)) return this.unfold(node);
    const countBefore = this.nodeCount++;
    const value = this.convertNode(node);
    if ((isScalar(node) || isSeq(node) || isMap(node)) && node.anchor !== undefined) {
      this.anchors.set(node.anchor, { value, nodeCount: this.nodeCount - countBefore });
    }
    return value;
  }

  private unfold(alias: Alias): RawValue {
    const offset = alias.range?.[0] ?? 0;
    const target = this.anchors.get(alias.source);
    if (target === undefined) {
      throw new ConfigError([
        this.problemAt(offset, "", `yaml: unknown anchor '${alias.source}' referenced`),
      ]);
    }
    this.nodeCount += target.nodeCount;
    this.aliasedCount += target.nodeCount;
    if (this.aliasedCount > MAX_ALIASED_NODES) {
      throw new ConfigError([this.problemAt(offset, "", "yaml: document contains excessive aliasing")]);
    }
    return target.value;
  }

  private convertNode(node: Node | null): RawValue {
    if (isScalar(node)) return this.convertScalar(node);
    if (isMap(node)) return this.convertMap(node);
    if (!isSeq(node)) return null;
    const items = node.items.map((item) => this.convert(item as Node | null));
    this.offsets.set(items, node.range?.[0] ?? 0);
    const starts = node.items.map((item, i) => [String(i), (item as Node | null)?.range?.[0] ?? 0] as const);
    this.keyOffsets.set(items, new Map(starts));
    return items;
  }

  private convertScalar(node: Scalar): RawValue {
    const text = String(node.value ?? "");
    // A tag may say that quoted text is a number or a truth value after all, or that plain text is text.
    const isPlain =
      node.tag === undefined ? node.type === "PLAIN" || node.type === undefined : TYPED_TAG.test(node.tag);
    if (isPlain && /^(?:|~|null|Null|NULL)$/.test(text)) return null;
    return new RawScalar(text, isPlain, node.range?.[0] ?? 0);
  }

  private convertMap(node: YAMLMap): RawValue {
    const map: Record<string, RawValue> = Object.create(null) as Record<string, RawValue>;
    const keys = new Map<string, number>();
    for (const { key, value } of node.items) {
      const keyOffset = (key as Node).range?.[0] ?? 0;
      if (!isScalar(key))
        throw new ConfigError([this.problemAt(keyOffset, "", "yaml: a key must be a scalar")]);
      const name = String(key.value ?? "");
      const converted = this.convert(value as Node | null);
      if (name === "<<" && key.type === "PLAIN") {
        // As in Go's decoder what comes later wins, and that goes for merged keys too.
        for (const source of this.mergedMaps(converted, keyOffset).reverse()) {
          for (const [merged, item] of Object.entries(source)) {
            map[merged] = item;
            keys.set(merged, this.keyOffsets.get(source)?.get(merged) ?? 0);
          }
        }
        continue;
      }
      map[name] = converted;
      keys.set(name, keyOffset);
    }
    this.offsets.set(map, node.range?.[0] ?? 0);
    this.keyOffsets.set(map, keys);
    return map;
  }

  /** What `<<` stands for: a map, or a list of them of which the first wins. */
  private mergedMaps(value: RawValue, keyOffset: number): RawMap[] {
    const maps: readonly RawValue[] = Array.isArray(value) ? (value as RawValue[]) : [value];
    for (const map of maps) {
      if (map === null || map instanceof RawScalar || Array.isArray(map)) {
        throw new ConfigError([
          this.problemAt(keyOffset, "", "yaml: map merge requires map or sequence of maps as the value"),
        ]);
      }
    }
    return [...maps] as RawMap[];
  }
}

const TYPED_TAG = /^tag:yaml\.org,2002:(?:int|float|bool|null)$/;

/** `scrape_configs[0].params` */
function formatPath(path: readonly PropertyKey[]): string {
  let out = "";
  for (const step of path) {
    if (typeof step === "number") out += `[${step}]`;
    else out += out === "" ? String(step) : `.${String(step)}`;
  }
  return out;
}
