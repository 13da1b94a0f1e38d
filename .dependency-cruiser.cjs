/**
 * The rooms of `src` and which of them each may see. The list has no circle, so there is none between rooms either:
 *
 *   brand, errors <- path, streams, concurrency, connections <- codecs, fs/http, fs/signing <- fs/driver <- fs/drivers/*
 *   fs/driver, codecs <- fs <- xcom <- objectstore-backend;  fs, fs/drivers/* <- open <- backend <- airflow, cli, testing
 *
 * A room is a folder, with the folders in it, or a file of the root. What a room does not list is forbidden to it.
 */
const PROVIDERS = "node_modules/(@aws-sdk|@aws-crypto|@smithy|@google-cloud|google-auth-library|@azure)/";

const ROOTS = ["brand", "errors", "path", "streams", "concurrency"];
const file = (name) => `^src/${name}\\.ts$`;
const folder = (name) => `^src/${name}/`;
/** The core: what users call. Its helpers, transport, signatures and drivers are rooms of their own. */
const CORE = "^src/fs/(?!driver/|drivers/|http/|signing/)";
const SHARED = [folder("fs/driver"), folder("fs/http"), folder("fs/signing")];

/** A room and the rooms that it may see, itself included. */
function room(name, from, ...sees) {
  return {
    name: `${name} sees only what lies below it`,
    severity: "error",
    from: { path: from },
    to: { path: "^src/", pathNot: [from, ...sees] },
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

/** Nobody outside of a folder imports anything of it but its index. */
function door(name, from = `^src/${name}/`) {
  return {
    name: `${name} is entered by its index`,
    severity: "error",
    from: { path: "^src/", pathNot: from },
    to: { path: from, pathNot: `^src/${name}/index\\.ts$` },
  };
}

/** What a provider's driver reads from a connection. */
const CONNECTION_OPTIONS = "^src/fs/drivers/[^/]+/(connection|connection-credentials|aws-profile)\\.ts$";

/** The files that put the rooms together, and the public doors: they pick what they need, so that bundles stay small. */
const ASSEMBLY = "^src/(index|core|xcom|driver|claims|open|backend)\\.ts$";

/** As {@link door}, for the rooms above `src/fs`: those in it are parts of one house and see each other's files. */
function doorOfStorage(name, from) {
  const rule = door(name, from);
  return { ...rule, from: { path: "^src/", pathNot: ["^src/fs/", ASSEMBLY] } };
}

/** Rooms whose door is there. */
const DOORS = [
  door("airflow"),
  door("claims"),
  door("cli"),
  door("testing"),
  door("fs/drivers/file"),
  doorOfStorage("fs", CORE),
  doorOfStorage("fs/driver", folder("fs/driver")),
  doorOfStorage("fs/http", folder("fs/http")),
  // The backend is made of the files of this room, and through the door the bundle of an Airflow task is larger.
  {
    ...door("xcom"),
    from: { path: "^src/", pathNot: ["^src/xcom/", ASSEMBLY, file("objectstore-backend"), folder("airflow")] },
  },
];
/** Rooms whose door is still to be made: `DOORS=all npx depcruise src` names what passes it by. */
const DOORS_TO_COME = [
  door("codecs"),
  door("connections"),
  ...["fs/signing", "fs/drivers/s3", "fs/drivers/gcs", "fs/drivers/azure"].map((name) => door(name)),
];

module.exports = {
  forbidden: [
    room("brand", file("brand")),
    room("errors", file("errors")),
    room("path", file("path"), file("brand"), file("errors")),
    room("streams", file("streams"), file("errors")),
    room("concurrency", file("concurrency"), file("errors")),
    room("connections", folder("connections"), file("brand"), file("errors")),
    room("codecs", folder("codecs"), file("errors"), file("streams")),
    room("transport", folder("fs/http"), file("errors"), file("streams"), file("concurrency")),
    room("signatures", folder("fs/signing"), file("errors")),
    room(
      "the driver interface",
      folder("fs/driver"),
      ...["brand", "errors", "streams", "concurrency"].map(file),
      folder("connections"),
      folder("fs/http"),
    ),
    room(
      "drivers",
      folder("fs/drivers"),
      ...["brand", "errors", "streams", "concurrency"].map(file),
      folder("connections"),
      ...SHARED,
    ),
    room("the core", CORE, ...ROOTS.map(file), folder("connections"), folder("codecs"), folder("fs/driver")),
    room("open", file("open"), ...ROOTS.map(file), folder("connections"), folder("codecs"), folder("fs")),
    room("xcom", folder("xcom"), ...ROOTS.map(file), folder("connections"), folder("codecs"), folder("fs")),
    room("OpenTelemetry", file("otel"), ...ROOTS.map(file), CORE),
    room("claims", folder("claims"), ...ROOTS.map(file), CORE),
    room("adapters of runtimes", folder("runtimes"), ...ROOTS.map(file), folder("claims"), CORE),
    room("the XCom backend", file("objectstore-backend"), ...ROOTS.map(file), folder("codecs"), CORE, folder("xcom")),
    {
      name: "a driver never sees another",
      severity: "error",
      from: { path: "^src/fs/drivers/([^/.]+)" },
      to: { path: "^src/fs/drivers/", pathNot: "^src/fs/drivers/$1(/|\\.)" },
    },
    {
      name: "only open names drivers",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/open\\.ts$", "^src/(index|core|driver)\\.ts$", "^src/fs/drivers/"] },
      to: { path: "^src/fs/drivers/", pathNot: CONNECTION_OPTIONS },
    },
    {
      name: "doctor and init alone read what a connection says to a driver",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/fs/drivers/", "^src/cli/(doctor|init)/"] },
      to: { path: CONNECTION_OPTIONS },
    },
    {
      name: "nothing sees the command or the conformance tests",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli|testing)/" },
      to: { path: "^src/(cli|testing)/" },
    },
    {
      name: "nothing sees the package's doors",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^src/(index|core|xcom|driver|claims|otel)\\.ts$" },
    },
    ...DOORS,
    ...(process.env.DOORS === "all" ? DOORS_TO_COME : []),
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
