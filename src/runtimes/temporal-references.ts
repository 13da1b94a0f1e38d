/** References in what Temporal keeps of a namespace: schedules, activities, Nexus operations and workflows. */
import { forEachConcurrent } from "../concurrency.js";
import { type ErrorCode, failure, invalid, isStorageError, type OptionNames } from "../errors.js";
import type { FoundReference, ReferenceSource } from "../references.js";
import { orAbort } from "../streams.js";
import type { Payload } from "./temporal-payload.js";
import { checkPlaced, objectOf, type Place, placesOf, type TemporalPlaces } from "./temporal-places.js";

/** What is called of `client.workflowService` of `@temporalio/client`; what an older SDK lacks is not read. */
export interface TemporalService {
  listSchedules(request: { namespace: string; maximumPageSize: number; nextPageToken: Uint8Array }): Promise<object>;
  describeSchedule(request: { namespace: string; scheduleId: string }): Promise<object>;
  listNexusOperationExecutions?(request: {
    namespace: string;
    pageSize: number;
    nextPageToken: Uint8Array;
  }): Promise<object>;
  describeNexusOperationExecution?(request: {
    namespace: string;
    operationId: string;
    runId: string;
    includeInput: boolean;
    includeOutcome: boolean;
  }): Promise<object>;
  listActivityExecutions?(request: { namespace: string; pageSize: number; nextPageToken: Uint8Array }): Promise<object>;
  describeActivityExecution?(request: {
    namespace: string;
    activityId: string;
    runId: string;
    includeInput: boolean;
    includeOutcome: boolean;
    includeHeartbeatDetails: boolean;
    includeLastFailure: boolean;
  }): Promise<object>;
  listWorkflowExecutions(request: { namespace: string; pageSize: number; nextPageToken: Uint8Array }): Promise<object>;
  describeWorkflowExecution(request: {
    namespace: string;
    execution: { workflowId: string; runId: string };
  }): Promise<object>;
  getWorkflowExecutionHistory(request: {
    namespace: string;
    execution: { workflowId: string; runId: string };
    maximumPageSize: number;
    nextPageToken: Uint8Array;
  }): Promise<object>;
}

export interface TemporalReferencesOptions extends TemporalPlaces {
  /** The namespace that is read. @default "default" */
  namespace?: string | undefined;
}

const OPTIONS: OptionNames<TemporalReferencesOptions> = { url: true, bucket: true, also: true, namespace: true };

/**
 * The references in a namespace of Temporal, for `sweep` and `fsck` of `stowage/xcom`: in the histories of all workflows
 * that it retains, open and closed, in schedules, pending activities, activities and Nexus operations of their own, and
 * memos. `url`, `bucket` and `also` are those of the driver.
 *
 * Reading throws if anything could be missing: a page that does not come or has a gap, a claim that cannot be read or
 * names a bucket whose place is not known. What is deleted meanwhile is passed over. Holds one page at a time.
 *
 * @example
 * const sources = [temporalReferences(client.workflowService, { namespace: "default", url: "s3://lake@payloads" })];
 * const layout = claimsLayout({ refreshAfter: "12h" });
 * await sweep({ storage, path: "s3://lake@payloads/v0", sources, layout });
 */
export function temporalReferences(service: TemporalService, options: TemporalReferencesOptions): ReferenceSource {
  checkPlaced("temporalReferences", options, OPTIONS);
  const { namespace = "default" } = options;
  if (typeof service?.getWorkflowExecutionHistory !== "function")
    throw invalid("temporalReferences needs a service: client.workflowService");
  if (typeof namespace !== "string" || namespace === "") throw invalid("namespace must be the name of a namespace");
  const places = placesOf(options);
  return {
    name: `Temporal's namespace ${namespace}`,
    references: ({ signal } = {}) => new Reader(service, namespace, places, signal).all(),
  };
}

interface Execution {
  workflowId: string;
  runId: string;
}

/** A message of the service: an object whose fields are checked where they are read. */
type Message = Readonly<Record<string, unknown>>;

const PAGE = 100;
/** Histories in flight: the service's own limits are far above. */
const CONCURRENCY = 8;

class Reader {
  readonly #service: TemporalService;
  readonly #namespace: string;
  readonly #places: readonly Place[];
  readonly #signal: AbortSignal | undefined;

  constructor(service: TemporalService, namespace: string, places: readonly Place[], signal: AbortSignal | undefined) {
    this.#service = service;
    this.#namespace = namespace;
    this.#places = places;
    this.#signal = signal;
  }

