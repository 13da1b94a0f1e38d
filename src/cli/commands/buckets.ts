/** `mb` and `rb`, and what `ls` prints of an account. */
import type { Command } from "commander";
import { invalid } from "../../errors.js";
import { providerOf } from "../../path.js";
import type { Cli, Session } from "../command.js";
import { moment, printable, styled } from "../format.js";

export function addBuckets(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "mb",
      summary: "create a bucket",
      examples: [
        ["stowage mb s3://lake@my-new-bucket", "in the region of the connection"],
        ["stowage mb --region eu-central-1 s3://lake@my-new-bucket", "elsewhere"],
      ],
    })
    .argument("<bucket>", "its URL, without a key")
    .option("--region <name>", "the provider's own name of a place")
    .action(cli.run(make));
  cli
    .add(program, {
      name: "rb",
      summary: "delete an empty bucket",
      details: "A bucket that is not empty stays, whatever is in it: old versions count, too.",
      examples: [["stowage rb s3://lake@my-old-bucket", "an empty bucket"]],
    })
    .argument("<bucket>", "its URL, without a key")
    .action(cli.run(remove));
}

const ACCOUNT = /^([a-z][a-z\d+.-]*):\/\/(?:[^/]*@)?\/?$/i;

/** Returns whether the argument is an account, `s3://lake@`. */
export function isAccount(text: string): boolean {
  const [, scheme] = ACCOUNT.exec(text) ?? [];
  return scheme !== undefined && providerOf(scheme.toLowerCase()) !== "file";
}

/** Prints the buckets of an account. */
export async function listBuckets(session: Session, account: string): Promise<void> {
  const { storage, signal, io } = session;
  for await (const entry of storage.buckets(account).list({ signal })) {
    const { name, created, region } = entry;
    const columns = [
      styled(io.stdout, "dim", (created ? moment(created) : "").padEnd(MOMENT)),
      styled(io.stdout, "blue", `${printable(name)}/`),
      ...(region === undefined ? [] : [styled(io.stdout, "dim", printable(region))]),
    ];
    await session.say(entry, columns.join("  "));
  }
}

const MOMENT = 19;

async function make(session: Session, text: string, { region }: { region?: string }): Promise<void> {
  const { account, bucket, path } = bucketIn(session, text);
  await session.storage.buckets(account).create(bucket, { region, signal: session.signal });
  await session.say({ action: "created", path }, `created ${printable(path)}`);
}

async function remove(session: Session, text: string): Promise<void> {
  const { account, bucket, path } = bucketIn(session, text);
  await session.storage.buckets(account).delete(bucket, { signal: session.signal });
  await session.say({ action: "deleted", path }, `deleted ${printable(path)}`);
}

function bucketIn(session: Session, text: string): { account: string; bucket: string; path: string } {
  if (!text.includes("://")) throw invalid(`${JSON.stringify(text)} names no bucket; expected s3://connection@bucket`);
  const path = session.path(text);
  const { scheme, connectionId, bucket, key } = path;
  if (providerOf(scheme) === "file") throw invalid("there are no buckets of files; use folders");
  if (key !== "")
    throw invalid(`${printable(String(path))} names an object, not a bucket; expected s3://connection@bucket`);
  const account = connectionId === undefined ? `${scheme}://` : `${scheme}://${connectionId}@`;
  return { account, bucket, path: String(path) };
}
