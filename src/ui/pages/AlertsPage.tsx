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
import type { AlertBody, AlertingRuleBody, AlertState, RulesData } from "../../api/types.ts";
import { CopyButton } from "../components/CopyButton.tsx";
import { Icon } from "../components/Icon.tsx";
import { LabelTags } from "../components/LabelSet.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { EmptyNotice, ReadState } from "../components/PageState.tsx";
import { PromqlLink } from "../components/PromqlLink.tsx";
import { RefreshButton } from "../components/RefreshButton.tsx";
import { matchesSearch, SearchField } from "../components/SearchField.tsx";
import { StateBadge } from "../components/StateBadge.tsx";
import { useTimeText } from "../settings.tsx";
import { formatAge, formatDuration } from "../text/duration.ts";
import { apiTime } from "../text/time.ts";
import { useApi } from "../use-api.ts";

interface GroupedAlert {
  readonly groupName: string;
  readonly file: string;
  readonly rule: AlertingRuleBody;
}

const STATES: readonly AlertState[] = ["firing", "pending", "inactive", "unknown"];
const RULES_PER_PAGE = 100;

function alertingRules(data: RulesData): readonly GroupedAlert[] {
  return data.groups
    .flatMap(({ name, file, rules }) =>
      rules
        .filter((rule) => rule.type === "alerting")
        .map((rule): GroupedAlert => ({ groupName: name, file, rule })),
    )
    .sort((a, b) => STATES.indexOf(a.rule.state) - STATES.indexOf(b.rule.state));
}

function AnnotationValue({ text }: { text: string }) {
  if (/^https?:\/\//.test(text)) {
    return (
      <Anchor href={text} target="_blank" rel="noreferrer" size="sm" className="wrap-anywhere">
        {text}
      </Anchor>
    );
  }
  return <span className="wrap-anywhere">{text}</span>;
}

