import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/interop/runtimes/**/*.live.ts"],
    globalSetup: ["test/interop/runtimes/install.mjs", "test/servers/global-setup.mjs"],
    // LangGraph's own suite expects the functions of a test runner as globals.
    globals: true,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    fileParallelism: false,
  },
});
