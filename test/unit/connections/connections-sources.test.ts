import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Connection,
  type ConnectionSource,
  chainConnections,
  connectionsFileOf,
  connectionsFromEnv,
  connectionsFromFile,
  connectionsFromFunction,
  connectionsFromRecord,
  connectionsFromTaskClient,
  parseConnection,
  rememberConnections,
  resolveConnections,
  revealed,
} from "../../../src/connections/index.js";
import { isStorageError, StorageError } from "../../../src/errors.js";
import envVectors from "../../vectors/connections.json" with { type: "json" };
import fileVectors from "../../vectors/local_secrets.json" with { type: "json" };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-connections-"));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function file(name: string, content: string): Promise<string> {
  const path = join(folder, `${files++}-${name}`);
  await writeFile(path, content);
  return path;
}

async function rejected(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StorageError);
  return error as StorageError;
}

/** A source that knows ids with its own login, and counts how often it is asked. */
function counted(name: string, ids: readonly string[]): ConnectionSource & { asked: string[] } {
  const asked: string[] = [];
  const get = async (id: string) => {
    asked.push(id);
    return ids.includes(id) ? parseConnection(`aws://${name}:s@`, id) : undefined;
  };
  return { name, get, asked };
}

describe("connections of the environment", () => {
  test("each id has Airflow's variable", async () => {
    for (const { connId, envVar } of envVectors.envNames) {
      const found = await connectionsFromEnv({ [envVar[0]!]: "aws://k:s@" }).get(connId);
      expect(found).toMatchObject({ id: connId, login: "k" });
    }
  });

  test("an absent and an empty variable are no connection", async () => {
    expect(await connectionsFromEnv({}).get("a")).toBeUndefined();
    expect(await connectionsFromEnv({ AIRFLOW_CONN_A: "" }).get("a")).toBeUndefined();
  });

  test("a variable that cannot be read is an error with its name and without its text", async () => {
    const error = await rejected(connectionsFromEnv({ AIRFLOW_CONN_A: "aws://k:hunter22/x@h" }).get("a"));
    expect(error.code).toBe("InvalidArgument");
    expect(error.message).toContain("AIRFLOW_CONN_A");
    expect(String(error.stack)).not.toContain("hunter22");
  });
});

describe("connections of a program", () => {
  test("a record knows its own ids only, not what every object inherits", async () => {
    const source = connectionsFromRecord({ a: "aws://k:s@", b: { type: "aws", login: "l" } });
    expect(await source.get("a")).toMatchObject({ id: "a", login: "k" });
    expect(await source.get("b")).toMatchObject({ id: "b", login: "l" });
    expect(await source.get("toString")).toBeUndefined();
    expect(await source.get("__proto__")).toBeUndefined();
  });

  test("an entry that cannot be read is an error with its id", async () => {
    const error = await rejected(connectionsFromRecord({ a: "aws://k:hunter22/x@h" }).get("a"));
    expect(error.message).toMatch(/"a"/);
    expect(error.message).not.toContain("hunter22");
  });

  test("a function may answer with a record, a text, null or undefined", async () => {
    const answers: Record<string, unknown> = { a: { type: "aws" }, b: "aws://", c: null };
    const source = connectionsFromFunction(async (id) => answers[id] as never);
    expect((await source.get("a"))?.type).toBe("aws");
    expect((await source.get("b"))?.type).toBe("aws");
    expect(await source.get("c")).toBeUndefined();
    expect(await source.get("d")).toBeUndefined();
  });

  test("a function that fails is Unavailable with its error as cause; a StorageError of its own passes", async () => {
    const cause = new Error("vault is down");
    const failing = connectionsFromFunction(() => Promise.reject(cause));
    expect(await rejected(failing.get("a"))).toMatchObject({ code: "Unavailable", cause });
    const own = new StorageError({ code: "PermissionDenied" });
    expect(await rejected(connectionsFromFunction(() => Promise.reject(own)).get("a"))).toBe(own);
  });
});

