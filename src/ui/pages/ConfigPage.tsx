import { Paper } from "@mantine/core";
import type { YamlData } from "../../api/types.ts";
import { CopyButton } from "../components/CopyButton.tsx";
import { PageHeader } from "../components/PageHeader.tsx";
import { ReadState } from "../components/PageState.tsx";
import { RefreshButton } from "../components/RefreshButton.tsx";
import { YamlText } from "../components/YamlText.tsx";
import { useApi } from "../use-api.ts";

export default function ConfigPage() {
  const config = useApi<YamlData>("status/config");
  return (
    <>
      <PageHeader title="Configuration" summary="As it was last loaded, with all defaults filled in.">
        {config.data && <CopyButton text={config.data.data.yaml} label="Copy the configuration" />}
        <RefreshButton read={config} />
      </PageHeader>
      <ReadState read={config}>
        {({ yaml }) => (
          <Paper className="card">
            <YamlText yaml={yaml} label="Configuration" />
          </Paper>
        )}
      </ReadState>
    </>
  );
}
