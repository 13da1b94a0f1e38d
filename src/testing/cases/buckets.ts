/** The buckets of an account. A case creates its own and removes them, whatever happens. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { tracingChannel } from "node:diagnostics_channel";
import { setTimeout as sleep } from "node:timers/promises";
import type { ErrorCode } from "../../errors.js";
import type { BucketEntry, Buckets, OperationEvent } from "../../fs/index.js";
import { StoragePath } from "../../path.js";
import { expectRejection, rejectsWith, type Spec, type TestContext } from "../bench.js";

/** Milliseconds within which a list of buckets follows: on AWS it may lag behind. */
const LIST_LAG = 60_000;

/** No bucket of any provider has such a name. */
const NO_NAMES: readonly string[] = ["", "a/b", "/", "..", "user:word", "a@b", "a\0b", "line\nbreak", "\ud800"];

const WITHOUT = { needs: ["bucketVerbs"], without: isUnsupported } as const;

export const bucketCases: readonly Spec[] = [
  {
    ...WITHOUT,
    id: "B01",
    title: "a bucket that is created is listed once, holds objects, and is gone once it is deleted",
    run: (context) =>
      withBucket(context, async (name, root) => {
        const entries = await listedUntil(context, name, true);
        assert.deepEqual(
          entries.map(({ path }) => String(path)),
          [String(root)],
        );
        const [{ created } = {}] = entries;
        assert.ok(created === undefined || !Number.isNaN(created.getTime()), "the date of the bucket is none");
        assert.deepEqual(await context.entries(root), []);
        const object = context.at("a/b", root);
        await context.storage.write(object, "text");
        assert.equal(await context.storage.text(object), "text");
        await context.storage.delete(object);
        await bucketsOf(context).delete(name);
        await listedUntil(context, name, false);
      }),
  },
  {
    ...WITHOUT,
    id: "B02",
    title: "creating a bucket that this account has is AlreadyExists, and its objects stay",
    run: (context) =>
      withBucket(context, async (name, root) => {
        const object = context.at("kept", root);
        await context.storage.write(object, "kept");
        await expectNamed(() => bucketsOf(context).create(name), "createBucket", "AlreadyExists", root);
        assert.equal(await context.storage.text(object), "kept");
      }),
  },
  {
    ...WITHOUT,
    id: "B03",
    title: "deleting a bucket with an object is PreconditionFailed, and the object stays",
    run: (context) =>
      withBucket(context, async (name, root) => {
        const object = context.at("d/kept", root);
        await context.storage.write(object, "kept");
        await expectNamed(() => bucketsOf(context).delete(name), "deleteBucket", "PreconditionFailed", root);
        assert.equal(await context.storage.text(object), "kept");
        await context.storage.delete(object);
        await bucketsOf(context).delete(name);
      }),
  },
  {
    ...WITHOUT,
    id: "B04",
    title: "deleting a missing bucket is NotFound, also right after it was deleted",
    run: (context) =>
      withBucket(context, async (name, root) => {
        await bucketsOf(context).delete(name);
        await expectNamed(() => bucketsOf(context).delete(name), "deleteBucket", "NotFound", root);
        const never = newName();
        await expectNamed(() => bucketsOf(context).delete(never), "deleteBucket", "NotFound", rootOf(context, never));
      }),
  },
  {
    ...WITHOUT,
    id: "B05",
    title: "names that no bucket can have, and options that do not exist, are InvalidArgument before any request",
    async run(context) {
      const buckets = () => bucketsOf(context);
      for (const name of [...NO_NAMES, 3 as never]) {
        await withoutRequest(() => buckets().create(name), "InvalidArgument");
        await withoutRequest(() => buckets().delete(name), "InvalidArgument");
      }
      const name = newName();
      const inits = [{ region: "" }, { region: 1 as never }, { regoin: "x" } as never];
      for (const options of inits) await withoutRequest(() => buckets().create(name, options), "InvalidArgument");
      await withoutRequest(() => buckets().delete(name, { region: "x" } as never), "InvalidArgument");
      for (const text of [`${accountOf(context)}bucket/key`, "", 3 as never])
        await withoutRequest(async () => context.storage.buckets(text), "InvalidArgument");
    },
  },
  {
    ...WITHOUT,
    id: "B06",
    title: "verbs about buckets reject at once with the reason of an aborted signal",
    run: (context) =>
      withBucket(context, async (name, root) => {
        const reason = new Error("enough");
        const options = { signal: AbortSignal.abort(reason) };
        const other = newName();
        await rejectsWith(bucketsOf(context).create(other, options), reason);
        await rejectsWith(bucketsOf(context).delete(name, options), reason);
        await rejectsWith(bucketsOf(context).list(options).next(), reason);
        assert.deepEqual(await context.entries(root), [], "an aborted call deleted the bucket");
        await expectRejection(context.entries(rootOf(context, other)), "NotFound", "an aborted call created a bucket:");
      }),
  },
];

