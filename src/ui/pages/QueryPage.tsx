import { Button, Group } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useCallback, useMemo, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { Icon } from "../components/Icon.tsx";
import { PAGE_TITLE } from "../page-title.ts";
import { DEFAULT_PANEL, decodePanels, encodePanels, type PanelState } from "../query/panel-state.ts";
import { QueryPanel } from "../query/QueryPanel.tsx";

/**
 * The query page. The address is where its state lives: every change writes it, and whatever comes back from
 * it (a link, a step back in history) is what the panels show.
 */
export default function QueryPage() {
  const [search, setSearch] = useSearchParams();
  const panels = useMemo(() => decodePanels(search), [search]);
  const panelsNow = useRef(panels);
  panelsNow.current = panels;

  // Panels are known by their place in the address; their keys follow them when one before them is removed.
  const lastKey = useRef(0);
  const [storedKeys, setStoredKeys] = useState<readonly number[]>([]);
  const keys = panels.map((_, index) => storedKeys[index] ?? -1 - index);

  const firstExpression = panels.find(({ expression }) => expression !== "")?.expression;
  useDocumentTitle(`${firstExpression ?? "Query"} · ${PAGE_TITLE}`);

  const write = useCallback(
    (changed: readonly PanelState[]) => {
      panelsNow.current = [...changed];
      setSearch(encodePanels(changed));
    },
    [setSearch],
  );

  const change = useCallback(
    (index: number, changes: Partial<PanelState>) => {
      write(panelsNow.current.map((panel, at) => (at === index ? { ...panel, ...changes } : panel)));
    },
    [write],
  );

  function insert(index: number, panel: PanelState) {
    setStoredKeys([...keys.slice(0, index), ++lastKey.current, ...keys.slice(index)]);
    write([...panels.slice(0, index), panel, ...panels.slice(index)]);
  }

  function remove(index: number) {
    setStoredKeys(keys.filter((_, at) => at !== index));
    write(panels.filter((_, at) => at !== index));
  }

  return (
    <>
      <h1 className="visually-hidden">Query</h1>
      {panels.map((panel, index) => (
        <QueryPanel
          key={keys[index]}
          index={index}
          state={panel}
          onChange={change}
          onDuplicate={() => insert(index + 1, panel)}
          {...(panels.length > 1 && { onRemove: () => remove(index) })}
        />
      ))}
      <Group mt="md">
        <Button
          variant="default"
          leftSection={<Icon name="plus" size={16} />}
          onClick={() => insert(panels.length, { ...DEFAULT_PANEL, tab: panels.at(-1)?.tab ?? "table" })}
        >
          Add a panel
        </Button>
      </Group>
    </>
  );
}
