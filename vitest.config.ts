import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/property-seed.ts"],
    // What hangs shall end; what is slow on a full machine is no failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two files at a time: the end-to-end tests start real servers, and CI has two cores.
    maxWorkers: 2,
    pool: "forks",
  },
});
