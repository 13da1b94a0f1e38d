import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/interop/airflow/**/*.live.ts"],
    globalSetup: ["test/servers/global-setup.mjs"],
    testTimeout: 180_000,
    // The first run installs Airflow.
    hookTimeout: 600_000,
    pool: "forks",
    fileParallelism: false,
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
  },
});
