import { ActionIcon, CloseButton, Group, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { Icon } from "../components/Icon.tsx";
import { useSettings } from "../settings.tsx";
import { formatTime, parseTime } from "../text/time.ts";

/** A moment, or when it is empty what `emptyMeans` says: now. The arrows move it by `stepMs`. */
export function TimeField({
  valueMs,
  stepMs,
  label,
  emptyMeans = "now",
  onChange,
}: {
  valueMs: number | null;
  stepMs: number;
  label: string;
  emptyMeans?: string;
  onChange: (valueMs: number | null) => void;
}) {
  const { timeZone } = useSettings().settings;
  const shown = valueMs === null ? "" : formatTime(valueMs, timeZone);
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  const typed = text.trim() === "" || text.trim() === "now" ? null : parseTime(text, timeZone);
  const isWrong = typed === null && text.trim() !== "" && text.trim() !== "now";

  function commit() {
    if (!isWrong && text !== shown) onChange(typed);
  }

  return (
    <Group gap={4} wrap="nowrap">
      <ActionIcon
        variant="default"
        size={30}
        aria-label={`${label}: earlier`}
        onClick={() => onChange((valueMs ?? Date.now()) - stepMs)}
      >
        <Icon name="chevronLeft" size={16} />
      </ActionIcon>
      <TextInput
        size="xs"
        w={204}
        value={text}
        placeholder={`${label}: ${emptyMeans}`}
        aria-label={`${label} (${timeZone === "utc" ? "UTC" : "local time"}), empty for ${emptyMeans}`}
        title={isWrong ? "A time looks like 2026-01-31 18:30:00" : undefined}
        error={isWrong}
        leftSection={<Icon name="clock" size={15} />}
        rightSection={
          valueMs !== null && (
            <CloseButton
              size="xs"
              aria-label={`${label}: back to ${emptyMeans}`}
              onClick={() => onChange(null)}
            />
          )
        }
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => event.key === "Enter" && commit()}
      />
      <ActionIcon
        variant="default"
        size={30}
        aria-label={`${label}: later`}
        onClick={() => onChange((valueMs ?? Date.now()) + stepMs)}
      >
        <Icon name="chevronRight" size={16} />
      </ActionIcon>
    </Group>
  );
}
