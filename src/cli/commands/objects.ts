/** `rm`, `stat` and `sign`. */
import { type Command, Option } from "commander";
import { failure, invalid } from "../../errors.js";
import type { ObjectInfo } from "../../fs/driver/index.js";
import { providerOf, type StoragePath } from "../../path.js";
import type { Cli } from "../command.js";
import { isLink, ONLY_BELOW, quoted, type Session } from "../command.js";
import { addCustomerKey, customerKeyIn } from "../encryption.js";
import { bytes, facts, moment, printable, put } from "../format.js";
import { aliasFlag, seconds, timeSpan } from "../options.js";
import { expandSources, onOneObject } from "../sources.js";

export function addObjects(cli: Cli, program: Command): void {
  addRemove(cli, program);
  addStat(cli, program);
  addSign(cli, program);
}

function addRemove(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "rm",
      summary: "delete objects, or with -r all below a path",
      examples: [
        ["stowage rm s3://lake@bucket/old.csv", "one object"],
        ["stowage rm -r s3://lake@bucket/tmp", "the object, and everything below it"],
      ],
    })
    .argument("<path...>", "what to delete")
    .option("-r, --recursive", "everything below, too")
    .addOption(aliasFlag("-R"))
    .option("-n, --dry-run", "only print what would be deleted")
    .option("-f, --force", "ignore missing objects")
    .option("--empty-bucket", "with -r: empty a whole bucket")
    .action(cli.run(remove));
}

function addStat(cli: Cli, program: Command): void {
  const command = cli
    .add(program, {
      name: "stat",
      summary: "print the metadata of objects",
      examples: [["stowage stat --json s3://lake@bucket/a.csv | jq -r .etag", "one field"]],
    })
    .argument("<path...>", "which objects");
  addCustomerKey(command);
  command.action(cli.run(stat));
}

function addSign(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "sign",
      summary: "print a link that works without credentials",
      examples: [
        ["stowage sign --expires 15m s3://lake@bucket/a.csv", "to read it"],
        ['curl -T a.csv "$(stowage sign --method PUT s3://lake@bucket/a.csv)"', "lets its holder write it"],
        [
          'curl -H "x-ms-blob-type: BlockBlob" -T a.csv "$(stowage sign --method PUT abfs://lake@box/a.csv)"',
          "the same on Azure, which requires this header",
        ],
      ],
    })
    .argument("<path>", "which object")
    .addOption(
      new Option("--method <method>", "what the link is for").choices(["GET", "PUT", "HEAD", "DELETE"]).default("GET"),
    )
    .option("--content-type <type>", "with PUT: the type that the holder must send")
    .option("--expires <time>", "seconds, or 15m, 2h, 7d", seconds, 3600)
    .action(cli.run(sign));
}

interface RemoveOptions {
  recursive?: boolean;
  R?: boolean;
  dryRun?: boolean;
  force?: boolean;
  emptyBucket?: boolean;
}

async function remove(session: Session, texts: string[], options: RemoveOptions): Promise<void> {
  const { R = false, recursive = R, force = false, emptyBucket, dryRun } = options;
  const { storage, signal } = session;
  const paths = await expandSources(session, texts, { recursive, force });
  if (recursive && !emptyBucket && paths.some(({ key }) => key === ""))
    throw invalid("this would empty the whole bucket; pass --empty-bucket to allow it");
  const bucket = paths.find(({ key, scheme }) => key === "" && providerOf(scheme) !== "file");
  if (bucket && !recursive) throw invalid(wholeBucket(session, bucket));
  const there = await deletable(session, paths, recursive, force);
  if (dryRun) return wouldDelete(session, there, recursive);
  await storage.delete(there, { recursive, emptyBucket, signal });
  for (const path of there) await session.say({ action: "deleted", path }, printable(`deleted ${path}`));
}

function wholeBucket({ program }: Session, path: StoragePath): string {
  const bucket = quoted(String(path).replace(/\/$/, ""));
  return `${bucket} is a bucket; to empty it: ${program} rm -r --empty-bucket ${bucket}; to delete an empty one: ${program} rb ${bucket}`;
}

