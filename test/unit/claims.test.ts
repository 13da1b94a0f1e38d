/** Claims: bytes, objects, references; what is checked, and what never happens. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { type Claim, Claims, type ClaimsOptions } from "../../src/claims/index.js";
import { openStorage } from "../../src/index.js";

const root = mkdtempSync(join(tmpdir(), "stowage-claims-"));
const storage = openStorage({ env: {} });
afterAll(async () => {
  await storage.close();
  rmSync(root, { recursive: true, force: true });
});

let made = 0;
/** Claims at a place of their own. */
function claimsAt(options: Partial<ClaimsOptions> = {}): Claims {
  return new Claims({ storage, path: `memory://claims/${made++}`, threshold: 10, ...options });
}

const BIG = "x".repeat(1000);
const hex = (text: string) => createHash("sha256").update(text).digest("hex");

async function count(claims: Claims): Promise<number> {
  let found = 0;
  for await (const _ of claims.list()) found += 1;
  return found;
}

describe("put and get", () => {
  test.each([undefined, "zstd", "gzip"] as const)(
    "bytes come back; equal ones share an object (%s)",
    async (compression) => {
      const claims = claimsAt({ compression });
      const claim = await claims.put(Buffer.from(BIG), { scope: ["wf", "a/b"] });
      expect(claim).toMatchObject({ sha256: hex(BIG), size: 1000 });
      expect(claim.url).toContain(`/wf/a%2Fb/d/sha256/${hex(BIG)}`);
      expect(claim.codec).toBe(compression);
      expect(String(Buffer.from(await claims.get(claim)))).toBe(BIG);
      expect(await claims.put(Buffer.from(BIG), { scope: ["wf", "a/b"] })).toEqual(claim);
      expect(await count(claims)).toBe(1);
      let listed: unknown;
      for await (const one of claims.list({ scope: ["wf"] })) listed = one;
      expect(listed).toMatchObject({ url: claim.url, sha256: claim.sha256 });
    },
  );

  test("unique gives each its own object, which can be removed alone", async () => {
    const claims = claimsAt();
    const [a, b] = await Promise.all([0, 1].map(() => claims.put(Buffer.from(BIG), { unique: true })));
    expect(a!.url).not.toBe(b!.url);
    await claims.remove(a!);
    await expect(claims.get(a!)).rejects.toMatchObject({ code: "NotFound" });
    expect((await claims.get(b!)).byteLength).toBe(1000);
    await claims.remove(a!);
  });

  test.each([undefined, "gzip"] as const)(
    "an object that was changed is Corrupt, never handed out (%s)",
    async (compression) => {
      const claims = claimsAt({ compression });
      const claim = await claims.put(Buffer.from(BIG));
      const init = { compression: compression ?? null };
      for (const wrong of [`y${BIG.slice(1)}`, BIG.slice(1), `${BIG}x`]) {
        await storage.write(claim.url, wrong, init);
        await expect(claims.get(claim)).rejects.toMatchObject({ code: "Corrupt" });
      }
      await storage.write(claim.url, "no gzip at all");
      await expect(claims.get(claim)).rejects.toMatchObject({ code: "Corrupt" });
    },
  );

  test("a shorter object of the same name is mended by the next put", async () => {
    const claims = claimsAt();
    const claim = await claims.put(Buffer.from(BIG));
    await storage.write(claim.url, "cut");
    await new Claims({ storage, path: claims.path }).put(Buffer.from(BIG));
    expect((await claims.get(claim)).byteLength).toBe(1000);
  });

  test("an object older than refreshAfter is written again, a younger one is not", async () => {
    const claims = claimsAt({ refreshAfter: "1d" });
    const { url } = await claims.put(Buffer.from(BIG));
    const { etag } = await storage.stat(url);
    await new Claims({ storage, path: claims.path, refreshAfter: "1d" }).put(Buffer.from(BIG));
    expect((await storage.stat(url)).etag).toBe(etag);
    const eager = new Claims({ storage, path: claims.path, refreshAfter: 1 });
    while (Date.now() - (await storage.stat(url)).modified!.getTime() < 2) await new Promise(setImmediate);
    await eager.put(Buffer.from(BIG));
    expect((await storage.stat(url)).etag).not.toBe(etag);
  });

  test("maxBytes is checked before anything is written or read", async () => {
    const claims = claimsAt({ maxBytes: 999 });
    await expect(claims.put(Buffer.from(BIG))).rejects.toMatchObject({ code: "TooLarge" });
    expect(await count(claims)).toBe(0);
    const wide = new Claims({ storage, path: claims.path });
    const claim = await wide.put(Buffer.from(BIG));
    await storage.delete(claim.url);
    await expect(claims.get(claim)).rejects.toMatchObject({ code: "TooLarge" });
  });

  test("a claim of another place, or of another object, is refused without a request", async () => {
    const claims = claimsAt();
    const other = claimsAt();
    const claim = await other.put(Buffer.from(BIG));
    await expect(claims.get(claim)).rejects.toMatchObject({ code: "PermissionDenied" });
    await expect(claims.remove(claim)).rejects.toMatchObject({ code: "PermissionDenied" });
    const mine = await claims.put(Buffer.from(BIG));
    await expect(claims.get({ ...mine, sha256: hex("other") })).rejects.toMatchObject({ code: "Corrupt" });
    await expect(claims.get({ ...mine, url: `${claims.path}-more/d/sha256/${mine.sha256}` })).rejects.toMatchObject({
      code: "PermissionDenied",
    });
  });

  test("moved reads old references at the new place", async () => {
    const old = claimsAt();
    const claim = await old.put(Buffer.from(BIG));
    const claims = claimsAt({ moved: { [String(old.path)]: `file://${root}/moved` } });
    await storage.copy(old.path, `file://${root}/moved`, { recursive: true });
    await storage.delete(claim.url);
    expect((await claims.get(claim)).byteLength).toBe(1000);
    expect(claims.reference(old.referenceText(claim))).toEqual(claim);
    expect((await claims.put(Buffer.from(BIG))).url).toContain(String(claims.path));
  });

  test("the cache is bounded, hands out copies, and forgets what was removed", async () => {
    const claims = claimsAt({ cache: 2500 });
    const all = await Promise.all(["a", "b", "c"].map((one) => claims.put(Buffer.from(one.repeat(1000)))));
    for (const claim of all) await claims.get(claim);
    (await claims.get(all[2]!)).fill(0);
    for (const { url } of all) await storage.delete(url);
    expect(String(Buffer.from(await claims.get(all[2]!)))).toBe("c".repeat(1000));
    await expect(claims.get(all[0]!)).rejects.toMatchObject({ code: "NotFound" });
    await claims.remove(all[2]!);
    await expect(claims.get(all[2]!)).rejects.toMatchObject({ code: "NotFound" });
  });

  test("the cache does not answer for a claim of another size or codec", async () => {
    const claims = claimsAt({ cache: 2500 });
    const claim = await claims.put(Buffer.from(BIG));
    await claims.get(claim);
    await expect(claims.get({ ...claim, size: 5 })).rejects.toMatchObject({ code: "Corrupt" });
    await expect(claims.get({ ...claim, codec: "gzip" })).rejects.toMatchObject({ code: "Corrupt" });
  });

  test.each([
    ["remove", (claims: Claims, claim: Claim) => claims.remove(claim)],
    ["removeScope", (claims: Claims) => claims.removeScope(["t"])],
  ] as const)("a read that is under way during %s does not fill the cache", async (_, remove) => {
    const claims = claimsAt({ cache: 2500 });
    for (const begin of ["before", "during"]) {
      const claim = await claims.put(Buffer.from(BIG), { scope: ["t"] });
      const early = begin === "before" ? claims.get(claim) : undefined;
      const removing = remove(claims, claim);
      await Promise.allSettled([early ?? claims.get(claim), removing]);
      await expect(claims.get(claim)).rejects.toMatchObject({ code: "NotFound" });
    }
  });
});

