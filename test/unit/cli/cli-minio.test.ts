/** The command against a real server: bytes, trees, links, and Ctrl-C in the middle of an upload. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { s3Client } from "../../servers/index.mjs";
import { describeOn, type ServerOf, useBucket } from "../../servers/use.js";
import { ended, jsonLines, knowing, start, stowage } from "../../support/command.js";

const MIB = 2 ** 20;

await describeOn("minio", "the command on MinIO", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-cli-minio-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const options = () => ({ cwd: folder, ...knowing("lake", server.connection) });
  const run = (args: string[]) => stowage(args, options());
  const at = (key: string) => `s3://lake@${bucket().name}/${key}`;

  /** Uploads of one key that were begun and neither committed nor aborted. */
  async function openUploads(key: string): Promise<number> {
    const { ListMultipartUploadsCommand } = await import("@aws-sdk/client-s3");
    const client = await s3Client(server);
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket().name, Prefix: key }));
    client.destroy();
    return Uploads.length;
  }

  test("a file goes up in parts and comes back the same", async () => {
    const data = randomBytes(20 * MIB);
    await writeFile(join(folder, "up.bin"), data);
    expect(await run(["cp", "up.bin", at("there/")])).toMatchObject({ code: 0, stderr: "" });
    expect(await run(["cp", at("there/up.bin"), "down.bin"])).toMatchObject({ code: 0, stderr: "" });
    const sum = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    expect(sum(await readFile(join(folder, "down.bin")))).toBe(sum(data));
    expect(sum((await run(["cat", at("there/up.bin")])).data)).toBe(sum(data));
  });

  test("a tree goes up, is listed, comes back and is deleted", async () => {
    await mkdir(join(folder, "tree/deep"), { recursive: true });
    for (const name of ["a", "deep/b", "deep/c"]) await writeFile(join(folder, "tree", name), name);
    expect((await run(["cp", "-r", "tree", at("tree")])).code).toBe(0);
    const { stdout } = await run(["ls", "-r", "--json", at("tree")]);
    expect(jsonLines(stdout).map(({ path }) => path)).toEqual(
      ["a", "deep/b", "deep/c"].map((name) => at(`tree/${name}`)),
    );
    expect((await run(["mv", "-r", at("tree"), "back"])).code).toBe(0);
    expect(await readFile(join(folder, "back/deep/c"), "utf8")).toBe("deep/c");
    expect((await run(["ls", at("tree")])).code).toBe(1);
  });

  test("attributes of cp are stored, kept by a copy, and dropped on request; sync skips what is unchanged", async () => {
    await writeFile(join(folder, "app.js"), "code");
    const attributes = ["--cache-control", "no-cache", "--metadata", "owner=web", "--tag", "team=site"];
    expect(await run(["cp", ...attributes, "app.js", at("app.js")])).toMatchObject({ code: 0, stderr: "" });
    const stat = async (key: string) => jsonLines((await run(["stat", "--json", at(key)])).stdout)[0];
    const stored = { cacheControl: "no-cache", metadata: { owner: "web" }, tagCount: 1 };
    expect(await stat("app.js")).toMatchObject(stored);
    expect((await run(["stat", at("app.js")])).stdout).toMatch(/^cache control +no-cache$/m);
    await run(["cp", at("app.js"), at("kept.js")]);
    expect(await stat("kept.js")).toMatchObject(stored);
    await run(["cp", "--attributes", "drop", "--content-type", "text/plain", at("app.js"), at("bare.js")]);
    expect(await stat("bare.js")).toMatchObject({ contentType: "text/plain" });
    expect(await stat("bare.js")).not.toHaveProperty("cacheControl");
    expect((await run(["sync", "--include", "app.js", ".", at("")])).stdout).toContain("0 files copied");
    expect((await run(["ls", at("*.js")])).stdout.trim().split("\n")).toHaveLength(3);
  });

  test("buckets are created, listed and deleted, and none that is not empty", async () => {
    const made = `s3://lake@${bucket().name}-made`;
    expect(await run(["mb", made])).toMatchObject({ code: 0, stdout: `created ${made}/\n`, stderr: "" });
    expect(await run(["mb", made])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/AlreadyExists.*already\)\n$/),
    });
    const listed = jsonLines((await run(["ls", "--json", "s3://lake@"])).stdout);
    expect(listed).toContainEqual(expect.objectContaining({ path: `${made}/`, created: expect.any(String) }));
    expect((await run(["ls", "s3://lake@"])).stdout).toMatch(
      new RegExp(`^\\d{4}-.{14} {2}${bucket().name}-made/$`, "m"),
    );
    await writeFile(join(folder, "a.txt"), "text");
    await run(["cp", "a.txt", `${made}/`]);
    const kept = await run(["rb", made]);
    expect(kept).toMatchObject({ code: 1, stderr: expect.stringContaining(`stowage ls -r --versions ${made}/`) });
    expect((await run(["cat", `${made}/a.txt`])).stdout).toBe("text");
    await run(["rm", `${made}/a.txt`]);
    expect(await run(["rb", "--json", made])).toMatchObject({ code: 0, stdout: expect.stringContaining("deleted") });
    expect(await run(["rb", made])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("stowage ls s3://lake@"),
    });
  });

  test("a key, wildcards of names and buckets of files are refused by mb and rb", async () => {
    for (const [command, path] of [
      ["mb", at("a")],
      ["rb", at("a")],
      ["mb", "s3://lake@Upper"],
      ["rb", "s3://lake@a*"],
    ])
      expect(await run([command!, path!]), path).toMatchObject({ code: 2, stdout: "" });
    expect(await run(["mb", "folder"])).toMatchObject({ code: 2, stdout: "" });
    expect(await run(["ls", "-r", "s3://lake@"])).toMatchObject({ code: 2, stdout: "" });
  });

  test("a signed link reads the object without credentials", async () => {
    await writeFile(join(folder, "a.txt"), "for everybody");
    await run(["cp", "a.txt", at("a.txt")]);
    const { stdout } = await run(["sign", at("a.txt")]);
    expect(await (await fetch(stdout.trim())).text()).toBe("for everybody");
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s in the middle of an upload leaves neither an object nor an upload",
    async (signal) => {
      const key = `cut-${signal}.bin`;
      const child = start(["cp", "-", at(key)], options());
      const told = ended(child);
      child.stdin?.on("error", () => {});
      child.stdin?.write(Buffer.alloc(24 * MIB));
      await expect.poll(() => openUploads(key), { timeout: 20_000 }).toBe(1);
      child.kill(signal);
      expect(await told).toMatchObject({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(/^stowage: interrupted.*\n$/),
      });
      expect(await openUploads(key)).toBe(0);
      expect(await run(["stat", at(key)])).toMatchObject({ code: 1, stderr: expect.stringContaining("NotFound") });
    },
  );

  test("Ctrl-C in the middle of a download leaves no file", async () => {
    await writeFile(join(folder, "big.bin"), Buffer.alloc(64 * MIB));
    await run(["cp", "big.bin", at("big.bin")]);
    await rm(join(folder, "big.bin"));
    const child = start(["cp", at("big.bin"), "down.bin"], options());
    const told = ended(child);
    await expect.poll(() => readdir(folder), { timeout: 20_000, interval: 5 }).toHaveLength(1);
    child.kill("SIGINT");
    const { code } = await told;
    // It may have been done before the signal came; then the file is whole.
    const left = await readdir(folder);
    expect(left).toEqual(code === 0 ? ["down.bin"] : []);
  });

  test("wrong credentials fail with 1 and name the doctor, not the secret", async () => {
    const wrong = knowing("lake", { ...server.connection, password: "canary-wrong-secret" });
    const { code, stdout, stderr } = await stowage(["ls", at("")], wrong);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`stowage doctor ${at("")}`);
    expect(stderr).not.toContain("canary-wrong-secret");
  });

  test("an XCom is stored, explained and listed by its path alone", async () => {
    const push = [
      "xcom",
      "push",
      "--base",
      at("xcom"),
      "--dag",
      "d",
      "--run",
      "r",
      "--task",
      "t",
      "--compression",
      "gzip",
    ];
    const { stdout } = await stowage(push, { ...options(), input: "[1,2,3]" });
    const reference = JSON.parse(stdout);
    expect((await run(["xcom", "pull", reference])).stdout).toBe("[1,2,3]\n");
    expect((await run(["xcom", "show", reference])).stdout).toMatch(/^stored +\d+ B, gzip/m);
    expect((await run(["xcom", "ls", "--refs", at("xcom/d/r")])).stdout).toBe(`${reference}\n`);
  });
});

