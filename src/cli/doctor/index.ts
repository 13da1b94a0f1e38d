/** Finds a path's connection and the source that contains it. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import {
  type Connection,
  connectionsFileOf,
  connectionsFromEnv,
  connectionsFromFile,
  connectionVariable,
  idsOf,
} from "../../connections/index.js";
import { isStorageError, suggestion } from "../../errors.js";
import { providerOf, type StoragePath } from "../../path.js";
import { type Cli, CONNECTIONS_FILE, type Session } from "../command.js";
import { jsonLine, printable, put } from "../format.js";
import { knownConnections } from "../known-connections.js";
import { pluralize } from "../options.js";
import { lookAtEndpoint } from "./endpoint.js";
import { brokenFinding, type Finding, failedFinding, mendOf, ok, print, skippedFinding } from "./finding.js";
import { findLeftovers, Probe } from "./probe.js";
import { type Settings, settingsOf } from "./settings.js";

export interface FoundConnection {
  finding: Finding;
  connection: Connection | undefined;
}

const OWN_ENVIRONMENT = "none is named: the provider's own environment is used";

/** Returns the path's connection and its source. A path without a connection id has none. */
async function findConnection(session: Session, path: StoragePath): Promise<FoundConnection> {
  const { env, signal } = session;
  const { scheme, connectionId: id } = path;
  const check = "connection";
  if (id === undefined) {
    const local = ["file", "memory"].includes(providerOf(scheme) ?? "");
    const known = await knownConnections(path, env);
    const named = known ? `${known}; here the provider's own environment is used` : OWN_ENVIRONMENT;
    const detail = local ? "none is needed" : named;
    return { connection: undefined, finding: ok(check, detail) };
  }
  try {
    for (const { where, source } of sourcesOf(env, id)) {
      const connection = await source.get(id);
      const detail = `${id}, of type ${connection?.type}, found in ${where}`;
      if (connection) return { connection, finding: ok(check, detail) };
    }
  } catch (error) {
    return { connection: undefined, finding: brokenFinding(check, error, signal, "correct it where the message says") };
  }
  return { connection: undefined, finding: await unknownConnection(session, id) };
}

function sourcesOf(env: Session["env"], id: string) {
  const file = connectionsFileOf(env);
  const variable = { where: `the variable ${connectionVariable(id)}`, source: connectionsFromEnv(env) };
  if (file === undefined) return [variable];
  return [{ where: `the file ${file}`, source: connectionsFromFile(file) }, variable];
}

async function unknownConnection({ env, io }: Session, id: string): Promise<Finding> {
  const sources = sourcesOf(env, id);
  const places = sources.map(({ where }) => where);
  const meant = suggestion(id, await idsOf(sources.map(({ source }) => source)));
  const written = connectionsFileOf(env) === undefined && existsSync(resolve(io.cwd, CONNECTIONS_FILE));
  const file = written ? `${CONNECTIONS_FILE}, which is here` : "FILE";
  const fix = `set ${connectionVariable(id)} to its URI or JSON, or give --connections ${file}`;
  const detail = `no connection ${JSON.stringify(id)} in ${places.join(", nor in ")}${meant}`;
  return failedFinding("connection", detail, meant ? `correct the id in the path, or ${fix}` : fix);
}

/** Returns a finding if the package that finds these credentials is not installed. */
function missingLibrary({ credentials, library }: Settings): Finding | undefined {
  if (library === undefined) return undefined;
  const { name, instead } = library;
  try {
    import.meta.resolve(name);
    return undefined;
  } catch {
    return failedFinding(
      "credentials",
      `${credentials}, needs the package ${name}`,
      `npm install ${name}; or ${instead}`,
    );
  }
}

// Whether the bucket is reachable and can be listed.

