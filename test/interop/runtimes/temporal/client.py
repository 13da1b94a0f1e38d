"""Temporal's Python client with Temporal's own S3 driver: starts a workflow with a large input, reads a large result."""

import asyncio
import json
import os
import sys

import aioboto3
from temporalio.client import Client
from temporalio.contrib.aws.s3driver import S3StorageDriver
from temporalio.contrib.aws.s3driver.aioboto3 import new_aioboto3_client
from temporalio.converter import DataConverter, ExternalStorage
import dataclasses


async def main() -> None:
    address, bucket, queue, finished = sys.argv[1:5]
    async with aioboto3.Session().client("s3", endpoint_url=os.environ["S3_ENDPOINT"]) as s3:
        driver = S3StorageDriver(client=new_aioboto3_client(s3), bucket=bucket)
        converter = dataclasses.replace(DataConverter.default, external_storage=ExternalStorage(drivers=[driver]))
        client = await Client.connect(address, data_converter=converter)
        before = await client.get_workflow_handle(finished).result()
        result = await client.execute_workflow(
            "throughActivities", "p" * 1_000_000, id=f"{queue}-python", task_queue=queue
        )
        print(json.dumps({"before": len(before["large"]), "length": result["length"], "large": len(result["large"])}))


asyncio.run(main())
