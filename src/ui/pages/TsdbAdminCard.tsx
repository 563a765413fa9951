import { Button, Group, Modal, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { FlagsData, SnapshotData } from "../../api/types.ts";
import { apiPost, type ApiError, type Parameters } from "../api-client.ts";
import { Notice } from "../components/Notice.tsx";
import { ErrorNotice } from "../components/PageState.tsx";
import { TimeField } from "../query/TimeField.tsx";
import { useApi } from "../use-api.ts";

const HOUR_MS = 3_600_000;

interface Deed {
  readonly path: string;
  readonly parameters: Parameters;
  readonly done: (data: unknown) => string;
}

function DeleteForm({ busy, onDelete }: { busy: boolean; onDelete: (parameters: Parameters) => void }) {
  const [selector, setSelector] = useState("");
  const [startMs, setStartMs] = useState<number | null>(null);
  const [endMs, setEndMs] = useState<number | null>(null);
  const [asking, setAsking] = useState(false);
  const matches = selector.trim();
  return (
    <>
      <Group gap="sm" align="flex-end">
        <TextInput
          size="xs"
          w={340}
          label="Series to delete"
          placeholder='up{job="gone"}'
          value={selector}
          onChange={(event) => setSelector(event.currentTarget.value)}
        />
        <TimeField
          label="From"
          emptyMeans="the beginning"
          valueMs={startMs}
          stepMs={HOUR_MS}
          onChange={setStartMs}
        />
        <TimeField label="To" emptyMeans="the end" valueMs={endMs} stepMs={HOUR_MS} onChange={setEndMs} />
        <Button size="xs" variant="default" disabled={matches === "" || busy} onClick={() => setAsking(true)}>
          Delete…
        </Button>
      </Group>
      <Modal
        opened={asking}
        onClose={() => setAsking(false)}
        title="Delete these samples?"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <Stack gap="md">
          <Text size="sm">
            All samples of <span className="mono">{matches}</span> in the range are gone for good.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(false)}>
              Keep them
            </Button>
            <Button
              color="red"
              onClick={() => {
                setAsking(false);
                onDelete({
                  "match[]": matches,
                  ...(startMs !== null && { start: startMs / 1000 }),
                  ...(endMs !== null && { end: endMs / 1000 }),
                });
              }}
            >
              Delete
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

/** What the admin API allows: shown where a flag opened it. */
export function TsdbAdminCard() {
  const flags = useApi<FlagsData>("status/flags");
  const deed = useMutation<string, ApiError, Deed>({
    mutationFn: async ({ path, parameters, done }) => done((await apiPost(path, parameters)).data),
  });
  if (flags.data?.data["web.enable-admin-api"] !== "true") return null;
  return (
    <Paper className="card" component="section" aria-label="Administration">
      <div className="card-head">
        <Text fw={650}>Administration</Text>
      </div>
      <Stack gap="md" p="md">
        <DeleteForm
          busy={deed.isPending}
          onDelete={(parameters) =>
            deed.mutate({
              path: "admin/tsdb/delete_series",
              parameters,
              done: () => "The samples are deleted. Cleaning tombstones gives their space back.",
            })
          }
        />
        <Group gap="sm">
          <Button
            size="xs"
            variant="default"
            disabled={deed.isPending}
            onClick={() =>
              deed.mutate({
                path: "admin/tsdb/clean_tombstones",
                parameters: {},
                done: () => "The space of deleted samples is given back.",
              })
            }
          >
            Clean tombstones
          </Button>
          <Button
            size="xs"
            variant="default"
            disabled={deed.isPending}
            onClick={() =>
              deed.mutate({
                path: "admin/tsdb/snapshot",
                parameters: {},
                done: (data) => `The snapshot is in snapshots/${(data as SnapshotData).name}.`,
              })
            }
          >
            Take a snapshot
          </Button>
        </Group>
        {deed.error && <ErrorNotice error={deed.error} />}
        {deed.data !== undefined && (
          <Notice tone="info" title="Done" role="status">
            <Text size="sm">{deed.data}</Text>
          </Notice>
        )}
      </Stack>
    </Paper>
  );
}
