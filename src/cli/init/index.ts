/** `init`: writes a connection into a connections file. */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { type Command, Option } from "commander";
import { invalid } from "../../errors.js";
import { StoragePath } from "../../path.js";
import { type Cli, CONNECTIONS_FILE, quoted, type Session } from "../command.js";
import { type Prompts, promptsOn } from "./prompts.js";
import { PROVIDERS, type Provider, type RecordOptions, recordOf, unknownService } from "./records.js";

interface InitOptions extends RecordOptions {
  provider?: Provider;
  id?: string;
  force?: boolean;
}

export function addInit(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "init",
      summary: "write a connection into a file",
      details:
        "Writes a connection into --connections, STOWAGE_CONNECTIONS_FILE or ./stowage-connections.json, which only " +
        "its owner can read. Asks on a terminal for what the options leave open. Secrets are typed unseen, taken " +
        "from the environment with --from-env, or left out: they are then found when the connection is used.",
      examples: [
        ["stowage init", "asks for everything"],
        ["stowage init --provider s3 --id lake --region eu-west-1 --profile work", "with a profile of ~/.aws"],
        ["stowage init --provider azure --id lake --account myaccount --from-env", "with the environment's key"],
      ],
    })
    .addOption(new Option("--provider <name>", "the kind of store").choices(PROVIDERS))
    .option("--id <id>", "the connection's name in paths, s3://ID@bucket")
    .option("--endpoint <url>", "of a service that is not the provider's own")
    .option("--service <name>", "s3: the kind of server at the endpoint: minio, r2, ceph, b2, ...")
    .option("--region <name>", "s3: the region")
    .option("--profile <name>", "s3: a profile of ~/.aws")
    .option("--account <name>", "azure: the storage account")
    .option("--key-file <path>", "gcs: the key file of a service account")
    .option("--from-env", "copy the environment's credentials into the file")
    .option("--force", "replace a connection of this id")
    .action(cli.run(init));
}

async function init(session: Session, options: InitOptions): Promise<void> {
  const file = resolve(session.io.cwd, session.env.STOWAGE_CONNECTIONS_FILE || CONNECTIONS_FILE);
  if (extname(file).toLowerCase() !== ".json")
    throw invalid(`${file} is not a .json file: name one with --connections`);
  const before = await entriesIn(file);
  const prompts = promptsOn(session.io);
  try {
    const provider = await providerOf(options, prompts);
    const id = checkedId(options.id ?? (await prompts?.ask("Connection id, as in s3://ID@bucket")), provider);
    if (Object.hasOwn(before, id) && !options.force)
      throw invalid(`${file} has a connection ${JSON.stringify(id)} already: choose another --id, or add --force`);
    const record = await recordOf(provider, id, { options, env: session.io.env, prompts });
    await replaced(file, `${JSON.stringify({ ...before, [id]: record }, null, 2)}\n`);
    await printNext(session, file, id, provider, unknownService(provider, id, record));
  } finally {
    prompts?.close();
  }
}

async function providerOf({ provider }: InitOptions, prompts: Prompts | undefined): Promise<Provider> {
  const text = provider ?? (await prompts?.ask(`Provider (${PROVIDERS.join(", ")})`));
  const found = PROVIDERS.find((name) => name === text);
  if (found) return found;
  const problem = text === undefined ? "--provider is missing" : `unknown provider ${JSON.stringify(text)}`;
  throw invalid(`${problem}: expected one of ${PROVIDERS.join(", ")}`);
}

const SCHEMES: Record<Provider, string> = { s3: "s3", gcs: "gs", azure: "abfs" };

function checkedId(id: string | undefined, provider: Provider): string {
  if (!id) throw invalid("--id is missing: expected a name for the connection, such as lake");
  if (!/^[A-Za-z0-9_.-]+$/.test(id))
    throw invalid(`${JSON.stringify(id)} is not a valid --id: expected letters, digits, "_", "." and "-"`);
  // What a path cannot name is of no use.
  StoragePath.parse(`${SCHEMES[provider]}://${id}@bucket`);
  return id;
}

/** Errors of the parser quote the text, so they are neither repeated nor kept as cause. */
async function entriesIn(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(`${file} is not JSON: fix it, or name another file with --connections`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(`${file} must hold one object, with an id for each connection`);
  return value as Record<string, unknown>;
}

/** Replaces the file at once, so that a reader sees the old or the new one; only its owner may read it. */
async function replaced(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: "wx" });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function printNext(
  session: Session,
  file: string,
  id: string,
  provider: Provider,
  note: string | undefined,
): Promise<void> {
  const option = session.io.env.STOWAGE_CONNECTIONS_FILE ? "" : `--connections ${quoted(file)} `;
  // Run by npx, the command is on no PATH.
  const program = session.io.env.npm_command === "exec" ? "npx stowage" : "stowage";
  const next = `${program} ${option}doctor ${SCHEMES[provider]}://${id}@BUCKET`;
  await session.say(
    { file, id, note, next },
    `wrote the connection ${id} into ${file}\n${note ? `note: ${note}\n` : ""}programs find it with STOWAGE_CONNECTIONS_FILE=${quoted(file)}\nnext, with the name of a bucket: ${next}`,
  );
}
