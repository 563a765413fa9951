import { ActionIcon, Tooltip } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { Icon } from "./Icon.tsx";

/** Copies `text`; `label` says what is copied. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const clipboard = useClipboard({ timeout: 1500 });
  return (
    <Tooltip label={clipboard.copied ? "Copied" : label} openDelay={300}>
      <ActionIcon
        variant="subtle"
        color={clipboard.copied ? "fennel" : "gray"}
        size="sm"
        aria-label={label}
        onClick={() => clipboard.copy(text)}
      >
        <Icon name={clipboard.copied ? "check" : "copy"} size={15} />
      </ActionIcon>
    </Tooltip>
  );
}
