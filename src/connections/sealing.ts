/** Which values inside a connection's `extra` are secrets, told by their name or by the value itself. */
import { invalid } from "../errors.js";
import type { Extra } from "./connection.js";
import { Secret } from "./secret.js";

/** How deep an `extra` may be nested. Airflow's own records need three levels. */
const MAX_DEPTH = 64;

/** Last words that make a name secret: the plain ones, and ones that are written together (`apikey`, `mytoken`). */
const SECRET_WORD =
  /^(pass|pwd|passcode|key|keyfile|pem|sas|sig|signature|dsn|jwt|bearer|auth|authorization|cookie|credentials?|(saml)?assertion|connectionstring|connstr)$/;
const SECRET_END = /(password|passwd|passphrase|secret|token|(api|access|account|private|shared|signing|master)key)s?$/;

/** Last words that make a name secret only together. */
const SECRET_WORDS = /(^|_)(connection_string|conn_str(ing)?|token_code|service_account_(json|info|dict|data))$/;

/** Last words, without their digits, that only say in which form a secret is written: `private_key_base64`, `sas_url`. */
const FORM = /_(dict|json|data|contents?|value|text|info|base|b|url|uri|raw|plain)$/;

/** Names that say where, not what: the address to fetch tokens from is not a token. */
const LOCATOR = /(^|_)(token|secret|key|credential|jwt|auth|authorization)s?_(url|uri)$/;

/**
 * Whether a field of this name holds a secret. The name is read as words (`secretAccessKey`, `x-api-key` and
 * `extra__aws__aws_secret_access_key` alike); what counts is its end, so `private_key` and `private_key_base64` are
 * secret, `key_path`, `key_secret_name`, `aws_access_key_id`, `token_uri` and `private_key_id` are not.
 */
export function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/(?<![_0-9])[_0-9]+$/, "");
  if (LOCATOR.test(words)) return false;
  return [words, words.replace(FORM, "")].some(
    (form) =>
      SECRET_WORDS.test(form) || SECRET_END.test(form) || SECRET_WORD.test(form.slice(form.lastIndexOf("_") + 1)),
  );
}

const SECRET_VALUES = [
  /:\/\/[^/?#\s:@]*:[^/?#\s]*@/, // a password inside an address
  /[?&](sig|signature|x-amz-signature|x-goog-signature|access_token)=/i, // a signed address
  /(^|[?&;])(sig|accountkey|sharedaccesssignature)=/i, // a SAS, or an Azure connection string
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /^\s*[[{]/, // JSON as text may hold secrets of its own
];

/** Whether the text is a secret whatever its name is: a signed address, a private key, JSON written as text, … */
export function isSecretValue(text: string): boolean {
  return SECRET_VALUES.some((pattern) => pattern.test(text));
}

/** JSON as an {@link Extra}: every secret becomes a {@link Secret}, everything below a secret name included. */
export function sealed(value: unknown, secret = false, depth = 0): Extra {
  if (depth > MAX_DEPTH) throw invalid(`a connection's extra is nested deeper than ${MAX_DEPTH}`);
  if (value === null || value === undefined) return null;
  if (value instanceof Secret || typeof value === "boolean") return value;
  if (typeof value === "string") return sealedText(value, secret);
  if (typeof value === "number") return secret ? new Secret(String(value)) : value;
  if (Array.isArray(value)) return value.map((inner) => sealed(inner, secret, depth + 1));
  if (isPlain(value)) return sealedFields(value, secret, depth);
  throw invalid("a connection's extra holds a value that is not JSON");
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const parent: unknown = Object.getPrototypeOf(value);
  return parent === null || parent === Object.prototype;
}

function sealedText(text: string, secret: boolean): Extra {
  return text !== "" && (secret || isSecretValue(text)) ? new Secret(text) : text;
}

/** The fields of an object, each sealed by its own name unless all of them are secret. */
export function sealedFields(fields: object, secret = false, depth = 0): { readonly [name: string]: Extra } {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => [name, sealed(inner, secret || isSecretName(name), depth + 1)]),
  );
}
