import "./mantine-styles.ts";
import "./app.css";
import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./App.tsx";
import { PATH_PREFIX } from "./path-prefix.ts";
import { SettingsProvider } from "./settings.tsx";
import { theme } from "./theme.ts";

const queryClient = new QueryClient({
  // A monitoring page shows what is true now: everything read is old at once, and an error is shown, not retried.
  defaultOptions: {
    queries: { retry: false, staleTime: 0, refetchOnWindowFocus: false, networkMode: "always" },
  },
});

const root = document.getElementById("root");
if (!root) throw new Error("cannot start the page: no element with the id root");

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      colorSchemeManager={localStorageColorSchemeManager({ key: "narthex.color-scheme" })}
    >
      <QueryClientProvider client={queryClient}>
        <SettingsProvider>
          <BrowserRouter basename={PATH_PREFIX}>
            <App />
          </BrowserRouter>
        </SettingsProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
