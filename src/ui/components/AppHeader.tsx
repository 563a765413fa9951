import {
  ActionIcon,
  AppShell,
  Group,
  Menu,
  Popover,
  SegmentedControl,
  Stack,
  Switch,
  Text,
  Tooltip,
  UnstyledButton,
  useMantineColorScheme,
} from "@mantine/core";
import { NavLink, useLocation } from "react-router";
import { useSettings } from "../settings.tsx";
import { Icon } from "./Icon.tsx";
import { NarthexMark } from "./NarthexMark.tsx";
import { NotificationBell } from "./NotificationBell.tsx";

interface PageLink {
  readonly to: string;
  readonly name: string;
}

const MAIN_PAGES: readonly PageLink[] = [
  { to: "/query", name: "Query" },
  { to: "/alerts", name: "Alerts" },
  { to: "/rules", name: "Rules" },
  { to: "/targets", name: "Targets" },
];

const STATUS_PAGES: readonly PageLink[] = [
  { to: "/status", name: "Runtime and build" },
  { to: "/tsdb-status", name: "TSDB" },
  { to: "/config", name: "Configuration" },
  { to: "/flags", name: "Flags" },
  { to: "/service-discovery", name: "Service discovery" },
  { to: "/alertmanager-discovery", name: "Alertmanagers" },
];

function StatusMenu() {
  const { pathname } = useLocation();
  const current = STATUS_PAGES.find(({ to }) => to === pathname);
  return (
    <Menu position="bottom-start" width={210}>
      <Menu.Target>
        <UnstyledButton className={current ? "nav-link active" : "nav-link"}>
          {current ? `Status: ${current.name}` : "Status"}
          <Icon name="chevronDown" size={14} />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {STATUS_PAGES.map(({ to, name }) => (
          <Menu.Item key={to} component={NavLink} to={to}>
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function SettingsMenu() {
  const { settings, change } = useSettings();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const toggles = [
    ["completion", "Complete while typing"],
    ["highlighting", "Colour expressions"],
    ["linter", "Mark mistakes while typing"],
    ["history", "Remember queries in this browser"],
    ["infos", "Show the infos of a query"],
  ] as const;
  return (
    <Popover position="bottom-end" width={290} trapFocus withArrow shadow="md">
      <Popover.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Settings" title="Settings">
          <Icon name="settings" />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm">
          <div>
            <Text size="xs" fw={600} c="dimmed" mb={4}>
              Colour scheme
            </Text>
            <SegmentedControl
              fullWidth
              size="xs"
              aria-label="Colour scheme"
              value={colorScheme}
              onChange={(value) => setColorScheme(value as "light" | "dark" | "auto")}
              data={[
                { value: "light", label: "Light" },
                { value: "dark", label: "Dark" },
                { value: "auto", label: "As the system" },
              ]}
            />
          </div>
          <div>
            <Text size="xs" fw={600} c="dimmed" mb={4}>
              Times are shown and read in
            </Text>
            <SegmentedControl
              fullWidth
              size="xs"
              aria-label="Time zone"
              value={settings.timeZone}
              onChange={(value) => change({ timeZone: value as "local" | "utc" })}
              data={[
                { value: "local", label: "Local time" },
                { value: "utc", label: "UTC" },
              ]}
            />
          </div>
          <Text size="xs" fw={600} c="dimmed" mb={-4}>
            Query page
          </Text>
          {toggles.map(([name, label]) => (
            <Switch
              key={name}
              size="xs"
              label={label}
              checked={settings[name]}
              onChange={(event) => change({ [name]: event.currentTarget.checked })}
            />
          ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

const NEXT_SCHEME = { light: "dark", dark: "auto", auto: "light" } as const;
const SCHEME_ICONS = { light: "sun", dark: "moon", auto: "auto" } as const;

function SchemeButton() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = NEXT_SCHEME[colorScheme];
  const label = `Colour scheme: ${colorScheme}. Switch to ${next}`;
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        onClick={() => setColorScheme(next)}
      >
        <Icon name={SCHEME_ICONS[colorScheme]} />
      </ActionIcon>
    </Tooltip>
  );
}

/** The bar at the top of every page: where one can go, and what holds for all pages. */
export function AppHeader({ menuOpened, onToggleMenu }: { menuOpened: boolean; onToggleMenu: () => void }) {
  return (
    <AppShell.Header className="header">
      <Group h="100%" px="md" gap="md" wrap="nowrap">
        <NavLink to="/query" className="brand" aria-label="Narthex: start page">
          <NarthexMark />
          <span>Narthex</span>
        </NavLink>
        <nav className="wide-nav" aria-label="Pages">
          {MAIN_PAGES.map(({ to, name }) => (
            <NavLink key={to} to={to} className="nav-link">
              {name}
            </NavLink>
          ))}
          <StatusMenu />
        </nav>
        <Group gap={4} ml="auto" wrap="nowrap">
          <NotificationBell />
          <SchemeButton />
          <SettingsMenu />
          <ActionIcon
            className="narrow-only"
            variant="subtle"
            color="gray"
            size="lg"
            aria-label="Menu"
            aria-expanded={menuOpened}
            onClick={onToggleMenu}
          >
            <Icon name={menuOpened ? "close" : "menu"} />
          </ActionIcon>
        </Group>
      </Group>
      {menuOpened && (
        <nav className="narrow-nav" aria-label="Pages">
          {[...MAIN_PAGES, ...STATUS_PAGES].map(({ to, name }) => (
            <NavLink key={to} to={to} className="nav-link">
              {name}
            </NavLink>
          ))}
        </nav>
      )}
    </AppShell.Header>
  );
}
