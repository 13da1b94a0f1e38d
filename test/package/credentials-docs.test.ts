/** docs/credentials.md and the code name the same fields, and say the same of each. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Connection, parseConnection, Secret } from "../../src/connections/index.js";
import { isStorageError } from "../../src/errors.js";
import { azureOptions } from "../../src/fs/drivers/azure/connection.js";
import { gcsOptions } from "../../src/fs/drivers/gcs/connection.js";
import { s3Options } from "../../src/fs/drivers/s3/connection.js";
import { ROOT } from "../support/installed.js";
import vectors from "../vectors/fs_options.json" with { type: "json" };

type Json = Record<string, unknown>;
type Here = "used" | "refused" | "ignored";
interface Field {
  name: string;
  here: Here;
}

/** Fields that hold fields. */
const GROUPS = [
  ...["session_kwargs", "config_kwargs.s3", "config_kwargs.retries", "config_kwargs", "service_config.s3"],
  ...["service_config.sts", "service_config", "assume_role_kwargs", "s3_additional_kwargs"],
  ...["client_secret_auth_config", "gcs.session-kwargs"],
];
const WEB = "assume_role_with_web_identity";
const WEB_ROLE = { role_arn: "arn:r", assume_role_method: WEB, [`${WEB}_federation`]: "google" };

interface Cloud {
  title: string;
  type: string;
  provider: string;
  options: (connection: Connection | undefined, env: Record<string, string>) => object;
  /** Records that a field is added to: some mean something beside others only. */
  bases: { extra: Json; keys?: Json }[];
}
const KEYS = { login: "id", password: "key" };
const CLOUDS: Cloud[] = [
  {
    ...{ title: "S3", type: "aws", provider: "amazon", options: s3Options },
    bases: [
      { extra: {}, keys: KEYS },
      { extra: {} },
      { extra: { role_arn: "arn:r" }, keys: KEYS },
      { extra: { ...WEB_ROLE, [`${WEB}_federation_audience`]: "a" } },
      { extra: { ...WEB_ROLE, [`${WEB}_federation`]: "file", [`${WEB}_token_file`]: "/t" } },
    ],
  },
  {
    title: "Google Cloud Storage",
    type: "google_cloud_platform",
    provider: "google",
    options: gcsOptions,
    bases: [{ extra: {} }],
  },
  {
    ...{ title: "Azure", type: "wasb", provider: "microsoft-azure", options: azureOptions },
    bases: [
      { extra: { account_name: "a" } },
      { extra: {}, keys: { host: "h" } },
      { extra: { account_name: "a", tenant_id: "T" }, keys: KEYS },
    ],
  },
];

/** Where other names are other services of AWS's, which storage has nothing to do with. */
const OPEN = "service_config";

/** Values of which at least one makes a difference, or is refused as wrong, for every field that is used. */
const VALUES: unknown[] = ["x", "true", 7, { type: "x" }, "AccountName=a;AccountKey=k", ["x"]];
/** Values that a field takes which is checked, and then ignored. */
const LEGAL: Json = { "config_kwargs.retries.mode": "standard" };

const page = await readFile(join(ROOT, "docs/credentials.md"), "utf8");

/** The rows of a chapter's table of fields. */
function documented(title: string): Field[] {
  const chapter = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? "";
  const rows = [...chapter.matchAll(/^\| (`.+`) \| (used|refused|ignored) \|/gm)];
  return rows.flatMap(([, names = "", here]) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => ({ name, here: here as Here })),
  );
}

/** `extra` with the value at the field's own place, however deep that is. */
function withField(extra: Json, name: string, value: unknown): Json {
  const group = GROUPS.find((one) => name.startsWith(`${one}.`));
  if (!group) return { ...extra, [name]: value };
  const [outer, ...inner] = group.startsWith("gcs.") ? [group] : group.split(".");
  const leaf = { [name.slice(group.length + 1)]: value };
  return { ...extra, [outer!]: inner.reduceRight<Json>((below, one) => ({ [one]: below }), leaf) };
}

const recordOf = (type: string, extra: Json, keys: Json = {}) =>
  parseConnection(JSON.stringify({ conn_type: type, extra, ...keys }), "c");

/** What comes out: options with their secrets in sight, or the error. */
function outcome({ options, type }: Cloud, extra: Json, keys: Json = {}): { options?: string; error?: Error } {
  try {
    const found = options(recordOf(type, extra, keys), {});
    return { options: JSON.stringify(found, (_, value) => value) + JSON.stringify(revealed(found)) };
  } catch (error) {
    return { error: error as Error };
  }
}
function revealed(value: unknown): unknown {
  if (value instanceof Secret) return value.reveal();
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).map(([name, inner]) => [name, revealed(inner)]);
}

/** An extra that has what `values` says and notes every name that it is asked for. */
function watched(values: Json, asked: Set<string>, path = ""): Json {
  const at = (name: string) => {
    const whole = path + name;
    return GROUPS.includes(whole) ? watched(values, asked, `${whole}.`) : values[whole];
  };
  return new Proxy<Json>(
    {},
    {
      get: (_, name) => at(String(name)),
      getOwnPropertyDescriptor: (_, name) => {
        asked.add(path + String(name));
        const value = at(String(name));
        return value === undefined ? undefined : { value, configurable: true, enumerable: true };
      },
    },
  );
}

