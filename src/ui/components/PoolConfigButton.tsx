import { Button, Modal } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { YamlData } from "../../api/types.ts";
import { useApi } from "../use-api.ts";
import { ReadState } from "./PageState.tsx";
import { YamlText } from "./YamlText.tsx";

function PoolConfig({ pool }: { pool: string }) {
  const config = useApi<YamlData>("scrape_pools/config", { scrapePool: pool });
  return (
    <ReadState read={config}>
      {({ yaml }) => <YamlText yaml={yaml} label={`Configuration of ${pool}`} />}
    </ReadState>
  );
}

/** Opens the part of the configuration that a scrape pool comes from. */
export function PoolConfigButton({ pool }: { pool: string }) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button variant="subtle" color="gray" size="compact-sm" onClick={open}>
        Configuration
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={pool}
        size="50rem"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <PoolConfig pool={pool} />
      </Modal>
    </>
  );
}
