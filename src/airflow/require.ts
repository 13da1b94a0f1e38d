import { createRequire } from "node:module";

// `airflow-ts-pack` makes an ES module, which has no `require`; bundled CommonJS libraries ask the global one for Node's
// own modules. This has to run before them, so this module is the first that `stowage/airflow` imports.
const scope = globalThis as { require?: NodeJS.Require };
scope.require ??= createRequire(import.meta.url);