test("a value that another process has deleted is stored again", async () => {
  const claims = claimsAt();
  const claim = await claims.put(Buffer.from(BIG), { scope: ["t"] });
  await new Claims({ storage, path: claims.path }).removeScope(["t"]);
  expect(await claims.put(Buffer.from(BIG), { scope: ["t"] })).toEqual(claim);
  expect((await claims.get(claim)).byteLength).toBe(1000);
});

test("a reference with a step up leads nowhere, and nothing outside of the path is read or deleted", async () => {
  const claims = claimsAt();
  const other = claimsAt();
  const theirs = await other.put(Buffer.from(BIG));
  const url = `${claims.path}/../${other.path.name}/d/sha256/${theirs.sha256}`;
  const text = claims.referenceText({ ...theirs, url });
  for (const work of [claims.decode(text), claims.get({ ...theirs, url }), claims.remove({ ...theirs, url })])
    await expect(work).rejects.toMatchObject({ code: "PermissionDenied" });
  const mine = await claims.put(Buffer.from(BIG));
  await expect(claims.remove({ ...mine, url: String(claims.path) })).rejects.toMatchObject({
    code: expect.any(String),
  });
  expect((await claims.get(mine)).byteLength).toBe(1000);
});

test("a reader with another connection to the bucket resolves a reference, one with another path refuses it", async () => {
  const { name } = claimsAt().path;
  const by = (base: string) => new Claims({ storage, path: `memory://${base}`, threshold: 10 });
  const value = { document: BIG };
  const text = JSON.stringify(await by(`claims/${name}`).value(value));
  expect(text).toContain("$stowage");
  for (const writer of ["memory://claims/", "memory://writer@claims/"]) {
    const stored = JSON.parse(text.replace("memory://claims/", writer)) as unknown;
    expect(await by(`claims/${name}`).resolve(stored)).toEqual(value);
    for (const base of [`claims/${name}-other`, `other/${name}`])
      await expect(by(base).resolve(stored)).rejects.toMatchObject({
        code: "PermissionDenied",
        detail: expect.stringContaining(`lies neither below memory://${base}`),
      });
  }
});

