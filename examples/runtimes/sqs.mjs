// A message of 2 MB, above the 1 MiB of SQS: the queue holds a pointer in the format of AWS's extended clients.
import assert from "node:assert/strict";
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { openStorage } from "stowage";
import { sqsOffload } from "stowage/sqs";
import { objects, show } from "./objects.mjs";

const { QUEUE_URL: QueueUrl } = process.env;
assert.ok(QueueUrl, "set QUEUE_URL to a queue");
assert.ok(objects.startsWith("s3://"), "set OBJECTS to a path in a bucket: a pointer names a bucket and a key");

const storage = openStorage();
const sqs = new SQSClient({});
sqs.middlewareStack.use(sqsOffload({ storage, path: `${objects}/sqs` }));

const MessageBody = JSON.stringify({ rows: "x".repeat(2_000_000) });
await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody }));
await show(storage);

const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }));
assert.equal(Messages[0]?.Body, MessageBody);
console.log("received as it was sent");

await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle }));
for await (const { path } of storage.list(`${objects}/sqs`, { recursive: true })) assert.fail(`${path} is left`);
console.log("deleted, and its object with it");
await storage.close();
