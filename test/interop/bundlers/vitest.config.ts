import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/interop/bundlers/*.live.ts"],
    globalSetup: ["test/interop/bundlers/install.mjs", "test/servers/global-setup.mjs"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: "forks",
  },
});
