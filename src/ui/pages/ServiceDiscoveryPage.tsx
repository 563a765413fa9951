import {
  Button,
  Group,
  Modal,
  Paper,
  SegmentedControl,
  Stack,
  Table,
  Text,
  UnstyledButton,
} from "@mantine/core";
import { useMemo, useState } from "react";
import type { LabelsBody, RelabelStepsData, TargetsData } from "../../api/types.ts";
import { Icon } from "../components/Icon.tsx";
import { LabelTags } from "../components/LabelSet.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { EmptyNotice, ReadState } from "../components/PageState.tsx";
import { PoolConfigButton } from "../components/PoolConfigButton.tsx";
import { RefreshButton } from "../components/RefreshButton.tsx";
import { matchesSearch, SearchField } from "../components/SearchField.tsx";
import { formatCount } from "../text/number.ts";
import { useApi } from "../use-api.ts";

interface FoundTarget {
  readonly discoveredLabels: LabelsBody;
  /** Null for one that relabeling dropped. */
  readonly labels: LabelsBody | null;
}

interface Pool {
  readonly name: string;
  readonly targets: readonly FoundTarget[];
  readonly activeCount: number;
  /** With those that the server counts and doesn't keep. */
  readonly droppedCount: number;
}

const ROWS_UNASKED = 50;

function poolsOf(data: TargetsData): readonly Pool[] {
  const pools = new Map<string, { active: FoundTarget[]; dropped: FoundTarget[] }>();
  const poolOf = (name: string) => {
    const pool = pools.get(name) ?? { active: [], dropped: [] };
    pools.set(name, pool);
    return pool;
  };
  for (const { scrapePool, discoveredLabels, labels } of data.activeTargets) {
    poolOf(scrapePool).active.push({ discoveredLabels, labels });
  }
  for (const { scrapePool, discoveredLabels } of data.droppedTargets) {
    poolOf(scrapePool ?? discoveredLabels["job"] ?? "").dropped.push({ discoveredLabels, labels: null });
  }
  return [...pools]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, { active, dropped }]) => ({
      name,
      targets: [...active, ...dropped],
      activeCount: active.length,
      droppedCount: Math.max(dropped.length, data.droppedTargetCounts?.[name] ?? 0),
    }));
}

function RelabelSteps({ pool, labels }: { pool: string; labels: LabelsBody }) {
  const steps = useApi<RelabelStepsData>("targets/relabel_steps", {
    scrapePool: pool,
    labels: JSON.stringify(labels),
  });
  return (
    <Stack gap="md">
      <div>
        <Text size="sm" fw={600} mb={4}>
          Discovered
        </Text>
        <LabelTags labels={labels} />
      </div>
      <ReadState read={steps}>
        {(data) =>
          data.steps.length === 0 ? (
            <Text size="sm" c="dimmed">
              This pool has no relabeling rules.
            </Text>
          ) : (
            <ol className="relabel-steps">
              {data.steps.map(({ rule, output, keep }, index) => (
                <li key={index} className={keep ? "" : "dropped"}>
                  <Group gap="xs" mb={4}>
                    <Text size="sm" fw={600}>
                      {index + 1}. {rule.action ?? "replace"}
                    </Text>
                    {!keep && (
                      <span className="state-badge" data-tone="bad">
                        dropped
                      </span>
                    )}
                  </Group>
                  <LabelTags
                    labels={Object.fromEntries(
                      Object.entries(rule)
                        .filter(([name]) => name !== "action")
                        .map(([name, value]) => [
                          name,
                          Array.isArray(value) ? value.join(", ") : String(value),
                        ]),
                    )}
                  />
                  {keep && (
                    <div className="step-output">
                      <LabelTags labels={output} />
                    </div>
                  )}
                </li>
              ))}
            </ol>
          )
        }
      </ReadState>
    </Stack>
  );
}

function PoolCard({ pool, shown }: { pool: Pool; shown: readonly FoundTarget[] }) {
  const [opened, setOpened] = useState(shown.length <= ROWS_UNASKED);
  const [all, setAll] = useState(false);
  const [explained, setExplained] = useState<LabelsBody | null>(null);
  const rows = all ? shown : shown.slice(0, ROWS_UNASKED);
  const missing = pool.activeCount + pool.droppedCount - pool.targets.length;
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
          <span className="pool-count">
            {formatCount(pool.activeCount)} active, {formatCount(pool.droppedCount)} dropped
          </span>
        </UnstyledButton>
        <PoolConfigButton pool={pool.name} />
      </Group>
      {opened && (
        <Table.ScrollContainer type="native" minWidth={760}>
          <Table verticalSpacing="sm" className="plain-table fixed">
            <Table.Thead>
              <Table.Tr>
                <Table.Th w="50%">Discovered labels</Table.Th>
                <Table.Th>Target labels</Table.Th>
                <Table.Th w={90} />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((target, index) => (
                <Table.Tr key={index}>
                  <Table.Td>
                    <LabelTags labels={target.discoveredLabels} />
                  </Table.Td>
                  <Table.Td>
                    {target.labels ? (
                      <LabelTags labels={target.labels} />
                    ) : (
                      <span className="state-badge">dropped by relabeling</span>
                    )}
                  </Table.Td>
                  <Table.Td ta="right">
                    <Button
                      variant="subtle"
                      color="gray"
                      size="compact-sm"
                      onClick={() => setExplained(target.discoveredLabels)}
                    >
                      Steps
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
          {rows.length < shown.length && (
            <Button variant="subtle" size="compact-sm" m="sm" onClick={() => setAll(true)}>
              Show all {shown.length} targets
            </Button>
          )}
          {missing > 0 && (
            <Text size="sm" c="dimmed" m="sm">
              {formatCount(missing)} more dropped targets are counted, but not kept.
            </Text>
          )}
        </Table.ScrollContainer>
      )}
      <Modal
        opened={explained !== null}
        onClose={() => setExplained(null)}
        title="Relabeling, step by step"
        size="56rem"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        {explained && <RelabelSteps pool={pool.name} labels={explained} />}
      </Modal>
    </Paper>
  );
}

function PoolList({ data, search, kind }: { data: TargetsData; search: string; kind: string }) {
  const pools = useMemo(() => poolsOf(data), [data]);
  if (pools.length === 0) {
    return (
      <EmptyNotice icon="search" title="Nothing was discovered">
        Targets come from the jobs under scrape_configs in the configuration.
      </EmptyNotice>
    );
  }
  const found = pools
    .map((pool) => ({
      pool,
      shown: pool.targets.filter(
        ({ discoveredLabels, labels }) =>
          (kind === "all" || (kind === "active") === (labels !== null)) &&
          matchesSearch(search, pool.name, JSON.stringify(discoveredLabels), JSON.stringify(labels ?? {})),
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

export default function ServiceDiscoveryPage() {
  const targets = useApi<TargetsData>("targets");
  const [search, setSearch] = useState("");
  const [kind, setKind] = useState("all");
  return (
    <>
      <PageHeader title="Service discovery" summary="What discovery found, and what relabeling made of it.">
        <SegmentedControl
          aria-label="Kind of target"
          value={kind}
          onChange={setKind}
          data={[
            { value: "all", label: "All" },
            { value: "active", label: "Active" },
            { value: "dropped", label: "Dropped" },
          ]}
        />
        <SearchField value={search} onChange={setSearch} label="Search labels" />
        <RefreshButton read={targets} />
      </PageHeader>
      <ReadState read={targets}>{(data) => <PoolList data={data} search={search} kind={kind} />}</ReadState>
    </>
  );
}