const newName = (): string => `stowage-${randomBytes(6).toString("hex")}`;

/** Returns `scheme://[connection@]`. */
function accountOf({ base: { scheme, connectionId } }: TestContext): string {
  return connectionId === undefined ? `${scheme}://` : `${scheme}://${connectionId}@`;
}

function bucketsOf(context: TestContext): Buckets {
  return context.storage.buckets(accountOf(context));
}

function rootOf({ base: { scheme, connectionId } }: TestContext, bucket: string): StoragePath {
  return StoragePath.of({ scheme, connectionId, bucket, key: "" });
}

/** Runs `work` with a new bucket, which is removed with its objects afterwards if it is still there. */
async function withBucket(
  context: TestContext,
  work: (name: string, root: StoragePath) => Promise<void>,
): Promise<void> {
  const name = newName();
  const root = rootOf(context, name);
  await bucketsOf(context).create(name);
  try {
    await work(name, root);
  } finally {
    // The failure of the case says more than that of its cleanup, which also fails for a bucket that is gone.
    await context.storage.delete(root, { recursive: true, emptyBucket: true }).catch(() => {});
    await bucketsOf(context)
      .delete(name)
      .catch(() => {});
  }
}

/** Returns the rows of this bucket once it is listed, or once it is not. */
async function listedUntil(context: TestContext, name: string, listed: boolean): Promise<BucketEntry[]> {
  const deadline = Date.now() + LIST_LAG;
  for (;;) {
    const found: BucketEntry[] = [];
    for await (const entry of bucketsOf(context).list()) if (entry.name === name) found.push(entry);
    if (found.length > 0 === listed) return found;
    if (Date.now() > deadline) assert.fail(listed ? "the new bucket is not listed" : "the deleted bucket is listed");
    await sleep(1000);
  }
}

/** Checks that `work` rejects with a StorageError of this verb and code that names the bucket. */
async function expectNamed(
  work: () => Promise<unknown>,
  op: string,
  code: ErrorCode,
  root: StoragePath,
): Promise<void> {
  const error = await expectRejection(work(), code);
  assert.deepEqual([error.op, error.path], [op, String(root)], error.message);
}

/**
 * Checks that `work` is refused with this code, and that its operation sent no request. A driver whose requests are not
 * published on `stowage:request` is only checked for the code.
 */
async function withoutRequest(work: () => Promise<unknown>, code: ErrorCode): Promise<void> {
  const failed: OperationEvent[] = [];
  const error = (event: unknown): void => void failed.push(event as OperationEvent);
  const none = (): void => {};
  const subscribers = { start: none, end: none, asyncStart: none, asyncEnd: none, error };
  const channel = tracingChannel<OperationEvent>("stowage:operation");
  channel.subscribe(subscribers);
  try {
    const refused = await expectRejection(work(), code);
    // By the error, because other cases may run at the same time.
    const own = failed.find((event) => event.error === refused);
    assert.equal(own?.requests ?? 0, 0, `refused only after a request: ${refused.message}`);
  } finally {
    channel.unsubscribe(subscribers);
  }
}

/** Without the capability, every verb says so, and sends nothing. */
async function isUnsupported(context: TestContext): Promise<void> {
  const name = newName();
  await withoutRequest(async () => bucketsOf(context).create(name), "Unsupported");
  await withoutRequest(async () => bucketsOf(context).delete(name), "Unsupported");
  await withoutRequest(async () => bucketsOf(context).list().next(), "Unsupported");
}
