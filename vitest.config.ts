import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/property-seed.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two files at a time: the end-to-end tests start real servers, and CI has two cores.
    maxWorkers: 2,
    pool: "forks",
  },
});
