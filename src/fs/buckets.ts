/** The buckets of an account: the only verbs that create or delete one. */
import { checkOptions, failure, invalid, type OptionNames } from "../errors.js";
import { providerOf, StoragePath } from "../path.js";
import type { BucketService, Driver, DriverBucket } from "./driver/driver.js";
import { Operation } from "./operation.js";
import type { Abortable, PathLike } from "./options.js";
import type { BucketLocation, DriverRegistry } from "./registry.js";
import { SharedDrivers } from "./shared-drivers.js";

/** A bucket, or container of Azure, in the list of an account. */
export interface BucketEntry extends DriverBucket {
  /** The bucket itself: a path with an empty key. */
  path: StoragePath;
}

export interface CreateBucketOptions extends Abortable {
  /** The provider's own name of a place: a region of AWS, a location of Google. @default that of the connection */
  region?: string | undefined;
}

const LIST: OptionNames<Abortable> = { signal: true };
const CREATE: OptionNames<CreateBucketOptions> = { region: true, signal: true };

/**
 * The buckets of one account. No other verb creates or deletes a bucket. Every failure is a StorageError:
 * `AlreadyExists` for a bucket that this account has, `PermissionDenied` for a name that another account has,
 * `PreconditionFailed` for a bucket that is not empty, `InvalidArgument` for a name that the provider does not allow,
 * before any request.
 */
export class Buckets {
  readonly #service: AccountDrivers;

  /** @internal Use `storage.buckets()`. */
  constructor(registry: DriverRegistry, account: string) {
    this.#service = new AccountDrivers(registry, account);
  }

  /**
   * Yields the buckets of the account, in the provider's order. Buckets of other accounts are not listed, even if they
   * can be read.
   *
   * @example for await (const { name } of storage.buckets("s3://").list()) console.log(name);
   */
  async *list(options: Abortable = {}): AsyncGenerator<BucketEntry, void, undefined> {
    const call = new Operation("listBuckets", "list", options);
    try {
      const service = await this.#open(call, "", options, LIST);
      for await (const page of service.list({ signal: options.signal })) yield* page.map((row) => this.#entry(row));
    } catch (error) {
      throw call.toStorageError(error);
    }
  }

  /**
   * Creates a bucket. Throws `AlreadyExists` if this account has it already, `PermissionDenied` if another account has
   * it, and `CommitUnknown` if a response was lost and the bucket exists now.
   *
   * @example await storage.buckets("s3://").create("my-new-bucket", { region: "eu-central-1" });
   */
  create(name: string, options: CreateBucketOptions = {}): Promise<void> {
    const call = new Operation("createBucket", "write", { signal: options?.signal });
    return call.run(async () => {
      const service = await this.#open(call, name, options, CREATE);
      const { region, signal } = options;
      if (region !== undefined && (typeof region !== "string" || region === ""))
        throw invalid("region must be the name of one");
      await service.create(name, { region, signal });
    });
  }

  /**
   * Deletes an empty bucket. Throws `NotFound` if it does not exist, and `PreconditionFailed` if it is not empty; old
   * versions and delete markers count. Azure has no such condition: there a blob that is written between the look and
   * the delete is deleted with the container.
   *
   * @example await storage.buckets("s3://").delete("my-old-bucket");
   */
  delete(name: string, options: Abortable = {}): Promise<void> {
    const call = new Operation("deleteBucket", "delete", { signal: options?.signal });
    return call.run(async () => {
      const service = await this.#open(call, name, options, LIST);
      await service.delete(name, { signal: options.signal });
    });
  }

  async #open<I extends Abortable>(
    call: Operation,
    bucket: string,
    options: I,
    names: OptionNames<I>,
  ): Promise<BucketService> {
    if (typeof bucket !== "string") throw invalid("the name of a bucket must be a string");
    const path = call.path(this.#service, bucket);
    checkOptions("buckets", options, names);
    const { driver } = await call.bucket(this.#service, path);
    if (driver.buckets) return driver.buckets;
    throw failure("Unsupported", NONE[providerOf(path.scheme) ?? ""] ?? "this driver does not list or create buckets");
  }

  /** A name that no path can have would be another bucket in its text. */
  #entry(row: DriverBucket): BucketEntry {
    const { name, created, region } = row;
    if (created !== undefined && Number.isNaN(created.getTime()))
      throw failure(
        "Corrupt",
        `the list of buckets has a row whose date is none: ${JSON.stringify(name.slice(0, 100))}`,
      );
    try {
      const path = this.#service.bucket(name);
      return { path, name, ...(created && { created }), ...(region !== undefined && { region }) };
    } catch (cause) {
      const shown = JSON.stringify(name.slice(0, 100));
      throw failure("Corrupt", `the list of buckets has a row whose name no bucket has: ${shown}`, { cause });
    }
  }
}

const NONE: Readonly<Record<string, string>> = {
  file: "there are no buckets of files; use folders",
  memory: "buckets of memory exist when something is written into them",
};

/** Shares the drivers of a Storage; opens the one of the account. Paths are names of its buckets, empty for itself. */
class AccountDrivers extends SharedDrivers {
  readonly #account: BucketLocation & { key: string };

  constructor(whole: DriverRegistry, account: string) {
    super(whole);
    if (whole.below !== undefined) throw invalid("a storage below a base has no buckets");
    this.#account = parseAccount(account);
  }

  bucket(name: string): StoragePath {
    const { scheme, connectionId } = this.#account;
    return StoragePath.of({ scheme, connectionId, bucket: name, key: "" });
  }

  override path(path: PathLike): StoragePath {
    if (path === "") return this.#account as StoragePath;
    return typeof path === "string" ? this.bucket(path) : (path as StoragePath);
  }

  override driver({ scheme, connectionId }: BucketLocation): Promise<Driver> {
    return super.driver({ scheme, connectionId, bucket: "" });
  }
}

const FORM = "the buckets of an account are those of scheme://[connection@], such as s3://conn@";

/** Parses `scheme://[connection@]` by the rules of paths. */
function parseAccount(text: string): BucketLocation & { key: string } {
  const [, account] = /^([^:/]+:\/\/(?:[^/]*@)?)\/?$/.exec(typeof text === "string" ? text : "") ?? [];
  if (account === undefined) throw invalid(FORM);
  const scheme = account.slice(0, account.indexOf(":")).toLowerCase();
  if (providerOf(scheme) === "file") throw failure("Unsupported", NONE.file!);
  const { connectionId } = StoragePath.parse(`${account}bucket`);
  const printed = connectionId === undefined ? `${scheme}://` : `${scheme}://${connectionId}@`;
  return { scheme, connectionId, bucket: "", key: "", ...{ toString: () => printed } };
}
