import type { BulkDelete, Verdict } from "../../../bulk.js";
import type { Doomed } from "../../../driver.js";
import { BATCH, isMissing, verdictOf } from "../remove.js";
import { calling, objectOf, type Sdk } from "./client.js";

type Signal = AbortSignal | undefined;

export class SdkDelete implements BulkDelete {
  readonly size = BATCH;

  constructor(readonly sdk: Sdk) {}

  async one({ key, version }: Doomed, signal: Signal): Promise<void> {
    const object = objectOf(this.sdk, key, version);
    try {
      await calling("DELETE", signal, (cancel) => object.delete(cancel));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async many(objects: readonly Doomed[], signal: Signal): Promise<(Verdict | undefined)[]> {
    const clients = objects.map(({ key, version }) => objectOf(this.sdk, key, version));
    const batches = this.sdk.container.getBlobBatchClient();
    const { subResponses } = await calling("POST", signal, (cancel) => batches.deleteBlobs(clients, cancel));
    return objects.map((_, i) => {
      const answer = subResponses[i];
      return answer && verdictOf(answer.status, { code: answer.errorCode, detail: answer.statusMessage });
    });
  }
}