function AnnotationList({ annotations }: { annotations: AlertBody["annotations"] }) {
  const entries = Object.entries(annotations);
  if (entries.length === 0) return null;
  return (
    <dl className="annotations">
      {entries.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <AnnotationValue text={text} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function ActiveAlerts({ alerts }: { alerts: readonly AlertBody[] }) {
  const timeText = useTimeText();
  return (
    <Table.ScrollContainer type="native" minWidth={720}>
      <Table verticalSpacing="xs" className="plain-table">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Labels</Table.Th>
            <Table.Th w={100}>State</Table.Th>
            <Table.Th w={210}>Active since</Table.Th>
            <Table.Th w={130} ta="right">
              Value
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {alerts.map((alert) => {
            const activeAtMs = apiTime(alert.activeAt);
            const labels = Object.fromEntries(
              Object.entries(alert.labels).filter(([name]) => name !== "alertname"),
            );
            return (
              <Table.Tr key={JSON.stringify(alert.labels)}>
                <Table.Td>
                  <LabelTags labels={labels} />
                  <AnnotationList annotations={alert.annotations} />
                </Table.Td>
                <Table.Td>
                  <StateBadge state={alert.state} />
                  {alert.keepFiringSince !== undefined && apiTime(alert.keepFiringSince) !== null && (
                    <Text size="xs" c="dimmed">
                      kept firing
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>
                  {activeAtMs === null ? (
                    "–"
                  ) : (
                    <>
                      {formatAge(Date.now() - activeAtMs)}
                      <Text size="xs" c="dimmed">
                        {timeText(Math.floor(activeAtMs / 1000) * 1000)}
                      </Text>
                    </>
                  )}
                </Table.Td>
                <Table.Td ta="right" ff="monospace">
                  {String(Number(alert.value)) === "NaN" ? alert.value : Number(alert.value)}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function AlertCard({ groupName, file, rule }: GroupedAlert) {
  const alerts = rule.alerts ?? [];
  const [opened, setOpened] = useState(false);
  const { state } = rule;
  return (
    <Paper className={`alert-card state-${state}`} component="article">
      <UnstyledButton className="alert-head" aria-expanded={opened} onClick={() => setOpened(!opened)}>
        <span className={opened ? "turn opened" : "turn"}>
          <Icon name="chevronRight" size={16} />
        </span>
        <span className="alert-name">{rule.name}</span>
        <LabelTags labels={rule.labels} />
        <span className="alert-group" title={file}>
          {groupName}
        </span>
        <StateBadge state={state} {...(alerts.length > 0 && { count: alerts.length })} />
      </UnstyledButton>
      {opened && (
        <Stack gap="sm" className="alert-body">
          <Group gap="xs" wrap="nowrap" align="flex-start">
            <div className="expression-block">
              <PromqlLink expression={rule.query} tab="graph" />
            </div>
            <CopyButton text={rule.name} label="Copy the alert's name" />
          </Group>
          <Text size="sm" c="dimmed">
            {rule.duration > 0 ? `Fires after ${formatDuration(rule.duration * 1000)}` : "Fires at once"}
            {rule.keepFiringFor > 0 && `, keeps firing for ${formatDuration(rule.keepFiringFor * 1000)}`}
            {` · group ${groupName} · ${file}`}
          </Text>
          {rule.lastError && (
            <Text size="sm" c="red" ff="monospace" className="wrap-anywhere">
              {rule.lastError}
            </Text>
          )}
          {alerts.length > 0 ? (
            <ActiveAlerts alerts={alerts} />
          ) : (
            <>
              <AnnotationList annotations={rule.annotations} />
              <Text size="sm" c="dimmed">
                No alert of this rule is active.
              </Text>
            </>
          )}
        </Stack>
      )}
    </Paper>
  );
}

function AlertList({ data, search, state }: { data: RulesData; search: string; state: string }) {
  const [pages, setPages] = useState(1);
  const all = useMemo(() => alertingRules(data), [data]);
  const found = all.filter(
    ({ groupName, file, rule }) =>
      (state === "all" || rule.state === state) &&
      matchesSearch(
        search,
        rule.name,
        groupName,
        file,
        rule.query,
        JSON.stringify(rule.labels),
        ...(rule.alerts ?? []).map(({ labels }) => Object.values(labels).join(" ")),
      ),
  );
  if (all.length === 0) {
    return (
      <EmptyNotice icon="bell" title="No alerting rules">
        Rules come from the files that rule_files in the configuration names.
      </EmptyNotice>
    );
  }
  if (found.length === 0) return <EmptyNotice title="No alert matches the filters" />;
  const shown = found.slice(0, pages * RULES_PER_PAGE);
  return (
    <Stack gap={6}>
      {shown.map((alert) => (
        <AlertCard
          key={`${alert.file};${alert.groupName};${alert.rule.name};${alert.rule.query}`}
          {...alert}
        />
      ))}
      {shown.length < found.length && (
        <Button variant="default" onClick={() => setPages(pages + 1)}>
          Show more ({found.length - shown.length} left)
        </Button>
      )}
    </Stack>
  );
}

export default function AlertsPage() {
  const rules = useApi<RulesData>("rules", { type: "alert" }, { refetchIntervalMs: 15_000 });
  const [search, setSearch] = useState("");
  const [state, setState] = useState("all");
  const counts = new Map<string, number>();
  for (const { rule } of rules.data ? alertingRules(rules.data.data) : []) {
    counts.set(rule.state, (counts.get(rule.state) ?? 0) + 1);
  }
  return (
    <>
      <PageHeader title="Alerts" summary="Alerting rules, and what of them is active now.">
        <SegmentedControl
          aria-label="State"
          value={state}
          onChange={setState}
          data={[
            { value: "all", label: "All" },
            ...STATES.filter((name) => name !== "unknown" || counts.has(name)).map((name) => ({
              value: name,
              label: `${name[0]?.toUpperCase()}${name.slice(1)} ${counts.get(name) ?? 0}`,
            })),
          ]}
        />
        <SearchField value={search} onChange={setSearch} label="Search alerts and labels" />
        <RefreshButton read={rules} />
      </PageHeader>
      <ReadState read={rules}>{(data) => <AlertList data={data} search={search} state={state} />}</ReadState>
    </>
  );
}
