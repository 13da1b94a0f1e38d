/**
 * Bodies above SQS's limit as objects, by a middleware for `@aws-sdk/client-sqs`. The messages are those of AWS's
 * extended clients for Java and Python, which read them, and whose messages are read.
 *
 * @packageDocumentation
 */
import { randomUUID } from "node:crypto";
import { ageMs, byteLimit, DigestObjects, digestOf, liesBelow, toPath } from "../claims/index.js";
import { checkOptions, failure, invalid, type OptionNames, StorageError } from "../errors.js";
import type { Storage } from "../fs/index.js";
import { StoragePath } from "../path.js";
import { decodeUtf8 } from "../streams.js";

export interface SqsOffloadOptions {
  storage: Storage;
  /** Where bodies are stored: `s3://` only, since a message names bucket and key. */
  path: StoragePath | string;
  /** Bytes of body and attributes from which on the body becomes an object. @default 262144 */
  threshold?: number | undefined;
  /** Whether the object is deleted after its message. @default true */
  deleteOnAck?: boolean | undefined;
  /** The attribute that marks a message; both are read. @default "ExtendedPayloadSize" */
  attribute?: "ExtendedPayloadSize" | "SQSLargePayloadSize" | undefined;
  /** Bytes of the largest body that is written or read. @default 50 MiB */
  maxBytes?: number | undefined;
  /** Other places whose bodies are read, such as those of other services: a message is input from outside. */
  allow?: readonly (StoragePath | string)[] | undefined;
  /**
   * Called with a message whose body cannot be read; the message is left out, and comes again after its visibility
   * timeout. Without it, the whole ReceiveMessage rejects.
   */
  onUnreadable?: ((message: SqsMessage, error: unknown) => void) | undefined;
  /** Called with an object that could not be deleted after its message; the call itself has succeeded. */
  onCleanUpFailed?: ((path: StoragePath, error: unknown) => void) | undefined;
}

/** What is used of a message. */
export interface SqsMessage {
  MessageId?: string | undefined;
  ReceiptHandle?: string | undefined;
  Body?: string | undefined;
  MessageAttributes?: Record<string, SqsAttribute> | undefined;
}
interface SqsAttribute {
  DataType: string | undefined;
  StringValue?: string | undefined;
  BinaryValue?: Uint8Array | undefined;
}

/** A record of an event of AWS Lambda, with the body of SQS or an SNS notification in it. */
export interface SqsRecord {
  body: string;
  messageAttributes?: Record<string, { stringValue?: string | undefined; dataType?: string | undefined }> | undefined;
}

type Input = Record<string, unknown>;
type Handler = (args: { input: Input }) => Promise<{ output: Input }>;
/** What is used of the SDK's stack of middleware. */
export interface MiddlewareStack {
  // biome-ignore lint/suspicious/noExplicitAny: the SDK's own types differ between its versions
  add(middleware: any, options: any): void;
}

const OPTIONS: OptionNames<SqsOffloadOptions> = {
  storage: true,
  path: true,
  threshold: true,
  deleteOnAck: true,
  attribute: true,
  maxBytes: true,
  allow: true,
  onUnreadable: true,
  onCleanUpFailed: true,
};

const THRESHOLD = 256 * 1024;
const MAX_BYTES = 50 * 2 ** 20;
/** The limit of a message, and of the messages of a batch together. */
const MAX_MESSAGE = 2 ** 20;
/** SQS takes ten attributes; one of them is ours. */
const MAX_ATTRIBUTES = 9;

/** By attribute, the class name that stands in the body of a message. */
const POINTERS = {
  ExtendedPayloadSize: "software.amazon.payloadoffloading.PayloadS3Pointer",
  SQSLargePayloadSize: "com.amazon.sqs.javamessaging.MessageS3Pointer",
} as const;
const ATTRIBUTES = Object.keys(POINTERS) as (keyof typeof POINTERS)[];
const CLASSES: ReadonlySet<unknown> = new Set(Object.values(POINTERS));

