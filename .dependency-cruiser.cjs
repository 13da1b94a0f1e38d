/**
 * The arrows between the parts of `src`, which point down only:
 *
 *   errors <- path, connections <- codecs, fs/driver <- fs helpers <- drivers
 *   fs helpers, codecs <- fs core (storage and its verbs) <- open <- objectstore-backend, xcom <- airflow, cli
 *
 * Each layer lists what it may see; the rest of `src` is forbidden to it.
 */
const PROVIDERS = "node_modules/(@aws-sdk|@aws-crypto|@smithy|@google-cloud|google-auth-library|@azure)/";
/** What drivers share: the seam, and helpers that know nothing of Storage. */
const HELPERS =
  "fs/(driver|bytes|budget|parts|pieces|plan|http|sign|xml|xml-rows|mixed|words|extent|content-types|order|source|stop|pause|bulk|token|versions|client-body|json|listing|lost)(/|\\.)";

/** A layer and the parts of `src` that it may see, itself included. */
function layer(name, from, ...sees) {
  const allowed = [from, ...sees].map((part) => `^src/${part}`);
  return {
    name: `${name} sees only what lies below it`,
    severity: "error",
    from: { path: `^src/${from}` },
    to: { path: "^src/", pathNot: allowed },
  };
}

/** Packages that only one part of `src` may import. */
function only(name, packages, owners) {
  return {
    name: `${name} in its own place only`,
    severity: "error",
    from: { path: "^src/", pathNot: owners.map((owner) => `^src/${owner}`) },
    to: { path: packages },
  };
}

module.exports = {
  forbidden: [
    layer("errors", "errors\\.ts"),
    layer("path", "path(/|\\.ts)", "errors\\.ts"),
    layer("connections", "connections/", "errors\\.ts"),
    layer("codecs", "codecs/", "errors\\.ts", "fs/(driver|bytes)\\.ts"),
    layer("the seam", "fs/driver\\.ts", "errors\\.ts", "connections/"),
    layer("fs helpers", HELPERS, "errors\\.ts", "connections/"),
    layer("the core", "fs/", "errors\\.ts", "path(/|\\.ts)", "connections/", "codecs/"),
    layer("drivers", "fs/drivers/", "errors\\.ts", "connections/", HELPERS),
    layer("open", "open(-lean)?\\.ts", "errors\\.ts", "path(/|\\.ts)", "connections/", "codecs/", "fs/"),
    {
      name: "a driver never sees another",
      severity: "error",
      from: { path: "^src/fs/drivers/([^/.]+)" },
      to: { path: "^src/fs/drivers/", pathNot: "^src/fs/drivers/$1(/|\\.)" },
    },
    {
      name: "only open names drivers",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/open\\.ts$", "^src/(index|lean)\\.ts$", "^src/fs/drivers/"] },
      to: { path: "^src/fs/drivers/" },
    },
    {
      name: "the XCom backend sees neither the SDK adapter nor the command",
      severity: "error",
      from: { path: "^src/(xcom/|objectstore-backend)" },
      to: { path: "^src/(airflow|cli|testing|index)(/|\\.)" },
    },
    {
      name: "nothing sees the command or the certification suite",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli|testing)/" },
      to: { path: "^src/(cli|testing)/" },
    },
    {
      name: "nothing sees index",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^src/(index|lean)\\.ts$" },
    },
    only("provider packages", PROVIDERS, ["fs/drivers/", "connections/"]),
    only("the argument parser", "node_modules/commander/", ["cli/"]),
    {
      name: "every package is a dependency or a peer",
      severity: "error",
      from: { path: "^src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["npm-peer", "aliased-subpath-import"],
      },
    },
    { name: "every import can be found", severity: "error", from: { path: "^src/" }, to: { couldNotResolve: true } },
    { name: "no circles", severity: "error", from: { path: "^src/" }, to: { circular: true } },
  ],
  options: {
    // Without this, edges of `import type` are missed.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] },
  },
};
