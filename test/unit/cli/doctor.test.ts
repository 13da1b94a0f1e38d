import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeOn, type ServerOf, useBucket } from "../../servers/use.js";
import { ended, jsonLines, knowing, type RunOptions, start, stowage } from "../../support/command.js";
import { answer, faultProxy, stallRequest } from "../../support/faults.js";
import { type Exchange, recordingProxy, relay, startProxy, through } from "../../support/proxy.js";

/** The findings by check, and how the doctor ended. */
async function examined(args: string[], options: RunOptions = {}) {
  const { code, stdout, stderr } = await stowage(["doctor", "--json", ...args], options);
  const findings = jsonLines(stdout) as { check: string; status: string; detail: string; fix?: string }[];
  return { code, stdout, stderr, of: (check: string) => findings.find((finding) => finding.check === check), findings };
}

describe("on files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-doctor-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("all is well, and not even a folder is left behind", async () => {
    const { code, stdout } = await stowage(["doctor", "not/there/yet"], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ok {4}connection {3}none is needed\n/);
    expect(stdout).toContain("all is well\n");
    expect(stdout).not.toMatch(/^(warn|FAIL|skip)/m);
    expect(await readdir(folder)).toEqual([]);
  });

  test("what a killed writer has left is named", async () => {
    await writeFile(join(folder, ".stowage-tmp-0123456789abcdef"), "half");
    const { code, of } = await examined([folder]);
    expect(code).toBe(0);
    expect(of("leftovers")).toMatchObject({
      status: "warning",
      detail: expect.stringContaining(".stowage-tmp-0123456789abcdef"),
    });
  });

  test("a place that cannot be written to is told, with 1", async () => {
    const { code, of } = await examined(["/proc/stowage"]);
    expect(code).toBe(1);
    expect(of("write")).toMatchObject({ status: "failed", fix: expect.any(String) });
    expect(of("the rest")?.status).toBe("skipped");
  });
});

describe("connections", () => {
  test("one that nobody knows is told, with the places that were looked at", async () => {
    const { code, findings } = await examined(["s3://lake@bucket/x", "--connections", "/nowhere/lake.json"]);
    expect(code).toBe(1);
    expect(findings[0]).toMatchObject({
      check: "connection",
      status: "failed",
      detail: expect.stringContaining("lake.json"),
    });
  });

  test("one that is unknown says which variable would make it known", async () => {
    const { of } = await examined(["s3://lake@bucket/x"]);
    expect(of("connection")?.fix).toContain("AIRFLOW_CONN_LAKE");
  });

  test("a field that nobody knows is named, and nothing is sent", async () => {
    const { code, of } = await examined(
      ["s3://lake@bucket/x"],
      knowing("lake", { type: "aws", extra: { regionname: "x" } }),
    );
    expect(code).toBe(1);
    expect(of("connection")).toMatchObject({ status: "failed", detail: expect.stringContaining("regionname") });
    expect(of("credentials")).toBeUndefined();
    expect(of("endpoint")).toBeUndefined();
    const address = knowing("lake", { type: "aws", extra: { endpoint_url: "127.0.0.1:1" } });
    expect((await examined(["s3://lake@bucket/x"], address)).of("connection")).toMatchObject({ status: "failed" });
  });

  test("a server that nobody runs is told as such", async () => {
    const extra = { endpoint_url: "http://127.0.0.1:1" };
    const record = { type: "aws", login: "key", password: "canary-doctor-key", extra };
    const { code, of, stdout } = await examined(["s3://lake@bucket/x"], knowing("lake", record));
    expect(code).toBe(1);
    expect(of("endpoint")).toMatchObject({ status: "failed", fix: expect.stringContaining("connection refused") });
    expect(stdout).not.toContain("canary-doctor-key");
  });
});

describe("an AWS profile", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-doctor-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test.each([
    [{}, {}, 'https://127.0.0.1:1 from the profile "near", region eu-west-3 from the profile "near"'],
    [{}, { AWS_REGION: "eu-west-1" }, 'https://127.0.0.1:1 from the profile "near", region eu-west-1 from AWS_REGION'],
    [{ region_name: "eu-west-2" }, {}, "region eu-west-2 from the connection"],
    [
      {},
      { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1" },
      "http://127.0.0.1:1 from AWS_ENDPOINT_URL_S3, region eu-west-3",
    ],
    [
      { endpoint_url: "http://127.0.0.1:1" },
      { AWS_PROFILE: "none" },
      "http://127.0.0.1:1, region us-east-1 by default",
    ],
  ])("is named as the source of region and endpoint: %j %j", async (extra, more, expected) => {
    const AWS_CONFIG_FILE = join(folder, "config");
    await writeFile(AWS_CONFIG_FILE, "[profile near]\nregion = eu-west-3\nendpoint_url = https://127.0.0.1:1\n");
    const { env } = knowing("lake", { type: "aws", login: "AKIA", password: "canary-doctor-key", extra });
    const options = { env: { ...env, AWS_CONFIG_FILE, AWS_PROFILE: "near", ...more } };
    const { of } = await examined(["s3://lake@bucket/x"], options);
    expect(of("settings")?.detail).toContain(expected);
  });
});

