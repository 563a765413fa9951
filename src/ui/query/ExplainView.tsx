import { Loader, Text, Tooltip } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { LabelsBody, MetadataData, QueryData, SuccessBody, SyntaxNode } from "../../api/types.ts";
import { apiPost, type ApiError } from "../api-client.ts";
import { ErrorNotice, LoadingRows } from "../components/PageState.tsx";
import { useApi } from "../use-api.ts";
import { MatchGroups } from "./MatchGroups.tsx";
import { formatElapsed } from "../text/duration.ts";
import { formatCount } from "../text/number.ts";
import { aggregationText, operatorText, syntaxText } from "../text/syntax-text.ts";

/** Deeper and further nodes are drawn, but not run: a page mustn't be a load. */
const MAX_NODES_RUN = 40;
const MAX_SERIES_LOOKED_AT = 10_000;

function childrenOf(node: SyntaxNode): readonly SyntaxNode[] {
  switch (node.type) {
    case "aggregation":
      return node.param ? [node.param, node.expr] : [node.expr];
    case "binaryExpr":
      return [node.lhs, node.rhs];
    case "call":
      return node.args;
    case "subquery":
    case "parenExpr":
    case "unaryExpr":
      return [node.expr];
    default:
      return [];
  }
}

/** What the node does, without what its children do. */
function nodeTitle(node: SyntaxNode): string {
  switch (node.type) {
    case "aggregation":
      return aggregationText(node);
    case "binaryExpr":
      return operatorText(node);
    case "call":
      return `${node.func.name}()`;
    case "parenExpr":
      return "( )";
    case "unaryExpr":
      return `unary ${node.op}`;
    case "subquery":
      return syntaxText({ ...node, expr: { type: "stringLiteral", val: "" } }).replace('""', "subquery ");
    default:
      return syntaxText(node);
  }
}

const CARDINALITIES = {
  "one-to-one": "each series on one side meets at most one on the other",
  "many-to-one": "many series on the left may meet the same one on the right",
  "one-to-many": "many series on the right may meet the same one on the left",
  "many-to-many": "a set operation: series are kept or dropped, not calculated with",
} as const;

/** A sentence on what the node does to its input. */
function nodeMeaning(node: SyntaxNode): string {
  switch (node.type) {
    case "aggregation":
      if (node.without)
        return `one series for each combination of all labels but ${node.grouping.join(", ") || "none"}`;
      return node.grouping.length > 0
        ? `one series for each value of ${node.grouping.join(", ")}`
        : "all series become one";
    case "binaryExpr": {
      if (!node.matching) return "";
      const { card, on, labels } = node.matching;
      const by = on
        ? `matched on ${labels.join(", ") || "no label"}`
        : `matched on all labels${labels.length > 0 ? ` but ${labels.join(", ")}` : ""}`;
      return `${by}; ${CARDINALITIES[card]}`;
    }
    case "vectorSelector":
      return "the newest sample of each matching series";
    case "matrixSelector":
      return "all samples of each matching series in the range";
    case "call":
      return `gives ${node.func.returnType === "vector" ? "an instant vector" : `a ${node.func.returnType}`}`;
    default:
      return "";
  }
}

/** What to run to learn about a node: a range is counted, since its samples would be too much to fetch. */
function probeOf(node: SyntaxNode): string | null {
  switch (node.type) {
    case "numberLiteral":
    case "stringLiteral":
    case "durationExpr":
      return null;
    case "matrixSelector":
    case "subquery":
      return `count_over_time(${syntaxText(node)})`;
    default:
      return syntaxText(node);
  }
}

interface NodeFindings {
  readonly count: number;
  readonly noun: string;
  readonly elapsedMs: number;
  readonly labelCounts: readonly (readonly [name: string, valueCount: number])[];
}

function labelCountsOf(labelSets: readonly LabelsBody[]): readonly (readonly [string, number])[] {
  const values = new Map<string, Set<string>>();
  for (const labels of labelSets) {
    for (const [name, value] of Object.entries(labels)) {
      if (name === "__name__") continue;
      const known = values.get(name) ?? new Set();
      values.set(name, known.add(value));
    }
  }
  return [...values].map(([name, known]) => [name, known.size] as const).sort((a, b) => b[1] - a[1]);
}

async function probe(expression: string, endMs: number | null, signal: AbortSignal): Promise<NodeFindings> {
  const startedAt = performance.now();
  const { data } = await apiPost<QueryData>(
    "query",
    { query: expression, time: (endMs ?? Date.now()) / 1000, limit: MAX_SERIES_LOOKED_AT },
    signal,
  );
  const elapsedMs = performance.now() - startedAt;
  if (data.resultType === "scalar" || data.resultType === "string") {
    return { count: 1, noun: data.resultType, elapsedMs, labelCounts: [] };
  }
  return {
    count: data.result.length,
    noun: "series",
    elapsedMs,
    labelCounts: labelCountsOf(data.result.map(({ metric }) => metric)),
  };
}

/** The name of the metric a selector asks for; empty for other nodes and for selectors without one. */
function metricOf(node: SyntaxNode): string {
  if (node.type !== "vectorSelector" && node.type !== "matrixSelector") return "";
  const named = node.matchers.find(({ name, type }) => name === "__name__" && type === "=");
  return node.name || named?.value || "";
}

