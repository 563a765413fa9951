import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/**
 * Builds the web page to dist/ui. Every URL in it is relative, so the same files serve under any route
 * prefix. `npx vite -c src/ui/vite.config.ts` serves it for development, with the API of the server that
 * NARTHEX_URL names (default: port 9090 of this machine).
 */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  plugins: [react()],
  build: {
    outDir: fileURLToPath(new URL("../../dist/ui", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    // The editor's chunk, loaded on demand, is the one that is over the default of 500 kB.
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/-", "/metrics"].map((path) => [path, process.env["NARTHEX_URL"] ?? "http://127.0.0.1:9090"]),
    ),
  },
});
