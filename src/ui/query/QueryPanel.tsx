import { ActionIcon, Button, Group, Menu, Paper, Tabs, Tooltip } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { lazy, memo, Suspense, useEffect, useRef, useState } from "react";
import { apiPost, type ApiError } from "../api-client.ts";
import { Icon } from "../components/Icon.tsx";
import { EmptyNotice, ErrorNotice } from "../components/PageState.tsx";
import { useSettings } from "../settings.tsx";
import type { SuccessBody } from "../../api/types.ts";
import { ExplainView } from "./ExplainView.tsx";
import type { EditorHandle } from "./ExpressionEditor.tsx";
import { GraphView } from "./GraphView.tsx";
import { MetricsExplorer } from "./MetricsExplorer.tsx";
import type { PanelState, PanelTab } from "./panel-state.ts";
import { forgetQueries, readQueryHistory, rememberQuery } from "./query-history.ts";
import { TableView } from "./TableView.tsx";

const ExpressionEditor = lazy(() => import("./ExpressionEditor.tsx"));

interface QueryPanelProps {
  readonly index: number;
  readonly state: PanelState;
  readonly onChange: (index: number, changes: Partial<PanelState>) => void;
  readonly onDuplicate: () => void;
  readonly onRemove?: () => void;
}

function HistoryMenu({ onPick }: { onPick: (expression: string) => void }) {
  const [entries, setEntries] = useState<readonly string[]>([]);
  return (
    <Menu position="bottom-end" width={520} onOpen={() => setEntries(readQueryHistory())}>
      <Menu.Target>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          aria-label="Queries run before"
          title="Queries run before"
        >
          <Icon name="history" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown mah={420} style={{ overflowY: "auto" }}>
        {entries.length === 0 && <Menu.Label>Queries you run are listed here.</Menu.Label>}
        {entries.map((entry) => (
          <Menu.Item key={entry} ff="monospace" onClick={() => onPick(entry)} className="wrap-anywhere">
            {entry}
          </Menu.Item>
        ))}
        {entries.length > 0 && (
          <>
            <Menu.Divider />
            <Menu.Item leftSection={<Icon name="trash" size={15} />} onClick={forgetQueries}>
              Forget them
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

/** One expression and its answer: as a table, as a graph, or explained. */
export const QueryPanel = memo(function QueryPanel({
  index,
  state,
  onChange,
  onDuplicate,
  onRemove,
}: QueryPanelProps) {
  const { settings } = useSettings();
  const queryClient = useQueryClient();
  const [draft, setDraft] = useState(state.expression);
  // Counts the runs: the same expression run again is asked again.
  const [run, setRun] = useState(0);
  const [explorerOpened, setExplorerOpened] = useState(false);
  const editor = useRef<EditorHandle>(null);
  const change = (changes: Partial<PanelState>) => onChange(index, changes);

  // The address changed under us, by a step in history.
  useEffect(() => setDraft(state.expression), [state.expression]);

  const format = useMutation<SuccessBody<string>, ApiError>({
    mutationFn: () => apiPost<string>("format_query", { query: draft }),
    onSuccess: ({ data }) => setDraft(data),
  });

  function execute(expression = draft) {
    const trimmed = expression.trim();
    format.reset();
    if (trimmed === "") return;
    if (settings.history) rememberQuery(trimmed);
    if (trimmed !== state.expression) change({ expression: trimmed });
    setDraft(trimmed);
    setRun((before) => before + 1);
  }

  return (
    <Paper className="query-panel" component="section" aria-label={`Query ${index + 1}`}>
      <Group gap="xs" wrap="nowrap" align="flex-start" className="expression-row">
        <div className="expression-box">
          <Suspense
            fallback={
              <div className="expression-editor">
                <pre className="editor-placeholder">{draft || "Loading the editor…"}</pre>
              </div>
            }
          >
            <ExpressionEditor ref={editor} value={draft} onChange={setDraft} onExecute={execute} />
          </Suspense>
          <Group gap={0} wrap="nowrap" className="expression-tools">
            <Tooltip label="Format the expression">
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label="Format the expression"
                disabled={draft.trim() === ""}
                loading={format.isPending}
                onClick={() => format.mutate()}
              >
                <Icon name="format" />
              </ActionIcon>
            </Tooltip>
            <Tooltip label="Explore metrics">
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label="Explore metrics"
                onClick={() => setExplorerOpened(true)}
              >
                <Icon name="list" />
              </ActionIcon>
            </Tooltip>
            <HistoryMenu onPick={(expression) => execute(expression)} />
            <Menu position="bottom-end">
              <Menu.Target>
                <ActionIcon variant="subtle" color="gray" size="lg" aria-label="More about this panel">
                  <Icon name="more" />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<Icon name="copy" size={15} />} onClick={onDuplicate}>
                  Duplicate this panel
                </Menu.Item>
                <Menu.Item
                  leftSection={<Icon name="trash" size={15} />}
                  disabled={!onRemove}
                  onClick={() => {
                    void queryClient.cancelQueries({ queryKey: ["query", state.expression] });
                    onRemove?.();
                  }}
                >
                  Remove this panel
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Group>
        </div>
        <Button
          className="execute-button"
          size="md"
          leftSection={<Icon name="play" size={16} />}
          onClick={() => execute()}
        >
          Execute
        </Button>
      </Group>
      {format.error && <ErrorNotice error={format.error} />}

      <Tabs
        value={state.tab}
        onChange={(tab) => change({ tab: tab as PanelTab })}
        keepMounted={false}
        mt="sm"
        classNames={{ panel: "query-tab-panel" }}
      >
        <Tabs.List>
          <Tabs.Tab value="table">Table</Tabs.Tab>
          <Tabs.Tab value="graph">Graph</Tabs.Tab>
          <Tabs.Tab value="explain">Explain</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="table">
          <TableView state={state} run={run} onChange={change} />
        </Tabs.Panel>
        <Tabs.Panel value="graph">
          <GraphView state={state} run={run} onChange={change} />
        </Tabs.Panel>
        <Tabs.Panel value="explain">
          {state.expression === "" ? (
            <EmptyNotice icon="tree" title="Nothing to explain yet">
              Run an expression and see here what each part of it selects.
            </EmptyNotice>
          ) : (
            <ExplainView
              expression={state.expression}
              endMs={state.endMs}
              run={run}
              onPick={(expression) => setDraft(expression)}
            />
          )}
        </Tabs.Panel>
      </Tabs>
      <MetricsExplorer
        opened={explorerOpened}
        onClose={() => setExplorerOpened(false)}
        onInsert={(text) => {
          setExplorerOpened(false);
          if (editor.current) editor.current.insert(text);
          else setDraft((before) => before + text);
        }}
      />
    </Paper>
  );
});