describe("connections of a task client", () => {
  const answer = {
    id: "minio_s3",
    type: "google-cloud-platform",
    host: null,
    schema: null,
    login: "k",
    password: "s",
    port: null,
    extra: '{"keyfile_dict":{"type":"t"},"project":"p"}',
  };

  test("what the server says is a connection; null is none", async () => {
    const source = connectionsFromTaskClient({ getConnection: async (id) => (id === "x" ? answer : null) });
    const found = await source.get("x");
    expect(found).toMatchObject({
      id: "x",
      type: "google_cloud_platform",
      login: "k",
      host: undefined,
      port: undefined,
    });
    expect(found?.password?.reveal()).toBe("s");
    expect(revealed(found?.extra)).toEqual({ keyfile_dict: { type: "t" }, project: "p" });
    expect(JSON.stringify(found)).not.toContain('"t"');
    expect(await source.get("y")).toBeUndefined();
  });

  test("a server that cannot be asked is Unavailable", async () => {
    const source = connectionsFromTaskClient({ getConnection: () => Promise.reject(new Error("gone")) });
    expect(await rejected(source.get("x"))).toMatchObject({ code: "Unavailable" });
  });
});

interface FileCase {
  file: string;
  content: string;
  connections?: Record<string, Record<string, unknown>>;
  error?: string;
}

describe("connections of a file, as Airflow's LocalFilesystemBackend reads them", () => {
  const cases = (fileVectors.cases as unknown as FileCase[]).map((entry, index) => ({ ...entry, index }));

  test.each(cases)("$index $file: $content", async ({ file: name, content, connections, error }) => {
    const source = connectionsFromFile(await file(name, content));
    if (error) {
      expect((await rejected(source.get("a"))).code).toBe("InvalidArgument");
      return;
    }
    for (const [id, expected] of Object.entries(connections!)) {
      const { extra, password, port, ...rest } = (await source.get(id))!;
      expect(rest).toMatchObject({
        id,
        // Airflow normalises the type in URIs only; ours is one name for one type.
        type: String(expected.connType).replaceAll("-", "_"),
        login: expected.login ?? undefined,
        host: expected.host ?? undefined,
        schema: expected.schema ?? undefined,
      });
      expect(password?.reveal()).toBe(expected.password ?? undefined);
      // Airflow leaves a port of the object form as the text it was.
      expect(port).toBe(expected.port === null ? undefined : Number(expected.port));
      expect(revealed(extra)).toEqual(expected.extra ? JSON.parse(String(expected.extra)) : {});
    }
    expect(await source.get("an id that is not there")).toBeUndefined();
  });

  test("a name that every object inherits is no id", async () => {
    expect(await connectionsFromFile(await file("c.json", "{}")).get("toString")).toBeUndefined();
  });

  test.each([
    ["c.env", "a=aws://k:s@\na=aws://x:y@\n", /:2 /],
    ["c.env", "a\n", /:1 /],
    ["c.json", '{"a":["aws://k:s@","aws://x:y@"]}', /one connection/],
    ["c.json", '{"a":"{\\"conn_type\\":\\"aws\\"}"}', /JSON as text/],
    ["c.json", '{"a":{"uri":"aws://k:s@","login":"l"}}', /login/],
    ["c.json", '{"a":{"conn_type":"aws","team_name":"t"}}', /team_name/],
    ["c.yaml", "a: {conn_type: aws, password: 0123}", /quotes/],
    ["c.yaml", "a: {conn_type: aws, extra: {when: 2020-01-01}}", /JSON/],
  ])("%s %j is refused and says where", async (name, content, where) => {
    const path = await file(name, content);
    const error = await rejected(connectionsFromFile(path).get("a"));
    expect(error.message).toMatch(where);
    expect(error.message).toContain(path);
    expect(error.message).not.toMatch(/k:s|0123/);
  });

  test("a comment may be indented, and lines may end as on Windows", async () => {
    const source = connectionsFromFile(await file("c.env", "  # c\r\na=aws://k:s@\r\n"));
    expect((await source.get("a"))?.host).toBe("");
  });

  test("nothing is read before the first look-up, a missing file is an error each time until it is there", async () => {
    const path = join(folder, "late.json");
    const source = connectionsFromFile(path);
    expect((await rejected(source.get("a"))).message).toContain(path);
    await writeFile(path, '{"a":"aws://k:s@"}');
    expect((await source.get("a"))?.login).toBe("k");
  });

  test("YAML without the package yaml is Unsupported and names it", async () => {
    const script = join(folder, "alone.mjs");
    const lines = [
      'import { connectionsFromFile } from "./src/connections/index.ts";',
      "connectionsFromFile(process.argv[2]).get('a').catch((error) => console.log(JSON.stringify(error)));",
    ];
    await build({
      stdin: { contents: lines.join("\n"), resolveDir: process.cwd() },
      outfile: script,
      bundle: true,
      platform: "node",
      format: "esm",
      external: ["yaml"],
    });
    const { stdout } = await promisify(execFile)(process.execPath, [script, await file("c.yaml", "a: aws://k:s@")]);
    expect(JSON.parse(stdout)).toMatchObject({
      code: "Unsupported",
      message: expect.stringContaining("npm install yaml"),
    });
  });

  test("a file is read once", async () => {
    const path = await file("c.json", '{"a":"aws://k:s@"}');
    const source = connectionsFromFile(path);
    await source.get("a");
    await writeFile(path, "{}");
    expect(await source.get("a")).toBeDefined();
  });

  test("a parser's error does not carry the text of the file", async () => {
    for (const name of ["c.json", "c.yaml"]) {
      const error = await rejected(connectionsFromFile(await file(name, '{"a": "hunter22')).get("a"));
      expect(`${error.stack} ${error.cause}`).not.toContain("hunter22");
    }
  });
});

