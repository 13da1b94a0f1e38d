/** The options of `cp`, `cat` and `stat` about encryption, and the checksum of `cp`. No key is ever an argument. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { Secret } from "../connections/index.js";
import { invalid } from "../errors.js";
import type { WriteOptions } from "../fs/index.js";
import type { Session } from "./command.js";

type ObjectEncryption = NonNullable<WriteOptions["encryption"]>;

export interface EncryptionOptions {
  sse?: "AES256" | "aws:kms" | "aws:kms:dsse";
  kmsKeyId?: string;
  encryptionScope?: string;
  /** The key of what is written. */
  customerKey?: string;
  /** The key of what is read. */
  sourceCustomerKey?: string;
}

export function addEncryption(command: Command): void {
  command
    .addOption(
      new Option("--sse <kind>", "S3: how the provider encrypts the copy").choices([
        "AES256",
        "aws:kms",
        "aws:kms:dsse",
      ]),
    )
    .option("--kms-key-id <id>", "S3 and GCS: with this key of the provider's key management")
    .option("--encryption-scope <name>", "Azure: with this scope of the account")
    .option("--customer-key <where>", "with your own key: a file that holds it, or env:NAME")
    .option("--source-customer-key <where>", "the same for FROM, which was written with a key");
}

/** `--customer-key` of the commands that only read. */
export function addCustomerKey(command: Command): void {
  command.option("--customer-key <where>", "the key that it was written with: a file that holds it, or env:NAME");
}

/** Returns the encryption that is asked for; undefined for none. */
export async function encryptionIn(
  session: Session,
  options: EncryptionOptions,
): Promise<ObjectEncryption | undefined> {
  const { sse, kmsKeyId, encryptionScope: scope } = options;
  const customerKey = await customerKeyIn(session, options.customerKey);
  const all: ObjectEncryption = { sse, kmsKeyId, scope, customerKey };
  return Object.values(all).some((value) => value !== undefined) ? all : undefined;
}

/** Reads a key of 32 bytes, as they are or in base64, from a file or a variable. No message repeats the argument. */
export async function customerKeyIn({ io, env }: Session, where: string | undefined): Promise<Secret | undefined> {
  if (where === undefined) return undefined;
  if (where.startsWith("env:")) {
    const value = env[where.slice("env:".length)];
    if (value) return new Secret(value.trim());
    throw invalid("the variable of the customer's key is not set");
  }
  const bytes = await readFile(resolve(io.cwd, where)).catch(() => {
    throw invalid("the customer's key is in a file or a variable (env:NAME), and never an argument: no such file");
  });
  return new Secret(bytes.byteLength === KEY_BYTES ? bytes.toString("base64") : bytes.toString("utf8").trim());
}

const KEY_BYTES = 32;

/** Parses `sha256=<hex or base64>`. */
export function checksum(text: string): Partial<Record<"md5" | "crc32c" | "sha256", string>> {
  const [, name, value] = /^(md5|crc32c|sha256)=(.+)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It must be md5=, crc32c= or sha256=, and the value.");
  return { [name]: value };
}
