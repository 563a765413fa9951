import { CloseButton, TextInput } from "@mantine/core";
import { Icon } from "./Icon.tsx";

export function SearchField({
  value,
  onChange,
  label,
  width = 280,
}: {
  value: string;
  onChange: (value: string) => void;
  /** What is searched: shown while the field is empty, and its name for screen readers. */
  label: string;
  width?: number | string;
}) {
  return (
    <TextInput
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      placeholder={label}
      aria-label={label}
      w={width}
      leftSection={<Icon name="search" size={16} />}
      rightSection={
        value !== "" && <CloseButton size="sm" aria-label="Clear the search" onClick={() => onChange("")} />
      }
    />
  );
}

/** Whether every word of the search is somewhere in the texts; the case doesn't matter. */
export function matchesSearch(search: string, ...texts: readonly string[]): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const haystack = texts.join("\n").toLowerCase();
  return words.every((word) => haystack.includes(word));
}
