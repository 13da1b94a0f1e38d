/** Which credentials a connection and the environment say. */
import { invalid } from "../../errors.js";
import { Secret } from "../secret.js";
import type { FieldReader } from "./fields.js";
import { refused } from "./record.js";
import type { BaseCredentials, S3Credentials, StaticKeys } from "./s3-credentials.js";
import { type CredentialFacts, plainRole, readRole } from "./s3-role.js";

/** The credentials that the connection says, else those of the environment. Anonymous only when asked. */
export function s3Credentials(facts: CredentialFacts): S3Credentials {
  const [keys, profile] = [statedKeys(facts), statedProfile(facts)];
  const source = keys ?? profile ?? (facts.anonymous ? undefined : keysOfEnv(facts)) ?? { kind: "default" };
  const role = readRole(facts, source);
  return facts.anonymous ? { kind: "anonymous" } : (role ?? source);
}

interface Pair {
  readonly id: string | undefined;
  readonly secret: Secret | undefined;
  readonly token: Secret | undefined;
}

/** Airflow's order: login and password, then the extra's pair, then the one in `session_kwargs`. */
function statedKeys({ connection, extra, session }: CredentialFacts): StaticKeys | undefined {
  const token = extra.secret("aws_session_token");
  const pairs: Pair[] = [
    { id: connection?.login || undefined, secret: filled(connection?.password), token },
    { id: extra.text("aws_access_key_id"), secret: extra.secret("aws_secret_access_key"), token },
    sessionPair(session, token),
  ];
  const whole = pairs.map(keysOf).find((keys) => keys !== undefined);
  if (connection && !whole && pairs.some(({ id, secret }) => id !== undefined || secret !== undefined)) {
    throw refused(connection, "it has only half of a key pair; give login and password, or both keys in extra");
  }
  if (connection && !whole && pairs.some((pair) => pair.token)) {
    throw refused(connection, "aws_session_token needs the key pair that it belongs to");
  }
  return whole;
}

function sessionPair(session: FieldReader, token: Secret | undefined): Pair {
  session.ignore(["aws_account_id"]);
  session.unsupported("botocore_session", "is an object of Python");
  return {
    id: session.text("aws_access_key_id"),
    secret: session.secret("aws_secret_access_key"),
    token: session.secret("aws_session_token") ?? token,
  };
}

function filled(secret: Secret | undefined): Secret | undefined {
  return secret?.reveal() ? secret : undefined;
}

function keysOf({ id, secret, token }: Pair): StaticKeys | undefined {
  if (id === undefined || secret === undefined) return undefined;
  return { kind: "static", accessKeyId: id, secretAccessKey: secret, sessionToken: token };
}

function statedProfile({ extra, session }: CredentialFacts): BaseCredentials | undefined {
  const [own, inner] = [extra.text("profile_name"), session.text("profile_name")];
  const name = own ?? inner;
  return name === undefined ? undefined : { kind: "profile", name };
}

/** Keys, then `AWS_PROFILE`, then the web identity that EKS gives to a pod. */
function keysOfEnv({ env, sts }: CredentialFacts): BaseCredentials | undefined {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  if (id && secret) return keysOf({ id, secret: new Secret(secret), token: token ? new Secret(token) : undefined });
  if (id || secret) {
    throw invalid("environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY come only together");
  }
  if (env.AWS_PROFILE) return { kind: "profile", name: env.AWS_PROFILE };
  const { AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: path } = env;
  if (!roleArn || !path) return undefined;
  const sessionName = env.AWS_ROLE_SESSION_NAME || "stowage";
  return { ...plainRole(roleArn, sessionName, sts), kind: "web-identity", token: { kind: "file", path } };
}
