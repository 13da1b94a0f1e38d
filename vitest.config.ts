import { defineConfig, type Plugin } from "vitest/config";

/** Lets `test/support/setup.ts` see every StorageError that the tests cause, by way of its base class. */
function watchableErrors(): Plugin {
  const base = "class StorageError extends Error {";
  const watchable = `class StorageError extends (globalThis[Symbol.for("stowage.test.Error")] ?? Error) {`;
  return {
    name: "watchable-errors",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("/src/errors.ts")) return undefined;
      if (!code.includes(base)) throw new Error("StorageError has another base class: the search for secrets is blind");
      return { code: code.replace(base, watchable), map: null };
    },
  };
}

export default defineConfig({
  plugins: process.env.STOWAGE_TEST_RUN ? [watchableErrors()] : [],
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/servers/global-setup.mjs"],
    setupFiles: ["test/support/setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // One process per file: what one file leaks cannot hide in another, and files share no state.
    pool: "forks",
    // The AWS SDK, which only the tests use, says on every start that it will ask for Node 22 one day.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
  },
});
