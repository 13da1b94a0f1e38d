/**
 * What is measured. A scenario is one kind of work on one store:
 *
 * - `step`: the work, by its name in work.mjs
 * - `size`: bytes of one object; `count`: objects of a round; `at`: how many at once
 * - `seconds`: when a round ends even if not all objects are done; `fillSeconds`: how long making what it deletes may take
 * - `codec`: what the bytes go through; none when left out
 * - `subjects`: those that are compared; all of the store when left out
 * - `rounds`: fewer than usual where a round is long; `warmUp`: rounds before those that count, 1 when left out
 * - `quick`: the smaller numbers of `--quick`; scenarios without it are left out there
 */
const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const CLOUDS = ["minio", "gcs", "azure"];
const STORES = ["memory", "file", ...CLOUDS];

/** Objects that a round of small ones ends with, unless its time is over before. */
const OBJECTS = 2000;
/** Seconds of a round of many objects: rates are of what was done by then. */
const ROUND_SECONDS = 0.5;
/** The same where a goal is set: enough for most to do all objects. */
const GOAL_SECONDS = 2;
/** Seconds that making objects for a round of deletes may take; what the round leaves over serves the next. */
const FILL_SECONDS = 0.5;
/** Rounds that take longer than some ten seconds for all subjects together. */
const LONG = { rounds: 2, warmUp: 0 };
/** Rounds of 2,000 after which the code of all subjects is compiled, which the first 10,000 requests wait for. */
const COMPILED = 4;

/**
 * @typedef {{ name: string, seeds: string, group: string, store: string, step: string, size: number, count: number, at: number,
 *   seconds?: number, fillSeconds?: number, codec?: string, subjects?: string[], rounds?: number, warmUp?: number }} Scenario
 */

const hasGoal = (store, step, at, size) =>
  store === "minio" && (step === "put" || step === "get") && at === 64 && size === KIB;

const small = CLOUDS.flatMap((store) =>
  ["put", "get", "stat", "delete"].flatMap((step) =>
    [1, 64].flatMap((at) =>
      [KIB, 16 * KIB].map((size) => ({
        ...{ group: "small", store, step, size, at, count: OBJECTS },
        ...(hasGoal(store, step, at, size) ? { seconds: GOAL_SECONDS, warmUp: COMPILED } : { seconds: ROUND_SECONDS }),
        ...(step === "delete" && { fillSeconds: FILL_SECONDS }),
        ...(size === KIB && at === 64 && (store === "minio" || step === "get") && { quick: { count: 64 } }),
      })),
    ),
  ),
);

/** Streams of each size. Those of 256 MiB with a codec are in `large`, shorter, and short ones of MinIO in `growth`. */
const basic = ["memory", "file", "minio"].flatMap((store) =>
  [
    { size: KIB, count: 500 },
    { size: MIB, count: 50, quick: { count: 2 } },
    { size: KIB, count: 500, codec: "gzip" },
    { size: MIB, count: 50, codec: "gzip", quick: { count: 2 } },
    { size: 256 * MIB, count: 1 },
  ]
    .filter(({ size }) => store !== "minio" || size > MIB)
    .flatMap((one) =>
      ["write", "read"].map((step) => ({
        ...{ group: "basic", store, step, at: 1, ...(one.count > 1 && { seconds: ROUND_SECONDS }) },
        ...one,
      })),
    ),
);

const large = STORES.flatMap((store) => [
  ...[undefined, "gzip", "zstd", "zip"].flatMap((codec) =>
    ["write", "read"].map((step) => ({
      ...{ group: "large", store, step, size: 64 * MIB, count: 1, at: 1 },
      ...(codec && { codec }),
      ...(store === "minio" && codec !== "zstd" && { quick: { size: 9 * MIB } }),
    })),
  ),
  { group: "large", store, step: "bytes", size: 256 * MIB, count: 1, at: 1 },
]);

/** fake-gcs-server copies all that it has of an upload with each chunk, so that 1 GiB in chunks takes it a minute or more. */
const SLOW_CHUNKS = { rounds: 1, subjects: ["stowage", "google-sdk", "opendal", "obstore"] };

const bounded = ["file", ...CLOUDS].flatMap((store) =>
  ["write", "read"].map((step) => ({
    ...{ group: "bounded", store, step, size: GIB, count: 1, at: 1, ...LONG },
    ...(store === "gcs" && step === "write" && SLOW_CHUNKS),
    ...(store === "file" && { quick: { size: 64 * MIB } }),
  })),
);

