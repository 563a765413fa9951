import { Group, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import { PAGE_TITLE } from "../page-title.ts";

/** The title of a page, a few words on what it shows, and its controls on the right. */
export function PageHeader({
  title,
  summary,
  children,
}: {
  title: string;
  summary?: ReactNode;
  children?: ReactNode;
}) {
  useDocumentTitle(`${title} · ${PAGE_TITLE}`);
  return (
    <Group justify="space-between" align="flex-end" mb="md" gap="sm">
      <div>
        <Title order={1} size="1.375rem" lh={1.3}>
          {title}
        </Title>
        {summary !== undefined && (
          <Text size="sm" c="dimmed" component="div">
            {summary}
          </Text>
        )}
      </div>
      <Group gap="xs">{children}</Group>
    </Group>
  );
}