test.each([
  ["lake://bucket/claims", "pond://bucket/claims"],
  ["file:///bucket/claims", "s3://bucket/claims"],
  ["s3://bucket/claims", "file:///bucket/claims"],
])("below %s, a reference to %s is one to another place", (path, other) => {
  const claims = new Claims({ storage, path, threshold: 10 });
  const claim = { url: `${other}/d/sha256/${hex(BIG)}`, sha256: hex(BIG), size: 1000 };
  const reading = () => claims.reference(claims.referenceText(claim));
  expect(reading).toThrow(expect.objectContaining({ code: "PermissionDenied" }));
});

test("a scope that is named as the folder of digests is a scope of its own", async () => {
  const claims = claimsAt();
  const [parent, whole] = [
    await claims.put(Buffer.from("a".repeat(20)), { scope: ["wf"] }),
    await claims.put(Buffer.from(BIG)),
  ];
  await claims.put(Buffer.from(BIG), { scope: ["wf", "d"] });
  await claims.removeScope(["wf", "d"]);
  await claims.removeScope(["d"]);
  expect((await claims.get(parent)).byteLength).toBe(20);
  expect((await claims.get(whole)).byteLength).toBe(1000);
});

test.each<[string, (claims: Claims) => unknown, string]>([
  ["text in place of bytes", (claims) => claims.put("text" as never), "InvalidArgument"],
  ["bytes in place of text", (claims) => claims.encode(5 as never), "InvalidArgument"],
  ["no claim", (claims) => claims.get(null as never), "InvalidArgument"],
  ["an empty claim", (claims) => claims.remove({} as never), "InvalidArgument"],
])("%s is a typed error", async (_, call, code) => {
  const claims = claimsAt();
  await expect(Promise.resolve().then(() => call(claims))).rejects.toMatchObject({ code });
});

test("an object that is no JSON, or no UTF-8, is Corrupt, and no message shows it", async () => {
  const claims = claimsAt();
  const secret = await claims.put(Buffer.from("secret{secret{secret{"));
  const value = JSON.parse(claims.referenceText(secret)) as unknown;
  const error = await claims.resolve(value).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "Corrupt" });
  expect(String(error)).not.toContain("secret{");
  const binary = await claims.put(new Uint8Array(20).fill(255));
  await expect(claims.decode(claims.referenceText(binary))).rejects.toMatchObject({ code: "Corrupt" });
});

