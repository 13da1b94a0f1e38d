/** Temporal as a source of references. */
import { failure, invalid } from "../../errors.js";
import { StoragePath } from "../../path.js";
import { type TemporalPlaces, temporalReferences } from "../../runtimes/temporal.js";
import type { Session } from "../command.js";
import type { OpenedSource } from "./rows.js";

/**
 * Opens the references in the namespace at `address`, which is `HOST:PORT/NAMESPACE`, else in that of Temporal's own
 * variables. `urls` are those of the driver; the bucket of `path` is known too, unless one of them has its name.
 */
export async function openTemporal(
  session: Session,
  address: string | true,
  urls: readonly string[] | undefined,
  path: StoragePath | undefined,
): Promise<OpenedSource> {
  const { env } = session;
  const [host, namespace = env.TEMPORAL_NAMESPACE] = (address === true ? (env.TEMPORAL_ADDRESS ?? "") : address).split(
    "/",
  );
  if (!host) throw invalid("name Temporal's server, HOST:PORT/NAMESPACE, or set TEMPORAL_ADDRESS to it");
  const places = urls ? placesOf(urls, path) : placeOf(path);
  const { Connection } = await import("@temporalio/client").catch((cause: unknown) => {
    throw failure("Unsupported", "Temporal needs a package: npm install @temporalio/client", { cause });
  });
  const apiKey = env.TEMPORAL_API_KEY;
  const connection = await Connection.connect({ address: host, ...(apiKey && { apiKey, tls: true }) }).catch(
    (error: Error) => {
      throw failure("Unavailable", `Temporal's server at ${host} does not answer: ${error.message}`);
    },
  );
  const source = temporalReferences(connection.workflowService, { ...places, namespace: namespace || undefined });
  return { source, close: () => connection.close() };
}

/** Each is a URL, or `BUCKET=URL` where claims have another name for the bucket. */
function placesOf(texts: readonly string[], path: StoragePath | undefined): TemporalPlaces {
  const all = texts.map((text) => {
    const [, bucket, url] = /^([^=:/]+)=(.+)$/s.exec(text) ?? [undefined, undefined, text];
    const place = StoragePath.parse(url!);
    return { url: place, bucket: bucket ?? (place.bucket || place.name) };
  });
  const [first, ...also] = all;
  if (path?.bucket && !all.some(({ bucket }) => bucket === path.bucket)) also.push(placeOf(path));
  return { ...first!, also };
}

/** Returns the place of a whole bucket, which claims call by its name. */
function placeOf(path: StoragePath | undefined): { url: StoragePath; bucket: string } {
  if (!path?.bucket) throw invalid("name the url of Temporal's driver: --temporal-url");
  const { scheme, connectionId, bucket } = path;
  return { url: StoragePath.of({ scheme, connectionId, bucket, key: "" }), bucket };
}