/**
 * Returns the paths with something to delete: deleting a missing object succeeds, which would hide a misspelled path.
 * Throws NotFound for one without, unless `force`, and for a directory without `recursive`.
 */
async function deletable(session: Session, paths: readonly StoragePath[], recursive: boolean, force: boolean) {
  const found: StoragePath[] = [];
  for (const path of paths) {
    const what = await whatIsAt(session, path);
    if (what === "nothing" && !force) throw failure("NotFound", "there is nothing to delete").at("rm", String(path));
    if (what === "directory" && !recursive && path.key !== "")
      throw failure("NotFound", `${ONLY_BELOW}; delete that with -r`).at("rm", `${path}`);
    if (what !== "nothing") found.push(path);
  }
  return found;
}

async function whatIsAt({ storage, signal }: Session, path: StoragePath): Promise<"object" | "directory" | "nothing"> {
  if ((await isLink(path)) || (path.key !== "" && (await storage.exists(path, { signal })))) return "object";
  for await (const _ of storage.list(path, { limit: 1, signal })) return "directory";
  return "nothing";
}

async function wouldDelete(session: Session, paths: readonly StoragePath[], recursive: boolean): Promise<void> {
  const { storage, signal } = session;
  const tell = (path: StoragePath) =>
    session.say({ action: "deleted", path, dryRun: true }, printable(`would delete ${path}`));
  for (const path of paths) {
    if ((await isLink(path)) || (path.key !== "" && (await storage.exists(path, { signal })))) await tell(path);
    // Behind a link nothing is deleted.
    if (!recursive || (await isLink(path))) continue;
    for await (const entry of storage.list(path, { recursive: true, signal })) await tell(entry.path);
  }
}

async function stat(session: Session, texts: string[], options: { customerKey?: string }): Promise<void> {
  session.endsWithReader();
  const { io, storage, signal, json } = session;
  const customerKey = await customerKeyIn(session, options.customerKey);
  for (const [index, path] of (await expandSources(session, texts)).entries()) {
    const {
      key: _,
      path: __,
      ...info
    } = await onOneObject(session, path, "", () => storage.stat(path, { customerKey, signal }));
    if (json) await session.say({ path, ...info }, "");
    else {
      if (index > 0) await put(io.stdout, "\n");
      await facts(io.stdout, factsOf(path, info));
    }
  }
}

function factsOf(path: StoragePath, info: Omit<ObjectInfo, "key">): [string, string][] {
  const exact = info.size < 1024 ? "" : ` (${info.size.toLocaleString("en")} bytes)`;
  const rows: [string, string][] = [
    ["path", printable(String(path))],
    ["size", `${bytes(info.size)}${exact}`],
    ["modified", info.modified ? moment(info.modified) : "unknown"],
    ["content type", printable(info.contentType ?? "none")],
    ["etag", info.etag ?? "none"],
  ];
  for (const [name, value] of [
    ["cache control", info.cacheControl],
    ["disposition", info.contentDisposition],
    ["encoding", info.contentEncoding],
    ["language", info.contentLanguage],
    ["storage class", info.storageClass],
  ] as const)
    if (value !== undefined) rows.push([name, printable(value)]);
  if (info.version !== undefined) rows.push(["version", info.version]);
  for (const [name, value] of Object.entries(info.metadata ?? {})) rows.push([`metadata ${name}`, printable(value)]);
  return rows;
}

interface SignOptions {
  method: "GET" | "PUT" | "HEAD" | "DELETE";
  contentType?: string;
  expires: number;
}

async function sign(session: Session, text: string, options: SignOptions): Promise<void> {
  const { method, expires, contentType } = options;
  const { storage, io } = session;
  const path = session.path(text);
  if (method === "PUT" && text.endsWith("/"))
    throw invalid("a path that ends in a slash is a directory; name the object below it");
  const { url: link, headers } = await storage.signedUrl(path, { method, contentType, expiresIn: expires });
  await session.say({ path, method, expiresIn: expires, link, headers }, link);
  const needed = Object.entries(headers).map(([name, value]) => `, with the header ${name}: ${value}`);
  if (io.stderr.terminal) await put(io.stderr, `to ${method} within ${timeSpan(expires)}${needed.join("")}\n`);
}
