import type { BlockBlobClient } from "@azure/storage-blob";
import type { CopyOptions } from "../../../driver.js";
import { HttpError } from "../../../http.js";
import type { CopyRoute, Progress } from "../copy.js";
import { receipt } from "../objects.js";
import { calling } from "./client.js";

export class SdkCopy implements CopyRoute {
  constructor(
    readonly source: BlockBlobClient,
    readonly target: BlockBlobClient,
  ) {}

  async begin({ ifAbsent, ifMatch, signal }: CopyOptions): Promise<Progress> {
    const conditions = {
      ...(ifAbsent && { conditions: { ifNoneMatch: "*" } }),
      ...(ifMatch !== undefined && { sourceConditions: { ifMatch } }),
    };
    const poller = await calling("PUT", signal, (cancel) =>
      this.target.beginCopyFromURL(this.source.url, { ...conditions, ...cancel }),
    ).catch(taken);
    const { result } = poller.getOperationState();
    return result ? progressOf(result) : this.look(signal);
  }

  async look(signal: AbortSignal | undefined): Promise<Progress> {
    return progressOf(await calling("HEAD", signal, (cancel) => this.target.getProperties(cancel)));
  }

  async stop(id: string): Promise<void> {
    await this.target.abortCopyFromURL(id);
  }

  async drop(etag: string): Promise<void> {
    await this.target.delete({ conditions: { ifMatch: etag } });
  }
}

/** Nothing tells whether the client has copied twice, so the object in the way counts as another's. */
function taken(error: unknown): never {
  if (error instanceof HttpError) error.unsure &&= error.status !== 409;
  throw error;
}

interface Copied {
  copyId?: string;
  copyStatus?: string;
  copyStatusDescription?: string;
  etag?: string;
  versionId?: string;
}

function progressOf({ copyId, copyStatus, copyStatusDescription, etag, versionId }: Copied): Progress {
  return { id: copyId, status: copyStatus, description: copyStatusDescription, receipt: receipt(etag, versionId) };
}
