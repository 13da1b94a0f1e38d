/** The transport with little patience: what takes ten seconds or five minutes elsewhere takes a second and a half here. */
import type * as Transport from "../../src/fs/http/client.js";

/** Milliseconds without a byte after which a try is given up. */
export const IDLE = 1500;
/** Set in the environment of a Storage, this leaves its clients as they are: on a busy machine a server may take its time. */
export const PATIENT = "STOWAGE_TEST_PATIENT";
/** How often a request is sent at most. */
export const TRIES = 4;

/**
 * The module `src/fs/http/client.ts` for `vi.mock`: every client of every driver gets these limits, whatever a request asks.
 *
 *     vi.mock("../../src/fs/http/client.js", async (original) => (await import("./brisk.js")).briskly(original));
 */
export async function briskly(original: () => Promise<unknown>): Promise<typeof Transport> {
  const transport = (await original()) as typeof Transport;
  const openHttp: typeof transport.openHttp = async (options) => {
    if (options.env?.[PATIENT]) return transport.openHttp(options);
    const http = await transport.openHttp({ ...options, idleTimeoutMs: IDLE, maxAttempts: TRIES });
    const { send, text } = http;
    http.send = (request) => send.call(http, { ...request, idleTimeoutMs: IDLE });
    http.text = (request, max) => text.call(http, { ...request, idleTimeoutMs: IDLE }, max);
    return http;
  };
  return { ...transport, openHttp };
}