await describeOn("minio", "on MinIO", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server, { versioned: true });
  const at = () => `s3://lake@${bucket().name}/some/where`;
  const left = async () => (await stowage(["ls", "-r", "--versions", at()], knowing("lake", server.connection))).stdout;

  test("all is well, every line says so, no version of a probe is left, and no secret is printed", async () => {
    const options = knowing("lake", server.connection);
    const { code, findings, stdout, of } = await examined([at()], options);
    expect(code).toBe(0);
    expect(findings.map(({ check, status }) => [check, status])).toEqual(
      [
        "connection",
        "credentials",
        "settings",
        "endpoint",
        "clock",
        "checksums",
        "bucket",
        "write",
        "read",
        "if absent",
        "if match",
        "parts",
        "names",
        "profile",
        "delete",
      ].map((check) => [check, "ok"]),
    );
    expect(of("connection")?.detail).toBe("lake, of type aws, found in the variable AIRFLOW_CONN_LAKE");
    expect(of("credentials")?.detail).toBe("an access key, from the connection");
    expect(stdout).not.toContain(server.secretKey);
    expect(await left()).toBe("");
  });

  test("credentials of the environment are told as such", async () => {
    const env = {
      AWS_ACCESS_KEY_ID: server.accessKey,
      AWS_SECRET_ACCESS_KEY: server.secretKey,
      AWS_ENDPOINT_URL: server.endpoint,
    };
    const { of } = await examined(["--read-only", `s3://${bucket().name}/x`], { env });
    expect(of("credentials")?.detail).toBe("an access key, from the environment");
  });

  test("a bucket that does not exist, and a key that is not accepted, are told apart", async () => {
    const gone = await examined(["s3://lake@no-such-bucket-here/x"], knowing("lake", server.connection));
    expect(gone.of("bucket")).toMatchObject({ status: "failed", fix: expect.stringContaining("create the bucket") });
    const wrong = knowing("lake", { ...server.connection, password: "canary-wrong-secret" });
    const refused = await examined([at()], wrong);
    expect(refused.of("bucket")).toMatchObject({ status: "failed", fix: expect.stringContaining("not accepted") });
    expect([gone.code, refused.code]).toEqual([1, 1]);
    expect(refused.stdout + refused.stderr).not.toContain("canary-wrong-secret");
  });

  test("--read-only sends nothing that writes", async () => {
    const proxy = await recordingProxy(server.endpoint);
    const { code } = await examined(["--read-only", at()], knowing("lake", through(server, proxy).connection));
    await proxy.close();
    expect(code).toBe(0);
    expect([...new Set(proxy.requests.map(({ method }) => method))].sort()).toEqual(["GET", "HEAD"]);
  });

  test.each([
    ["minio", "writes carry CRC32, and reads check it", true],
    ["generic", "writes carry no CRC32, and reads check none", false],
  ])("the checksums that it tells of %s are the ones that are sent", async (provider, words, sent) => {
    const proxy = await recordingProxy(server.endpoint);
    const { connection } = through(server, proxy);
    const record = { ...connection, extra: { ...connection.extra, provider } };
    const { of } = await examined([at()], knowing("lake", record));
    await proxy.close();
    expect(of("checksums")?.detail.startsWith(words)).toBe(true);
    const writes = proxy.requests.filter(({ method, url }) => method === "PUT" && url.pathname.endsWith("probe.txt"));
    expect(writes.length).toBeGreaterThan(0);
    expect(writes.every(({ headers }) => "x-amz-checksum-crc32" in headers)).toBe(sent);
  });

  test("a clock that is wrong is told with how much and which way", async () => {
    const skewed = async (exchange: Exchange) => {
      const date = new Date(Date.now() + 20 * 60_000).toUTCString();
      await relay(exchange, await exchange.forward(), { date });
    };
    const proxy = await startProxy(server.endpoint, { answer: skewed });
    const { code, of } = await examined(["--read-only", at()], knowing("lake", through(server, proxy).connection));
    await proxy.close();
    expect(code).toBe(1);
    expect(of("clock")).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/^(20:00|19:59) behind the server's/),
    });
  });

  test("a server that ignores conditions is caught", async () => {
    const etag = '"0123456789abcdef0123456789abcdef"';
    const conditional = { headers: { etag } };
    const proxy = await faultProxy(server.endpoint, [
      {
        on: ({ headers }) => "if-none-match" in headers || "if-match" in headers,
        times: 2,
        fault: answer(200, conditional),
      },
    ]);
    const { code, of } = await examined([at()], knowing("lake", through(server, proxy).connection));
    await proxy.close();
    expect(code).toBe(1);
    for (const check of ["if absent", "if match"]) {
      expect(of(check)).toMatchObject({ status: "failed", detail: expect.stringContaining("in silence") });
    }
    expect(await left()).toBe("");
  });

  test("Ctrl-C in the middle leaves nothing behind", async () => {
    const proxy = await faultProxy(server.endpoint, [
      { on: ({ url }) => url.searchParams.has("partNumber"), times: Number.POSITIVE_INFINITY, fault: stallRequest(1) },
    ]);
    const child = start(["doctor", at()], knowing("lake", through(server, proxy).connection));
    const told = ended(child);
    await expect
      .poll(() => proxy.requests.some(({ url }) => url.searchParams.has("partNumber")), { timeout: 20_000 })
      .toBe(true);
    child.kill("SIGINT");
    expect(await told).toMatchObject({ code: 1, stderr: expect.stringContaining("interrupted") });
    await proxy.close();
    expect(await left()).toBe("");
  });
});

