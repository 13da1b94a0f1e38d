/**
 * Typical mistakes of a first day: each message says what is wrong and what to do. `what` and `fix` are matched on
 * what the caller sees: the error's message, or the lines of the command.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { afterAll, describe, expect, test } from "vitest";
import { openStorage, XComObjectStorageBackend } from "../../src/index.js";
import { describeOn, useBucket } from "../servers/use.js";
import { commandInProcess } from "../support/in-process.js";

/** A title, the mistake, and what its message says is wrong and what to do. */
type Mistake = readonly [title: string, make: () => unknown, what: RegExp, fix: RegExp];

const folder = mkdtempSync(join(tmpdir(), "stowage-mistakes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "there.txt"), "text");
await mkdir(join(folder, "directory/below"), { recursive: true });
writeFileSync(join(folder, "directory/below/x"), "text");

const storage = openStorage({ env: {}, fileRoot: folder });
const memory = "memory://bucket/key";
/** A value whose type the compiler would refuse. */
const wrong = (value: unknown) => value as never;
const withConnection = (it: unknown) => openStorage({ env: {}, connections: { it: it as never } });
const withVariable = (text: string) => openStorage({ env: { AIRFLOW_CONN_IT: text } }).stat("s3://it@bucket/key");

/** Returns the message of the error that the mistake is answered with. */
async function messageOf(make: () => unknown): Promise<string> {
  const result = await new Promise((done, fail) => {
    Promise.resolve().then(make).then(done, fail);
  }).catch((error: Error) => error);
  if (!(result instanceof Error)) throw new Error(`no error, but ${JSON.stringify(result)}`);
  return result.message;
}

function answered(mistakes: readonly Mistake[]): void {
  test.each(mistakes)("%s", async (_, make, what, fix) => {
    const message = await messageOf(make);
    expect(message).toMatch(what);
    expect(message).toMatch(fix);
  });
}

/** Runs the command, and rejects with what it prints on stderr. */
async function command(args: string[], env: Record<string, string> = {}): Promise<void> {
  const { code, stderr } = await commandInProcess(args, { cwd: folder, env });
  if (code !== 0) throw new Error(stderr.trim());
}

test("there are at least sixty of them here", async () => {
  const text = await readFile(import.meta.filename, "utf8");
  expect(text.match(/^ +\[\n? *"/gm)?.length).toBeGreaterThanOrEqual(60);
});

describe("paths", () => {
  answered([
    [
      "a scheme without its colon",
      () => storage.text("s3//bucket/key"),
      /no scheme in "s3\/\/bucket\/key"/,
      /reads scheme:/,
    ],
    ["a scheme with one slash", () => storage.text("s3:/bucket/key"), /no :\/\/ after the scheme/, /reads scheme:/],
    [
      "the web address of a bucket",
      () => storage.text("https://bucket.s3.amazonaws.com/key"),
      /no driver .* scheme "https"/,
      /registered: s3/,
    ],
    [
      "another web address",
      () => storage.text("http://example.org/key"),
      /no driver .* scheme "http"/,
      /registered: s3/,
    ],
    ["an unknown scheme", () => storage.text("ftp://bucket/key"), /no driver .* scheme "ftp"/, /registered: s3/],
    ["a relative path", () => storage.text("data/key"), /no scheme in "data\/key"/, /file:\/\/\/path/],
    [
      "an absolute path without a scheme",
      () => storage.text("/data/key"),
      /no scheme in "\/data\/key"/,
      /file:\/\/\/path/,
    ],
    ["a path of Windows", () => storage.text("C:\\data\\key"), /no :\/\/ after the scheme/, /file:\/\/\/path/],
    [
      "a file URL with two slashes",
      () => storage.text("file://data/key"),
      /a file path has no host/,
      /file:\/\/\/path/,
    ],
    ["no bucket", () => storage.text("s3:///key"), /the bucket is missing/, /bucket\/key/],
    ["an empty key", () => storage.write("memory://bucket", "text"), /a bucket is not an object/, /the key is empty/],
    ["an empty path", () => storage.text(""), /no scheme in ""/, /reads scheme:/],
    ["undefined in place of a path", () => storage.text(wrong(undefined)), /not undefined/, /a path reads/],
    [
      "a connection's password in a path",
      () => storage.text("s3://user:password@bucket/key"),
      /never a user and a password/,
      /connection id, as in s3:/,
    ],
    ["a file outside the root", () => storage.text("file:///etc/hosts"), /outside of/, /another fileRoot/],
  ]);
});

describe("calls", () => {
  answered([
    [
      "an unknown option",
      () => storage.write(memory, "text", wrong({ overwrite: true })),
      /unknown option "overwrite"/,
      /did you mean ifAbsent/,
    ],
    [
      "an unknown option of openStorage",
      () => openStorage(wrong({ region: "eu" })),
      /unknown option "region" of openStorage/,
      /known: connections/,
    ],
    [
      "an unknown codec",
      () => storage.write(memory, "text", { compression: wrong("brotli") }),
      /codec "brotli"/,
      /expected one of zip/,
    ],
    ["a number as a body", () => storage.write(memory, wrong(42)), /a body is/, /text, binary data/],
    ["an object as a body", () => storage.write(memory, wrong({ a: 1 })), /a body is/, /text, binary data/],
    ["no body", () => storage.write(memory, wrong(undefined)), /a body is/, /text, binary data/],
    ["text as a position", () => storage.bytes(memory, { start: wrong("1") }), /start must be/, /an integer >= 0/],
    [
      "an end before the start",
      () => storage.bytes(memory, { start: 5, end: 2 }),
      /the range ends/,
      /\(2\) before it starts \(5\)/,
    ],
    [
      "both conditions",
      () => storage.write(memory, "x", { ifAbsent: true, ifMatch: "a" }),
      /contradict each other/,
      /ifAbsent and ifMatch/,
    ],
    ["text as metadata", () => storage.write(memory, "x", { metadata: wrong("a") }), /metadata must be/, /such as/],
    [
      "a closed storage",
      async () => {
        const own = openStorage({ env: {} });
        await own.close();
        return own.text(memory);
      },
      /the storage is closed/,
      /closed/,
    ],
    [
      "a codec's name for data that is none",
      async () => {
        await storage.write(memory, "text that is not compressed");
        return storage.text(memory, { compression: "gzip" });
      },
      /Corrupt .*gzip/,
      /not gzip|header|byte 0/,
    ],
    [
      "a directory in place of a file",
      () => storage.text(`file://${folder}/directory`),
      /a directory is not an object/,
      /list it/,
    ],
    [
      "a signed link to a file",
      () => storage.signedUrl(`file://${folder}/there.txt`, { expiresIn: 60 } as never),
      /files have no signed links/,
      /copy the file to a bucket/,
    ],
    [
      "a threshold that is no number",
      () => new XComObjectStorageBackend({ storage, path: memory, threshold: wrong("1 MB") }),
      /threshold/,
      /must be a whole number/,
    ],
    [
      "a codec of XComs that is none",
      () => new XComObjectStorageBackend({ storage, path: memory, compression: wrong("rar") }),
      /unknown compression "rar"/,
      /expected one of zip/,
    ],
  ]);
});

describe("connections", () => {
  answered([
    ["an unknown id", () => storage.stat("s3://lake@bucket/key"), /no connection "lake"/, /set AIRFLOW_CONN_LAKE/],
    [
      "a record without a type",
      () => withConnection({ login: "a", password: "b" }).stat("s3://it@bucket/key"),
      /connection "it": type is missing/,
      /: aws, google_cloud_platform or wasb/,
    ],
    [
      "a misspelled kind of server",
      () => withConnection({ type: "aws", extra: { provider: "mino" } }).stat("s3://it@bucket/key"),
      /provider must be one of aws, minio/,
      /; did you mean minio\?/,
    ],
    ["a variable of broken JSON", () => withVariable('{"conn_type": "aws"'), /not valid JSON/, /AIRFLOW_CONN_IT/],
    [
      "a field that no connection has",
      () => withVariable('{"conn_type": "aws", "secret": "a"}'),
      /do not have: secret/,
      /go into extra/,
    ],
    [
      "a connection of another provider",
      () => withVariable('{"conn_type": "wasb", "login": "a"}'),
      /another provider than the path's scheme/,
      /change the scheme or the connection id/,
    ],
    [
      "a login without a password",
      () => withVariable('{"conn_type": "aws", "login": "a"}'),
      /half of a key pair/,
      /give login and password/,
    ],
    [
      "an endpoint in host",
      () => withVariable('{"conn_type": "aws", "host": "http://localhost:9000"}'),
      /not in host/,
      /write the address in the extra field endpoint_url/,
    ],
    [
      "an endpoint without a scheme",
      () => withVariable('{"conn_type": "aws", "extra": {"endpoint_url": "localhost:9000"}}'),
      /endpoint_url must be an address/,
      /starts with https:/,
    ],
    [
      "an unknown provider",
      () => withVariable('{"conn_type": "aws", "extra": {"provider": "wasabi2"}}'),
      /provider must be/,
      /one of aws, minio/,
    ],
    [
      "a field of the extra under another name",
      () => withConnection({ type: "aws", extra: { profile: "work" } }).stat("s3://it@bucket/key"),
      /profile is not read/,
      /write profile_name/,
    ],
    [
      "a connection with conn_type in code",
      () => withConnection({ conn_type: "aws" }).stat("s3://it@bucket/key"),
      /connections do not have: conn_type/,
      /write type/,
    ],
    [
      "a connections file that is missing",
      () => openStorage({ env: { STOWAGE_CONNECTIONS_FILE: `${folder}/none.json` } }).stat("s3://it@bucket/key"),
      /none\.json cannot be read/,
      /stowage init/,
    ],
    [
      "a connections file of another kind",
      () => openStorage({ env: { STOWAGE_CONNECTIONS_FILE: `${folder}/there.txt` } }).stat("s3://it@bucket/key"),
      /no connections file/,
      /must end in \.env/,
    ],
    [
      "Azure without an account",
      () => openStorage({ env: {} }).stat("abfs://container/key"),
      /AZURE_STORAGE_ACCOUNT_NAME is missing/,
      /name a connection/,
    ],
    [
      "a key file that is missing",
      () =>
        command(["ls", "gs://it@bucket/"], variableOf({ type: "google_cloud_platform" }, { key_path: "/none.json" })),
      /no such file.*none\.json/,
      /stowage doctor gs:/,
    ],
    [
      "a server that is not there",
      () =>
        command(["ls", "s3://it@bucket/"], {
          AIRFLOW_CONN_IT:
            '{"conn_type": "aws", "login": "a", "password": "b", "extra": {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}}',
        }),
      /ECONNREFUSED/,
      /stowage doctor s3:/,
    ],
  ]);
});

describe("commands", () => {
  answered([
    [
      "a pattern that the shell has expanded to nothing",
      () => command(["cp", "*.csv", "memory://bucket/"]),
      /no object matches/,
      /look around: stowage ls/,
    ],
    [
      "several sources into an object",
      () => command(["cp", "there.txt", "directory", "memory://bucket/x"]),
      /several sources go into a directory/,
      /ends in a slash/,
    ],
    [
      "a directory without -r",
      () => command(["cp", "directory", "memory://bucket/x"]),
      /a directory is not an object/,
      /-r/,
    ],
    [
      "rm of a directory without -r",
      () => command(["rm", "directory"]),
      /no object, only something below it/,
      /delete that with -r/,
    ],
    [
      "a missing local file",
      () => command(["cp", "none.txt", "memory://bucket/x"]),
      /no such file/,
      /look around: stowage ls/,
    ],
    ["a misspelt command", () => command(["lss", "."]), /unknown command 'lss'/, /Did you mean ls/],
    [
      "a misspelt option",
      () => command(["ls", "--recursiv", "."]),
      /unknown option '--recursiv'/,
      /Did you mean --recursive/,
    ],
    [
      "a command without its argument",
      () => command(["cp", "there.txt"]),
      /missing required argument 'to'/,
      /see: stowage cp --help/,
    ],
    [
      "a web address",
      () => command(["ls", "https://bucket.s3.eu-west-1.amazonaws.com/a"]),
      /no web address/,
      /write s3:\/\/bucket\/a/,
    ],
    [
      "an unknown codec",
      () => command(["cat", "--compression", "brotli", "there.txt"]),
      /'brotli' is invalid/,
      /Allowed choices are zip/,
    ],
    ["an unknown connection", () => command(["ls", "s3://lake@bucket/"]), /no connection "lake"/, /--connections FILE/],
    [
      "the root of a bucket deleted by accident",
      () => command(["rm", "-r", "memory://bucket/"]),
      /would empty the whole bucket/,
      /--empty-bucket/,
    ],
    ["an object that is not there", () => command(["rm", "memory://bucket/none"]), /nothing to delete/, /stowage ls/],
  ]);
});

await describeOn("minio", "on S3", (server) => {
  const bucket = useBucket(server);
  const having = (fields: object, extra: object = {}) => ({
    AIRFLOW_CONN_IT: JSON.stringify({
      conn_type: "aws",
      login: server.accessKey,
      password: server.secretKey,
      ...fields,
      extra: { ...server.connection.extra, ...extra },
    }),
  });
  const ls = (env: Record<string, string>, name = bucket().name) => command(["ls", `s3://it@${name}/`], env);
  answered([
    [
      "a bucket that is not there",
      () => ls(having({}), "no-such-bucket-of-stowage"),
      /NoSuchBucket/,
      /look around: stowage ls s3:\/\/it@; or create it: stowage mb s3:\/\/it@no-such-bucket-of-stowage$/,
    ],
    [
      "a condition on a server of an unknown kind",
      () => command(["cp", "--if-absent", "-", `s3://it@${bucket().name}/new`], having({}, { provider: "generic" })),
      /this S3 profile enforces no conditions on writes; set provider or STOWAGE_S3_PROVIDER/,
      /the field provider of the connection: stowage doctor s3:/,
    ],
    ["an unknown access key", () => ls(having({ login: "unknown" })), /InvalidAccessKeyId/, /stowage doctor s3:/],
    ["a wrong secret", () => ls(having({ password: "wrong-secret" })), /SignatureDoesNotMatch/, /stowage doctor s3:/],
    [
      "https where the server speaks http",
      () => ls(having({}, { endpoint_url: server.endpoint.replace("http:", "https:") })),
      /EPROTO: wrong version number; is it http:\/\/\?\)/,
      /stowage doctor s3:/,
    ],
    [
      "a missing object",
      () => command(["cat", `s3://it@${bucket().name}/none`], having({})),
      /NoSuchKey/,
      /look around: stowage ls/,
    ],
    [
      "an object that exists, with --if-absent",
      async () => {
        const to = `s3://it@${bucket().name}/x`;
        await command(["cp", "there.txt", to], having({}));
        return command(["cp", "--if-absent", "there.txt", to], having({}));
      },
      /AlreadyExists/,
      /leave out --if-absent/,
    ],
  ]);
});

await describeOn("fake-gcs", "on Google Cloud Storage", (server) => {
  answered([
    [
      "a bucket that is not there",
      () => command(["ls", "gs://it@no-such-bucket-of-stowage/"], variableOf(server.connection)),
      /NotFound/,
      /look around/,
    ],
  ]);
});

await describeOn("azurite", "on Azure", (server) => {
  const bucket = useBucket(server);
  answered([
    [
      "a container that is not there",
      () => command(["ls", "abfs://it@no-such-container/"], variableOf(server.connection)),
      /ContainerNotFound/,
      /look around/,
    ],
    [
      "a SAS that has expired",
      () => command(["ls", `abfs://it@${bucket().name}/`], expired(server.connection, bucket().name)),
      /AuthorizationFailure/,
      /stowage doctor abfs:/,
    ],
  ]);
});

function variableOf(
  { type, extra, ...fields }: { type: string; extra?: object },
  more: object = {},
): Record<string, string> {
  return { AIRFLOW_CONN_IT: JSON.stringify({ conn_type: type, ...fields, extra: { ...extra, ...more } }) };
}

/** A connection with a SAS of yesterday. */
function expired({ extra }: { extra: Record<string, unknown> }, containerName: string): Record<string, string> {
  const fields = Object.fromEntries(
    String(extra.connection_string)
      .split(";")
      .map((field) => field.split(/=(.*)/s)),
  );
  const key = new StorageSharedKeyCredential(fields.AccountName, fields.AccountKey);
  const expiresOn = new Date(Date.now() - 86_400_000);
  const permissions = ContainerSASPermissions.parse("rl");
  const sas = generateBlobSASQueryParameters({ containerName, permissions, expiresOn }, key);
  const account = { account_name: fields.AccountName, account_host: fields.BlobEndpoint };
  return variableOf({ type: "wasb" }, { ...account, sas_token: String(sas) });
}
