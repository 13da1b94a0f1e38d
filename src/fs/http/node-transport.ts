/** Requests over Node's own client, which knows proxies and adds least to a bundle. */
import type { ClientRequest, RequestOptions } from "node:http";
import { invalid } from "../../errors.js";
import { headerList, respond, type Transport } from "./transport.js";
import type { HttpOptions } from "./types.js";

const HEADERS_LIMIT = 64 * 1024;

/** Loads `node:https` only if needed. */
export async function nodeTransport(
  { protocol, tls, env }: Pick<HttpOptions, "protocol" | "tls" | "env">,
  maxSockets: number,
): Promise<Transport> {
  const proxy = env?.NODE_USE_ENV_PROXY === "1" && { proxyEnv: env };
  const { Agent, request } =
    protocol === "http:"
      ? // Imported as an ES module, it would load Node's fetch and WebSocket as well: 30 ms of each start.
        process.getBuiltinModule("node:http")
      : await import("node:https");
  // Node copies an agent's options for each request, but not its properties.
  const agent = Object.assign(new Agent({ keepAlive: true, ...proxy, ...tls }), {
    maxSockets,
    maxFreeSockets: maxSockets,
  });
  return {
    begin(out, listener) {
      const { method, path, origin } = out;
      const { hostname: host, port } = origin;
      // Only options that differ from the default, since Node copies them three times per request.
      const options = { agent, host, port, method, path, headers: headerList(out), maxHeaderSize: HEADERS_LIMIT };
      let opened: ClientRequest;
      try {
        opened = request(options as RequestOptions);
      } catch (error) {
        // Node refuses characters that no header or request line can carry, and names the header, not the value.
        throw invalid((error as Error).message);
      }
      return (
        opened
          .on("socket", () => listener.assigned())
          .on("response", (message) => respond(listener, method, message))
          // Stays for the life of the connection: an error after the response must not be an uncaught one.
          .on("error", (error) => listener.failed(error))
      );
    },
    close: () => agent.destroy(),
  };
}
