import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/servers/global-setup.mjs"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Leaks of one file must not hide in another.
    pool: "forks",
    isolate: true,
    sequence: { hooks: "stack" },
  },
});
