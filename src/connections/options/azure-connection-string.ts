/** Azure's connection strings: `AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net`. */
import { Secret } from "../secret.js";
import { cut } from "../urlsplit.js";
import { accountOf, checkedAccount } from "./azure-address.js";
import type { AzureCredentials } from "./azure-credentials.js";
import { endpointOf } from "./endpoint.js";

type Wrong = (why: string) => Error;
type Parts = ReadonlyMap<string, string>;

/** The storage emulator's account and key, which Microsoft publishes. */
const EMULATOR: Parts = new Map([
  ["accountname", "devstoreaccount1"],
  ["accountkey", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="],
  ["blobendpoint", "http://127.0.0.1:10000/devstoreaccount1"],
]);

const KNOWN = new Set([
  ...["accountname", "accountkey", "sharedaccesssignature", "blobendpoint", "endpointsuffix"],
  ...["defaultendpointsprotocol", "usedevelopmentstorage"],
]);

/** Addresses of other services, and of read-only copies. */
const IGNORED = /^((queue|table|file|dfs)(secondary)?|blobsecondary)endpoint$/;

/** Account, endpoint and credentials of a connection string; `wrong` makes the error from the reason. */
export function parseConnectionString(
  text: Secret,
  wrong: Wrong,
): { account: string; endpoint: string; credentials: AzureCredentials } {
  const stated = partsOf(text.reveal(), wrong);
  const parts = stated.get("usedevelopmentstorage")?.toLowerCase() === "true" ? EMULATOR : stated;
  const endpoint = endpointIn(parts, wrong);
  const found = parts.get("accountname") ?? accountOf(endpoint);
  if (found === undefined) throw wrong("names no account");
  const account = checkedAccount(found, () => wrong("has an AccountName that is not the name of a storage account"));
  return { account, endpoint, credentials: credentialsIn(parts, wrong) };
}

function partsOf(text: string, wrong: Wrong): Parts {
  const pairs = text.split(";").filter((part) => part.trim() !== "");
  return new Map(pairs.map((pair) => partOf(pair, wrong)));
}

function partOf(pair: string, wrong: Wrong): [string, string] {
  const [name, value] = cut(pair, "=");
  const known = name.trim().toLowerCase();
  if (value === undefined) throw wrong("is not a list of Name=Value separated by ;");
  if (!KNOWN.has(known) && !IGNORED.test(known)) throw wrong("has a part that is not known");
  return [known, value.trim()];
}

function endpointIn(parts: Parts, wrong: Wrong): string {
  const stated = parts.get("blobendpoint");
  if (stated) return endpointOf(stated, (why) => wrong(`has a BlobEndpoint that ${why}`));
  const account = parts.get("accountname");
  if (!account) throw wrong("names neither AccountName nor BlobEndpoint");
  const protocol = parts.get("defaultendpointsprotocol") || "https";
  const suffix = parts.get("endpointsuffix") || "core.windows.net";
  if (!/^[\w-]+$/.test(account) || !/^[\w.-]+$/.test(suffix))
    throw wrong("has an account or suffix that make no address");
  const address = `${protocol}://${account}.blob.${suffix}`;
  return endpointOf(address, () => wrong("has a protocol other than http and https"));
}

function credentialsIn(parts: Parts, wrong: Wrong): AzureCredentials {
  const [key, sas] = [parts.get("accountkey"), parts.get("sharedaccesssignature")];
  if (key && sas) throw wrong("has both AccountKey and SharedAccessSignature");
  if (key) return { kind: "shared-key", key: new Secret(key) };
  if (sas) return { kind: "sas", token: new Secret(sas.replace(/^\?/, "")) };
  throw wrong("has neither AccountKey nor SharedAccessSignature");
}