/** Receipt handles state the object before the real handle, as AWS's extended clients write them. */
const RECEIPT = /^-\.\.s3BucketName\.\.-(.*)-\.\.s3BucketName\.\.--\.\.s3Key\.\.-(.*)-\.\.s3Key\.\.-/;

/**
 * Returns a middleware for a client of `@aws-sdk/client-sqs`, with which SendMessage, ReceiveMessage, DeleteMessage,
 * ChangeMessageVisibility and their batches carry bodies of any size up to `maxBytes`.
 *
 * Each message has an object of its own, which is deleted after the message: a crash between the two leaves an object,
 * never a message without one. A lifecycle rule of the bucket, 14 days after creation, collects what is left.
 *
 * @example
 * const sqs = new SQSClient({});
 * sqs.middlewareStack.use(sqsOffload({ storage, path: "s3://lake@bucket/sqs" }));
 */
export function sqsOffload(options: SqsOffloadOptions): SqsOffload {
  checkOptions("sqsOffload", options, OPTIONS);
  return new SqsOffload(options);
}

/** The object of a message. */
interface Pointer {
  bucket: string;
  key: string;
}

/** A plugin of the SDK's middleware stack; made by {@link sqsOffload}. */
export class SqsOffload {
  readonly #objects: DigestObjects;
  readonly #path: StoragePath;
  readonly #allow: readonly StoragePath[];
  readonly #threshold: number;
  readonly #attribute: keyof typeof POINTERS;
  readonly #deleteOnAck: boolean;
  readonly #onUnreadable: SqsOffloadOptions["onUnreadable"];
  readonly #onCleanUpFailed: SqsOffloadOptions["onCleanUpFailed"];

  /** @internal Use {@link sqsOffload}. */
  constructor(options: SqsOffloadOptions) {
    const { storage, threshold = THRESHOLD, maxBytes = MAX_BYTES, deleteOnAck = true } = options;
    const { attribute = "ExtendedPayloadSize" } = options;
    this.#objects = new DigestObjects(storage, byteLimit("maxBytes", maxBytes), ageMs(undefined));
    this.#path = s3Path(options.path);
    this.#allow = [this.#path, ...(options.allow ?? []).map(s3Path)];
    this.#threshold = Math.min(byteLimit("threshold", threshold), MAX_MESSAGE);
    if (!Object.hasOwn(POINTERS, attribute)) throw invalid(`attribute must be one of ${ATTRIBUTES.join(", ")}`);
    this.#attribute = attribute;
    this.#deleteOnAck = deleteOnAck;
    this.#onUnreadable = options.onUnreadable;
    this.#onCleanUpFailed = options.onCleanUpFailed;
  }

  /** Adds the middleware; called by `client.middlewareStack.use`. */
  readonly applyToStack = (stack: MiddlewareStack): void => {
    const middleware = (next: Handler, context: { commandName?: string }) => (args: { input: Input }) =>
      this.#handle(context.commandName ?? "", args, next);
    // Around the SDK's own checks of MD5s, which are in the same step.
    stack.add(middleware, { step: "initialize", priority: "high", name: "stowageOffload", override: true });
  };

  /** Returns the body of a record that AWS Lambda was called with, whole; of an SNS notification, its message. */
  async resolveRecord({ body, messageAttributes }: SqsRecord): Promise<string> {
    const marked = ATTRIBUTES.map((name) => messageAttributes?.[name]?.stringValue).find((size) => size !== undefined);
    if (marked !== undefined) return this.#read(pointerIn(body), Number(marked));
    const envelope = notificationIn(body);
    if (!envelope) return body;
    const size = ATTRIBUTES.map((name) => envelope.MessageAttributes[name]?.Value).find((value) => value !== undefined);
    return size === undefined ? envelope.Message : this.#read(pointerIn(envelope.Message), Number(size));
  }

