import { Progress, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { WalReplayData } from "../../api/types.ts";
import { apiGet, serverUrl } from "../api-client.ts";
import { NarthexMark } from "./NarthexMark.tsx";

interface Readiness {
  readonly ready: boolean;
  readonly replay: WalReplayData | null;
}

async function askReadiness(): Promise<Readiness> {
  const response = await fetch(serverUrl("-/ready"));
  // Only 503 means "not yet"; anything else is for the pages themselves to find out.
  if (response.status !== 503) return { ready: true, replay: null };
  const replay = await apiGet<WalReplayData>("status/walreplay").catch(() => null);
  return { ready: false, replay: replay?.data ?? null };
}

function StartingScreen({ replay }: { replay: WalReplayData | null }) {
  const total = replay ? replay.max - replay.min + 1 : 0;
  const done = replay ? replay.current - replay.min + 1 : 0;
  const replaying = replay !== null && replay.max > 0 && replay.current <= replay.max;
  return (
    <div className="empty-notice" role="status">
      <NarthexMark size={56} />
      <Text fw={600}>The server is starting</Text>
      <Text size="sm" c="dimmed">
        {replaying
          ? `Replaying the write-ahead log: segment ${replay.current} of ${replay.max}.`
          : "It answers as soon as its data is open."}
      </Text>
      {replaying && (
        <Progress w={280} value={(100 * done) / total} aria-label="Replay of the write-ahead log" animated />
      )}
    </div>
  );
}

/** Holds the pages back while the server starts, and lets them through as soon as it is ready. */
export function ReadinessGate({ children }: { children: ReactNode }) {
  const readiness = useQuery({
    queryKey: ["ready"],
    queryFn: askReadiness,
    refetchInterval: (query) => (query.state.data?.ready === false ? 1000 : false),
  });
  // No answer yet counts as ready: a server that is up, the usual case, costs no wait.
  if (readiness.data?.ready === false) return <StartingScreen replay={readiness.data.replay} />;
  return children;
}