describe("many sources as one", () => {
  test("they are asked in order, and the first that knows the id ends the search", async () => {
    const [first, second] = [counted("first", ["a"]), counted("second", ["a", "b"])];
    const chain = chainConnections(first, second);
    expect((await chain.get("a"))?.login).toBe("first");
    expect(second.asked).toEqual([]);
    expect((await chain.get("b"))?.login).toBe("second");
    expect(await chain.get("c")).toBeUndefined();
    expect(chain.name).toBe("first, then second");
  });

  test("a source that fails ends the search: a broken entry never lets another credential in", async () => {
    const second = counted("second", ["a"]);
    const broken = connectionsFromEnv({ AIRFLOW_CONN_A: "aws://k:s/x@h" });
    await rejected(chainConnections(broken, second).get("a"));
    expect(second.asked).toEqual([]);
  });

  test("calls at the same time share one look-up, and a connection is kept", async () => {
    const source = counted("s", ["a"]);
    const remembered = rememberConnections(source);
    const found = await Promise.all([remembered.get("a"), remembered.get("a"), remembered.get("a")]);
    expect(new Set(found).size).toBe(1);
    await remembered.get("a");
    expect(source.asked).toEqual(["a"]);
  });

  test("neither a failure nor an unknown id is kept", async () => {
    let answer: () => Promise<Connection | undefined> = () => Promise.reject(new Error("down"));
    const remembered = rememberConnections({ name: "s", get: () => answer() });
    await expect(remembered.get("a")).rejects.toThrow("down");
    answer = () => Promise.resolve(undefined);
    expect(await remembered.get("a")).toBeUndefined();
    answer = () => Promise.resolve(parseConnection("aws://", "a"));
    expect(await remembered.get("a")).toBeDefined();
  });

  test("a source that throws at once is asked again too", async () => {
    let asked = 0;
    const get = () => {
      asked += 1;
      throw new Error("now");
    };
    const remembered = rememberConnections({ name: "s", get });
    await expect(remembered.get("a")).rejects.toThrow("now");
    await expect(remembered.get("a")).rejects.toThrow("now");
    expect(asked).toBe(2);
  });
});

