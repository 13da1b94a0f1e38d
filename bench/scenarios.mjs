/**
 * What is measured. A scenario is one kind of work on one store:
 *
 * - `step`: the work, by its name in work.mjs
 * - `size`: bytes of one object; `count`: objects of a round; `at`: how many at once
 * - `codec`: what the bytes go through; none when left out
 * - `subjects`: those that are compared; all of the store when left out
 * - `rounds`: fewer than usual where a round is long
 * - `quick`: the smaller numbers of `--quick`; scenarios without it are left out there
 */
const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const CLOUDS = ["minio", "gcs", "azure"];
const STORES = ["memory", "file", ...CLOUDS];

/** @typedef {{ name: string, group: string, store: string, step: string, size: number, count: number, at: number, codec?: string, rounds?: number }} Scenario */

const small = CLOUDS.flatMap((store) =>
  ["put", "get", "stat", "delete"].flatMap((step) =>
    [1, 64].flatMap((at) =>
      [KIB, 16 * KIB].map((size) => ({
        ...{ group: "small", store, step, size, at, count: at === 1 ? 500 : 2000 },
        ...(size === KIB && at === 64 && (store === "minio" || step === "get") && { quick: { count: 64 } }),
      })),
    ),
  ),
);

const basic = ["memory", "file", "minio"].flatMap((store) =>
  [undefined, "gzip"].flatMap((codec) =>
    [
      { size: KIB, count: 500 },
      { size: MIB, count: 50 },
      { size: 256 * MIB, count: 1 },
    ].flatMap(({ size, count }) =>
      ["write", "read"].map((step) => ({
        ...{ group: "basic", store, step, size, count, at: 1 },
        ...(codec && { codec }),
        ...(size === MIB && { quick: { count: 2 } }),
      })),
    ),
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

const bounded = ["file", ...CLOUDS].flatMap((store) =>
  ["write", "read"].map((step) => ({
    ...{ group: "bounded", store, step, size: GIB, count: 1, at: 1, rounds: 3 },
    ...(store === "file" && { quick: { size: 64 * MIB } }),
  })),
);

const xcom = [KIB, 100 * KIB, 10 * MIB, 200 * MIB].flatMap((size) =>
  [undefined, "gzip", "zip", "zstd"].map((codec) => ({
    ...{ group: "xcom", store: "minio", step: "xcom", size, count: size < MIB ? 200 : 1, at: 1 },
    ...(codec && { codec }),
    ...(size === 200 * MIB && { rounds: 3 }),
    ...(size === 100 * KIB && codec === "gzip" && { quick: { count: 5 } }),
  })),
);

const layers = [KIB, 100 * KIB].map((size) => ({
  ...{ group: "xcom", store: "memory", step: "xcom", size, count: 1000, at: 1 },
  subjects: ["stowage", "stowage-layers"],
  ...(size === KIB && { quick: { count: 5 } }),
}));

const many = [
  { group: "many", store: "minio", step: "list", size: 1, count: 100_000, at: 1, rounds: 3, quick: { count: 1200 } },
  {
    group: "many",
    store: "minio",
    step: "deleteTree",
    size: 1,
    count: 10_000,
    at: 1,
    rounds: 3,
    quick: { count: 100 },
  },
];

const growth = [KIB, 16 * KIB, 256 * KIB, 4 * MIB, 64 * MIB, GIB, 4 * GIB].flatMap((size) =>
  ["write", "read"].map((step) => ({
    ...{ group: "growth", store: "minio", step, size, at: 1, count: Math.max(1, Math.min(200, (16 * MIB) / size)) },
    ...(size >= GIB && { rounds: 2 }),
  })),
);

const all = [...basic, ...small, ...large, ...bounded, ...xcom, ...layers, ...many, ...growth];

/** @returns {Scenario[]} */
export function scenarios({ quick }) {
  const chosen = quick ? all.filter((one) => one.quick).map((one) => ({ ...one, ...one.quick })) : all;
  return chosen.map(({ quick: _, ...one }) => ({ name: nameOf(one), ...one }));
}

function nameOf({ group, store, step, size, count, at, codec }) {
  const parts = [group, store, step, bytes(size), ...(count > 1 ? [`x${count}`] : [])];
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
