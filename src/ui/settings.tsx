import { useLocalStorage } from "@mantine/hooks";
import { createContext, useContext, useMemo, type ReactNode } from "react";
import { formatTime, type TimeZone } from "./text/time.ts";

/** What the reader chose for this browser; kept in its local storage. */
export interface Settings {
  readonly timeZone: TimeZone;
  readonly completion: boolean;
  readonly highlighting: boolean;
  readonly linter: boolean;
  readonly history: boolean;
  /** Whether infos of a query are shown; its warnings always are. */
  readonly infos: boolean;
}

const DEFAULT_SETTINGS: Settings = {
  timeZone: "local",
  completion: true,
  highlighting: true,
  linter: true,
  history: true,
  infos: true,
};

interface SettingsValue {
  readonly settings: Settings;
  readonly change: (changes: Partial<Settings>) => void;
}

const SettingsContext = createContext<SettingsValue>({ settings: DEFAULT_SETTINGS, change: () => {} });

export function SettingsProvider({ children }: { children: ReactNode }) {
  const [stored, setStored] = useLocalStorage<Partial<Settings>>({
    key: "narthex.settings",
    defaultValue: {},
    getInitialValueInEffect: false,
  });
  const value = useMemo(
    () => ({
      settings: { ...DEFAULT_SETTINGS, ...stored },
      change: (changes: Partial<Settings>) => setStored((before) => ({ ...before, ...changes })),
    }),
    [stored, setStored],
  );
  return <SettingsContext value={value}>{children}</SettingsContext>;
}

export function useSettings(): SettingsValue {
  return useContext(SettingsContext);
}

/** Writes times in the zone the reader chose. */
export function useTimeText(): (timeMs: number) => string {
  const { timeZone } = useSettings().settings;
  return useMemo(() => (timeMs: number) => formatTime(timeMs, timeZone), [timeZone]);
}
