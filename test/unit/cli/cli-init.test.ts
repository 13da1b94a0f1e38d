/** `stowage init` writes what `--connections` reads, and no secret comes from a command line or is shown. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run } from "../../../src/cli/program.js";
import { connectionsFromFile } from "../../../src/connections/index.js";
import { single } from "../../../src/streams.js";
import { jsonLines, MAIN } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-init-"));
  file = join(folder, "stowage-connections.json");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const init = (args: string[], env: Record<string, string> = {}) =>
  commandInProcess(["init", ...args], { cwd: folder, env });
const written = async () => JSON.parse(await readFile(file, "utf8"));
const S3 = ["--provider", "s3", "--id", "lake"];
const KEYS = { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "canary-init-secret" };

describe("from options", () => {
  test.each([
    [
      "s3",
      ["--region", "eu-west-1", "--profile", "work"],
      {},
      { conn_type: "aws", extra: { region_name: "eu-west-1", profile_name: "work" } },
    ],
    [
      "s3",
      ["--endpoint", "http://127.0.0.1:9000", "--service", "minio"],
      {},
      { conn_type: "aws", extra: { endpoint_url: "http://127.0.0.1:9000", provider: "minio" } },
    ],
    [
      "s3",
      ["--endpoint", "https://s3.example", "--from-env"],
      KEYS,
      {
        conn_type: "aws",
        login: "AKIA",
        password: "canary-init-secret",
        extra: { endpoint_url: "https://s3.example" },
      },
    ],
    [
      "gcs",
      ["--key-file", "/keys/a.json"],
      {},
      { conn_type: "google_cloud_platform", extra: { key_path: "/keys/a.json" } },
    ],
    [
      "gcs",
      ["--from-env"],
      { GOOGLE_APPLICATION_CREDENTIALS: "/keys/b.json" },
      { conn_type: "google_cloud_platform", extra: { key_path: "/keys/b.json" } },
    ],
    [
      "azure",
      ["--account", "mine", "--from-env"],
      { AZURE_STORAGE_ACCOUNT_KEY: "a2V5" },
      { conn_type: "wasb", login: "mine", password: "a2V5" },
    ],
    [
      "azure",
      ["--from-env"],
      { AZURE_STORAGE_ACCOUNT_NAME: "mine", AZURE_STORAGE_SAS_TOKEN: "sv=1&sig=x" },
      { conn_type: "wasb", login: "mine", extra: { sas_token: "sv=1&sig=x" } },
    ],
  ])("%s %j is a connection that is read from the file", async (provider, args, env, record) => {
    const { code, stdout, stderr } = await init(
      ["--provider", provider, "--id", "lake", ...args],
      env as Record<string, string>,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(await written()).toEqual({ lake: record });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await connectionsFromFile(file).get("lake")).toMatchObject({ id: "lake", type: record.conn_type });
    expect(stdout).toMatch(/\nnext, .*: stowage --connections \S+ doctor (s3|gs|abfs):\/\/lake@BUCKET\n$/);
    expect(stdout).not.toContain("canary");
  });
  test("an address of one's own without --service is told what is refused", async () => {
    const { stdout } = await init([...S3, "--endpoint", "http://127.0.0.1:9000"]);
    expect(stdout).toMatch(/\nnote: without --service, conditional writes are refused,.* --service minio.*\n/);
    const json = await init([...S3, "--force", "--endpoint", "http://127.0.0.1:9000", "--json"]);
    expect(jsonLines(json.stdout)[0]).toMatchObject({ note: expect.stringContaining("--service") });
    for (const more of [
      ["--service", "minio"],
      ["--service", "generic"],
      ["--endpoint", "https://s3.eu-west-1.amazonaws.com"],
    ])
      expect((await init([...S3, "--force", "--endpoint", "http://127.0.0.1:9000", ...more])).stdout).not.toContain(
        "note:",
      );
    expect((await init([...S3, "--force", "--service", "minio"], { AWS_ENDPOINT_URL: "http://here" })).code).toBe(0);
  });
  test("the next command runs as it is printed, with npx too", async () => {
    const { stdout } = await init([...S3, "--from-env"], { ...KEYS, npm_command: "exec" });
    expect(stdout).toContain(`\nprograms find it with STOWAGE_CONNECTIONS_FILE=${file}\n`);
    expect(stdout).toContain(`: npx stowage --connections ${file} doctor s3://lake@BUCKET\n`);
  });
  test("a command that does not name the file is told that it is here", async () => {
    await init([...S3, "--from-env"], KEYS);
    const doctor = await commandInProcess(["doctor", "s3://lake@bucket"], { cwd: folder, env: {} });
    expect(doctor.stdout).toContain("or give --connections stowage-connections.json, which is here");
    const list = await commandInProcess(["ls", "s3://lake@bucket"], { cwd: folder, env: {} });
    expect(list.stderr).toContain("the one that `stowage init` wrote: --connections FILE");
  });
  test("an id is replaced only with --force, and the others stay", async () => {
    await writeFile(file, JSON.stringify({ other: "aws://", lake: "aws://" }), { mode: 0o644 });
    const refused = await init([...S3, "--region", "eu-west-1"]);
    expect({ code: refused.code, entries: await written() }).toEqual({
      code: 2,
      entries: { other: "aws://", lake: "aws://" },
    });
    expect(refused.stderr).toMatch(/has a connection "lake" already: .*--force/);
    expect((await init([...S3, "--force"])).code).toBe(0);
    expect(await written()).toEqual({ other: "aws://", lake: { conn_type: "aws" } });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });
  test.each([
    [[], {}, /--provider is missing: expected one of s3, gcs, azure/],
    [["--provider", "s3"], {}, /--id is missing: expected a name/],
    [["--provider", "s3", "--id", "a/b"], {}, /"a\/b" is not a valid --id: expected letters/],
    [
      ["--provider", "gcs", "--id", "a", "--region", "x"],
      {},
      /--region is not for gcs: expected --endpoint or --key-file/,
    ],
    [["--provider", "azure", "--id", "a"], {}, /--account is missing/],
    [[...S3, "--from-env"], {}, /the environment has no AWS_ACCESS_KEY_ID; set it/],
    [[...S3, "--from-env", "--profile", "x"], KEYS, /--profile and --from-env exclude each other/],
    [[...S3, "--endpoint", "s3.example"], {}, /endpoint_url/],
    [[...S3, "--service", "minio"], {}, /--service needs --endpoint: without an address, minio would be/],
    [[...S3, "--service", "r2"], {}, /--service needs --endpoint/],
    [[...S3, "--password", "x"], {}, /unknown option '--password'/],
  ])("%j is refused, and no file is written", async (args, env, message) => {
    const { code, stderr } = await init(args, env as Record<string, string>);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    await expect(stat(file)).rejects.toThrow("ENOENT");
  });
  test("a file that is not JSON stays as it is", async () => {
    await writeFile(file, "{ canary-in-file");
    const { code, stderr } = await init(S3);
    expect({ code, text: await readFile(file, "utf8") }).toEqual({ code: 2, text: "{ canary-in-file" });
    expect(stderr).toMatch(/is not JSON: fix it/);
    expect(stderr).not.toContain("canary");
    expect((await init(S3, { STOWAGE_CONNECTIONS_FILE: "a.yaml" })).stderr).toMatch(
      /not a \.json file: .*--connections/,
    );
  });
  test("--json says where the connection is and what comes next", async () => {
    const { stdout } = await init([...S3, "--json"], { STOWAGE_CONNECTIONS_FILE: file });
    expect(jsonLines(stdout)).toEqual([{ file, id: "lake", next: "stowage doctor s3://lake@BUCKET" }]);
  });
});

/** Answers each question when it comes; returns everything that the terminal showed. */
async function asked(answers: Record<string, string>, args: string[] = []): Promise<{ code: number; shown: string }> {
  const terminalIn = new PassThrough();
  let shown = "";
  let seen = 0;
  const stream = new Writable({
    write(chunk, _, done) {
      shown += chunk;
      const question = Object.keys(answers).find((words) => shown.indexOf(words, seen) >= 0 && shown.endsWith(": "));
      if (question !== undefined) {
        seen = shown.length;
        setImmediate(() => terminalIn.write(`${answers[question]}\r`));
      }
      done();
    },
  });
  const out = { stream, terminal: true, color: false, columns: undefined };
  const { signal } = new AbortController();
  const io = { stdin: single(new Uint8Array()), terminalIn, stdout: out, stderr: out, env: {}, cwd: folder, signal };
  return { code: await run(["init", ...args], io), shown };
}