  async #handle(command: string, args: { input: Input }, next: Handler): Promise<{ output: Input }> {
    const { input } = args;
    const send = (changed: Input) => next({ ...args, input: changed });
    switch (command) {
      case "SendMessageCommand":
        return this.#send(input, send);
      case "SendMessageBatchCommand":
        return this.#sendBatch(input, send);
      case "ReceiveMessageCommand":
        return this.#receive(input, send);
      case "DeleteMessageCommand":
        return this.#delete(input, send);
      case "DeleteMessageBatchCommand":
        return this.#deleteBatch(input, send);
      case "ChangeMessageVisibilityCommand":
        return send({ ...input, ReceiptHandle: handleOf(input.ReceiptHandle).handle });
      case "ChangeMessageVisibilityBatchCommand":
        return send({
          ...input,
          Entries: entriesOf(input).map((entry) => ({ ...entry, ReceiptHandle: handleOf(entry.ReceiptHandle).handle })),
        });
      default:
        return next(args);
    }
  }

  async #send(input: Input, send: (input: Input) => Promise<{ output: Input }>) {
    const { message } = await this.#offloaded(
      input as OutgoingMessage,
      input.QueueUrl,
      sizeOf(input as OutgoingMessage) >= this.#threshold,
    );
    return send({ ...input, ...message });
  }

  async #sendBatch(input: Input, send: (input: Input) => Promise<{ output: Input }>) {
    const entries = entriesOf(input) as (OutgoingMessage & { Id?: string })[];
    const large = new Set(entries.filter((entry) => sizeOf(entry) >= this.#threshold));
    // The limit is on all messages of a batch together: the largest go first.
    const rest = entries.filter((entry) => !large.has(entry)).sort((a, b) => sizeOf(b) - sizeOf(a));
    let sum = rest.reduce((total, entry) => total + sizeOf(entry), large.size * POINTER_BYTES);
    for (const entry of rest) {
      if (sum <= MAX_MESSAGE) break;
      large.add(entry);
      sum -= sizeOf(entry) - POINTER_BYTES;
    }
    // Refuses all before the first upload.
    for (const entry of large) this.#checkOutgoing(entry);
    const offloaded = await Promise.all(
      entries.map((entry) => this.#offloaded(entry, input.QueueUrl, large.has(entry))),
    );
    const answer = await send({ ...input, Entries: offloaded.map(({ message }) => message) });
    const failed = new Set(listIn(answer.output.Failed).map(({ Id }) => Id));
    // SQS has not taken these.
    for (const { message, path } of offloaded) if (path && failed.has(message.Id)) await this.#cleanUp(path);
    return answer;
  }

  async #offloaded<M extends OutgoingMessage>(
    message: M,
    queue: unknown,
    large: boolean,
  ): Promise<{ message: M; path?: StoragePath }> {
    const { MessageBody: body, MessageAttributes: attributes = {} } = message;
    this.#checkOutgoing(message, large);
    if (!large || typeof body !== "string") return { message };
    const bytes = Buffer.from(body, "utf8");
    const sha256 = await digestOf(bytes, undefined);
    const path = this.#path.join(`${randomUUID()}~sha256-${sha256}`);
    await this.#objects.storage.write(path, bytes, { contentType: "application/octet-stream" });
    const pointer = [POINTERS[this.#attribute], { s3BucketName: path.bucket, s3Key: path.key }];
    const size = { DataType: "Number", StringValue: String(bytes.byteLength) };
    const changed = {
      ...message,
      MessageBody: JSON.stringify(pointer),
      MessageAttributes: { ...attributes, [this.#attribute]: size },
    };
    // SQS would tell duplicates by the body, which has a key of its own now.
    if (String(queue).endsWith(".fifo") && message.MessageDeduplicationId === undefined)
      changed.MessageDeduplicationId = sha256;
    return { message: changed, path };
  }

  #checkOutgoing({ MessageBody: body, MessageAttributes: attributes = {} }: OutgoingMessage, large = true): void {
    const reserved = ATTRIBUTES.find((name) => Object.hasOwn(attributes, name));
    if (reserved) throw invalid(`the attribute ${reserved} marks a body that is an object; use another name`);
    if (!large || typeof body !== "string") return;
    if (Object.keys(attributes).length > MAX_ATTRIBUTES)
      throw invalid(`a large message has at most ${MAX_ATTRIBUTES} attributes of its own`);
    this.#objects.checkSize(Buffer.byteLength(body, "utf8"), String(this.#path));
  }

  async #receive(input: Input, send: (input: Input) => Promise<{ output: Input }>) {
    const names = (input.MessageAttributeNames ?? []) as string[];
    const all = names.some((name) => name === "All" || name === ".*");
    const answer = await send({
      ...input,
      MessageAttributeNames: all ? names : [...new Set([...names, ...ATTRIBUTES])],
    });
    const { Messages: messages } = answer.output as { Messages?: SqsMessage[] };
    if (!messages) return answer;
    const whole = await Promise.all(messages.map((message) => this.#whole(message)));
    const Messages = whole.filter((message) => message !== undefined);
    return { ...answer, output: { ...answer.output, Messages } };
  }

  /** Returns a message with its body; undefined for one that was reported as unreadable. */
  async #whole(message: SqsMessage): Promise<SqsMessage | undefined> {
    const { MessageAttributes: attributes = {}, Body: body = "", ReceiptHandle: handle = "" } = message;
    const name = ATTRIBUTES.find((one) => Object.hasOwn(attributes, one));
    if (name === undefined) return message;
    try {
      const pointer = pointerIn(body);
      const Body = await this.#read(pointer, Number(attributes[name]!.StringValue));
      const { [name]: _, ...others } = attributes;
      const MessageAttributes = Object.keys(others).length > 0 ? others : undefined;
      return { ...message, Body, MessageAttributes, ReceiptHandle: receipt(pointer, handle) };
    } catch (error) {
      if (!this.#onUnreadable) throw error;
      this.#onUnreadable(message, error);
      return undefined;
    }
  }

  async #delete(input: Input, send: (input: Input) => Promise<{ output: Input }>) {
    const { handle, pointer } = handleOf(input.ReceiptHandle);
    const answer = await send({ ...input, ReceiptHandle: handle });
    await this.#acknowledged(pointer);
    return answer;
  }

  async #deleteBatch(input: Input, send: (input: Input) => Promise<{ output: Input }>) {
    const entries = entriesOf(input).map((entry) => ({ entry, ...handleOf(entry.ReceiptHandle) }));
    const Entries = entries.map(({ entry, handle }) => ({ ...entry, ReceiptHandle: handle }));
    const answer = await send({ ...input, Entries });
    const done = new Set(listIn(answer.output.Successful).map(({ Id }) => Id));
    for (const { entry, pointer } of entries) if (done.has(entry.Id)) await this.#acknowledged(pointer);
    return answer;
  }

  async #acknowledged(pointer: Pointer | undefined): Promise<void> {
    if (!pointer || !this.#deleteOnAck) return;
    await this.#cleanUp(this.#locate(pointer));
  }

  /** The message is sent, or deleted: a failure now leaves an object, and the call has succeeded. */
  async #cleanUp(path: StoragePath): Promise<void> {
    await this.#objects.storage.delete(path).catch((error: unknown) => this.#onCleanUpFailed?.(path, error));
  }

  async #read(pointer: Pointer, size: number): Promise<string> {
    const path = this.#locate(pointer);
    const text = String(path);
    if (!(Number.isSafeInteger(size) && size >= 0))
      throw failure("Corrupt", "the message does not state the size of its body").at("receive", text);
    this.#objects.checkSize(size, text);
    const sha256 = /~sha256-([0-9a-f]{64})$/.exec(pointer.key)?.[1];
    const bytes =
      sha256 === undefined
        ? await this.#unnamed(path, size)
        : await this.#objects.read(path, { sha256, size }, undefined);
    return decodeUtf8(bytes);
  }

  /** Reads an object of another client, whose name has no digest. */
  async #unnamed(path: StoragePath, size: number): Promise<Uint8Array> {
    await using object = await this.#objects.storage.get(path);
    if (object.info.size === size) return object.bytes();
    throw failure("Corrupt", `${object.info.size} bytes instead of ${size}`).at("receive", String(path));
  }

  /** Returns the object of a message, which is input from outside: only what lies at our places is read, or deleted. */
  #locate({ bucket, key }: Pointer): StoragePath {
    for (const allowed of this.#allow) {
      if (allowed.bucket !== bucket) continue;
      const { scheme, connectionId } = allowed;
      const path = StoragePath.of({ scheme, connectionId, bucket, key });
      if (liesBelow(path, allowed)) return path;
    }
    const detail = `the body lies neither below ${this.#path} nor at a place of allow`;
    throw new StorageError({ code: "PermissionDenied", op: "receive", path: `s3://${bucket}/${key}`, detail });
  }
}

