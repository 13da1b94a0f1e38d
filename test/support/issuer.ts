/** Servers that issue tokens, for tests of credentials. They check what a real one checks, and remember what they were asked. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  readonly method: string;
  /** Host and path as the client sent them. */
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A body in JSON or, when it is text, as it stands; a number is a refusal of that status. */
export type Said = object | string | number;

export interface Issuer {
  /** Host and port. */
  readonly host: string;
  readonly asked: Asked[];
  close(): Promise<void>;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** A server on the loopback interface whose every answer `say` gives; `make` may make it one that speaks TLS. */
export async function issuer(
  say: (asked: Asked) => Said,
  make: (listener: Listener) => Server = createServer,
): Promise<Issuer> {
  const asked: Asked[] = [];
  const server = make(async (request, response) => {
    const { method = "", url = "/", headers } = request;
    const one = { method, url: new URL(url, `http://${headers.host}`), headers, body: await text(request) };
    asked.push(one);
    answer(response, say(one));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close };
}

/** A proxy for HTTPS whose tunnels all end at `host`, whatever place they were dug for: how requests to Google get there. */
export async function tunnels(host: string): Promise<Pick<Issuer, "host" | "close">> {
  const server = createServer();
  server.on("connect", (_request, socket) => {
    const { hostname, port } = new URL(`http://${host}`);
    const target = connect(Number(port), hostname, () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    const end = () => void [socket, target].map((one) => one.destroy());
    for (const one of [socket, target]) one.on("error", end).on("close", end);
    socket.pipe(target).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

function answer(response: ServerResponse, said: Said): void {
  // Google's metadata server is known by this header.
  const headers = { "content-type": "application/json", "metadata-flavor": "Google" };
  if (typeof said === "number") response.writeHead(said, headers).end('{"error":"refused"}');
  else response.writeHead(200, headers).end(typeof said === "string" ? said : JSON.stringify(said));
}

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Signs tokens as an OpenID provider does: RS256, with the key's id in the head. */
export class Signer {
  readonly #key: KeyObject;
  readonly publicKey: KeyObject;
  readonly id: string;

  constructor() {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.#key = pair.privateKey;
    this.publicKey = pair.publicKey;
    this.id = createHash("sha256")
      .update(pair.publicKey.export({ type: "spki", format: "der" }))
      .digest("hex");
  }

  get pem(): string {
    return String(this.#key.export({ type: "pkcs8", format: "pem" }));
  }

  /** The set of keys by which others check the tokens. */
  get jwks(): object {
    return { keys: [{ ...this.publicKey.export({ format: "jwk" }), kid: this.id, use: "sig", alg: "RS256" }] };
  }

  token(claims: object): string {
    const text = `${encoded({ alg: "RS256", typ: "JWT", kid: this.id })}.${encoded(claims)}`;
    return `${text}.${sign("RSA-SHA256", Buffer.from(text), this.#key).toString("base64url")}`;
  }
}