  /** What starts workflows is read before them: its input is then in their histories, without a store. */
  async *all(): AsyncGenerator<FoundReference, void, undefined> {
    yield* this.#list("listSchedules", "schedules", async ({ scheduleId }) => {
      const id = textOf(scheduleId, "scheduleId");
      return this.#described("describeSchedule", { scheduleId: id }, `schedule ${id}`);
    });
    yield* this.#list("listNexusOperationExecutions", "operations", async ({ operationId, runId }) => {
      const id = textOf(operationId, "operationId");
      const request = { operationId: id, runId: textOf(runId, "runId"), includeInput: true, includeOutcome: true };
      return this.#described("describeNexusOperationExecution", request, `Nexus operation ${id}`);
    });
    yield* this.#list("listActivityExecutions", "executions", async ({ activityId, runId }) => {
      const id = textOf(activityId, "activityId");
      const request = { activityId: id, runId: textOf(runId, "runId"), ...EVERYTHING };
      return this.#described("describeActivityExecution", request, `activity ${id}`);
    });
    yield* this.#list("listWorkflowExecutions", "executions", (info) => this.#workflow(info));
  }

  /** Calls `read` for each entry of each page; a few at a time. */
  async *#list(
    method: keyof TemporalService,
    field: string,
    read: (info: Message) => Promise<ReferencesByText>,
  ): AsyncGenerator<FoundReference, void, undefined> {
    if (!this.#service[method]) return;
    const size = method === "listSchedules" ? { maximumPageSize: PAGE } : { pageSize: PAGE };
    for await (const page of this.#pages(method, size)) {
      const entries = messagesOf(page, field);
      const all: FoundReference[] = [];
      await forEachConcurrent(entries, { concurrency: CONCURRENCY, signal: this.#signal }, async (info) => {
        all.push(...(await read(info)).values());
      });
      yield* all;
    }
  }

  async *#pages(method: keyof TemporalService, request: object): AsyncGenerator<Message, void, undefined> {
    let nextPageToken: Uint8Array = new Uint8Array(0);
    do {
      const page = await this.#call(method, { ...request, nextPageToken }).catch((error: unknown) => {
        // A server without activities or Nexus operations of their own has none.
        if (OPTIONAL.has(method) && nextPageToken.byteLength === 0 && isStorageError(error, "Unsupported")) return {};
        throw error;
      });
      yield page;
      nextPageToken = tokenOf(page);
    } while (nextPageToken.byteLength > 0);
  }

  async #described(method: keyof TemporalService, request: object, where: string): Promise<ReferencesByText> {
    const found: ReferencesByText = new Map();
    const response = await this.#call(method, request).catch(orGone);
    if (response) this.#collect(response, where, found);
    return found;
  }

  async #workflow(info: Message): Promise<ReferencesByText> {
    const { workflowId, runId } = messageOf(info.execution, "execution");
    const execution = { workflowId: textOf(workflowId, "workflowId"), runId: textOf(runId, "runId") };
    const where = `workflow ${execution.workflowId}, run ${execution.runId}`;
    const found: ReferencesByText = new Map();
    this.#collect(info, where, found);
    if (!info.closeTime) {
      // Before the history, which has the heartbeats of an activity only once it has failed.
      const response = await this.#call("describeWorkflowExecution", { execution }).catch(orGone);
      if (response) this.#collect(response, where, found);
    }
    // A run that was reset or continued has a successor of its id that keeps its references, and may not be listed.
    if (!(await this.#history(execution, where, found)))
      await this.#history({ ...execution, runId: "" }, `workflow ${execution.workflowId}`, found);
    return found;
  }

  /** Collects from all events of a run. Returns false if it is gone. */
  async #history(execution: Execution, where: string, found: ReferencesByText): Promise<boolean> {
    let next = 1;
    try {
      for await (const page of this.#pages("getWorkflowExecutionHistory", { execution, maximumPageSize: PAGE })) {
        for (const event of messagesOf(messageOf(page.history, "history"), "events")) {
          if (Number(event.eventId) !== next) throw incomplete(`event ${next} of ${where}`);
          next += 1;
          this.#collect(event, where, found);
        }
      }
    } catch (error) {
      if (isStorageError(error, "NotFound")) return false;
      throw error;
    }
    if (next === 1) throw incomplete(`the history of ${where}`);
    return true;
  }

  #collect(message: object, where: string, found: ReferencesByText): void {
    for (const payload of payloadsIn(message, [])) {
      const claimData = claimIn(payload, where);
      if (!claimData || !FIELDS.some((name) => name in claimData)) continue;
      try {
        const text = String(objectOf(claimData, this.#places).path);
        const [external] = payload.externalPayloads ?? [];
        found.set(text, { text, where, ...(external && { plainSize: Number(external.sizeBytes) }) });
      } catch (cause) {
        if (!isStorageError(cause)) throw cause;
        throw failure(cause.code, `a claim in ${where}: ${cause.detail}`, { cause });
      }
    }
  }

  async #call(method: keyof TemporalService, request: object): Promise<Message> {
    this.#signal?.throwIfAborted();
    const service = this.#service as unknown as Record<string, (request: object) => Promise<object>>;
    const answer = service[method]!({ namespace: this.#namespace, ...request });
    return messageOf(await orAbort(answer.catch(rethrowServiceError), this.#signal), method);
  }
}

/** References by their text: a value is named by many events of one history. */
type ReferencesByText = Map<string, FoundReference>;

const OPTIONAL: ReadonlySet<keyof TemporalService> = new Set([
  "listNexusOperationExecutions",
  "listActivityExecutions",
]);
const EVERYTHING = {
  includeInput: true,
  includeOutcome: true,
  includeHeartbeatDetails: true,
  includeLastFailure: true,
};

/** One of them is in every claim that names an object; a driver of other stores has other fields. */
const FIELDS = ["bucket", "key", "object", "object_name"];

/** Appends all payloads of a message, wherever it has them: a later version has them in other fields too. */
function payloadsIn(value: unknown, payloads: Payload[]): Payload[] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return payloads;
  if ((value as Payload).metadata?.encoding instanceof Uint8Array) payloads.push(value as Payload);
  else for (const inner of Object.values(value)) payloadsIn(inner, payloads);
  return payloads;
}

const REFERENCE = "temporal.api.sdk.v1.ExternalStorageReference";
/** Of older SDKs for Python. */
const OLD_ENCODING = "json/external-storage-reference";

/** Returns the claim that a payload stands for; undefined for a value. */
function claimIn({ metadata, data }: Payload, where: string): Record<string, string> | undefined {
  const [encoding, type] = [metadata?.encoding, metadata?.messageType].map((bytes) => bytes && textIn(bytes));
  if (encoding !== OLD_ENCODING && type !== REFERENCE) return undefined;
  if (encoding !== OLD_ENCODING && encoding !== "json/protobuf")
    throw failure("Unsupported", `a reference in ${where} has the encoding ${JSON.stringify(encoding)}`);
  try {
    const parsed = JSON.parse(textIn(data!));
    const claimData = parsed.claimData ?? parsed.claim_data ?? parsed.driver_claim?.claim_data;
    if (typeof claimData === "object" && claimData !== null) return claimData;
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof TypeError)) throw cause;
  }
  throw failure("Corrupt", `a reference in ${where} cannot be read`);
}

