import { Paper, Select, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import type { BlocksData, NamedCount, TsdbStatusData } from "../../api/types.ts";
import { PageHeader } from "../components/PageHeader.tsx";
import { ReadState } from "../components/PageState.tsx";
import { RefreshButton } from "../components/RefreshButton.tsx";
import { queryLink } from "../query/panel-state.ts";
import { useTimeText } from "../settings.tsx";
import { formatDuration } from "../text/duration.ts";
import { formatBytes, formatCount } from "../text/number.ts";
import { labelNameText, quote } from "../text/selector.ts";
import { useApi } from "../use-api.ts";
import { TsdbAdminCard } from "./TsdbAdminCard.tsx";

/** Times beyond this, in milliseconds, stand for an empty head. */
const LARGEST_TIME_MS = 8.64e15;

function Tile({ name, value }: { name: string; value: string }) {
  return (
    <div className="tile">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function HeadTiles({ stats }: { stats: TsdbStatusData["headStats"] }) {
  const timeText = useTimeText();
  const edge = (timeMs: number) =>
    Math.abs(timeMs) > LARGEST_TIME_MS ? "–" : timeText(Math.floor(timeMs / 1000) * 1000);
  return (
    <dl className="tiles">
      <Tile name="Series" value={formatCount(stats.numSeries)} />
      <Tile name="Chunks" value={formatCount(stats.chunkCount)} />
      <Tile name="Label pairs" value={formatCount(stats.numLabelPairs)} />
      <Tile name="Oldest sample" value={edge(stats.minTime)} />
      <Tile name="Newest sample" value={edge(stats.maxTime)} />
    </dl>
  );
}

function CountTable({
  title,
  entries,
  linkOf,
  textOf = formatCount,
}: {
  title: string;
  entries: readonly NamedCount[];
  /** The expression that lists what is counted. */
  linkOf?: (name: string) => string;
  textOf?: (value: number) => string;
}) {
  const largest = Math.max(1, ...entries.map(({ value }) => value));
  return (
    <Paper className="card" component="section" aria-label={title}>
      <div className="card-head">
        <Text fw={650}>{title}</Text>
      </div>
      <Table verticalSpacing={6} className="plain-table fixed">
        <Table.Tbody>
          {entries.map(({ name, value }) => (
            <Table.Tr key={name}>
              <Table.Td className="wrap-anywhere count-name">
                {linkOf ? (
                  <Link to={queryLink(linkOf(name))} className="promql-link">
                    {name}
                  </Link>
                ) : (
                  <span className="mono">{name}</span>
                )}
              </Table.Td>
              <Table.Td className="count-bar" aria-hidden="true">
                <span style={{ width: `${(100 * value) / largest}%` }} />
              </Table.Td>
              <Table.Td ta="right" w={110} className="nowrap numeric">
                {textOf(value)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {entries.length === 0 && (
        <Text size="sm" c="dimmed" p="md">
          The head is empty.
        </Text>
      )}
    </Paper>
  );
}

function pairSelector(pair: string): string {
  const at = pair.indexOf("=");
  return `count by (__name__) ({${labelNameText(pair.slice(0, at))}=${quote(pair.slice(at + 1))}})`;
}

function BlockTable() {
  const blocks = useApi<BlocksData>("status/tsdb/blocks");
  const timeText = useTimeText();
  // Older servers don't list their blocks; the rest of the page is of use without.
  const found = blocks.data?.data.blocks ?? [];
  if (found.length === 0) return null;
  return (
    <Paper className="card" component="section" aria-label="Blocks">
      <div className="card-head">
        <Text fw={650}>
          Blocks <span className="dim">{found.length}</span>
        </Text>
      </div>
      <Table.ScrollContainer type="native" minWidth={820}>
        <Table verticalSpacing={6} className="plain-table">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Block</Table.Th>
              <Table.Th>From</Table.Th>
              <Table.Th ta="right">Span</Table.Th>
              <Table.Th ta="right">Level</Table.Th>
              <Table.Th ta="right">Series</Table.Th>
              <Table.Th ta="right">Chunks</Table.Th>
              <Table.Th ta="right">Samples</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {found.map(({ ulid, minTime, maxTime, stats, compaction }) => (
              <Table.Tr key={ulid}>
                <Table.Td ff="monospace">{ulid}</Table.Td>
                <Table.Td className="nowrap">{timeText(minTime)}</Table.Td>
                <Table.Td ta="right">
                  {formatDuration(Math.round((maxTime - minTime) / 60_000) * 60_000)}
                </Table.Td>
                <Table.Td ta="right">{compaction.level}</Table.Td>
                <Table.Td ta="right" className="numeric">
                  {formatCount(stats.numSeries ?? 0)}
                </Table.Td>
                <Table.Td ta="right" className="numeric">
                  {formatCount(stats.numChunks ?? 0)}
                </Table.Td>
                <Table.Td ta="right" className="numeric">
                  {formatCount(stats.numSamples ?? 0)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

export default function TsdbStatusPage() {
  const [limit, setLimit] = useState("10");
  const status = useApi<TsdbStatusData>("status/tsdb", { limit });
  return (
    <>
      <PageHeader title="TSDB" summary="The head: what is in memory, and what it is made of.">
        <Select
          w={120}
          aria-label="Rows per table"
          allowDeselect={false}
          value={limit}
          onChange={(chosen) => setLimit(chosen ?? "10")}
          data={["10", "25", "50", "100"].map((value) => ({ value, label: `Top ${value}` }))}
        />
        <RefreshButton read={status} />
      </PageHeader>
      <ReadState read={status}>
        {(data) => (
          <Stack gap="md">
            <HeadTiles stats={data.headStats} />
            <div className="two-columns">
              <CountTable
                title="Series by metric name"
                entries={data.seriesCountByMetricName}
                linkOf={(name) => `{__name__=${quote(name)}}`}
              />
              <CountTable
                title="Series by label pair"
                entries={data.seriesCountByLabelValuePair}
                linkOf={pairSelector}
              />
              <CountTable
                title="Values by label name"
                entries={data.labelValueCountByLabelName}
                linkOf={(name) =>
                  name === "__name__"
                    ? 'count by (__name__) ({__name__!=""})'
                    : `count by (${labelNameText(name)}) ({${labelNameText(name)}!=""})`
                }
              />
              <CountTable
                title="Memory by label name"
                entries={data.memoryInBytesByLabelName}
                textOf={formatBytes}
              />
            </div>
            <BlockTable />
            <TsdbAdminCard />
          </Stack>
        )}
      </ReadState>
    </>
  );
}
