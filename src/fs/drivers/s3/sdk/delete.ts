import type { Doomed } from "../../../driver.js";
import { HttpError } from "../../../http.js";
import type { DeleteRoute, FailedRow } from "../delete.js";
import { calling, type Sdk } from "./client.js";

type Signal = AbortSignal | undefined;

export class SdkDelete implements DeleteRoute {
  constructor(readonly sdk: Sdk) {}

  get bulk(): boolean {
    return this.sdk.profile.bulkDelete;
  }

  async one({ key, version }: Doomed, signal: Signal): Promise<void> {
    const { client, library, bucket } = this.sdk;
    const command = new library.DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: version });
    try {
      await calling("DeleteObject", signal, (options) => client.send(command, options));
    } catch (error) {
      if (!(error instanceof HttpError && error.status === 404 && error.code !== "NoSuchBucket")) throw error;
    }
  }

  async many(objects: readonly Doomed[], signal: Signal): Promise<FailedRow[]> {
    const { client, library, bucket } = this.sdk;
    const Objects = objects.map(({ key, version }) => ({ Key: key, VersionId: version }));
    const command = new library.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } });
    const { Errors = [] } = await calling("DeleteObjects", signal, (options) => client.send(command, options));
    return Errors;
  }
}