function textIn(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function messageOf(value: unknown, name: string): Message {
  if (typeof value === "object" && value !== null) return value as Message;
  throw incomplete(name);
}

function messagesOf(message: Message, field: string): Message[] {
  const value = message[field] ?? [];
  if (Array.isArray(value)) return value.map((one) => messageOf(one, field));
  throw incomplete(field);
}

function textOf(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw incomplete(name);
}

function tokenOf({ nextPageToken }: Message): Uint8Array {
  return nextPageToken instanceof Uint8Array ? nextPageToken : new Uint8Array(0);
}

function incomplete(what: string): Error {
  return failure("Corrupt", `Temporal has sent its answer without ${what}`);
}

function orGone(error: unknown): undefined {
  if (isStorageError(error, "NotFound")) return undefined;
  throw error;
}

/** By status of https://grpc.io/docs/guides/status-codes; any other means that the service is away. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  3: "InvalidArgument",
  4: "Timeout",
  5: "NotFound",
  7: "PermissionDenied",
  8: "Throttled",
  9: "InvalidArgument",
  12: "Unsupported",
  16: "Unauthenticated",
};

function rethrowServiceError(cause: unknown): never {
  const { code, message } = cause as { code?: unknown; message?: string };
  throw failure(CODES[Number(code)] ?? "Unavailable", `Temporal says: ${message}`, { cause });
}
