import { ActionIcon, Tooltip } from "@mantine/core";
import { Icon } from "./Icon.tsx";

export function RefreshButton({ read }: { read: { isFetching: boolean; refetch: () => unknown } }) {
  return (
    <Tooltip label="Read again">
      <ActionIcon
        variant="default"
        size={36}
        aria-label="Read again"
        loading={read.isFetching}
        onClick={() => void read.refetch()}
      >
        <Icon name="refresh" size={17} />
      </ActionIcon>
    </Tooltip>
  );
}
