/** Checks that the provider responds, and its clock. */
import { readFile } from "node:fs/promises";
import { type HttpOptions, openHttp, originOf } from "../../fs/http/index.js";
import type { Session } from "../command.js";
import { duration } from "../format.js";
import { type Finding, failedFinding, messageOf, ok, skippedFinding, warning } from "./finding.js";
import type { Settings } from "./settings.js";

/** Any status will do: a refusal of an unsigned request shows that the server responds. */
const ANY_STATUS = Array.from({ length: 300 }, (_, i) => 300 + i);
const TIMEOUT = 10_000;
/** Seconds. Providers refuse signatures that are 15 minutes off, Google's signed links 5. */
const SLIGHT = 30;
const TOO_MUCH = 5 * 60;

/** Yields the findings "endpoint" and "clock". */
export async function* lookAtEndpoint(session: Session, settings: Settings): AsyncGenerator<Finding> {
  const begun = Date.now();
  try {
    const date = await ask(session, settings);
    const took = Date.now() - begun;
    yield ok("endpoint", `${new URL(settings.endpoint).host} answers in ${took} ms`);
    yield clock(date, begun + took / 2);
  } catch (error) {
    session.signal.throwIfAborted();
    yield failedFinding("endpoint", messageOf(error), mendOf(error, settings));
  }
}

async function ask({ env, signal }: Session, { endpoint, verify }: Settings): Promise<string | undefined> {
  const origin = originOf(endpoint);
  const tls = typeof verify === "string" ? { ca: await readFile(verify) } : { rejectUnauthorized: verify };
  const service: HttpOptions["service"] = { parseError: () => ({}) };
  const http = await openHttp({
    protocol: origin.protocol,
    service,
    tls,
    env,
    connectTimeoutMs: TIMEOUT,
    idleTimeoutMs: TIMEOUT,
    maxAttempts: 1,
  });
  try {
    const request = { method: "HEAD", origin, path: `${origin.base}/`, headers: {} };
    const { headers, body } = await http.send({ prepare: () => request, accept: ANY_STATUS, signal });
    body.discard();
    return headers.date;
  } finally {
    http.close();
  }
}

function clock(date: string | undefined, at: number): Finding {
  const skew = Math.round((at - Date.parse(date ?? "")) / 1000);
  if (Number.isNaN(skew)) return skippedFinding("clock", "the server does not say what time it is");
  const off = Math.abs(skew);
  // The server's response has no fractions of a second.
  if (off <= 2) return ok("clock", "agrees with the server's");
  const detail = `${duration(off)} ${skew > 0 ? "ahead of" : "behind"} the server's`;
  if (off <= SLIGHT) return ok("clock", detail);
  const fix = "set the clock of this machine, by NTP for example";
  if (off <= TOO_MUCH) return warning("clock", detail, fix);
  return failedFinding(
    "clock",
    `${detail}; signatures are refused, which stowage corrects and other programs do not`,
    fix,
  );
}

const MENDS: Readonly<Record<string, string>> = {
  ENOTFOUND: "the host's name is unknown: correct the endpoint, or the network's DNS",
  EAI_AGAIN: "names cannot be looked up: check the network and its DNS",
  ECONNREFUSED: "connection refused: start the server, or correct host and port of the endpoint",
  EPROTO: "the other side does not speak TLS, or not as it should: is it http:// and not https:// there?",
  ETIMEDOUT:
    "no answer: a firewall, a proxy that is not set (HTTPS_PROXY with NODE_USE_ENV_PROXY=1), or a wrong address",
};

function mendOf(error: unknown, { endpoint }: Settings): string {
  const { code, kind } = Object(error) as { code?: unknown; kind?: unknown };
  const known = typeof code === "string" ? MENDS[code] : undefined;
  if (known) return known;
  if (kind === "tls")
    return "the certificate is not trusted: give the file of its authority in `verify`, or NODE_EXTRA_CA_CERTS";
  if (kind === "timeout") return MENDS.ETIMEDOUT!;
  return `see whether ${endpoint} is the right address, and http or https the right one of the two`;
}
