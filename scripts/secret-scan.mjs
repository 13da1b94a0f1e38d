/**
 * Searches a test run's output, logs, dumps and temporary files for the secrets that the run used. The run's folder
 * comes from `scripts/test.mjs`; `test/support/test-secrets.mjs` records the secrets.
 */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { SECRETS_FOLDER } from "../test/support/test-secrets.mjs";

/**
 * Returns the locations of secrets, as `file: secret 3 of 7, base64`, without the secrets themselves.
 * @param {string} run folder of the run
 * @returns {Promise<{ secrets: number, files: number, leaks: string[] }>}
 */
export async function leaksIn(run) {
  const secrets = await secretsOf(run);
  const files = (await filesBelow(run)).filter((file) => !file.startsWith(join(run, SECRETS_FOLDER)));
  const leaks = [];
  for (const file of files) {
    const text = await readFile(file).catch(() => Buffer.alloc(0));
    for (const [index, secret] of secrets.entries()) {
      const form = formsOf(secret).find(([, shape]) => text.includes(shape));
      if (form) leaks.push(`${relative(run, file)}: secret ${index + 1} of ${secrets.length}, ${form[0]}`);
    }
  }
  return { secrets: secrets.length, files: files.length, leaks };
}

/** @param {string} run */
async function secretsOf(run) {
  const files = await filesBelow(join(run, SECRETS_FOLDER)).catch(() => []);
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  return [...new Set(texts.flatMap((text) => text.split("\n")).filter(Boolean))];
}

/**
 * Returns a secret and its encodings in URLs, JSON and headers.
 * @param {string} secret
 * @returns {[string, string][]}
 */
function formsOf(secret) {
  return [
    ["plain", secret],
    ["percent-encoded", encodeURIComponent(secret)],
    ["base64", Buffer.from(secret).toString("base64").replace(/=+$/, "")],
  ];
}

/** @param {string} folder */
async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
