import { Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { SuccessBody } from "../../api/types.ts";
import type { ApiError } from "../api-client.ts";
import { Icon, type IconName } from "./Icon.tsx";
import { Notice } from "./Notice.tsx";

const ERROR_TITLES: Readonly<Record<ApiError["kind"], string>> = {
  bad_data: "The server can't make sense of this",
  execution: "The query failed",
  canceled: "The query was cancelled",
  timeout: "The query took too long",
  internal: "The server had an error",
  unavailable: "This isn't available here",
  not_found: "There is no such thing",
  not_acceptable: "The server can't answer in a form we read",
  network: "No answer from the server",
};

export function ErrorNotice({ error, onRetry }: { error: ApiError; onRetry?: () => void }) {
  return (
    <Notice tone="bad" title={ERROR_TITLES[error.kind] ?? "The request failed"} role="alert">
      <Group justify="space-between" align="flex-start" gap="sm">
        <Text size="sm" ff="monospace" className="wrap-anywhere" style={{ flex: 1, whiteSpace: "pre-wrap" }}>
          {error.message}
        </Text>
        {onRetry && (
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            Try again
          </Button>
        )}
      </Group>
    </Notice>
  );
}

/** Says that there is nothing, and why that may be. */
export function EmptyNotice({
  icon = "search",
  title,
  children,
}: {
  icon?: IconName;
  title: string;
  children?: ReactNode;
}) {
  return (
    <div className="empty-notice">
      <span className="empty-icon">
        <Icon name={icon} size={22} />
      </span>
      <Text fw={600}>{title}</Text>
      {children && (
        <Text size="sm" c="dimmed" maw={460}>
          {children}
        </Text>
      )}
    </div>
  );
}

export function LoadingRows({ count = 6 }: { count?: number }) {
  return (
    <Stack gap="xs" aria-busy="true" aria-label="Loading">
      {Array.from({ length: count }, (_, index) => (
        <Skeleton key={index} height={34} radius="sm" />
      ))}
    </Stack>
  );
}

/** Shows what was read, or that it is being read, or why it couldn't be. Old data stays while new is read. */
export function ReadState<Data>({
  read,
  children,
}: {
  read: UseQueryResult<SuccessBody<Data>, ApiError>;
  children: (data: Data) => ReactNode;
}) {
  if (read.isError) return <ErrorNotice error={read.error} onRetry={() => void read.refetch()} />;
  if (!read.data) return <LoadingRows />;
  return children(read.data.data);
}