function fieldsOfCode({ options, type, bases }: Cloud): string[] {
  const asked = new Set<string>();
  for (const { extra, keys = {} } of bases) {
    const record = { ...recordOf(type, {}, keys), extra: watched(extra, asked) as never };
    try {
      options(record, {});
    } catch {
      // What is missing beside it does not matter here.
    }
  }
  return [...asked].filter((name) => !name.startsWith("extra__") && !GROUPS.includes(name)).sort();
}

for (const cloud of CLOUDS) {
  const fields = documented(cloud.title);

  test(`${cloud.title}: the table has every field that the code reads, and no other`, () => {
    expect(fields.map(({ name }) => name).sort()).toEqual(fieldsOfCode(cloud));
  });

  test.each(fields)(`${cloud.title}: $name is $here`, ({ name, here }) => {
    const outcomes = cloud.bases.flatMap(({ extra, keys }) => {
      const before = outcome(cloud, extra, keys);
      const values = here === "used" ? VALUES : [LEGAL[name] ?? "x"];
      return values.map((value) => ({ before, after: outcome(cloud, withField(extra, name, value), keys) }));
    });
    const word = name.split(".").at(-1)!;
    const refusals = outcomes.filter(({ after }) => after.error?.message.includes(word));
    const changes = outcomes.filter(
      ({ before, after }) => after.options !== undefined && after.options !== before.options,
    );
    if (here === "refused") {
      expect(refusals).toHaveLength(outcomes.length);
      for (const { after } of refusals)
        expect(isStorageError(after.error, "Unsupported"), String(after.error)).toBe(true);
    } else if (here === "ignored") {
      expect(changes).toEqual([]);
      expect(refusals).toEqual([]);
    } else {
      // Beside others it may mean nothing, and is refused; somewhere it must mean something.
      const meant = refusals.filter(({ after }) => !/is not a field/.test(after.error!.message));
      expect(changes.length + meant.length).toBeGreaterThan(0);
    }
  });

  test(`${cloud.title}: a field that stands in no table is refused by its name`, () => {
    const groups = GROUPS.filter((group) => group !== OPEN && fields.some(({ name }) => name.startsWith(`${group}.`)));
    for (const name of ["no_such_field", ...groups]) {
      const wrong = GROUPS.includes(name) ? `${name}.no_such_field` : name;
      const { extra, keys } = cloud.bases.at(-1)!;
      const base = name === "assume_role_kwargs" ? { role_arn: "arn:r" } : extra;
      expect(outcome(cloud, withField(base, wrong, "x"), keys).error?.message, wrong).toContain(wrong);
    }
  });

  test(`${cloud.title}: every field of Airflow's vectors stands in the table, or is refused by its name`, () => {
    const known = new Set(fields.map(({ name }) => name));
    const missing = new Set<string>();
    for (const { conn, provider } of vectors.cases as { conn: Json | string | null; provider: string }[]) {
      if (provider !== cloud.provider || conn === null) continue;
      const { extra } = parseConnection(typeof conn === "string" ? conn : JSON.stringify(conn), "c");
      for (const name of leaves(extra)) {
        const plain = name.replace(/^extra__[a-z_]+?__/, "");
        if (!known.has(plain) && !outcome(cloud, withField(cloud.bases[0]!.extra, plain, "x")).error) missing.add(name);
      }
    }
    expect([...missing]).toEqual([]);
  });
}

/** The table of what is not in `extra`: the words of its cells begin with what is done. */
const OWN = [...page.matchAll(/^\| (login|password|host|port|schema|description) \| (.+) \| (.+) \| (.+) \|$/gm)];

test.each(OWN.map(([, name = "", ...cells]) => [name, cells] as const))("the connection's own %s", (name, cells) => {
  const value = name === "port" ? 9000 : "word";
  for (const [i, cell] of cells.entries()) {
    const cloud = CLOUDS[i]!;
    const { extra } = cloud.bases.at(-1)!;
    const keys = cloud.title === "Azure" ? KEYS : {};
    const [before, after] = [outcome(cloud, extra, keys), outcome(cloud, extra, { ...keys, [name]: value })];
    if (cell.startsWith("ignored")) expect(after, `${name} ${cloud.title}`).toEqual(before);
    if (cell.startsWith("refused")) expect(after.error?.message, `${name} ${cloud.title}`).toContain(name);
  }
});

test("an address in host is refused where it would not be read", () => {
  for (const cloud of CLOUDS.slice(0, 2)) {
    expect(outcome(cloud, {}, { host: "https://store:9000" }).error?.message).toMatch(/write the address in.*endpoint/);
  }
});

/** The names of all fields, those in groups with the group's. */
function leaves(extra: object, path = ""): string[] {
  return Object.entries(extra).flatMap(([name, value]) => {
    const whole = path + name;
    return GROUPS.includes(whole) && typeof value === "object" && value ? leaves(value, `${whole}.`) : [whole];
  });
}
