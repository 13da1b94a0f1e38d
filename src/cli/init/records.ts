/** Connection records from options, the environment and answers; one function for each provider. */
import { toConnection } from "../../connections/index.js";
import { invalid } from "../../errors.js";
import { azureOptions } from "../../fs/drivers/azure/connection.js";
import { gcsOptions } from "../../fs/drivers/gcs/connection.js";
import { s3Options } from "../../fs/drivers/s3/connection.js";
import type { Io } from "../format.js";
import type { Prompts } from "./prompts.js";

export const PROVIDERS = ["s3", "gcs", "azure"] as const;
export type Provider = (typeof PROVIDERS)[number];

export interface RecordOptions {
  endpoint?: string;
  region?: string;
  profile?: string;
  service?: string;
  account?: string;
  keyFile?: string;
  fromEnv?: boolean;
}

/** A connection as a secrets file holds it. */
export interface ConnectionRecord {
  conn_type: string;
  login?: string;
  password?: string;
  host?: string;
  extra?: Record<string, string>;
}

/** What a record is made of. */
export interface Answers {
  readonly options: RecordOptions;
  readonly env: Io["env"];
  /** Undefined without a terminal. */
  readonly prompts: Prompts | undefined;
}

type Option = Exclude<keyof RecordOptions, "fromEnv">;

const FLAGS: Record<Option, string> = {
  endpoint: "--endpoint",
  region: "--region",
  profile: "--profile",
  service: "--service",
  account: "--account",
  keyFile: "--key-file",
};
const TAKEN: Record<Provider, readonly Option[]> = {
  s3: ["endpoint", "service", "region", "profile"],
  gcs: ["endpoint", "keyFile"],
  azure: ["endpoint", "account"],
};

/** Returns the record of a connection. Throws InvalidArgument, which names the option, field or variable. */
export async function recordOf(provider: Provider, id: string, answers: Answers): Promise<ConnectionRecord> {
  for (const [name, flag] of Object.entries(FLAGS) as [Option, string][]) {
    if (answers.options[name] === undefined || TAKEN[provider].includes(name)) continue;
    throw invalid(`${flag} is not for ${provider}: expected ${TAKEN[provider].map((own) => FLAGS[own]).join(" or ")}`);
  }
  const record = await MAKERS[provider](answers);
  check(provider, id, record);
  return record;
}

const MAKERS: Record<Provider, (answers: Answers) => Promise<ConnectionRecord>> = { s3, gcs, azure };

/** Reads the record as a Storage does, so that a file is written only if it works. */
function check(provider: Provider, id: string, { conn_type: type, ...rest }: ConnectionRecord): void {
  const connection = toConnection(id, { type, ...rest });
  // Without the environment, which another process need not have.
  if (provider === "s3") s3Options(connection, {});
  else if (provider === "gcs") gcsOptions(connection, {});
  else azureOptions(connection, {});
}

/** Returns what is refused because the kind of server at an address of one's own is not known. */
export function unknownService(provider: Provider, id: string, { conn_type: type, ...rest }: ConnectionRecord) {
  const given = rest.extra?.provider !== undefined;
  if (provider !== "s3" || given || s3Options(toConnection(id, { type, ...rest }), {}).provider !== "generic")
    return undefined;
  return "without --service, conditional writes are refused, as by update and --if-absent: where the server has them, say which it is, such as --service minio, with --force";
}

async function s3(answers: Answers): Promise<ConnectionRecord> {
  const { options, env, prompts } = answers;
  if (options.profile !== undefined && options.fromEnv) throw invalid("--profile and --from-env exclude each other");
  const endpoint = await stated(answers, "endpoint", "Endpoint, https://… (empty: Amazon S3)");
  // An address of one's own does not tell what the server can do, and what is not known is refused.
  const service = endpoint
    ? await stated(answers, "service", "Kind of server, such as minio or r2 (empty: rely only on what all have)")
    : options.service;
  const isElsewhere = endpoint || options.profile || env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL;
  if (service && service !== "aws" && !isElsewhere)
    throw invalid(`--service needs --endpoint: without an address, ${service} would be looked for at Amazon's`);
  const region = await stated(answers, "region", "Region (empty: the environment's)");
  const place = { endpoint_url: endpoint, provider: service, region_name: region };
  const extra = definedFields({ ...place, profile_name: options.profile });
  if (options.fromEnv) {
    const token = env.AWS_SESSION_TOKEN;
    const keys = { login: variable(env, "AWS_ACCESS_KEY_ID"), password: variable(env, "AWS_SECRET_ACCESS_KEY") };
    return { conn_type: "aws", ...keys, ...withExtra({ ...extra, ...definedFields({ aws_session_token: token }) }) };
  }
  const login =
    options.profile === undefined ? await prompts?.ask("Access key id (empty: found when used)") : undefined;
  const password = login ? await secret(answers, "Secret access key") : undefined;
  return { conn_type: "aws", ...definedFields({ login, password }), ...withExtra(extra) };
}

async function gcs(answers: Answers): Promise<ConnectionRecord> {
  const { options, env } = answers;
  if (options.keyFile !== undefined && options.fromEnv) throw invalid("--key-file and --from-env exclude each other");
  const path = options.fromEnv
    ? variable(env, "GOOGLE_APPLICATION_CREDENTIALS")
    : await stated(answers, "keyFile", "Key file of a service account (empty: found when used)");
  const extra = definedFields({ key_path: path, "gcs.endpoint": options.endpoint });
  return { conn_type: "google_cloud_platform", ...withExtra(extra) };
}

async function azure(answers: Answers): Promise<ConnectionRecord> {
  const { options, env, prompts } = answers;
  const found = options.account ?? (options.fromEnv ? env.AZURE_STORAGE_ACCOUNT_NAME : undefined);
  const account = found ?? (await stated(answers, "account", "Storage account"));
  if (!account) throw invalid("--account is missing: expected the name of the storage account");
  const place = { conn_type: "wasb", login: account, ...definedFields({ host: options.endpoint }) };
  if (options.fromEnv) {
    const sas = env.AZURE_STORAGE_SAS_TOKEN;
    if (sas && !env.AZURE_STORAGE_ACCOUNT_KEY) return { ...place, extra: { sas_token: sas } };
    return { ...place, password: variable(env, "AZURE_STORAGE_ACCOUNT_KEY") };
  }
  return {
    ...place,
    ...definedFields({ password: await prompts?.ask("Account key (empty: found when used)", { hidden: true }) }),
  };
}

/** Returns the option, or what is typed; undefined if it is empty, or without a terminal. */
async function stated({ options, prompts }: Answers, name: Option, question: string): Promise<string | undefined> {
  return options[name] ?? ((await prompts?.ask(question)) || undefined);
}

async function secret({ prompts }: Answers, question: string): Promise<string> {
  const text = await prompts?.ask(question, { hidden: true });
  if (!text) throw invalid("the secret is empty: type it, or use --from-env");
  return text;
}

function variable(env: Io["env"], name: string): string {
  const value = env[name];
  if (!value) throw invalid(`--from-env: the environment has no ${name}; set it, or leave out --from-env`);
  return value;
}

/** Leaves out what is empty. */
function definedFields(fields: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter((field): field is [string, string] => Boolean(field[1])));
}

function withExtra(extra: Record<string, string>): { extra?: Record<string, string> } {
  return Object.keys(extra).length > 0 ? { extra } : {};
}
