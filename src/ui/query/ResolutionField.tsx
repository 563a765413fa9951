import { Group, Select, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { formatDuration, parseDuration } from "../text/duration.ts";
import { stepOf, type Resolution } from "./panel-state.ts";

const FIXED_STEPS_MS = [1000, 5000, 15_000, 30_000, 60_000, 300_000, 900_000, 3_600_000];

/** How far apart the points lie: automatic in three densities, a usual step, or one that is typed. */
export function ResolutionField({
  value,
  rangeMs,
  onChange,
}: {
  value: Resolution;
  rangeMs: number;
  onChange: (value: Resolution) => void;
}) {
  const stepMs = stepOf(value, rangeMs);
  const isUsual = value.type === "auto" || FIXED_STEPS_MS.includes(value.stepMs);
  const [custom, setCustom] = useState(!isUsual);
  const [text, setText] = useState(formatDuration(stepMs));
  useEffect(() => setText(formatDuration(stepMs)), [stepMs]);
  const typed = parseDuration(text);

  const choice = custom || !isUsual ? "custom" : value.type === "auto" ? value.density : String(value.stepMs);
  function choose(chosen: string | null) {
    setCustom(chosen === "custom");
    if (chosen === "low" || chosen === "medium" || chosen === "high")
      onChange({ type: "auto", density: chosen });
    else if (chosen === "custom") onChange({ type: "fixed", stepMs });
    else if (chosen !== null) onChange({ type: "fixed", stepMs: Number(chosen) });
  }
  function commit() {
    if (typed !== null && typed > 0 && typed !== stepMs) onChange({ type: "fixed", stepMs: typed });
  }

  return (
    <Group gap={4} wrap="nowrap">
      <Select
        size="xs"
        w={172}
        aria-label="Resolution"
        allowDeselect={false}
        value={choice}
        onChange={choose}
        maxDropdownHeight={420}
        data={[
          {
            group: "Automatic",
            items: [
              { value: "low", label: "Low resolution" },
              { value: "medium", label: "Medium resolution" },
              { value: "high", label: "High resolution" },
            ],
          },
          {
            group: "A point every",
            items: [
              ...FIXED_STEPS_MS.map((fixedMs) => ({
                value: String(fixedMs),
                label: formatDuration(fixedMs),
              })),
              { value: "custom", label: "Other…" },
            ],
          },
        ]}
      />
      {choice === "custom" && (
        <TextInput
          size="xs"
          w={84}
          value={text}
          aria-label="Step"
          error={typed === null || typed === 0}
          onChange={(event) => setText(event.currentTarget.value)}
          onBlur={commit}
          onKeyDown={(event) => event.key === "Enter" && commit()}
        />
      )}
    </Group>
  );
}
