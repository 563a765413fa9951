import {
  Anchor,
  Button,
  Group,
  Paper,
  SegmentedControl,
  Stack,
  Table,
  Text,
  UnstyledButton,
} from "@mantine/core";
import { useMemo, useState } from "react";
import type { ActiveTargetBody, TargetsData } from "../../api/types.ts";
import { Icon } from "../components/Icon.tsx";
import { LabelTags } from "../components/LabelSet.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { EmptyNotice, ReadState } from "../components/PageState.tsx";
import { PoolConfigButton } from "../components/PoolConfigButton.tsx";
import { RefreshButton } from "../components/RefreshButton.tsx";
import { matchesSearch, SearchField } from "../components/SearchField.tsx";
import { StateBadge } from "../components/StateBadge.tsx";
import { useTimeText } from "../settings.tsx";
import { formatAge, formatElapsed } from "../text/duration.ts";
import { apiTime } from "../text/time.ts";
import { useApi } from "../use-api.ts";

interface Pool {
  readonly name: string;
  readonly targets: readonly ActiveTargetBody[];
  readonly upCount: number;
}

/** Rows of one pool shown unasked: a pool may have thousands of targets. */
const ROWS_UNASKED = 100;

export function poolsOf(targets: readonly ActiveTargetBody[]): readonly Pool[] {
  const pools = new Map<string, ActiveTargetBody[]>();
  for (const target of targets) {
    const pool = pools.get(target.scrapePool);
    if (pool) pool.push(target);
    else pools.set(target.scrapePool, [target]);
  }
  return [...pools].map(([name, members]) => ({
    name,
    // Down ones first: they are what one comes for.
    targets: members.sort(
      (a, b) =>
        Number(a.health !== "down") - Number(b.health !== "down") || a.scrapeUrl.localeCompare(b.scrapeUrl),
    ),
    upCount: members.filter(({ health }) => health === "up").length,
  }));
}

function TargetRow({ target }: { target: ActiveTargetBody }) {
  const timeText = useTimeText();
  const [opened, setOpened] = useState(false);
  const scrapedMs = apiTime(target.lastScrape);
  return (
    <Table.Tr>
      <Table.Td>
        <Anchor href={target.globalUrl} size="sm" className="wrap-anywhere" target="_blank" rel="noreferrer">
          {target.scrapeUrl}
        </Anchor>
        {target.lastError && (
          <div className="row-error" role="note">
            {target.lastError}
          </div>
        )}
        {opened && (
          <div className="discovered-labels">
            <Text size="xs" c="dimmed" mb={4}>
              Labels before relabeling
            </Text>
            <LabelTags labels={target.discoveredLabels} />
          </div>
        )}
      </Table.Td>
      <Table.Td>
        <LabelTags labels={target.labels} />
        <UnstyledButton className="text-button" aria-expanded={opened} onClick={() => setOpened(!opened)}>
          {opened ? "Hide what was discovered" : "Discovered labels"}
        </UnstyledButton>
      </Table.Td>
      <Table.Td>
        <StateBadge state={target.health} />
      </Table.Td>
      <Table.Td ta="right" className="nowrap">
        {scrapedMs === null ? (
          <span className="dim">never</span>
        ) : (
          <span title={timeText(scrapedMs)}>{formatAge(Date.now() - scrapedMs)} ago</span>
        )}
        <Text size="xs" c="dimmed">
          every {target.scrapeInterval}
        </Text>
      </Table.Td>
      <Table.Td ta="right" className="nowrap">
        {formatElapsed(target.lastScrapeDuration)}
        <Text size="xs" c="dimmed">
          within {target.scrapeTimeout}
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}

function PoolCard({ pool, shown }: { pool: Pool; shown: readonly ActiveTargetBody[] }) {
  const [opened, setOpened] = useState(true);
  const [all, setAll] = useState(false);
  const rows = all ? shown : shown.slice(0, ROWS_UNASKED);
  return (
    <Paper className="card" component="section" aria-label={`Scrape pool ${pool.name}`}>
      <Group justify="space-between" className="card-head">
        <UnstyledButton className="pool-toggle" aria-expanded={opened} onClick={() => setOpened(!opened)}>
          <span className={opened ? "turn opened" : "turn"}>
            <Icon name="chevronRight" size={16} />
          </span>
          <Text fw={650} component="span">
            {pool.name}
          </Text>
          <span className={pool.upCount === pool.targets.length ? "pool-count well" : "pool-count ill"}>
            {pool.upCount} of {pool.targets.length} up
          </span>
        </UnstyledButton>
        <PoolConfigButton pool={pool.name} />
      </Group>
      {opened && (
        <Table.ScrollContainer type="native" minWidth={860}>
          <Table verticalSpacing="sm" className="plain-table fixed">
            <Table.Thead>
              <Table.Tr>
                <Table.Th w="36%">Endpoint</Table.Th>
                <Table.Th>Labels</Table.Th>
                <Table.Th w={90}>Health</Table.Th>
                <Table.Th w={120} ta="right">
                  Last scrape
                </Table.Th>
                <Table.Th w={110} ta="right">
                  Took
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((target) => (
                <TargetRow key={target.scrapeUrl + JSON.stringify(target.labels)} target={target} />
              ))}
            </Table.Tbody>
          </Table>
          {rows.length < shown.length && (
            <Button variant="subtle" size="compact-sm" m="sm" onClick={() => setAll(true)}>
              Show all {shown.length} targets
            </Button>
          )}
        </Table.ScrollContainer>
      )}
    </Paper>
  );
}

