import { ActionIcon, Popover, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import type { NotificationBody } from "../../api/types.ts";
import { serverUrl } from "../api-client.ts";
import { useTimeText } from "../settings.tsx";
import { Icon } from "./Icon.tsx";

/** What the server wants its operator to know, as it comes and goes on the live stream. */
function useNotifications(): readonly NotificationBody[] {
  const [notifications, setNotifications] = useState<readonly NotificationBody[]>([]);
  useEffect(() => {
    const stream = new EventSource(serverUrl("api/v1/notifications/live"));
    // The stream begins with all that hold: after a reconnection nothing old may stay.
    stream.onopen = () => setNotifications([]);
    stream.onmessage = ({ data }: MessageEvent<string>) => {
      const changed = JSON.parse(data) as NotificationBody;
      setNotifications((before) => {
        const others = before.filter(({ text }) => text !== changed.text);
        return changed.active ? [changed, ...others] : others;
      });
    };
    return () => stream.close();
  }, []);
  return notifications;
}

export function NotificationBell() {
  const notifications = useNotifications();
  const timeText = useTimeText();
  if (notifications.length === 0) return null;
  const label = `${notifications.length} ${notifications.length === 1 ? "notification" : "notifications"}`;
  return (
    <Popover position="bottom-end" width={340} withArrow shadow="md">
      <Popover.Target>
        <ActionIcon variant="transparent" className="bell" size="lg" aria-label={label} title={label}>
          <Icon name="bell" />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm">
          {notifications.map(({ text, date }) => (
            <div key={text}>
              <Text size="sm">{text}</Text>
              <Text size="xs" c="dimmed">
                since {timeText(Math.floor(Date.parse(date) / 1000) * 1000)}
              </Text>
            </div>
          ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
