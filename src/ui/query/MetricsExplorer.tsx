import { Button, Group, Modal, Stack, Text, UnstyledButton } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useState } from "react";
import type { LabelsBody, MetadataBody, MetadataData } from "../../api/types.ts";
import { EmptyNotice, ErrorNotice, LoadingRows } from "../components/PageState.tsx";
import { matchesSearch, SearchField } from "../components/SearchField.tsx";
import { formatCount } from "../text/number.ts";
import { labelNameText, quote, selectorText } from "../text/selector.ts";
import { useApi } from "../use-api.ts";

interface Metric {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

/** Metadata is given by family; its series may have an ending of their own. */
const FAMILY_ENDINGS = /_(?:bucket|count|sum|total|info|created)$/;

/** A look at so many series tells the labels of a metric well enough. */
const SERIES_LOOKED_AT = 5000;
const VALUES_SHOWN = 12;

function metadataOf(metadata: MetadataData, name: string): MetadataBody | undefined {
  return metadata[name]?.[0] ?? metadata[name.replace(FAMILY_ENDINGS, "")]?.[0];
}

function useMetrics(enabled: boolean) {
  const names = useApi<readonly string[]>("label/__name__/values", {}, { enabled });
  const metadata = useApi<MetadataData>("metadata", {}, { enabled });
  const metrics = useMemo((): readonly Metric[] => {
    const described = metadata.data?.data ?? {};
    return (names.data?.data ?? []).map((name) => {
      const found = metadataOf(described, name);
      return { name, type: found?.type ?? "", help: found?.help ?? "" };
    });
  }, [names.data, metadata.data]);
  return { metrics, loading: names.isPending || metadata.isPending, error: names.error };
}

function MetricList({
  metrics,
  selected,
  onSelect,
}: {
  metrics: readonly Metric[];
  selected: string | null;
  onSelect: (name: string) => void;
}) {
  // State, not a ref: the box comes with the opening dialog, and the list must hear of it.
  const [box, setBox] = useState<HTMLDivElement | null>(null);
  const virtualizer = useVirtualizer({
    count: metrics.length,
    getScrollElement: () => box,
    estimateSize: () => 50,
    overscan: 10,
  });
  return (
    <div ref={setBox} className="metric-list">
      <div style={{ height: virtualizer.getTotalSize(), position: "relative" }}>
        {virtualizer.getVirtualItems().map((item) => {
          const metric = metrics[item.index];
          return (
            metric && (
              <UnstyledButton
                key={item.key}
                className={metric.name === selected ? "metric-entry selected" : "metric-entry"}
                aria-pressed={metric.name === selected}
                style={{ transform: `translateY(${item.start}px)`, height: item.size }}
                onClick={() => onSelect(metric.name)}
              >
                <span className="metric-entry-head">
                  <span className="metric-entry-name">{metric.name}</span>
                  {metric.type && <span className="state-badge">{metric.type}</span>}
                </span>
                <span className="metric-entry-help">{metric.help || "no description"}</span>
              </UnstyledButton>
            )
          );
        })}
      </div>
    </div>
  );
}

function MetricLabels({ metric, onInsert }: { metric: Metric; onInsert: (text: string) => void }) {
  const end = useMemo(() => Date.now() / 1000, []);
  const series = useApi<readonly LabelsBody[]>("series", {
    "match[]": `{__name__=${quote(metric.name)}}`,
    start: end - 3600,
    end,
    limit: SERIES_LOOKED_AT,
  });
  const labels = useMemo(() => {
    const counts = new Map<string, Map<string, number>>();
    for (const labelSet of series.data?.data ?? []) {
      for (const [name, value] of Object.entries(labelSet)) {
        if (name === "__name__") continue;
        const values = counts.get(name) ?? new Map<string, number>();
        counts.set(name, values.set(value, (values.get(value) ?? 0) + 1));
      }
    }
    return [...counts]
      .map(([name, values]) => ({ name, values: [...values].sort((a, b) => b[1] - a[1]) }))
      .sort((a, b) => b.values.length - a.values.length);
  }, [series.data]);

  return (
    <Stack gap="sm" className="metric-labels">
      <div>
        <Text ff="monospace" fw={600} className="wrap-anywhere">
          {metric.name}
        </Text>
        <Text size="sm" c="dimmed">
          {metric.help || "no description"}
        </Text>
      </div>
      <Group gap="xs">
        <Button size="xs" onClick={() => onInsert(selectorText(metric.name, []))}>
          Insert
        </Button>
        {metric.type === "counter" && (
          <Button
            size="xs"
            variant="light"
            onClick={() => onInsert(`rate(${selectorText(metric.name, [])}[5m])`)}
          >
            Insert its rate
          </Button>
        )}
        {series.data && (
          <Text size="sm" c="dimmed">
            {formatCount(series.data.data.length)}
            {series.data.data.length >= SERIES_LOOKED_AT && " and more"} series in the last hour
          </Text>
        )}
      </Group>
      {series.error ? (
        <ErrorNotice error={series.error} />
      ) : series.isPending ? (
        <LoadingRows count={3} />
      ) : (
        labels.map(({ name, values }) => (
          <div key={name}>
            <Text size="sm" fw={600}>
              {name}{" "}
              <Text span size="xs" c="dimmed" fw={400}>
                {values.length} {values.length === 1 ? "value" : "values"}
              </Text>
            </Text>
            <div className="label-values">
              {values.slice(0, VALUES_SHOWN).map(([value, count]) => (
                <UnstyledButton
                  key={value}
                  className="label-value-button"
                  title="Insert with this matcher"
                  onClick={() =>
                    onInsert(selectorText(metric.name, [`${labelNameText(name)}=${quote(value)}`]))
                  }
                >
                  {value} <span className="dim">{count}</span>
                </UnstyledButton>
              ))}
              {values.length > VALUES_SHOWN && (
                <span className="dim">and {values.length - VALUES_SHOWN} more</span>
              )}
            </div>
          </div>
        ))
      )}
    </Stack>
  );
}

function Explorer({ onInsert }: { onInsert: (text: string) => void }) {
  const [search, setSearch] = useState("");
  const [searched] = useDebouncedValue(search, 120);
  const [selected, setSelected] = useState<string | null>(null);
  const { metrics, loading, error } = useMetrics(true);
  const found = useMemo(
    () => metrics.filter(({ name, help, type }) => matchesSearch(searched, name, help, type)),
    [metrics, searched],
  );
  const metric = metrics.find(({ name }) => name === selected);
  return (
    <>
      <Group justify="space-between" mb="sm">
        <SearchField
          value={search}
          onChange={setSearch}
          label="Search names, types and descriptions"
          width={360}
        />
        <Text size="sm" c="dimmed" aria-live="polite">
          {formatCount(found.length)} of {formatCount(metrics.length)} metrics
        </Text>
      </Group>
      {error ? (
        <ErrorNotice error={error} />
      ) : loading ? (
        <LoadingRows count={8} />
      ) : (
        <div className="explorer-columns">
          <MetricList metrics={found} selected={selected} onSelect={setSelected} />
          {metric ? (
            <MetricLabels key={metric.name} metric={metric} onInsert={onInsert} />
          ) : (
            <EmptyNotice icon="list" title="Choose a metric">
              Its labels and their values are shown here.
            </EmptyNotice>
          )}
        </div>
      )}
    </>
  );
}

/** All metrics the server knows, to search and to insert into the expression. */
export function MetricsExplorer({
  opened,
  onClose,
  onInsert,
}: {
  opened: boolean;
  onClose: () => void;
  onInsert: (text: string) => void;
}) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Metrics"
      size="70rem"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Explorer onInsert={onInsert} />
    </Modal>
  );
}