function PoolList({ data, search, health }: { data: TargetsData; search: string; health: string }) {
  const pools = useMemo(() => poolsOf(data.activeTargets), [data]);
  if (pools.length === 0) {
    return (
      <EmptyNotice icon="list" title="No targets">
        Targets come from the jobs under scrape_configs in the configuration.
      </EmptyNotice>
    );
  }
  const found = pools
    .map((pool) => ({
      pool,
      shown: pool.targets.filter(
        (target) =>
          (health === "all" || target.health === health) &&
          matchesSearch(
            search,
            target.scrapePool,
            target.scrapeUrl,
            target.lastError,
            ...Object.entries(target.labels).map(([name, value]) => `${name}="${value}"`),
          ),
      ),
    }))
    .filter(({ shown }) => shown.length > 0);
  if (found.length === 0) return <EmptyNotice title="No target matches the filters" />;
  return (
    <Stack gap="md">
      {found.map(({ pool, shown }) => (
        <PoolCard key={pool.name} pool={pool} shown={shown} />
      ))}
    </Stack>
  );
}

export default function TargetsPage() {
  const targets = useApi<TargetsData>("targets", { state: "active" }, { refetchIntervalMs: 15_000 });
  const [search, setSearch] = useState("");
  const [health, setHealth] = useState("all");
  const active = targets.data?.data.activeTargets ?? [];
  const count = (state: string) => active.filter((target) => target.health === state).length;
  return (
    <>
      <PageHeader title="Targets" summary="What is scraped, and how the last scrape went.">
        <SegmentedControl
          aria-label="Health"
          value={health}
          onChange={setHealth}
          data={[
            { value: "all", label: `All ${active.length}` },
            { value: "up", label: `Up ${count("up")}` },
            { value: "down", label: `Down ${count("down")}` },
            { value: "unknown", label: `Unknown ${count("unknown")}` },
          ]}
        />
        <SearchField value={search} onChange={setSearch} label="Search endpoints and labels" />
        <RefreshButton read={targets} />
      </PageHeader>
      <ReadState read={targets}>
        {(data) => <PoolList data={data} search={search} health={health} />}
      </ReadState>
    </>
  );
}