/** What the targets say about a metric. */
function MetricMeaning({ metric }: { metric: string }) {
  const metadata = useApi<MetadataData>("metadata", { metric });
  const found = metadata.data?.data[metric]?.[0];
  if (!found) return null;
  return (
    <span className="explain-meaning">
      {found.type}
      {found.help && `: ${found.help}`}
    </span>
  );
}

function NodeRow({
  node,
  endMs,
  run,
  isRun,
  isSelected,
  onSelect,
}: {
  node: SyntaxNode;
  endMs: number | null;
  run: number;
  isRun: boolean;
  isSelected: boolean;
  onSelect: () => void;
}) {
  const expression = isRun ? probeOf(node) : null;
  const findings = useQuery<NodeFindings, ApiError>({
    queryKey: ["probe", expression, endMs, run],
    enabled: expression !== null,
    gcTime: 0,
    queryFn: ({ signal }) => probe(expression ?? "", endMs, signal),
  });
  return (
    <button
      type="button"
      className={isSelected ? "explain-node selected" : "explain-node"}
      onClick={onSelect}
    >
      <span className="explain-head">
        <span className="explain-title">{nodeTitle(node)}</span>
        <span className="explain-findings">
          {findings.isFetching && <Loader size={12} />}
          {findings.error && (
            <Tooltip label={findings.error.message} multiline maw={420}>
              <span className="explain-error">error</span>
            </Tooltip>
          )}
          {findings.data && (
            <>
              <strong>{formatCount(findings.data.count)}</strong> {findings.data.noun}
              <span className="dim"> · {formatElapsed(findings.data.elapsedMs / 1000)}</span>
              {findings.data.labelCounts.slice(0, 4).map(([name, count]) => (
                <span key={name} className="explain-label">
                  {name} {count}
                </span>
              ))}
            </>
          )}
        </span>
      </span>
      <span className="explain-meaning">{nodeMeaning(node)}</span>
      {metricOf(node) !== "" && <MetricMeaning metric={metricOf(node)} />}
    </button>
  );
}

/** The tree in the order in which it is read, each node with its path and its place in the running order. */
function SubTree({
  node,
  path,
  selected,
  onSelect,
  indexes,
  ...shared
}: {
  node: SyntaxNode;
  path: string;
  selected: string;
  onSelect: (path: string, node: SyntaxNode) => void;
  indexes: ReadonlyMap<SyntaxNode, number>;
  endMs: number | null;
  run: number;
}) {
  const children = childrenOf(node);
  return (
    <li>
      <NodeRow
        node={node}
        isRun={(indexes.get(node) ?? 0) < MAX_NODES_RUN}
        isSelected={selected === path}
        onSelect={() => onSelect(path, node)}
        {...shared}
      />
      {children.length > 0 && (
        <ul>
          {children.map((child, index) => (
            <SubTree
              key={index}
              node={child}
              path={`${path}.${index}`}
              selected={selected}
              onSelect={onSelect}
              indexes={indexes}
              {...shared}
            />
          ))}
        </ul>
      )}
    </li>
  );
}

function inReadingOrder(root: SyntaxNode): ReadonlyMap<SyntaxNode, number> {
  const indexes = new Map<SyntaxNode, number>();
  const visit = (node: SyntaxNode) => {
    indexes.set(node, indexes.size);
    childrenOf(node).forEach(visit);
  };
  visit(root);
  return indexes;
}

/** The Explain tab: the parts of the expression as a tree, each run by itself. A click takes a part up into the editor. */
export function ExplainView({
  expression,
  endMs,
  run,
  onPick,
}: {
  expression: string;
  endMs: number | null;
  run: number;
  onPick: (expression: string) => void;
}) {
  const [selected, setSelected] = useState<{ path: string; node: SyntaxNode | null }>({
    path: "root",
    node: null,
  });
  const tree = useQuery<SuccessBody<SyntaxNode>, ApiError>({
    queryKey: ["parse_query", expression],
    queryFn: ({ signal }) => apiPost<SyntaxNode>("parse_query", { query: expression }, signal),
  });
  const root = tree.data?.data;
  const indexes = useMemo(() => (root ? inReadingOrder(root) : new Map<SyntaxNode, number>()), [root]);
  // Until one is chosen, the matching of the outermost operator is shown.
  const shown = selected.node ?? [...indexes.keys()].find(({ type }) => type === "binaryExpr");
  if (tree.error) return <ErrorNotice error={tree.error} />;
  if (!root) return <LoadingRows count={4} />;
  return (
    <>
      <Text size="sm" c="dimmed" my="xs">
        Each part of the expression with what it gives by itself. Choose one to put it into the editor.
      </Text>
      <ul className="explain-tree">
        <SubTree
          node={root}
          path="root"
          selected={selected.path}
          onSelect={(path, node) => {
            setSelected({ path, node });
            onPick(syntaxText(node));
          }}
          indexes={indexes}
          endMs={endMs}
          run={run}
        />
      </ul>
      {shown?.type === "binaryExpr" && <MatchGroups node={shown} endMs={endMs} run={run} />}
    </>
  );
}