describe("the sources of a Storage", () => {
  test("are the option, the secrets file, then the variables", async () => {
    const path = await file("c.json", '{"a":"aws://file@","b":"aws://file@"}');
    const env = {
      STOWAGE_CONNECTIONS_FILE: path,
      AIRFLOW_CONN_A: "aws://env@",
      AIRFLOW_CONN_B: "aws://env@",
      AIRFLOW_CONN_C: "aws://env@",
    };
    const source = resolveConnections({ a: "aws://option@" }, env);
    const logins = await Promise.all(["a", "b", "c"].map(async (id) => (await source.get(id))?.login));
    expect(logins).toEqual(["option", "file", "env"]);
  });

  test.each([
    ["a record", { a: { type: "aws", login: "k" } }],
    ["a function", async (id: string) => (id === "a" ? "aws://k@" : undefined)],
    ["a source", connectionsFromRecord({ a: "aws://k@" })],
  ])("%s may be the option", async (_, option) => {
    expect((await resolveConnections(option, {}).get("a"))?.login).toBe("k");
  });

  test("an id that no source knows is InvalidArgument and says where it was looked for, and no value", async () => {
    const path = await file("c.json", '{"other":"aws://k:hunter22@"}');
    const env = { STOWAGE_CONNECTIONS_FILE: path, AIRFLOW_CONN_OTHER: "aws://k:hunter22@" };
    const error = await rejected(resolveConnections({ other: "aws://k:hunter22@" }, env).get("my_conn"));
    expect(isStorageError(error, "InvalidArgument")).toBe(true);
    for (const place of ["my_conn", "connections option", path, "AIRFLOW_CONN_*", "AIRFLOW_CONN_MY_CONN"]) {
      expect(error.message).toContain(place);
    }
    expect(error.message).not.toContain("hunter22");
  });

  test("an id that is nearly one of a record or a file is told which one", async () => {
    const path = await file("near.json", '{"lake":"aws://k:hunter22@"}');
    const env = { STOWAGE_CONNECTIONS_FILE: path };
    const near = await rejected(resolveConnections(undefined, env).get("lakee"));
    expect(near.message).toContain("; did you mean lake? Else set AIRFLOW_CONN_LAKEE ");
    expect((await rejected(resolveConnections({ depot: "aws://" }, {}).get("Depot"))).message).toContain("mean depot?");
    expect((await rejected(resolveConnections(undefined, env).get("other"))).message).not.toContain("did you mean");
  });

  test("two resolvers share nothing", async () => {
    const option = counted("s", ["a"]);
    await resolveConnections(option, {}).get("a");
    await resolveConnections(option, {}).get("a");
    expect(option.asked).toEqual(["a", "a"]);
  });

  const local = "airflow.secrets.local_filesystem.LocalFilesystemBackend";
  const kwargs = '{"variables_file_path": "/v.json", "connections_file_path": "/c.json"}';
  test.each([
    [
      {
        STOWAGE_CONNECTIONS_FILE: "/own.json",
        AIRFLOW__SECRETS__BACKEND: local,
        AIRFLOW__SECRETS__BACKEND_KWARGS: kwargs,
      },
      "/own.json",
    ],
    [{ AIRFLOW__SECRETS__BACKEND: local, AIRFLOW__SECRETS__BACKEND_KWARGS: kwargs }, "/c.json"],
    [
      {
        AIRFLOW__SECRETS__BACKEND: local,
        AIRFLOW__SECRETS__BACKEND_KWARGS: kwargs,
        AIRFLOW__WORKERS__SECRETS_BACKEND: local,
        AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS: '{"connections_file_path": "/w.json"}',
      },
      "/w.json",
    ],
    [{ AIRFLOW__SECRETS__BACKEND: "airflow.x.VaultBackend", AIRFLOW__SECRETS__BACKEND_KWARGS: kwargs }, undefined],
    [{ AIRFLOW__SECRETS__BACKEND: local }, undefined],
    [
      { AIRFLOW__SECRETS__BACKEND: local, AIRFLOW__SECRETS__BACKEND_KWARGS: '{"variables_file_path": "/v.json"}' },
      undefined,
    ],
    [{}, undefined],
  ])("the secrets file of %j is %s", (env, path) => {
    expect(connectionsFileOf(env)).toBe(path);
  });

  test("settings of the secrets file that cannot be read are an error with their variable", () => {
    const env = { AIRFLOW__SECRETS__BACKEND: local, AIRFLOW__SECRETS__BACKEND_KWARGS: "{hunter22" };
    expect(() => resolveConnections(undefined, env)).toThrow(/InvalidArgument \(AIRFLOW__SECRETS__BACKEND_KWARGS/);
  });
});
