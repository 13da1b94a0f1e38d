/** Bearer tokens and signatures, by Google's own library. */
import type { AuthClient, GoogleAuth } from "google-auth-library";
import { failure } from "../../../errors.js";
import { type AccessToken, CachedAccessToken } from "../../driver/cached-credentials.js";
import type { GcsCredentials, GcsOptions, GoogleKey, GoogleSource } from "./connection.js";

/** Signs for an account, whose name becomes part of the signed URL. */
export interface Signer {
  email: string;
  sign(text: string): Promise<Buffer>;
}

/** The tokens of one connection. */
export interface Tokens {
  /** Returns the current token, synchronously while valid; undefined for anonymous access. */
  bearer(): string | undefined | Promise<string | undefined>;
  /** Replaces the token `refused`; returns whether there is another. */
  renew(refused: string): Promise<boolean>;
  /** Returns the project of the credentials. */
  project(): Promise<string | undefined>;
  signer(): Promise<Signer>;
}

/** Assumed lifetime in milliseconds of a token without a stated expiry. */
const UNTOLD_MS = 10 * 60_000;

export const anonymous: Tokens = {
  bearer: () => undefined,
  renew: async () => false,
  project: async () => undefined,
  signer: async () => {
    throw failure("Unsupported", "anonymous access cannot sign: there is no account to sign with");
  },
};

/** The identity to sign in, and its scopes. */
export type SignIn = Pick<GcsOptions, "credentials" | "scopes" | "project">;

/** Returns the tokens of a connection. Loads the library only if it must sign in. */
export async function openTokens(options: SignIn): Promise<Tokens> {
  if (options.credentials.kind === "anonymous") return { ...anonymous, project: async () => options.project };
  const library = await load();
  const { credentials } = options;
  const auth = () => authOf(library, credentials, options).catch(throwCredentialsError);
  return new GoogleTokens(auth, await auth());
}

type Library = typeof import("google-auth-library");

async function load(): Promise<Library> {
  try {
    return await import("google-auth-library");
  } catch (cause) {
    const why =
      "credentials for gs:// need a package: npm install google-auth-library; " +
      "only anonymous access (is_anonymous of a connection) needs none";
    throw failure("Unsupported", why, { cause });
  }
}

async function authOf(
  library: Library,
  credentials: Exclude<GcsCredentials, { kind: "anonymous" }>,
  options: SignIn,
): Promise<GoogleAuth<AuthClient>> {
  const scopes = [...options.scopes];
  if (credentials.kind !== "impersonation") return sourceOf(library, credentials, scopes, options.project);
  const source = await sourceOf(library, credentials.source, scopes, options.project);
  const authClient: AuthClient = new library.Impersonated({
    sourceClient: await source.getClient(),
    targetPrincipal: credentials.target,
    delegates: [...credentials.delegates],
    targetScopes: scopes,
  });
  return new library.GoogleAuth({ authClient, ...projectId(options.project) });
}

async function sourceOf(
  library: Library,
  source: GoogleSource,
  scopes: string[],
  project: string | undefined,
): Promise<GoogleAuth<AuthClient>> {
  const { GoogleAuth } = library;
  const common = { scopes, ...projectId(project) };
  if (source.kind === "adc") return new GoogleAuth(common);
  if (source.kind === "key-path") return new GoogleAuth({ ...common, keyFilename: source.path });
  if (source.kind === "keyfile") return new GoogleAuth({ ...common, credentials: JSON.parse(source.keyfile.reveal()) });
  const config = await configOf(source.config);
  const supplier = { getSubjectToken: () => subjectToken(source) };
  const authClient: AuthClient = new library.IdentityPoolClient({
    ...(config as unknown as ConstructorParameters<Library["IdentityPoolClient"]>[0]),
    credential_source: undefined as never,
    subject_token_supplier: supplier,
    scopes,
  } as ConstructorParameters<Library["IdentityPoolClient"]>[0]);
  return new GoogleAuth({ authClient, ...projectId(project) });
}

function projectId(project: string | undefined): { projectId?: string } {
  return project === undefined ? {} : { projectId: project };
}

async function configOf(config: GoogleKey): Promise<Record<string, unknown>> {
  if (config.kind === "keyfile") return JSON.parse(config.keyfile.reveal());
  const { readFile } = await import("node:fs/promises");
  return JSON.parse(await readFile(config.path, "utf8"));
}

/** Gets a token from the identity provider by the client credentials grant (RFC 6749, 4.4). */
async function subjectToken(source: Extract<GoogleSource, { kind: "oidc" }>): Promise<string> {
  const { issuerUrl, clientId, clientSecret, params } = source;
  const form = {
    ...params,
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret.reveal(),
  };
  const answer = await fetch(issuerUrl, {
    method: "POST",
    body: new URLSearchParams(form),
    redirect: "error",
    signal: AbortSignal.timeout(30_000),
  });
  const { access_token: token } = answer.ok ? ((await answer.json()) as { access_token?: unknown }) : {};
  if (typeof token === "string") return token;
  throw failure("Unauthenticated", `the identity provider answered ${answer.status} without a token`);
}

class GoogleTokens implements Tokens {
  readonly #renewed: () => Promise<GoogleAuth<AuthClient>>;
  readonly #token = new CachedAccessToken((forceRefresh) => this.#issue(forceRefresh));
  #auth: GoogleAuth<AuthClient>;

  constructor(renewed: () => Promise<GoogleAuth<AuthClient>>, auth: GoogleAuth<AuthClient>) {
    this.#renewed = renewed;
    this.#auth = auth;
  }

  bearer(): string | Promise<string> {
    return this.#token.current();
  }

  renew(refused: string): Promise<boolean> {
    return this.#token.renew(refused);
  }

  async project(): Promise<string | undefined> {
    return (await this.#auth.getProjectId().catch(() => undefined)) ?? undefined;
  }

  async signer(): Promise<Signer> {
    const email = (await this.#auth.getCredentials().catch(() => undefined))?.client_email;
    if (!email) throw failure("Unsupported", "these credentials cannot sign: they belong to no service account");
    return { email, sign: async (text) => Buffer.from(await this.#auth.sign(text), "base64") };
  }

  async #issue(forceRefresh: boolean): Promise<AccessToken> {
    // The library returns its cached token until expiry, refused or not; only a new client asks again.
    if (forceRefresh) this.#auth = await this.#renewed();
    const client = await this.#auth.getClient().catch(throwCredentialsError);
    const { token } = await client.getAccessToken().catch(throwCredentialsError);
    if (!token) throw failure("Unauthenticated", "Google gave no access token");
    // Clients that do not report an expiry cache the token themselves, so they are asked again soon.
    return { token, expiresAt: client.credentials.expiry_date ?? Date.now() + UNTOLD_MS };
  }
}

const OFFLINE: ReadonlySet<unknown> = new Set([
  ...["EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EPIPE", "ETIMEDOUT"],
  ...[408, 429, 500, 502, 503, 504],
]);

/** Keeps only the reason: the library's errors carry the whole exchange, including secrets. */
function throwCredentialsError(error: unknown): never {
  const { code, status } = error as { code?: unknown; status?: unknown };
  const reason = error instanceof Error ? error.message.split("\n")[0]!.slice(0, 300) : "";
  const passing = OFFLINE.has(code) || OFFLINE.has(status);
  throw failure(passing ? "Unavailable" : "Unauthenticated", `no token from Google: ${reason}`);
}
