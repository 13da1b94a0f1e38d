/** SQS's API by moto, bodies on MinIO, AWS's extended clients for Python and Java both ways, and sqs-consumer. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStorage, type Storage } from "../../../src/index.js";
import { type SqsOffloadOptions, sqsOffload } from "../../../src/runtimes/sqs.js";
import { startMoto } from "../../servers/runtimes.mjs";
import { describeOn, useBucket } from "../../servers/use.js";
import { javaWith, pythonWith } from "../../support/environment.mjs";

const LARGE = "x".repeat(500_000);

await describeOn("minio", "SQS", (minio) => {
  const bucket = useBucket(minio);
  let python: string;
  let endpoint: string;
  let stopMoto: () => Promise<void>;
  let storage: Storage;
  const clients: SQSClient[] = [];

  beforeAll(async () => {
    python = await pythonWith(join(import.meta.dirname, "sqs.txt"));
    ({ endpoint, stop: stopMoto } = await startMoto());
    storage = openStorage({ connections: { lake: minio.connection }, env: {} });
  }, 240_000);
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await stopMoto?.();
    await storage?.close();
  });

  function clientWith(options: Partial<SqsOffloadOptions> = {}): SQSClient {
    const credentials = { accessKeyId: "a", secretAccessKey: "b" };
    const client = new SQSClient({ endpoint, region: "us-east-1", credentials });
    client.middlewareStack.use(sqsOffload({ storage, path: `s3://lake@${bucket().name}/sqs`, ...options }));
    clients.push(client);
    return client;
  }

  let made = 0;
  async function queueOf(client: SQSClient, attributes: Record<string, string> = {}): Promise<string> {
    const QueueName = `queue-${made++}${attributes.FifoQueue ? ".fifo" : ""}`;
    const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName, Attributes: attributes }));
    return QueueUrl!;
  }

  async function objects(): Promise<string[]> {
    const found: string[] = [];
    for await (const { path } of storage.list(`s3://lake@${bucket().name}`, { recursive: true })) found.push(path.key);
    return found;
  }

  const receive = async (client: SQSClient, QueueUrl: string) =>
    (await client.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))).Messages ?? [];

  test("a large body is an object until its message is deleted; a small one is none", async () => {
    const sqs = clientWith();
    const QueueUrl = await queueOf(sqs);
    const MessageAttributes = { kind: { DataType: "String", StringValue: "k" } };
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: LARGE, MessageAttributes }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "small" }));
    expect(await objects()).toEqual([expect.stringMatching(/^sqs\/[0-9a-f-]{36}~sha256-[0-9a-f]{64}$/)]);
    const all = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ["All"] });
    const { Messages: messages = [] } = await sqs.send(all);
    expect(messages.map(({ Body }) => Body).sort()).toEqual(["small", LARGE]);
    const large = messages.find(({ Body }) => Body === LARGE)!;
    expect(large.MessageAttributes).toEqual(MessageAttributes);
    const { ReceiptHandle } = large;
    await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 60 }));
    for (const message of messages)
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
    expect(await objects()).toEqual([]);
  });

  test("a batch: the sum counts too, and only what was deleted loses its object", async () => {
    const sqs = clientWith();
    const QueueUrl = await queueOf(sqs);
    const Entries = [..."abcde"].map((Id) => ({ Id, MessageBody: Id.repeat(240_000) }));
    const { Successful } = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    expect(Successful).toHaveLength(5);
    expect((await objects()).length).toBeGreaterThanOrEqual(1);
    const messages: { Id: string; ReceiptHandle: string | undefined; Body: string | undefined }[] = [];
    while (messages.length < 5)
      for (const { ReceiptHandle, Body } of await receive(sqs, QueueUrl))
        messages.push({ Id: Body![0]!, ReceiptHandle, Body });
    expect(messages.map(({ Body }) => Body).sort()).toEqual(Entries.map(({ MessageBody }) => MessageBody));
    const entries = messages.map(({ Id, ReceiptHandle }) => ({ Id, ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: entries }));
    expect(await objects()).toEqual([]);
  });

  test("AWS's client for Python reads our messages, and ours reads its", async () => {
    const sqs = clientWith({ path: `s3://lake@${bucket().name}` });
    const QueueUrl = await queueOf(sqs);
    const env = {
      ...process.env,
      AWS_ENDPOINT_URL_S3: minio.endpoint,
      AWS_ENDPOINT_URL_SQS: endpoint,
      AWS_ACCESS_KEY_ID: minio.accessKey,
      AWS_SECRET_ACCESS_KEY: minio.secretKey,
      AWS_DEFAULT_REGION: "us-east-1",
    };
    const program = join(import.meta.dirname, "sqs/client.py");
    const python3 = (command: string) =>
      promisify(execFile)(python, [program, command, QueueUrl, bucket().name], { env });
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: LARGE }));
    expect(JSON.parse((await python3("receive")).stdout)).toEqual([[LARGE.length, "x"]]);
    await python3("send");
    const [message] = await receive(sqs, QueueUrl);
    expect(message!.Body).toBe("p".repeat(400_000));
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message!.ReceiptHandle }));
    // Its own client leaves the objects of messages that it deletes.
    for (const key of await objects()) await storage.delete(`s3://lake@${bucket().name}/${key}`);
  });

  test("AWS's client for Java reads our messages, and ours reads its", { timeout: 240_000 }, async () => {
    const jars = await javaWith(join(import.meta.dirname, "sqs/pom.xml"), "sqs-java");
    const sqs = clientWith({ path: `s3://lake@${bucket().name}` });
    const QueueUrl = await queueOf(sqs);
    const program = join(import.meta.dirname, "sqs/Client.java");
    const places = [QueueUrl, bucket().name, endpoint, minio.endpoint, minio.accessKey, minio.secretKey];
    const java = (command: string) => promisify(execFile)("java", ["-cp", jars, program, command, ...places]);
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: LARGE }));
    expect((await java("receive")).stdout).toBe(`${LARGE.length} x\n`);
    // Unlike the client for Python, this one deletes the object of a message that it deletes.
    expect(await objects()).toEqual([]);
    await java("send");
    const [message] = await receive(sqs, QueueUrl);
    expect(message!.Body).toBe("j".repeat(400_000));
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message!.ReceiptHandle }));
    expect(await objects()).toEqual([]);
  });

  test("sqs-consumer works through the client", async () => {
    const sqs = clientWith();
    const queueUrl = await queueOf(sqs);
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: LARGE }));
    const body = await new Promise<string>((resolve, reject) => {
      const consumer = Consumer.create({
        sqs,
        queueUrl,
        handleMessage: async (message) => {
          consumer.once("message_processed", () => {
            consumer.stop();
            resolve(message.Body!);
          });
          return message;
        },
      });
      consumer.on("error", reject);
      consumer.start();
    });
    expect(body).toBe(LARGE);
    expect(await objects()).toEqual([]);
  });

  test("messages that are told apart by their body stay so in a FIFO queue", async () => {
    const sqs = clientWith();
    const QueueUrl = await queueOf(sqs, { FifoQueue: "true", ContentBasedDeduplication: "true" });
    for (const MessageBody of [LARGE, LARGE, `${LARGE}!`])
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageGroupId: "g" }));
    const bodies = (await receive(sqs, QueueUrl)).map(({ Body }) => Body!.length);
    expect(bodies).toEqual([LARGE.length, LARGE.length + 1]);
  });

  test("a body that is gone, damaged or elsewhere is an error; with a handler, the other messages come", async () => {
    const sqs = clientWith();
    const QueueUrl = await queueOf(sqs, { VisibilityTimeout: "0" });
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: `${LARGE}gone` }));
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "small" }));
    for (const key of await objects()) await storage.write(`s3://lake@${bucket().name}/${key}`, "damaged");
    await expect(receive(sqs, QueueUrl)).rejects.toMatchObject({ code: "Corrupt" });
    const told: string[] = [];
    const careful = clientWith({ onUnreadable: (_, error) => told.push((error as { code: string }).code) });
    expect((await receive(careful, QueueUrl)).map(({ Body }) => Body)).toEqual(["small"]);
    expect(told).toEqual(["Corrupt"]);
    const elsewhere = clientWith({
      path: `s3://lake@${bucket().name}/other`,
      onUnreadable: (_, error) => told.push((error as { code: string }).code),
    });
    await receive(elsewhere, QueueUrl);
    expect(told).toEqual(["Corrupt", "PermissionDenied"]);
  });

  test("what no message can carry is refused before any request", async () => {
    const sqs = clientWith({ maxBytes: 600_000 });
    const QueueUrl = "http://127.0.0.1:9/nowhere";
    const send = (input: object) => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: LARGE, ...input }));
    const attribute = { DataType: "String", StringValue: "s" };
    const many = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`a${index}`, attribute]));
    await expect(send({ MessageAttributes: many })).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(send({ MessageAttributes: { ExtendedPayloadSize: attribute } })).rejects.toMatchObject({
      code: "InvalidArgument",
    });
    await expect(send({ MessageBody: "x".repeat(600_001) })).rejects.toMatchObject({ code: "TooLarge" });
    for (const wrong of [{ path: "gs://b/x" }, { threshold: -1 }, { attribute: "Other" }, { treshold: 1 }])
      expect(() => clientWith(wrong as never)).toThrow(/InvalidArgument/);
  });

  test("records of AWS Lambda, with and without SNS around them", async () => {
    const offload = sqsOffload({ storage, path: `s3://lake@${bucket().name}/sqs` });
    const key = "sqs/made-by-hand";
    await storage.write(`s3://lake@${bucket().name}/${key}`, "by hand");
    const pointer = JSON.stringify([
      "com.amazon.sqs.javamessaging.MessageS3Pointer",
      { s3BucketName: bucket().name, s3Key: key },
    ]);
    const record = {
      body: pointer,
      messageAttributes: { SQSLargePayloadSize: { stringValue: "7", dataType: "Number" } },
    };
    expect(await offload.resolveRecord(record)).toBe("by hand");
    const MessageAttributes = { ExtendedPayloadSize: { Type: "Number", Value: "7" } };
    const envelope = JSON.stringify({ Type: "Notification", Message: pointer, MessageAttributes });
    expect(await offload.resolveRecord({ body: envelope })).toBe("by hand");
    expect(await offload.resolveRecord({ body: JSON.stringify({ Type: "Notification", Message: "m" }) })).toBe("m");
    expect(await offload.resolveRecord({ body: "plain" })).toBe("plain");
    const wrong = { ...record, messageAttributes: { SQSLargePayloadSize: { stringValue: "8" } } };
    await expect(offload.resolveRecord(wrong)).rejects.toMatchObject({ code: "Corrupt" });
    await expect(offload.resolveRecord({ ...record, body: "none" })).rejects.toMatchObject({ code: "Corrupt" });
  });
});
