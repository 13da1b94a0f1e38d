/** Agents that share a bucket and nothing else, each with temporary credentials that a policy limits. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../src/backend.js";
import type { ConnectionInput } from "../../src/connections/connection.js";
import { openStorage } from "../../src/open.js";
import { REMOTE_AGENT_OPTIONS } from "../../src/xcom/presets.js";
import { listStoredXComs } from "../../src/xcom/stored.js";
import { describeOn, useBucket } from "../servers/use.js";
import { manifest, ROOT } from "../support/installed.js";
import { noted } from "../support/test-secrets.mjs";
import { OWNER, UUID, world } from "../support/xcom-world.js";

const run = promisify(execFile);

describe("the preset", () => {
  test("makes every value an object that any reader decodes, and cannot be changed", async () => {
    const { storage } = world();
    const backend = new XComObjectStorageBackend({ ...REMOTE_AGENT_OPTIONS, storage, path: "s3://conn@b/xcom" });
    const reference = await backend.storeValue(OWNER, "k", 1);
    expect(reference).toMatch(new RegExp(`/write-${UUID.source}/k\\.json\\.gz$`));
    expect(Object.isFrozen(REMOTE_AGENT_OPTIONS)).toBe(true);
  });
});

await describeOn("minio", "agents on MinIO", (minio) => {
  const bucket = useBucket(minio);
  let folder: string;
  let program: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-agents-"));
    program = join(folder, "agent.mjs");
    const alias = { stowage: join(ROOT, "src/index.ts"), "stowage/xcom": join(ROOT, "src/xcom.ts") };
    const external = Object.keys((await manifest()).peerDependencies ?? {});
    const fixed = { bundle: true, platform: "node", format: "esm", external } as const;
    await build({ entryPoints: [join(ROOT, "examples/systems/remote-agents.mjs")], outfile: program, alias, ...fixed });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** The policies of the guide, on this bucket, in one. */
  async function policy(...names: string[]): Promise<string> {
    const texts = names.map((name) => readFile(join(ROOT, `examples/systems/policies/s3-${name}.json`), "utf8"));
    const all = (await Promise.all(texts)).map((text) => JSON.parse(text.replaceAll("my-bucket", bucket().name)));
    return JSON.stringify({ ...all[0], Statement: all.flatMap(({ Statement }) => Statement) });
  }
  /** A connection with temporary keys that these policies limit. */
  async function limited(...names: string[]): Promise<ConnectionInput & { extra: object }> {
    const { accessKeyId, secretAccessKey, sessionToken } = await fromTemporaryCredentials({
      params: { RoleArn: "arn:minio:iam:::role/any", RoleSessionName: "agent", Policy: await policy(...names) },
      masterCredentials: { accessKeyId: minio.accessKey, secretAccessKey: minio.secretKey },
      clientConfig: { region: minio.region, endpoint: minio.endpoint },
    })();
    const extra = { ...minio.connection.extra, aws_session_token: noted(sessionToken ?? "") };
    return { type: "aws", login: accessKeyId, password: noted(secretAccessKey), extra };
  }
  const path = () => `s3://store@${bucket().name}/xcom`;

  test("two processes in different folders with different keys share values by the bucket alone", async () => {
    const agent = async (role: string, ...may: string[]) => {
      const cwd = join(folder, role);
      await mkdir(cwd);
      const { type, ...rest } = await limited(...may);
      const AIRFLOW_CONN_STORE = JSON.stringify({ conn_type: type, ...rest });
      const env = { PATH: process.env.PATH, XCOM_PATH: path(), AIRFLOW_CONN_STORE };
      return run(process.execPath, [program, role], { cwd, env });
    };
    await agent("push", "write");
    expect((await agent("pull", "read", "list")).stdout).toBe("found count and orders\n");
  });

  describe("a policy of the guide", () => {
    const big = Array.from({ length: 400_000 }, (_, id) => ({ id, text: `row ${id}` }));
    const attempts = async (connection: ConnectionInput) => {
      await using storage = openStorage({ connections: { store: connection }, env: {} });
      await using root = openStorage({ connections: { store: minio.connection }, env: {} });
      const xcom = new XComObjectStorageBackend({ storage, path: path(), threshold: 0 });
      const there = await new XComObjectStorageBackend({ storage: root, path: path(), threshold: 0 }).storeValue(
        OWNER,
        "there",
        "value",
      );
      const outcome = (work: Promise<unknown>) =>
        work.then(
          () => "done",
          ({ code }) => code,
        );
      const listed = async () => {
        for await (const _ of listStoredXComs({ storage, path: path(), base: path() })) return;
      };
      return {
        write: await outcome(xcom.storeValue(OWNER, "small", 1)),
        parts: await outcome(xcom.storeValue(OWNER, "big", big)),
        read: await outcome(xcom.loadValue(there, { owner: OWNER })),
        list: await outcome(listed()),
        purge: await outcome(xcom.purge(there, { owner: OWNER })),
        outside: await outcome(storage.write(`s3://store@${bucket().name}/elsewhere`, "x")),
      };
    };
    const no = Object.fromEntries(
      ["write", "parts", "read", "list", "purge", "outside"].map((name) => [name, "PermissionDenied"]),
    );
    test.each([
      [["read"], { read: "done" }],
      [["write"], { write: "done", parts: "done" }],
      [["purge"], { purge: "done" }],
      [["list"], { list: "done" }],
      [["read", "write", "list"], { read: "done", write: "done", parts: "done", list: "done" }],
    ])("for %j allows that and refuses the rest", { timeout: 60_000 }, async (names, allowed) => {
      expect(await attempts(await limited(...names))).toEqual({ ...no, ...allowed });
    });
  });
});
