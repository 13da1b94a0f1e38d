/** Temporal's driver: bytes as protobufjs has them, keys, and claims that are refused. */
import { createRequire } from "node:module";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import { type TemporalDriverOptions, temporalDriver } from "../../../src/runtimes/temporal.js";
import { decodePayload, encodePayload } from "../../../src/runtimes/temporal-payload.js";

const require = createRequire(import.meta.url);
const proto = createRequire(require.resolve("@temporalio/common"))("@temporalio/proto");
const official = proto.temporal.api.common.v1.Payload as {
  encode(payload: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): { metadata: Record<string, Uint8Array>; data: Uint8Array };
};

const storage = openStorage({ env: {} });
afterAll(() => storage.close());

let made = 0;
function driverAt(options: Partial<TemporalDriverOptions> = {}) {
  return temporalDriver({ storage, url: `memory://payloads${made++}`, ...options });
}

const bytes = fc.uint8Array({ maxLength: 300 });
const payloads = fc.record({
  metadata: fc.dictionary(fc.string({ unit: "grapheme", maxLength: 8 }), bytes),
  data: bytes,
});
const plain = ({ metadata, data }: { metadata?: object | null; data?: Uint8Array | null }) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, [...(value as Uint8Array)]]),
  ),
  data: [...(data ?? [])],
});

