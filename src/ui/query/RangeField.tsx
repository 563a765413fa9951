import { ActionIcon, Group, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { Icon } from "../components/Icon.tsx";
import { formatDuration, parseDuration } from "../text/duration.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const RANGES_MS = [
  MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY,
  7 * DAY, 14 * DAY, 28 * DAY, 56 * DAY, 112 * DAY, 182 * DAY, 365 * DAY, 730 * DAY,
]; // prettier-ignore

/** How far the graph reaches back. The buttons go to the next shorter or longer usual range. */
export function RangeField({ valueMs, onChange }: { valueMs: number; onChange: (valueMs: number) => void }) {
  const shown = formatDuration(valueMs);
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  const typed = parseDuration(text);
  const isWrong = typed === null || typed === 0;
  const shorter = RANGES_MS.findLast((rangeMs) => rangeMs < valueMs);
  const longer = RANGES_MS.find((rangeMs) => rangeMs > valueMs);

  function commit() {
    if (!isWrong && typed !== valueMs) onChange(typed);
  }

  return (
    <Group gap={4} wrap="nowrap">
      <ActionIcon
        variant="default"
        size={30}
        aria-label="Shorter range"
        disabled={shorter === undefined}
        onClick={() => shorter !== undefined && onChange(shorter)}
      >
        <Icon name="minus" size={16} />
      </ActionIcon>
      <TextInput
        size="xs"
        w={96}
        value={text}
        aria-label="Range"
        title={isWrong ? "A range looks like 90s, 1h30m or 2w" : undefined}
        error={isWrong}
        styles={{ input: { textAlign: "center" } }}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => event.key === "Enter" && commit()}
      />
      <ActionIcon
        variant="default"
        size={30}
        aria-label="Longer range"
        disabled={longer === undefined}
        onClick={() => longer !== undefined && onChange(longer)}
      >
        <Icon name="plus" size={16} />
      </ActionIcon>
    </Group>
  );
}
