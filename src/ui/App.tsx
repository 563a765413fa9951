import { AppShell, Box, Skeleton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Component, lazy, Suspense, useEffect, type ReactNode } from "react";
import { Navigate, Route, Routes, useLocation } from "react-router";
import { ApiError } from "./api-client.ts";
import { AppHeader } from "./components/AppHeader.tsx";
import { EmptyNotice, ErrorNotice } from "./components/PageState.tsx";
import { ReadinessGate } from "./components/ReadinessGate.tsx";

const QueryPage = lazy(() => import("./pages/QueryPage.tsx"));
const AlertsPage = lazy(() => import("./pages/AlertsPage.tsx"));
const RulesPage = lazy(() => import("./pages/RulesPage.tsx"));
const TargetsPage = lazy(() => import("./pages/TargetsPage.tsx"));
const ServiceDiscoveryPage = lazy(() => import("./pages/ServiceDiscoveryPage.tsx"));
const AlertmanagersPage = lazy(() => import("./pages/AlertmanagersPage.tsx"));
const StatusPage = lazy(() => import("./pages/StatusPage.tsx"));
const TsdbStatusPage = lazy(() => import("./pages/TsdbStatusPage.tsx"));
const ConfigPage = lazy(() => import("./pages/ConfigPage.tsx"));
const FlagsPage = lazy(() => import("./pages/FlagsPage.tsx"));

/** Shows what broke in place of the page that broke; the next page starts afresh. */
class CrashBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (!this.state.error) return this.props.children;
    const message = `this page stopped working: ${this.state.error.message}`;
    return (
      <ErrorNotice error={new ApiError("internal", message)} onRetry={() => this.setState({ error: null })} />
    );
  }
}

function OldGraphAddress() {
  return <Navigate to={`/query${useLocation().search}`} replace />;
}

export function App() {
  const [menuOpened, menu] = useDisclosure(false);
  const { pathname } = useLocation();
  useEffect(() => menu.close(), [pathname, menu.close]);

  return (
    <AppShell header={{ height: 52 }} padding={0}>
      <a href="#content" className="skip-link">
        Skip to the content
      </a>
      <AppHeader menuOpened={menuOpened} onToggleMenu={menu.toggle} />
      <AppShell.Main>
        <Box id="content" className="content" tabIndex={-1}>
          <ReadinessGate>
            <CrashBoundary key={pathname}>
              <Suspense fallback={<Skeleton height={180} mt="md" />}>
                <Routes>
                  <Route path="/" element={<Navigate to="/query" replace />} />
                  <Route path="/graph" element={<OldGraphAddress />} />
                  <Route path="/query" element={<QueryPage />} />
                  <Route path="/alerts" element={<AlertsPage />} />
                  <Route path="/rules" element={<RulesPage />} />
                  <Route path="/targets" element={<TargetsPage />} />
                  <Route path="/service-discovery" element={<ServiceDiscoveryPage />} />
                  <Route path="/alertmanager-discovery" element={<AlertmanagersPage />} />
                  <Route path="/status" element={<StatusPage />} />
                  <Route path="/tsdb-status" element={<TsdbStatusPage />} />
                  <Route path="/config" element={<ConfigPage />} />
                  <Route path="/flags" element={<FlagsPage />} />
                  <Route path="*" element={<EmptyNotice title="There is no such page" />} />
                </Routes>
              </Suspense>
            </CrashBoundary>
          </ReadinessGate>
        </Box>
      </AppShell.Main>
    </AppShell>
  );
}
