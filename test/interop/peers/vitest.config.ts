import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/interop/peers/*.live.ts"],
    globalSetup: ["test/interop/peers/install.mjs", "test/servers/global-setup.mjs"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    // The SDK, with which the tests make buckets, warns of the Node of today.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
  },
});
