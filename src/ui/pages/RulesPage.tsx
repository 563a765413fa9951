import { Group, Paper, SegmentedControl, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import type { RuleBody, RuleGroupBody, RulesData } from "../../api/types.ts";
import { LabelTags } from "../components/LabelSet.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { EmptyNotice, ReadState } from "../components/PageState.tsx";
import { PromqlLink } from "../components/PromqlLink.tsx";
import { RefreshButton } from "../components/RefreshButton.tsx";
import { matchesSearch, SearchField } from "../components/SearchField.tsx";
import { StateBadge } from "../components/StateBadge.tsx";
import { useTimeText } from "../settings.tsx";
import { formatAge, formatDuration, formatElapsed } from "../text/duration.ts";
import { apiTime } from "../text/time.ts";
import { useApi } from "../use-api.ts";

function LastEvaluation({ time }: { time: string }) {
  const timeText = useTimeText();
  const evaluatedMs = apiTime(time);
  if (evaluatedMs === null) return <span className="dim">never</span>;
  return <span title={timeText(evaluatedMs)}>{formatAge(Date.now() - evaluatedMs)} ago</span>;
}

function RuleRow({ rule }: { rule: RuleBody }) {
  return (
    <Table.Tr>
      <Table.Td>
        <Group gap={8}>
          <Text size="sm" fw={600} className="wrap-anywhere">
            {rule.name}
          </Text>
          <Text size="xs" c="dimmed">
            {rule.type === "alerting" ? "alert" : "record"}
          </Text>
          {Object.keys(rule.labels ?? {}).length > 0 && <LabelTags labels={rule.labels} />}
        </Group>
        <div className="expression-block">
          <PromqlLink expression={rule.query} />
        </div>
        {rule.type === "alerting" && (rule.duration > 0 || rule.keepFiringFor > 0) && (
          <Text size="xs" c="dimmed" mt={4}>
            {rule.duration > 0 && `for ${formatDuration(rule.duration * 1000)}`}
            {rule.keepFiringFor > 0 && ` keep firing for ${formatDuration(rule.keepFiringFor * 1000)}`}
          </Text>
        )}
        {rule.lastError && (
          <Text size="sm" className="row-error" ff="monospace">
            {rule.lastError}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <StateBadge state={rule.health} />
      </Table.Td>
      <Table.Td>{rule.type === "alerting" && <StateBadge state={rule.state} />}</Table.Td>
      <Table.Td ta="right" className="nowrap">
        <LastEvaluation time={rule.lastEvaluation} />
      </Table.Td>
      <Table.Td ta="right" className="nowrap">
        {formatElapsed(rule.evaluationTime)}
      </Table.Td>
    </Table.Tr>
  );
}

function NextRun({ group }: { group: RuleGroupBody }) {
  const evaluatedMs = apiTime(group.lastEvaluation);
  if (evaluatedMs === null) return null;
  return (
    <Text size="sm" c="dimmed">
      next in {formatAge(evaluatedMs + group.interval * 1000 - Date.now())}
    </Text>
  );
}

function RuleGroup({ group, rules }: { group: RuleGroupBody; rules: readonly RuleBody[] }) {
  return (
    <Paper className="card" component="section" aria-label={`Group ${group.name}`}>
      <Group justify="space-between" className="card-head">
        <div>
          <Text fw={650}>{group.name}</Text>
          <Text size="xs" c="dimmed" className="wrap-anywhere">
            {group.file}
          </Text>
        </div>
        <Group gap="lg">
          <Text size="sm" c="dimmed">
            every {formatDuration(group.interval * 1000)}
          </Text>
          <Text size="sm" c="dimmed">
            last run <LastEvaluation time={group.lastEvaluation} />
          </Text>
          <NextRun group={group} />
          <Text size="sm" c="dimmed">
            took {formatElapsed(group.evaluationTime)}
          </Text>
        </Group>
      </Group>
      <Table.ScrollContainer type="native" minWidth={760}>
        <Table verticalSpacing="sm" className="plain-table fixed">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Rule</Table.Th>
              <Table.Th w={90}>Health</Table.Th>
              <Table.Th w={100}>State</Table.Th>
              <Table.Th w={110} ta="right">
                Last run
              </Table.Th>
              <Table.Th w={100} ta="right">
                Took
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rules.map((rule, index) => (
              <RuleRow key={index} rule={rule} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

function RuleGroups({ data, search, kind }: { data: RulesData; search: string; kind: string }) {
  if (data.groups.length === 0) {
    return (
      <EmptyNotice icon="list" title="No rules">
        Rules come from the files that rule_files in the configuration names.
      </EmptyNotice>
    );
  }
  const found = data.groups
    .map((group) => ({
      group,
      rules: group.rules.filter(
        (rule) =>
          (kind === "all" || rule.type === kind || (kind === "failing" && rule.health === "err")) &&
          matchesSearch(search, rule.name, rule.query, group.name, group.file, JSON.stringify(rule.labels)),
      ),
    }))
    .filter(({ rules }) => rules.length > 0);
  if (found.length === 0) return <EmptyNotice title="No rule matches the filters" />;
  return (
    <Stack gap="md">
      {found.map(({ group, rules }) => (
        <RuleGroup key={`${group.file};${group.name}`} group={group} rules={rules} />
      ))}
    </Stack>
  );
}

export default function RulesPage() {
  const rules = useApi<RulesData>("rules", {}, { refetchIntervalMs: 30_000 });
  const [search, setSearch] = useState("");
  const [kind, setKind] = useState("all");
  return (
    <>
      <PageHeader
        title="Rules"
        summary="Recording and alerting rules by group, in the order in which they run."
      >
        <SegmentedControl
          aria-label="Kind of rule"
          value={kind}
          onChange={setKind}
          data={[
            { value: "all", label: "All" },
            { value: "alerting", label: "Alerts" },
            { value: "recording", label: "Records" },
            { value: "failing", label: "Failing" },
          ]}
        />
        <SearchField value={search} onChange={setSearch} label="Search rules and expressions" />
        <RefreshButton read={rules} />
      </PageHeader>
      <ReadState read={rules}>{(data) => <RuleGroups data={data} search={search} kind={kind} />}</ReadState>
    </>
  );
}
