"""AWS's extended client for Python: sends a large message, or receives all and says what they are."""

import json
import sys

import boto3
import sqs_extended_client  # noqa: F401, patches boto3's clients

command, queue, bucket = sys.argv[1:4]
sqs = boto3.client("sqs")
sqs.large_payload_support = bucket
sqs.use_legacy_attribute = False

if command == "send":
    sqs.send_message(QueueUrl=queue, MessageBody="p" * 400_000)
else:
    found = []
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    for message in answer.get("Messages", []):
        found.append([len(message["Body"]), message["Body"][:1]])
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    print(json.dumps(found))
