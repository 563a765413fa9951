import { List, Progress, Text, Tooltip } from "@mantine/core";
import type { QueryStatsBody } from "../../api/types.ts";
import { Notice } from "../components/Notice.tsx";
import { useSettings } from "../settings.tsx";
import { formatElapsed } from "../text/duration.ts";
import { formatCompact, formatCount } from "../text/number.ts";

/** How many series came, and how long it took. */
export function AnswerSummary({
  count,
  noun = "series",
  elapsedMs,
  stats,
  loading,
}: {
  count: number;
  noun?: string;
  elapsedMs: number;
  stats: QueryStatsBody | null;
  loading: boolean;
}) {
  const text = [
    `${formatCount(count)} ${noun}`,
    formatElapsed(elapsedMs / 1000),
    ...(stats ? [`${formatCompact(stats.samples.totalQueryableSamples, 3)} samples`] : []),
  ].join(" · ");
  const summary = (
    <Text size="sm" c="dimmed" className="answer-summary" aria-live="polite">
      {loading ? "Running…" : text}
    </Text>
  );
  if (!stats) return summary;
  const { timings, samples } = stats;
  return (
    <Tooltip
      multiline
      position="bottom-end"
      label={
        <>
          On the server: {formatElapsed(timings.execTotalTime)}, of it {formatElapsed(timings.execQueueTime)}{" "}
          waiting
          <br />
          Samples read: {formatCount(samples.totalQueryableSamples)}
          <br />
          At most at once: {formatCount(samples.peakSamples)}
        </>
      }
    >
      {summary}
    </Tooltip>
  );
}

/** A thin bar that moves while an answer is on its way; it keeps its place when there is none. */
export function RunningBar({ running }: { running: boolean }) {
  return (
    <Progress
      value={100}
      size={2}
      animated={running}
      color={running ? "fennel" : "transparent"}
      bg="transparent"
      aria-hidden="true"
    />
  );
}

function NoteList({ notes }: { notes: readonly string[] }) {
  if (notes.length === 1) return <Text size="sm">{notes[0]}</Text>;
  return (
    <List size="sm">
      {notes.map((note) => (
        <List.Item key={note}>{note}</List.Item>
      ))}
    </List>
  );
}

/** What the server said beside the answer. */
export function AnswerNotes({ warnings, infos }: { warnings: readonly string[]; infos: readonly string[] }) {
  const { settings } = useSettings();
  return (
    <>
      {warnings.length > 0 && (
        <Notice tone="warn" title="Warning">
          <NoteList notes={warnings} />
        </Notice>
      )}
      {settings.infos && infos.length > 0 && (
        <Notice tone="info" title="Good to know">
          <NoteList notes={infos} />
        </Notice>
      )}
    </>
  );
}
