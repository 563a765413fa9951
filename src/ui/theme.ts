import { createTheme, type MantineColorsTuple } from "@mantine/core";

/** The green of the stalk: what can be clicked, and what is well. */
const fennel: MantineColorsTuple = [
  "#ecf8f1",
  "#d8efe1",
  "#afdec3",
  "#82cca2",
  "#5cbb86",
  "#3fa870",
  "#2a8455",
  "#23744b",
  "#1b5e3c",
  "#12482d",
];

/** Greys with a breath of green, so that the dark page isn't a black one. */
const dark: MantineColorsTuple = [
  "#d6dcd8",
  "#bcc5bf",
  "#939d97",
  "#717b75",
  "#48524c",
  "#37403b",
  "#29312d",
  "#1c2220",
  "#161b19",
  "#101412",
];

export const theme = createTheme({
  primaryColor: "fennel",
  primaryShade: { light: 7, dark: 6 },
  colors: { fennel, dark },
  fontFamily: '"Inter Variable", Inter, "Segoe UI", Roboto, "Helvetica Neue", system-ui, sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "JetBrains Mono", "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: "650" },
  defaultRadius: "md",
  cursorType: "pointer",
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.125rem" },
  respectReducedMotion: true,
});