await describeOn("minio-tls", "encryption and checksums of cp", (server: ServerOf<"minio-tls">) => {
  const bucket = useBucket(server);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-cli-tls-"));
    await writeFile(join(folder, "a.txt"), "text");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const at = (key: string) => `s3://lake@${bucket().name}/${key}`;
  const key = randomBytes(32);
  const run = (args: string[], input = "") => {
    const { env } = knowing("lake", server.connection);
    return stowage(args, { cwd: folder, input, env: { ...env, OWN_KEY: key.toString("base64") } });
  };
  const stat = async (name: string, ...more: string[]) =>
    jsonLines((await run(["stat", "--json", ...more, at(name)])).stdout)[0];

  test("the provider encrypts as it is asked to", async () => {
    expect(await run(["cp", "--sse", "AES256", "a.txt", at("s3")])).toMatchObject({ code: 0, stderr: "" });
    expect(await stat("s3")).toMatchObject({ encryption: { sse: "AES256" } });
    expect((await run(["cp", "--kms-key-id", server.kmsKey!, "a.txt", at("kms")])).code).toBe(0);
    expect(await stat("kms")).toMatchObject({ encryption: { sse: "aws:kms" } });
    expect((await run(["cp", "--sse", "AES256", "-", at("stdin")], "text")).code).toBe(0);
    expect(await stat("stdin")).toMatchObject({ encryption: { sse: "AES256" } });
    const scope = await run(["cp", "--encryption-scope", "x", "a.txt", at("scope")]);
    expect(scope).toMatchObject({ code: 1, stderr: expect.stringContaining("scope") });
  });

  test("a customer's key comes from a file or a variable, and is shown nowhere", async () => {
    await writeFile(join(folder, "raw.key"), key);
    await writeFile(join(folder, "text.key"), `${key.toString("base64")}\n`);
    expect(await run(["cp", "--customer-key", "raw.key", "a.txt", at("own")])).toMatchObject({ code: 0, stderr: "" });
    expect(await run(["cat", at("own")])).toMatchObject({ code: 2, stdout: "" });
    expect((await run(["cat", "--customer-key", "text.key", at("own")])).stdout).toBe("text");
    expect(await stat("own", "--customer-key", "env:OWN_KEY")).toMatchObject({ encryption: { customerKey: true } });
    expect((await run(["cp", "--source-customer-key", "env:OWN_KEY", at("own"), "back.txt"])).code).toBe(0);
    expect(await readFile(join(folder, "back.txt"), "utf8")).toBe("text");
    expect((await run(["cp", "--source-customer-key", "raw.key", at("own"), "-"])).stdout).toBe("text");
    for (const where of [key.toString("base64"), "env:NONE", "a.txt"]) {
      const refused = await run(["cp", "--customer-key", where, "a.txt", at("refused")]);
      expect(refused, where).toMatchObject({ code: 2, stdout: "" });
      expect(refused.stderr).not.toContain(key.toString("base64"));
    }
  });

  test("a checksum is verified on the way up and down, and a wrong one stores nothing", async () => {
    const sha256 = createHash("sha256").update("text").digest("hex");
    const wrong = createHash("sha256").update("other").digest("hex");
    expect((await run(["cp", "--checksum", `sha256=${sha256}`, "a.txt", at("sum")])).code).toBe(0);
    expect((await run(["cp", "--checksum", `sha256=${sha256}`, "-", at("sum2")], "text")).code).toBe(0);
    expect((await run(["cp", "--checksum", `sha256=${sha256}`, at("sum"), "down.txt"])).code).toBe(0);
    for (const [from, to] of [
      ["a.txt", at("bad")],
      ["-", at("bad")],
      [at("sum"), "bad.txt"],
    ])
      expect(await run(["cp", "--checksum", `sha256=${wrong}`, from!, to!], "text"), `${from} ${to}`).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Corrupt"),
      });
    expect((await run(["stat", at("bad")])).code).toBe(1);
    expect(await readdir(folder)).not.toContain("bad.txt");
    for (const args of [
      ["--checksum", "sha1=00", "a.txt", at("bad")],
      ["--checksum", `sha256=${sha256}`, at("sum"), at("bad")],
      ["-r", "--checksum", `sha256=${sha256}`, ".", at("bad")],
      ["--checksum", "md5=zz", "a.txt", at("bad")],
    ])
      expect(await run(["cp", ...args]), args.join(" ")).toMatchObject({ code: 2, stdout: "" });
  });
});