describe("payloads as bytes", () => {
  test("are those of protobufjs, and read as it reads them", () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        const names = Object.keys(payload.metadata).sort();
        const sorted = {
          ...payload,
          metadata: Object.fromEntries(names.map((name) => [name, payload.metadata[name]!])),
        };
        const ours = encodePayload(payload);
        // An object puts names that are integers first, whatever their order was.
        if (names.join() === Object.keys(sorted.metadata).join())
          expect([...ours]).toEqual([...official.encode(sorted).finish()]);
        expect(plain(official.decode(ours))).toEqual(plain(payload));
        expect(plain(decodePayload(official.encode(payload).finish()))).toEqual(plain(payload));
      }),
      { numRuns: 500 },
    );
  });

  test("a hostile name is data, later fields are passed over, and other bytes are Corrupt or a payload", () => {
    const metadata = JSON.parse('{"__proto__": 1}') as Record<string, Uint8Array>;
    Object.defineProperty(metadata, "__proto__", { value: Buffer.from("x"), enumerable: true });
    const decoded = decodePayload(encodePayload({ metadata, data: Buffer.from("d") }));
    expect(Object.keys(decoded.metadata!)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(decoded.metadata)).toBe(Object.prototype);
    const later = Buffer.concat([encodePayload({ data: Buffer.from("d") }), Buffer.from([0x52, 1, 0x61, 0x58, 5])]);
    expect(String(Buffer.from(decodePayload(later).data!))).toBe("d");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        try {
          decodePayload(noise);
        } catch (error) {
          expect(error).toMatchObject({ code: "Corrupt" });
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("sizes of external payloads survive", () => {
    const sizes = [0, 1, 127, 128, 2 ** 40];
    const encoded = encodePayload({
      data: Buffer.from("d"),
      externalPayloads: sizes.map((sizeBytes) => ({ sizeBytes })),
    });
    expect(decodePayload(encoded).externalPayloads).toEqual(sizes.map((sizeBytes) => ({ sizeBytes })));
  });
});

const one = { metadata: { encoding: Buffer.from("json/plain") }, data: Buffer.from('"value"') };

describe("claims", () => {
  test("have the names of all official drivers; equal payloads of a call are one object", async () => {
    const driver = driverAt();
    const [a, b] = await driver.store({}, [one, one]);
    expect(a).toEqual(b);
    expect(a!.claimData).toEqual({
      bucket: expect.stringMatching(/^payloads/),
      key: expect.stringMatching(/^v0\/d\/sha256\/[0-9a-f]{64}$/),
      hash_algorithm: "sha256",
      hash_value: expect.stringMatching(/^[0-9a-f]{64}$/),
      hashAlgorithm: "sha256",
      hashValue: a!.claimData.hash_value,
    });
    expect((await driver.retrieve({}, [a!, b!])).map(plain)).toEqual([plain(one), plain(one)]);
  });

  test.each(["hash_", "hash"])("either spelling is read (%s)", async (prefix) => {
    const driver = driverAt();
    const [{ claimData }] = (await driver.store({}, [one])) as [{ claimData: Record<string, string> }];
    const { bucket, key } = claimData;
    const names = prefix === "hash" ? ["hashAlgorithm", "hashValue"] : ["hash_algorithm", "hash_value"];
    const claim = { bucket: bucket!, key: key!, [names[0]!]: "sha256", [names[1]!]: claimData.hashValue! };
    expect(await driver.retrieve({}, [{ claimData: claim }])).toHaveLength(1);
  });

  test("state their owner in the key; ids that some store would change are encoded", async () => {
    const driver = driverAt();
    const keyOf = async (target?: object) => {
      const [claim] = await driver.store({ target } as never, [one]);
      return claim!.claimData.key!.replace(/\/d\/sha256\/.*/, "");
    };
    const workflow = { kind: "workflow", namespace: "n", id: "i/~ ", runId: "r", type: "t" };
    expect(await keyOf(workflow)).toBe("v0/ns/n/wt/t/wi/i%2F%7E%20/ri/r");
    expect(await keyOf({ kind: "activity", namespace: "n", id: ".." })).toBe("v0/ns/n/at/null/ai/%2E%2E/ri/null");
    expect(await keyOf()).toBe("v0");
  });

  test("a path of its own, a route, and older places, also in one bucket", async () => {
    const old = driverAt({ url: "memory://shared/old" });
    const [first] = await old.store({}, [one]);
    const bare = driverAt();
    const [second] = await bare.store({}, [one]);
    await storage.copy(`memory://${second!.claimData.bucket}/v0`, "memory://archive/kept/v0", { recursive: true });
    const driver = driverAt({
      url: "memory://shared/new",
      route: (_, payload) => (payload.data!.byteLength > 10 ? "memory://large" : undefined),
      also: [
        { bucket: "shared", url: "memory://shared/old" },
        { bucket: "large", url: "memory://large" },
        { bucket: second!.claimData.bucket!, url: "memory://archive/kept" },
      ],
    });
    const [small, large] = await driver.store({}, [one, { data: Buffer.alloc(20) }]);
    expect(small!.claimData).toMatchObject({ bucket: "shared", key: expect.stringMatching(/^new\/v0\//) });
    expect(large!.claimData).toMatchObject({ bucket: "large" });
    expect(await driver.retrieve({}, [first!, second!, small!, large!])).toHaveLength(4);
  });

  test("a route to a place whose claims would not be read, and a claim of a bucket that is none of ours, are refused", async () => {
    const lost = driverAt({ route: () => "memory://nowhere" });
    await expect(lost.store({}, [one])).rejects.toMatchObject({ type: "stowage.InvalidArgument" });
    const theirs = driverAt();
    const claims = await theirs.store({}, [one]);
    const routed = driverAt({ route: () => undefined });
    await expect(routed.retrieve({}, claims)).rejects.toMatchObject({ type: "stowage.PermissionDenied" });
    await expect(routed.retrieve({}, [{} as never])).rejects.toMatchObject({ type: "stowage.InvalidArgument" });
    const target = { kind: "workflow", namespace: "n", id: "\ud800" } as const;
    await expect(routed.store({ target }, [one])).rejects.toMatchObject({ type: "stowage.InvalidArgument" });
  });

  test("what lies elsewhere, is damaged, too large or of another kind is a typed failure of Temporal", async () => {
    const driver = driverAt();
    const [claim] = await driver.store({}, [one]);
    const { claimData } = claim!;
    const failureOf = async (change: Record<string, string | undefined>, of = driver) => {
      const data = Object.fromEntries(
        Object.entries({ ...claimData, ...change }).filter(([, value]) => value !== undefined),
      );
      const error = await of
        .retrieve({}, [{ claimData: data as Record<string, string> }])
        .catch((reason: unknown) => reason);
      const { name, type, nonRetryable } = error as { name: string; type: string; nonRetryable: boolean };
      return [name, type, nonRetryable];
    };
    const final = (code: string) => ["ApplicationFailure", `stowage.${code}`, true];
    expect(await failureOf({ bucket: "other" })).toEqual(final("PermissionDenied"));
    expect(await failureOf({ key: "../x" })).toEqual(final("PermissionDenied"));
    expect(await failureOf({ key: undefined })).toEqual(final("InvalidArgument"));
    expect(await failureOf({ hashAlgorithm: "md5" })).toEqual(final("Unsupported"));
    expect(await failureOf({ hashValue: "0".repeat(64) })).toEqual(final("Corrupt"));
    const missing = claimData.key!.replace(/.$/, "");
    expect(await failureOf({ key: missing })).toEqual(["ApplicationFailure", "stowage.NotFound", false]);
    const strict = driverAt({ url: `memory://${claimData.bucket}`, onMissing: "fail" });
    expect(await failureOf({ key: missing }, strict)).toEqual(final("NotFound"));
    const tight = driverAt({ url: `memory://${claimData.bucket}`, maxPayloadSize: 10 });
    expect(await failureOf({}, tight)).toEqual(final("TooLarge"));
    await expect(tight.store({}, [one])).rejects.toMatchObject({ type: "stowage.TooLarge" });
  });

  test("a payload that a read found damaged is written again by the next store", async () => {
    const driver = driverAt();
    const [claim] = await driver.store({}, [one]);
    const url = `memory://${claim!.claimData.bucket}/${claim!.claimData.key}`;
    await storage.write(url, Buffer.alloc((await storage.stat(url)).size, "b"));
    await expect(driver.retrieve({}, [claim!])).rejects.toMatchObject({ type: "stowage.Corrupt" });
    expect(await driver.store({}, [one])).toEqual([claim]);
    expect((await driver.retrieve({}, [claim!])).map(plain)).toEqual([plain(one)]);
  });

  test("a payload that is changed while it is stored is stored as it was", async () => {
    const driver = driverAt();
    const data = Buffer.alloc(5_000_000, "a");
    const storing = driver.store({}, [{ ...one, data }]);
    data.fill("b");
    const [payload] = await driver.retrieve({}, await storing);
    expect(Buffer.alloc(5_000_000, "a").equals(payload!.data!)).toBe(true);
  });

  test("an aborted call rejects with the reason", async () => {
    const abortSignal = AbortSignal.abort(new Error("enough"));
    await expect(driverAt().store({ abortSignal }, [one])).rejects.toThrow("enough");
  });
});

test("drivers have the names by which other SDKs find them", () => {
  expect(driverAt({ url: "s3://payloads" })).toMatchObject({ name: "aws.s3driver", type: "aws.s3driver" });
  expect(driverAt({ url: "gs://payloads" })).toMatchObject({ name: "gcp.gcsdriver" });
  expect(driverAt()).toMatchObject({ name: "stowage" });
  expect(driverAt({ name: "mine", type: "kind" })).toMatchObject({ name: "mine", type: "kind" });
  for (const wrong of [
    { onMissing: "never" },
    { maxPayloadSize: -1 },
    { refreshAfter: "x" },
    { urls: 1 },
    { storage: {} },
  ])
    expect(() => driverAt(wrong as never)).toThrow(/InvalidArgument/);
});

test("a driver without a url says what it needs, also if that was called a path as in other adapters", () => {
  const driver = (options: object) => () => temporalDriver({ storage, ...options } as never);
  expect(driver({})).toThrow(/url of temporalDriver must be a bucket or a path, such as s3:/);
  expect(driver({ path: "s3://lake@payloads" })).toThrow(/unknown option "path" .*did you mean url\?/);
});
