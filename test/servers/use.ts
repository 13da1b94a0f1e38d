/**
 * Servers for test files. A server is started when the first file asks for it and shared by the whole run:
 *
 *     await describeOn("minio", "S3", (server) => {
 *       const bucket = useBucket(server);
 *       test("...", async () => { ... server.connection ... bucket().name ... });
 *     });
 *
 * Where the server can be neither found nor started, the suite fails when CI is set, and is reported as skipped with the
 * reason elsewhere.
 */
import { get, type IncomingMessage } from "node:http";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, describe, inject, test } from "vitest";
import type { Bucket } from "./buckets.mjs";
import { makeBucket, type starters } from "./index.mjs";

declare module "vitest" {
  interface ProvidedContext {
    servers: string;
  }
}

export type ServerName = keyof typeof starters;
export type ServerOf<N extends ServerName> = N extends ServerName
  ? Omit<Awaited<ReturnType<(typeof starters)[N]>>, "stop">
  : never;

/** The server of that name, started if need be. Rejects with the reason when this machine cannot have it. */
export async function server<N extends ServerName>(name: N): Promise<ServerOf<N>> {
  const { status, body } = await ask(inject("servers") + name);
  if (status !== 200) throw new Error((body as { reason: string }).reason);
  return body as ServerOf<N>;
}

/** Not by `fetch`, which gives up after five minutes: a server that is built first may take longer. */
async function ask(url: string): Promise<{ status: number | undefined; body: unknown }> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => get(url, resolve).once("error", reject));
  return { status: answer.statusCode, body: await json(answer) };
}

/** A `describe` whose body gets the server; skipped with the reason where there is none and CI does not forbid it. */
export async function describeOn<N extends ServerName>(
  name: N,
  title: string,
  body: (server: ServerOf<N>) => void,
): Promise<void> {
  try {
    const found = await server(name);
    describe(title, () => body(found));
  } catch (error) {
    if (process.env.CI) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`\n*** SKIPPED: ${title}: no ${name} here: ${reason} ***\n`);
    describe(title, () => test.skip(`skipped, ${reason.split("\n")[0]}`));
  }
}

/** A bucket of its own for the surrounding `describe`, removed after it. */
export function useBucket(server: ServerOf<ServerName>, options: { versioned?: boolean } = {}): () => Bucket {
  let bucket: Bucket | undefined;
  // Azurite takes its time on a loaded machine.
  beforeAll(async () => {
    bucket = await makeBucket(server, options);
  }, 180_000);
  afterAll(async () => {
    await bucket?.remove();
  });
  return () => {
    if (!bucket) throw new Error("the bucket exists only while the tests of this describe run");
    return bucket;
  };
}
