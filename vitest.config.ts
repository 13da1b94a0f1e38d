import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
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

/** What a test file asks for that Node alone does not have: a server, a database, Python, the built package. */
const NEEDS = /servers\/use\.js|support\/(?:postgres|installed|command|pandas|environment|docs)\.|"python3"|\/dist\//;

const files = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join("test", name))
  .sort();
const integration = files.filter((file) => !file.startsWith("test/unit/") || NEEDS.test(readFileSync(file, "utf8")));
const unit = files.filter((file) => !integration.includes(file));

const shared = {
  setupFiles: ["test/support/setup.ts"],
  testTimeout: 30_000,
  hookTimeout: 60_000,
  // One process per file: what one file leaks cannot hide in another, and files share no state.
  pool: "forks",
  // The AWS SDK, which only the tests use, says on every start that it will ask for Node 22 one day.
  env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
} as const;

export default defineConfig({
  plugins: process.env.STOWAGE_TEST_RUN ? [watchableErrors()] : [],
  test: {
    projects: [
      { extends: true, test: { ...shared, name: "unit", include: unit } },
      {
        extends: true,
        test: { ...shared, name: "integration", include: integration, globalSetup: ["test/servers/global-setup.mjs"] },
      },
    ],
    coverage: { provider: "v8", include: ["src/**"], reporter: ["text-summary"] },
  },
});