describe("on a terminal", () => {
  test("asks for what is needed, and shows no secret", async () => {
    const answers = {
      Provider: "s3",
      "Connection id": "lake",
      Endpoint: "",
      Region: "eu-west-1",
      "Access key id": "AKIA",
    };
    const { code, shown } = await asked({ ...answers, "Secret access key": "canary-typed" });
    expect(shown).toContain("wrote the connection lake");
    expect(shown).not.toContain("canary-typed");
    expect(code).toBe(0);
    const record = { conn_type: "aws", login: "AKIA", password: "canary-typed", extra: { region_name: "eu-west-1" } };
    expect(await written()).toEqual({ lake: record });
  });
  test("asks for nothing that an option says", async () => {
    const { code, shown } = await asked({ "Account key": "" }, [
      "--provider",
      "azure",
      "--id",
      "lake",
      "--account",
      "mine",
    ]);
    expect(code).toBe(0);
    expect(shown).not.toMatch(/Provider|Connection id|Storage account/);
    expect(await written()).toEqual({ lake: { conn_type: "wasb", login: "mine" } });
  });
  test.skipIf(process.platform !== "linux")("a real one shows no secret either (needs script of Linux)", async () => {
    const options = { cwd: folder, env: { PATH: process.env.PATH, TERM: "xterm" } };
    const child = spawn("script", ["-qefc", `'${process.execPath}' '${MAIN}' init`, "/dev/null"], options);
    const answers = ["s3", "lake", "", "", "AKIA", "canary-on-pty"];
    let shown = "";
    let seen = 0;
    child.stdout.on("data", (chunk) => {
      shown += chunk;
      // Each question ends in a colon and a space; the terminal's own sequences may follow.
      if (!/: (?:\u001b\[[0-9;]*[A-Za-z])*$/.test(shown.slice(seen))) return;
      seen = shown.length;
      child.stdin.write(`${answers.shift() ?? ""}\r`);
    });
    const code = await new Promise((done) => child.once("close", done));
    expect({ code, left: answers }, shown).toEqual({ code: 0, left: [] });
    expect(shown).toContain("wrote the connection lake");
    expect(shown).not.toContain("canary-on-pty");
    expect(await written()).toEqual({ lake: { conn_type: "aws", login: "AKIA", password: "canary-on-pty" } });
  });
  test("an unknown provider is refused", async () => {
    expect((await asked({ Provider: "ftp" })).shown).toMatch(/unknown provider "ftp": expected one of/);
  });
});