describe("encode and decode", () => {
  test("texts below the threshold stay, others become references of one line", async () => {
    const claims = claimsAt();
    expect(await claims.encode("short")).toBe("short");
    const text = await claims.encode(BIG);
    expect(text).toBe(claims.referenceText(claims.reference(text)!));
    expect(JSON.parse(text)).toEqual({
      $stowage: { v: 1, url: expect.stringContaining(String(claims.path)), sha256: hex(BIG), size: 1000 },
    });
    expect(await claims.decode(text)).toBe(BIG);
    expect(await claims.decode("short")).toBe("short");
    const none = new Claims({ storage, path: claims.path, threshold: Number.POSITIVE_INFINITY });
    expect(await none.encode(BIG)).toBe(BIG);
    expect(await none.decode(text)).toBe(BIG);
  });

  test("any text comes back as itself, one that looks like a reference too", async () => {
    const claims = claimsAt({ threshold: 40 });
    const claim = await claims.put(Buffer.from(BIG));
    const reference = claims.referenceText(claim);
    const texts = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 80 }),
      fc.constantFrom(
        reference,
        ` ${reference}`,
        `${reference} `,
        '{"$stowage":{}}',
        '{"$stowage":1}',
        '{ "$stowage" : null}',
      ),
      fc.json(),
    );
    const infinite = new Claims({ storage, path: claims.path, threshold: Number.POSITIVE_INFINITY });
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        for (const one of [claims, infinite]) expect(await one.decode(await one.encode(text))).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  test("what only resembles a reference elsewhere is a value; one of ours that is wrong is Corrupt, a newer version Unsupported", async () => {
    const claims = claimsAt();
    const claim = await claims.put(Buffer.from(BIG));
    const elsewhere = claims.referenceText({ ...claim, url: "memory://other/d/sha256/x" });
    expect(await claims.decode(elsewhere)).toBe(elsewhere);
    const wrong = [
      { ...claim, sha256: hex("x") },
      { ...claim, size: -1 },
      { ...claim, size: 1.5 },
      { ...claim, codec: "zstd" },
      { ...claim, more: 1 },
      { ...claim, url: `${claims.path}/name` },
    ];
    for (const one of wrong) {
      const text = JSON.stringify({ $stowage: { v: 1, ...one } });
      await expect(claims.decode(text), text).rejects.toMatchObject({ code: "Corrupt" });
    }
    const newer = JSON.stringify({ $stowage: { v: 2, ...claim } });
    await expect(claims.decode(newer)).rejects.toMatchObject({ code: "Unsupported" });
    for (const text of ["{", '{"$stowage":', '{"$stowage":{"v":1},"a":1}', '{"$stowage":{"url":5}}', '{"$stowage":[]}'])
      expect(await claims.decode(text)).toBe(text);
  });

  test("JSON values: inline, as a reference object, and one that has its form", async () => {
    const claims = claimsAt({ threshold: 20 });
    const values = [null, 1, "a", { a: BIG }, [BIG], { $stowage: 1 }, { $stowage: { v: 1, url: "x" } }];
    for (const value of values) {
      const carried = JSON.parse(JSON.stringify(await claims.value(value))) as unknown;
      expect(JSON.stringify(carried).length).toBeLessThan(300);
      expect(await claims.resolve(carried)).toEqual(value);
    }
    expect(await claims.value(undefined)).toBe(undefined);
  });

  test("a lone surrogate is refused rather than changed", async () => {
    await expect(claimsAt().encode(`${BIG}\ud800`)).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

describe("scopes and options", () => {
  test("any scope reads back, and none leads elsewhere", async () => {
    const claims = claimsAt();
    const odd = ["..", ".", "a.", "a/b", "a b", "ü", "%2F", "~", "'()*!", "a\u0000b"];
    const urls = new Set<string>();
    for (const segment of odd) {
      const claim = await claims.put(Buffer.from(BIG), { scope: [segment] });
      expect(claim.url.startsWith(`${claims.path}/`)).toBe(true);
      expect(claim.url.slice(String(claims.path).length + 1).split("/")).toHaveLength(4);
      urls.add(claim.url);
    }
    expect(urls.size).toBe(odd.length);
    for (const scope of [[""], [1 as never], ["\ud800"]])
      await expect(claims.put(Buffer.from(BIG), { scope })).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  test("removeScope deletes one scope and refuses none", async () => {
    const claims = claimsAt();
    await claims.put(Buffer.from(BIG), { scope: ["a"] });
    await claims.put(Buffer.from(BIG), { scope: ["ab"] });
    await claims.removeScope(["a"]);
    expect(await count(claims)).toBe(1);
    for (const none of [[], new Array(1), undefined])
      await expect(claims.removeScope(none as never)).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(await count(claims)).toBe(1);
  });

  test.each([["abc"], [null], [7], [{ 0: "a" }], [new Uint8Array(1)], [new Array(1)]])(
    "a scope %j is InvalidArgument",
    async (scope) => {
      const claims = claimsAt();
      const wrong = { scope: scope as never };
      const invalid = { code: "InvalidArgument" };
      await expect(claims.put(Buffer.from(BIG), wrong)).rejects.toMatchObject(invalid);
      await expect(claims.encode(BIG, wrong)).rejects.toMatchObject(invalid);
      await expect(claims.list(wrong).next()).rejects.toMatchObject(invalid);
      await expect(claims.removeScope(wrong.scope)).rejects.toMatchObject(invalid);
    },
  );

  test.each<[string, object]>([
    ["a path without a prefix", { path: "memory://bucket" }],
    ["a negative threshold", { threshold: -1 }],
    ["an infinite cache", { cache: Number.POSITIVE_INFINITY }],
    ["an unknown codec", { compression: "snappy" }],
    ["a time that is none", { refreshAfter: "soon" }],
    ["an unknown option", { treshold: 1 }],
    ["no storage", { storage: {} }],
  ])("%s is InvalidArgument", (_, options) => {
    expect(() => claimsAt(options)).toThrow(/InvalidArgument/);
  });

  test("an unknown option of a call is refused", async () => {
    await expect(claimsAt().put(Buffer.from(BIG), { scop: [] } as never)).rejects.toMatchObject({
      code: "InvalidArgument",
    });
  });

  test("an aborted call rejects with the reason of its signal", async () => {
    const signal = AbortSignal.abort("enough");
    await expect(claimsAt().put(Buffer.from(BIG), { signal })).rejects.toBe("enough");
  });
});
