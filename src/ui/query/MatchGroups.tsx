import { Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { BinaryNode, QueryData, SyntaxNode } from "../../api/types.ts";
import { apiPost, type ApiError } from "../api-client.ts";
import { LabelTags } from "../components/LabelSet.tsx";
import { ErrorNotice, LoadingRows } from "../components/PageState.tsx";
import { formatCount } from "../text/number.ts";
import { operatorText, syntaxText } from "../text/syntax-text.ts";
import { matchGroups, type MatchGroup, type MatchOutcome } from "./match-groups.ts";

const MAX_SERIES_LOOKED_AT = 10_000;
const GROUPS_SHOWN = 50;

const TONES: Readonly<Record<MatchOutcome, string>> = {
  matched: "good",
  "only on the left": "neutral",
  "only on the right": "neutral",
  "too many": "bad",
};

/** How the series of both sides of a binary operator find each other, group by group. */
export function MatchGroups({ node, endMs, run }: { node: BinaryNode; endMs: number | null; run: number }) {
  const { matching } = node;
  const groups = useQuery<readonly MatchGroup[], ApiError>({
    queryKey: ["match groups", syntaxText(node), endMs, run],
    enabled: matching !== null,
    gcTime: 0,
    queryFn: async ({ signal }) => {
      if (!matching) return [];
      const time = (endMs ?? Date.now()) / 1000;
      const labelsOf = async (side: SyntaxNode) => {
        const query = syntaxText(side);
        const { data } = await apiPost<QueryData>(
          "query",
          { query, time, limit: MAX_SERIES_LOOKED_AT },
          signal,
        );
        return data.resultType === "vector" ? data.result.map(({ metric }) => metric) : [];
      };
      const [left, right] = await Promise.all([labelsOf(node.lhs), labelsOf(node.rhs)]);
      return matchGroups(left, right, matching);
    },
  });
  if (!matching) return null;
  const found = groups.data ?? [];
  return (
    <section className="match-groups" aria-label="Match groups">
      <Text size="sm" fw={600}>
        How the sides of <span className="mono">{operatorText(node)}</span> meet
        {groups.data && <span className="dim"> · {formatCount(found.length)} groups</span>}
      </Text>
      {groups.error ? (
        <ErrorNotice error={groups.error} />
      ) : !groups.data ? (
        <LoadingRows count={3} />
      ) : (
        <Table verticalSpacing={5} className="plain-table">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Series with</Table.Th>
              <Table.Th w={90} ta="right">
                Left
              </Table.Th>
              <Table.Th w={90} ta="right">
                Right
              </Table.Th>
              <Table.Th w={160}>Outcome</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {found.slice(0, GROUPS_SHOWN).map(({ labels, left, right, outcome }) => (
              <Table.Tr key={JSON.stringify(labels)}>
                <Table.Td>
                  <LabelTags labels={labels} />
                </Table.Td>
                <Table.Td ta="right">{formatCount(left)}</Table.Td>
                <Table.Td ta="right">{formatCount(right)}</Table.Td>
                <Table.Td>
                  <span className="state-badge" data-tone={TONES[outcome]}>
                    {outcome}
                  </span>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {found.length > GROUPS_SHOWN && (
        <Text size="sm" c="dimmed">
          and {formatCount(found.length - GROUPS_SHOWN)} more
        </Text>
      )}
    </section>
  );
}