const xcom = [KIB, 100 * KIB, 10 * MIB, 200 * MIB].flatMap((size) =>
  [undefined, "gzip", "zip", "zstd"].map((codec) => ({
    ...{ group: "xcom", store: "minio", step: "xcom", size, at: 1, subjects: ["stowage", "airflow"] },
    ...(size < MIB ? { count: 200, seconds: ROUND_SECONDS } : { count: 1 }),
    ...(codec && { codec }),
    ...(size === 200 * MIB && LONG),
    ...(size === 100 * KIB && codec === "gzip" && { quick: { count: 5 } }),
  })),
);

const layers = [KIB, 100 * KIB].map((size) => ({
  ...{ group: "xcom", store: "memory", step: "xcom", size, count: 1000, at: 1, seconds: ROUND_SECONDS },
  subjects: ["stowage", "stowage-layers"],
  ...(size === KIB && { quick: { count: 5 } }),
}));

const many = [
  { step: "list", count: 100_000, quick: { count: 1200 } },
  { step: "deleteTree", count: 10_000, quick: { count: 100 } },
].map((one) => ({ group: "many", store: "minio", size: 1, at: 1, ...LONG, ...one }));

/** The points of the growth chart: streams of each size over a cloud's line. */
const growth = [KIB, 16 * KIB, 256 * KIB, 4 * MIB, 64 * MIB, GIB, 4 * GIB].flatMap((size) =>
  ["write", "read"].map((step) => ({
    ...{
      group: "growth",
      store: "line-minio",
      step,
      size,
      at: 1,
      count: Math.max(1, Math.min(200, (16 * MIB) / size)),
    },
    ...(size >= GIB ? LONG : size < MIB && { seconds: ROUND_SECONDS }),
    subjects: ["stowage", "aws-sdk", ...(size < GIB ? ["opendal"] : [])],
  })),
);

/** What users of a cloud wait for: `line-*` are the stores at the end of a line (line.mjs). */
const line = [
  ...["write", "read", "bytes"].map((step) => ({ store: "line-minio", step, size: 256 * MIB })),
  ...["write", "read", "bytes"].map((step) => ({ store: "line-minio-tls", step, size: 256 * MIB })),
  ...["write", "read"].map((step) => ({ store: "line-gcs", step, size: 64 * MIB })),
  ...["write", "read", "bytes"].map((step) => ({ store: "line-azure", step, size: 64 * MIB })),
  ...["line-minio", "line-minio-tls"].flatMap((store) =>
    ["put", "get"].map((step) => ({
      ...{ store, step, size: 256 * KIB, count: 256, at: 32, seconds: GOAL_SECONDS },
    })),
  ),
  { store: "line-minio", step: "list", size: 1, count: 10_000 },
  ...[MIB, 10 * MIB, 200 * MIB].flatMap((size) =>
    [undefined, "gzip", "zstd"].map((codec) => ({
      ...{ store: "line-minio", step: "xcom", size, ...(size === 200 * MIB && LONG) },
      ...(codec ? { codec, subjects: ["stowage", "airflow"] } : { subjects: ["stowage", "aws-sdk", "airflow"] }),
    })),
  ),
].map((one) => ({ group: "line", count: 1, at: 1, ...one }));

const all = [...line, ...basic, ...xcom, ...layers, ...growth, ...large, ...bounded, ...small, ...many];

/** @returns {Scenario[]} */
export function scenarios({ quick }) {
  const chosen = quick ? all.filter((one) => one.quick).map((one) => ({ ...one, ...one.quick })) : all;
  return chosen.map(({ quick: _, ...one }) => ({ name: nameOf(one), seeds: seedsOf(one), ...one }));
}

/** Where the objects lie that scenarios of this size and codec read. */
function seedsOf({ size, codec }) {
  return ["seed", bytes(size), ...(codec ? [codec] : [])].join("-");
}

function nameOf({ group, store, step, size, count, at, codec }) {
  const place = group === "line" ? [store] : [group, store];
  const parts = [...place, step, bytes(size), ...(count > 1 ? [`x${count}`] : [])];
  return [...parts, ...(at > 1 ? [`at${at}`] : []), ...(codec ? [codec] : [])].join("-");
}

/** `1 KiB` and the like, without the space. */
export function bytes(size) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  let left = size;
  for (; left >= 1024 && unit < units.length - 1; unit++) left /= 1024;
  return `${Number(left.toFixed(1))}${units[unit]}`;
}