await describeOn("fake-gcs", "on fake-gcs-server", (server: ServerOf<"fake-gcs">) => {
  const bucket = useBucket(server);
  test("all is well", async () => {
    const { code, findings } = await examined([`gs://lake@${bucket().name}/x`], knowing("lake", server.connection));
    expect(findings.filter(({ status }) => status !== "ok")).toEqual([]);
    expect(code).toBe(0);
  });
});

await describeOn("azurite", "on Azurite", (server: ServerOf<"azurite">) => {
  const bucket = useBucket(server);
  test("all is well", async () => {
    const { code, findings } = await examined([`abfs://lake@${bucket().name}/x`], knowing("lake", server.connection));
    expect(findings.filter(({ status }) => status !== "ok")).toEqual([]);
    expect(code).toBe(0);
  });
});

await describeOn("versitygw", "on VersityGW", (server) => {
  const bucket = useBucket(server);
  const on = (provider: string | undefined, endpoint = server.endpoint) => {
    const extra = { ...server.connection.extra, endpoint_url: endpoint, provider };
    return knowing("lake", { ...server.connection, extra });
  };
  const at = () => `s3://lake@${bucket().name}/some/where`;

  test("its own profile fits, and the unknown one is safe, with what it leaves unused", async () => {
    const named = await examined([at()], on("versitygw"));
    expect([named.code, named.of("profile")?.detail]).toEqual([0, "versitygw fits this server"]);
    const { code, of } = await examined([at()], on(undefined));
    const unused = "bulk delete, MD5 etags, conditional writes, conditional multipart writes";
    const safe = `generic is safe here; the server also did ${unused}, which provider minio would use`;
    expect(of("profile")).toMatchObject({ status: "ok", detail: expect.stringContaining(safe) });
    const fix = "write minio into `provider` of the connection's extra if the server's documentation promises";
    for (const check of ["if absent", "if match"])
      expect(of(check)).toMatchObject({ status: "warning", fix: expect.stringContaining(fix) });
    expect(of("names")).toMatchObject({ status: "ok" });
    expect(code).toBe(0);
    const { stdout } = await stowage(["doctor", at()], on(undefined));
    expect(stdout).toMatch(/: all is well, with 2 warnings\n$/);
    expect((await stowage(["ls", "-r", at()], on("versitygw"))).stdout).toBe("");
  });

  test("a profile that relies on what the server lacks is named, with the one that fits", async () => {
    // What old servers do: the conditions of a PUT are not looked at, and there is no DeleteObjects.
    const old = async (exchange: Exchange) => {
      for (const name of ["if-none-match", "if-match"]) delete exchange.request.headers[name];
      await relay(exchange, await exchange.forward());
    };
    const proxy = await startProxy(server.endpoint, { answer: old });
    const { code, of } = await examined([at()], on("minio", proxy.endpoint));
    await proxy.close();
    expect(of("profile")).toMatchObject({
      status: "failed",
      detail: "minio relies on conditional writes, conditional multipart writes, which this server lacks",
      fix: expect.stringContaining("write versitygw into"),
    });
    expect(code).toBe(1);
  });

  test("a server that decodes the names of a listing is caught", async () => {
    const decoding = async (exchange: Exchange) => {
      const answer = await exchange.forward();
      if (!exchange.request.url?.includes("list-type=2")) return relay(exchange, answer);
      const body = (await text(answer))
        .replaceAll("/names/a%2Bb<", "/names/a b<")
        .replaceAll("/names/a+b<", "/names/a b<");
      exchange.response.writeHead(answer.statusCode ?? 0, { "content-type": "application/xml" }).end(body);
    };
    const proxy = await startProxy(server.endpoint, { answer: decoding });
    const { of } = await examined([at()], on("versitygw", proxy.endpoint));
    await proxy.close();
    expect(of("names")).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/listed as|comes twice|listed twice/),
    });
  });
});