interface OutgoingMessage {
  Id?: string;
  MessageBody?: string;
  MessageAttributes?: Record<string, SqsAttribute>;
  MessageDeduplicationId?: string;
}

/** What a pointer, its attribute and their names take at most. */
const POINTER_BYTES = 2048;

function s3Path(path: StoragePath | string): StoragePath {
  const parsed = toPath(path);
  if (parsed.scheme === "s3" || parsed.scheme === "s3a") return parsed;
  throw invalid(`messages name an S3 bucket and a key: ${parsed} is no s3:// path`);
}

/** Bytes that count for the limit: body, and names, types and values of attributes. */
function sizeOf({ MessageBody: body = "", MessageAttributes: attributes = {} }: OutgoingMessage): number {
  let size = Buffer.byteLength(body, "utf8");
  for (const [name, { DataType = "", StringValue = "", BinaryValue }] of Object.entries(attributes))
    size +=
      Buffer.byteLength(name) +
      Buffer.byteLength(DataType) +
      Buffer.byteLength(StringValue) +
      (BinaryValue?.byteLength ?? 0);
  return size;
}

function entriesOf({ Entries }: Input): Record<string, unknown>[] {
  return listIn(Entries);
}

function listIn(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? (value as Record<string, unknown>[]) : [];
}

