import {
  BlobSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AZURE_VERSION, serviceSas, sharedKey } from "../../../../src/fs/signing/shared-key.js";
import { encodeComponent, encodeKey } from "../../../../src/fs/signing/sigv4.js";

const ACCOUNT = "account";
const key = fc.uint8Array({ minLength: 64, maxLength: 64 });
const name = fc.string({ unit: "binary", minLength: 1, maxLength: 30 }).filter((text) => text.isWellFormed());
/** Bytes that a header can carry, without white space at its ends. */
const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);

/** The request's headers after the policy of the official client has signed them. */
async function signedBySdk(secret: Uint8Array, request: { method: string; url: string; headers: Headers }) {
  const policy = new StorageSharedKeyCredential(ACCOUNT, Buffer.from(secret).toString("base64")).create(
    { sendRequest: async () => ({}) as never },
    {} as never,
  );
  await policy.sendRequest(request as never);
  return request.headers;
}

/** As much of the client's own headers as its policy uses. */
class Headers {
  readonly #entries = new Map<string, string>();
  constructor(entries: Record<string, string>) {
    for (const [header, text] of Object.entries(entries)) this.#entries.set(header, text);
  }
  get(header: string) {
    return this.#entries.get(header.toLowerCase());
  }
  set(header: string, text: string | number) {
    this.#entries.set(header.toLowerCase(), String(text));
  }
  headersArray() {
    return Array.from(this.#entries, ([header, text]) => ({ name: header, value: text }));
  }
}

describe("Shared Key", () => {
  it("is the official client's signature of the same request", async () => {
    const own = fc.constantFrom(
      "content-type",
      "content-md5",
      "if-match",
      "if-none-match",
      "range",
      "if-modified-since",
    );
    const service = fc.stringMatching(/^x-ms-[a-z]{1,5}(-[a-z]{1,5}){0,2}$/);
    const metadata = fc.stringMatching(/^x-ms-meta-[a-z_][a-z0-9_]{0,12}$/);
    const headers = fc.dictionary(fc.oneof(own, service, metadata), value, { maxKeys: 8, noNullPrototype: true });
    const query = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), name), { selector: ([field]) => field });
    const method = fc.constantFrom("GET", "HEAD", "PUT", "POST", "DELETE");
    await fc.assert(
      fc.asyncProperty(key, method, name, query, headers, fc.nat(9), async (secret, verb, at, pairs, given, length) => {
        const path = `/${ACCOUNT}/container/${encodeKey(at.replace(/(^|\/)\.+(?=\/|$)/g, "$1x"))}`;
        const text = pairs.map(([field, said]) => `${field}=${encodeComponent(said)}`).join("&");
        const url = `http://127.0.0.1:1${path}${text && `?${text}`}`;
        const sent = new Headers({ ...given, "content-length": String(length) });
        const signed = await signedBySdk(secret, { method: verb, url, headers: sent });
        const mine = Object.fromEntries(signed.headersArray().map((header) => [header.name, header.value]));
        const request = { method: verb, path, query: pairs, headers: mine, length };
        expect(sharedKey(ACCOUNT, secret, request)).toBe(signed.get("authorization"));
      }),
      { numRuns: 500 },
    );
  });
});

describe("a SAS", () => {
  it("is the official client's for the same object, permissions and expiry", () => {
    const expiry = fc.date({ min: new Date(2020, 0), max: new Date(2050, 0), noInvalidDate: true });
    const plan = fc.record({ key: name, write: fc.boolean(), plain: fc.boolean(), expiry });
    fc.assert(
      fc.property(key, plan, (secret, { key: object, write, plain, expiry: at }) => {
        const official = generateBlobSASQueryParameters(
          {
            containerName: "container",
            blobName: object,
            version: AZURE_VERSION,
            permissions: BlobSASPermissions.parse(write ? "cw" : "r"),
            expiresOn: at,
            protocol: plain ? SASProtocol.HttpsAndHttp : SASProtocol.Https,
          },
          new StorageSharedKeyCredential(ACCOUNT, Buffer.from(secret).toString("base64")),
        );
        const request = { account: ACCOUNT, bucket: "container", key: object, plain } as const;
        const mine = serviceSas(secret, {
          ...request,
          permissions: write ? "cw" : "r",
          expiry: `${at.toISOString().slice(0, 19)}Z`,
        });
        expect(pairs(mine)).toEqual(pairs(String(official)));
      }),
      { numRuns: 500 },
    );
  });
});

function pairs(query: string): [string, string][] {
  return [...new URLSearchParams(query)].sort(([a], [b]) => (a < b ? -1 : 1));
}