async function lookAtBucket(session: Session, path: StoragePath): Promise<{ finding: Finding; usable: boolean }> {
  const { storage, signal } = session;
  try {
    let found = "nothing is below the path yet";
    for await (const entry of storage.list(path, { signal })) {
      found = `for example ${entry.path.relativeTo(path)}`;
      break;
    }
    return { finding: ok("bucket", `reached and listed: ${found}`), usable: true };
  } catch (error) {
    const finding = brokenFinding("bucket", error, signal, mendOf(error, "list", path, session.program));
    // Credentials without list permission may still write, which is enough for many uses.
    return { finding, usable: isStorageError(error, "PermissionDenied") };
  }
}

// `doctor`.

export function addDoctor(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "doctor",
      summary: "check the connection to a bucket and say how to fix it",
      details:
        "Writes, reads and deletes probe objects of its own below the path and leaves nothing behind. " +
        "One of them has 8 MiB, to try an upload in parts. Prints where credentials come from, never what they are.",
      examples: [
        ["stowage doctor s3://lake@bucket/reports", "below a path that you may write to"],
        ["stowage doctor --read-only gs://bucket", "without writing"],
      ],
    })
    .argument("<path>", "where objects are to go")
    .option("--read-only", "leave out everything that writes")
    .action(cli.run(doctor));
}

async function doctor(session: Session, text: string, { readOnly = false }: { readOnly?: boolean }): Promise<void> {
  const { io, json } = session;
  const at = session.path(text);
  let [wrong, warned] = [0, 0];
  for await (const finding of examined(session, at, readOnly)) {
    if (finding.status === "failed") wrong += 1;
    if (finding.status === "warning") warned += 1;
    await (json ? jsonLine(io.stdout, finding) : print(io.stdout, finding));
  }
  if (!json) await put(io.stdout, `\n${printable(String(at))}: ${verdict(wrong, warned)}\n`);
  session.exitCode = wrong > 0 ? 1 : 0;
}

function verdict(wrong: number, warned: number): string {
  if (wrong === 0) return warned === 0 ? "all is well" : `all is well, with ${pluralize(warned, "warning")}`;
  return wrong === 1 ? "one thing is wrong" : `${wrong} things are wrong`;
}

// The order of the checks: each builds on the previous ones.

/** Yields findings as they arise. Probe objects are removed however the run ends. */
async function* examined(session: Session, path: StoragePath, readOnly: boolean): AsyncGenerator<Finding> {
  const { connection, finding } = await findConnection(session, path);
  const withoutConnection = skippedFinding("the rest", "needs the connection");
  if (finding.status === "failed") {
    yield finding;
    return yield withoutConnection;
  }
  let remote: Awaited<ReturnType<typeof settingsOf>>;
  try {
    remote = await settingsOf(providerOf(path.scheme), path, connection, session.env);
  } catch (error) {
    const fix = "correct the field that is named";
    if (connection) {
      yield brokenFinding("connection", error, session.signal, fix);
      return yield withoutConnection;
    }
    yield finding;
    yield brokenFinding("credentials", error, session.signal, fix);
    return yield skippedFinding("the rest", "needs credentials");
  }
  yield finding;
  if (remote) {
    const missing = missingLibrary(remote);
    yield missing ?? ok("credentials", remote.credentials);
    if (missing) return yield skippedFinding("the rest", "needs credentials");
    yield ok("settings", remote.place);
    const reached: Finding[] = [];
    for await (const found of lookAtEndpoint(session, remote)) {
      reached.push(found);
      yield found;
    }
    if (reached[0]?.status === "failed") return yield skippedFinding("the rest", "needs an answer from the endpoint");
    yield ok("checksums", remote.checksums);
  }
  const bucket = await lookAtBucket(session, path);
  yield bucket.finding;
  const leftovers = await findLeftovers(path);
  if (leftovers) yield leftovers;
  if (!bucket.usable) return yield skippedFinding("the rest", "needs the bucket");
  if (readOnly) return yield skippedFinding("the rest", "would write");
  const trial = remote?.profile === undefined ? undefined : { connection, profile: remote.profile };
  yield* new Probe(session, path, trial).run();
}