function receipt({ bucket, key }: Pointer, handle: string): string {
  return `-..s3BucketName..-${bucket}-..s3BucketName..--..s3Key..-${key}-..s3Key..-${handle}`;
}

function handleOf(given: unknown): { handle: string; pointer?: Pointer } {
  const text = String(given ?? "");
  const [mark, bucket, key] = RECEIPT.exec(text) ?? [];
  if (mark === undefined) return { handle: text };
  return { handle: text.slice(mark.length), pointer: { bucket: bucket!, key: key! } };
}

/** Returns the object that the body of a marked message names. Throws Corrupt for any other body. */
function pointerIn(body: string): Pointer {
  const parsed = parsedJson(body);
  if (Array.isArray(parsed) && CLASSES.has(parsed[0])) {
    const { s3BucketName: bucket, s3Key: key } = (parsed[1] ?? {}) as Record<string, unknown>;
    if (typeof bucket === "string" && bucket !== "" && typeof key === "string" && key !== "") return { bucket, key };
  }
  throw failure("Corrupt", "the message is marked as large, and its body names no object");
}

interface Notification {
  Message: string;
  MessageAttributes: Record<string, { Value?: string } | undefined>;
}

function notificationIn(body: string): Notification | undefined {
  const parsed = body.includes('"Notification"') ? parsedJson(body) : undefined;
  const { Type, Message, MessageAttributes = {} } = (parsed ?? {}) as Partial<Notification> & { Type?: string };
  return Type === "Notification" && typeof Message === "string" ? { Message, MessageAttributes } : undefined;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
