import { useMemo } from "react";
import type { BuildInfoData, RuntimeInfoData } from "../../api/types.ts";
import { FactTable } from "../components/FactTable.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { ReadState } from "../components/PageState.tsx";
import { RefreshButton } from "../components/RefreshButton.tsx";
import { StateBadge } from "../components/StateBadge.tsx";
import { useTimeText } from "../settings.tsx";
import { formatAge } from "../text/duration.ts";
import { formatBytes, formatCount } from "../text/number.ts";
import { apiTime } from "../text/time.ts";
import { useApi } from "../use-api.ts";

/** A memory limit of the largest integer is none. */
const UNLIMITED = 2 ** 62;

function RuntimeFacts({ data }: { data: RuntimeInfoData }) {
  const timeText = useTimeText();
  const whole = (text: string) => {
    const timeMs = apiTime(text);
    return timeMs === null ? null : Math.floor(timeMs / 1000) * 1000;
  };
  const startedMs = useMemo(() => whole(data.startTime), [data.startTime]);
  const configuredMs = whole(data.lastConfigTime);
  return (
    <FactTable
      title="Runtime"
      facts={[
        [
          "Started",
          startedMs === null ? "–" : `${timeText(startedMs)} (${formatAge(Date.now() - startedMs)} ago)`,
        ],
        ["Host", data.hostname || "–"],
        ["Working directory", data.CWD],
        ["Configuration reload", <StateBadge key="reload" state={data.reloadConfigSuccess ? "ok" : "err"} />],
        ["Last successful configuration", configuredMs === null ? "never" : timeText(configuredMs)],
        ["WAL corruptions", formatCount(data.corruptionCount)],
        ["Storage retention", data.storageRetention || "–"],
        ["Concurrent tasks (goroutines)", formatCount(data.goroutineCount)],
        ["Processors used (GOMAXPROCS)", formatCount(data.GOMAXPROCS)],
        [
          "Memory limit (GOMEMLIMIT)",
          data.GOMEMLIMIT === undefined || data.GOMEMLIMIT <= 0 || data.GOMEMLIMIT >= UNLIMITED
            ? "none"
            : formatBytes(data.GOMEMLIMIT),
        ],
        ["GOGC", data.GOGC || "–"],
        ["GODEBUG", data.GODEBUG || "–"],
      ]}
    />
  );
}

export default function StatusPage() {
  const runtime = useApi<RuntimeInfoData>("status/runtimeinfo");
  const build = useApi<BuildInfoData>("status/buildinfo");
  return (
    <>
      <PageHeader title="Runtime and build" summary="What runs here, since when and with which limits.">
        <RefreshButton read={runtime} />
      </PageHeader>
      <div className="two-columns">
        <ReadState read={runtime}>{(data) => <RuntimeFacts data={data} />}</ReadState>
        <ReadState read={build}>
          {(data) => (
            <FactTable
              title="Build"
              facts={[
                ["Version", data.version || "–"],
                ["Revision", data.revision || "–"],
                ["Branch", data.branch || "–"],
                ["Built by", data.buildUser || "–"],
                ["Built on", data.buildDate || "–"],
                ["Runs on", data.goVersion || "–"],
              ]}
            />
          )}
        </ReadState>
      </div>
    </>
  );
}
