import { Paper, Table, Text } from "@mantine/core";
import type { AlertmanagersData } from "../../api/types.ts";
import { PageHeader } from "../components/PageHeader.tsx";
import { EmptyNotice, ReadState } from "../components/PageState.tsx";
import { RefreshButton } from "../components/RefreshButton.tsx";
import { useApi } from "../use-api.ts";

function UrlTable({ title, urls }: { title: string; urls: readonly string[] }) {
  if (urls.length === 0) return null;
  return (
    <Paper className="card" mb="md" component="section" aria-label={title}>
      <div className="card-head">
        <Text fw={650}>
          {title} <span className="dim">{urls.length}</span>
        </Text>
      </div>
      <Table verticalSpacing="sm" className="plain-table">
        <Table.Tbody>
          {urls.map((url) => (
            <Table.Tr key={url}>
              <Table.Td ff="monospace" className="wrap-anywhere">
                {url}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

export default function AlertmanagersPage() {
  const alertmanagers = useApi<AlertmanagersData>("alertmanagers");
  return (
    <>
      <PageHeader title="Alertmanagers" summary="Where alerts are sent.">
        <RefreshButton read={alertmanagers} />
      </PageHeader>
      <ReadState read={alertmanagers}>
        {({ activeAlertmanagers, droppedAlertmanagers }) =>
          activeAlertmanagers.length + droppedAlertmanagers.length === 0 ? (
            <EmptyNotice icon="bell" title="No Alertmanagers">
              Alerts are evaluated and shown here, and sent nowhere. Add some under alerting in the
              configuration.
            </EmptyNotice>
          ) : (
            <>
              <UrlTable title="Active" urls={activeAlertmanagers.map(({ url }) => url)} />
              <UrlTable title="Dropped by relabeling" urls={droppedAlertmanagers.map(({ url }) => url)} />
            </>
          )
        }
      </ReadState>
    </>
  );
}
