/** The order of the examination: each check stands on those before it. */
import type { StoragePath } from "../../path.js";
import { providerOf } from "../../path.js";
import type { Session } from "../session.js";
import { lookAtBucket } from "./bucket.js";
import { findConnection } from "./connection.js";
import { lookAtEndpoint } from "./endpoint.js";
import { broken, type Finding, ok, skipped } from "./finding.js";
import { findLeftovers } from "./leftovers.js";
import { Probe } from "./probe.js";
import { settingsOf } from "./settings.js";

/** What is found, as it is found. Probe objects are gone when it ends, however it ends. */
export async function* examined(session: Session, at: StoragePath, readOnly: boolean): AsyncGenerator<Finding> {
  const { connection, finding } = await findConnection(session, at);
  yield finding;
  if (finding.status === "failed") return yield skipped("the rest", "needs the connection");
  let remote: ReturnType<typeof settingsOf>;
  try {
    remote = settingsOf(providerOf(at.scheme), at, connection, session.env);
  } catch (error) {
    yield broken("credentials", error, session.signal, "correct the field that is named");
    return yield skipped("the rest", "needs credentials");
  }
  if (remote) {
    yield ok("credentials", remote.credentials);
    yield ok("settings", remote.place);
    const reached: Finding[] = [];
    for await (const found of lookAtEndpoint(session, remote)) {
      reached.push(found);
      yield found;
    }
    if (reached[0]?.status === "failed") return yield skipped("the rest", "needs an answer from the endpoint");
    yield ok("checksums", remote.checksums);
  }
  const bucket = await lookAtBucket(session, at);
  yield bucket.finding;
  const leftovers = await findLeftovers(at);
  if (leftovers) yield leftovers;
  if (!bucket.usable) return yield skipped("the rest", "needs the bucket");
  if (readOnly) return yield skipped("the rest", "would write");
  yield* new Probe(session, at).run();
}
