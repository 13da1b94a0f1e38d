/** Access keys found by AWS's own library. */
import { readFile } from "node:fs/promises";
import { failure, isStorageError } from "../../../errors.js";
import { CachedCredentials } from "../../driver/cached-credentials.js";
import type { AccessKeys } from "../../signing/sigv4.js";
import { type CredentialProvider, isLazy, type ProvidedCredentials, staticCredentials } from "./client.js";
import type { IdentityToken, RoleRequest, S3Credentials } from "./connection-credentials.js";

type Library = typeof import("@aws-sdk/credential-providers");
type ExpiringKeys = AccessKeys & { expiration?: Date | undefined };
type Find = (library: Library) => () => Promise<ExpiringKeys>;

/** Returns the source of the credentials' own keys, or of those that AWS's library finds for them. */
export function keySource(credentials: S3Credentials, region: string): CredentialProvider {
  return isLazy(credentials) ? foundKeys(credentials, region) : staticCredentials(credentials);
}

/** Keys younger than this many milliseconds are not renewed again: another request has just done it. */
const FRESH_MS = 5_000;

/** Returns a source of expiring keys. */
function foundKeys(credentials: ProvidedCredentials, region: string): CredentialProvider {
  const cache = new CachedCredentials(
    () => find(credentials, region),
    ({ expiration }: ExpiringKeys) => expiration?.getTime() ?? Number.POSITIVE_INFINITY,
  );
  return {
    current: () => cache.current(),
    renew: () => cache.renew((_, fetchedAt) => Date.now() - fetchedAt > FRESH_MS),
  };
}

async function find(credentials: ProvidedCredentials, region: string): Promise<ExpiringKeys> {
  const library = await load(credentials.kind === "default" ? "the default credential chain" : TRIED[credentials.kind]);
  try {
    return await finder(credentials, region)(library)();
  } catch (error) {
    if (isStorageError(error)) throw error;
    const { name, message } = error as Error;
    // The original error holds the whole exchange with STS.
    throw failure(
      "Unauthenticated",
      `no credentials from ${TRIED[credentials.kind]}: ${name}: ${message.slice(0, 200)}`,
    );
  }
}

const TRIED: Readonly<Record<ProvidedCredentials["kind"], string>> = {
  profile: "the profile",
  "assume-role": "STS AssumeRole",
  "web-identity": "STS AssumeRoleWithWebIdentity",
  default:
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, SSO, the shared config and credentials files, a credential process, a web identity, or the container and instance metadata",
};

async function load(source: string): Promise<Library> {
  try {
    return await import("@aws-sdk/credential-providers");
  } catch (cause) {
    const why =
      `${source} needs a package: npm install @aws-sdk/credential-providers; ` +
      "keys need none: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or login and password of a connection";
    throw failure("Unsupported", why, { cause });
  }
}

/** The library caches files for the whole process and would miss replaced keys. */
const ANEW = { ignoreCache: true };

function finder(credentials: ProvidedCredentials | Extract<S3Credentials, { kind: "static" }>, region: string): Find {
  switch (credentials.kind) {
    case "static":
      return () => async () => ({
        accessKeyId: credentials.accessKeyId,
        secretAccessKey: credentials.secretAccessKey.reveal(),
        ...(credentials.sessionToken ? { sessionToken: credentials.sessionToken.reveal() } : {}),
      });
    case "profile":
      return (library) => library.fromIni({ profile: credentials.name, clientConfig: { region }, ...ANEW });
    case "default":
      return (library) => library.fromNodeProviderChain({ clientConfig: { region }, ...ANEW });
    case "web-identity":
      return (library) => () => webIdentity(library, credentials, region);
    case "assume-role":
      return (library) => assumedRole(library, credentials, region);
  }
}

function assumedRole(library: Library, role: Extract<ProvidedCredentials, { kind: "assume-role" }>, region: string) {
  const { externalId, sourceIdentity, tags, transitiveTagKeys, mfa } = role;
  const params = {
    RoleArn: role.roleArn,
    RoleSessionName: role.sessionName,
    ...(role.durationSeconds === undefined ? {} : { DurationSeconds: role.durationSeconds }),
    ...(role.policy === undefined ? {} : { Policy: role.policy }),
    ...(role.policyArns.length === 0 ? {} : { PolicyArns: role.policyArns.map((arn) => ({ arn })) }),
    ...(externalId === undefined ? {} : { ExternalId: externalId }),
    ...(sourceIdentity === undefined ? {} : { SourceIdentity: sourceIdentity }),
    ...(tags.length === 0 ? {} : { Tags: tags.map(({ key, value }) => ({ Key: key, Value: value })) }),
    ...(transitiveTagKeys.length === 0 ? {} : { TransitiveTagKeys: [...transitiveTagKeys] }),
    ...(mfa ? { SerialNumber: mfa.serialNumber, TokenCode: mfa.tokenCode.reveal() } : {}),
  };
  const masterCredentials = finder(role.source, region)(library) as never;
  return library.fromTemporaryCredentials({ params, masterCredentials, clientConfig: sts(role, region) });
}

async function webIdentity(
  library: Library,
  role: Extract<ProvidedCredentials, { kind: "web-identity" }>,
  region: string,
) {
  const provide = library.fromWebToken({
    roleArn: role.roleArn,
    roleSessionName: role.sessionName,
    webIdentityToken: await tokenOf(role.token),
    ...(role.durationSeconds === undefined ? {} : { durationSeconds: role.durationSeconds }),
    ...(role.policy === undefined ? {} : { policy: role.policy }),
    ...(role.policyArns.length === 0 ? {} : { policyArns: role.policyArns.map((arn) => ({ arn })) }),
    clientConfig: sts(role, region),
  });
  return provide();
}

function sts(role: RoleRequest, region: string) {
  return { region: role.region ?? region, ...(role.stsEndpoint === undefined ? {} : { endpoint: role.stsEndpoint }) };
}

/** https://cloud.google.com/compute/docs/instances/verifying-instance-identity */
const IDENTITY = "computeMetadata/v1/instance/service-accounts/default/identity";

/** Reads it anew each time: the file and the instance's token are replaced before they expire. */
async function tokenOf(token: IdentityToken): Promise<string> {
  if (token.kind === "file") return (await readFile(token.path, "utf8")).trim();
  const query = new URLSearchParams({ audience: token.audience, format: "full" });
  const options = { headers: { "Metadata-Flavor": "Google" }, signal: AbortSignal.timeout(5000) };
  const answer = await fetch(`http://${token.host}/${IDENTITY}?${query}`, options);
  if (!answer.ok) throw failure("Unauthenticated", `the metadata server answered ${answer.status}`);
  return answer.text();
}
