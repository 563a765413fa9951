// Line icons on a grid of 24, two pixels wide, drawn for this page.
const PATHS = {
  bell: "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 21h4",
  check: "M5 12.5 10 17.5 19 7",
  chevronDown: "M6 9.5l6 6 6-6",
  chevronLeft: "M14.5 6l-6 6 6 6",
  chevronRight: "M9.5 6l6 6-6 6",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M12 7.5V12l3 2.5",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h11v11H9zM5.5 15H4V4h11v1.5",
  external: "M13.5 4.5h6v6M19 5l-8.5 8.5M10 6H5v13h13v-5",
  format: "M4 6h16M8 10.5h12M8 15h8M4 19.5h16",
  history: "M4 12a8 8 0 1 0 2.6-5.9M4 4.5v4.5h4.5M12 8v4.5l3 2",
  list: "M8.5 6H20M8.5 12H20M8.5 18H20M4.5 6h.01M4.5 12h.01M4.5 18h.01",
  menu: "M4 7h16M4 12h16M4 17h16",
  minus: "M6 12h12",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  play: "M8 5.5v13l10-6.5z",
  plus: "M12 5.5v13M5.5 12h13",
  refresh: "M20 12a8 8 0 1 1-2.4-5.7M20 4v4.5h-4.5",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15 15l5 5",
  settings:
    "M4 7.5h9M17.5 7.5H20M4 16.5h2.5M11 16.5h9M15.25 5.25a2.25 2.25 0 1 0 0 4.5 2.25 2.25 0 0 0 0-4.5M8.75 14.25a2.25 2.25 0 1 0 0 4.5 2.25 2.25 0 0 0 0-4.5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  auto: "M4 5.5h16v10.5H4zM9 20h6M12 16v4",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7",
  tree: "M5 5h5M7.5 5v14H12M7.5 12H12M14.5 10h5v4h-5zM14.5 17h5v4h-5z",
  warning: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17h.01",
  info: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M12 11v5.5M12 7.7h.01",
} as const;

export type IconName = keyof typeof PATHS;

/** A decoration: what it stands beside carries the name for those who don't see it. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={2}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      style={{ flex: "none" }}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
