"""A subject in Python, in a process of its own: `subject.py <subject> <target> <scenario>`, as worker.mjs.

Prints a line of JSON when it is ready, then one for each line that it reads: a round.
"""

import asyncio
import json
import math
import os
import resource
import sys
import tempfile
import time
from io import BytesIO, RawIOBase
from urllib.parse import urlsplit

MIB = 2**20
CHUNK = 64 * 1024
PART = 8 * MIB


def text(size):
    """`size` bytes of JSON lines."""
    lines, length, number = [], 0, 0
    while length < size:
        row = {"id": number, "user": f"{number * 2654435761 % 2**32:x}", "amount": number * 7919 % 1000000 / 100}
        lines.append(json.dumps(row) + "\n")
        length += len(lines[-1])
        number += 1
    return "".join(lines).encode()[:size]


BLOCK = text(MIB)


def stream(size):
    for at in range(0, size, CHUNK):
        start = at % MIB
        yield BLOCK[start : start + min(CHUNK, size - at)]


class Fsspec:
    """s3fs, gcsfs and adlfs, as fsspec documents its asynchronous and its file interface."""

    codecs = ("gzip",)

    def __init__(self, make, bucket):
        self.make, self.bucket, self.files = make, bucket, make()
        self.client = None

    async def begin(self):
        self.client = self.make(asynchronous=True)
        if hasattr(self.client, "set_session"):
            await self.client.set_session()

    def at(self, key):
        return f"{self.bucket}/{key}"

    async def put(self, key, data):
        await self.client._pipe_file(self.at(key), data)

    async def get(self, key):
        return await self.client._cat_file(self.at(key))

    async def stat(self, key):
        # Without this fsspec would answer from its cache of listings.
        self.client.invalidate_cache()
        return await self.client._info(self.at(key))

    async def remove(self, key):
        await self.client._rm_file(self.at(key))

    async def write(self, key, chunks, codec):
        with self.files.open(self.at(key), "wb", compression=codec, block_size=PART) as file:
            for chunk in chunks:
                file.write(chunk)

    async def read(self, key, codec):
        seen = 0
        with self.files.open(self.at(key), "rb", compression=codec, block_size=PART) as file:
            while chunk := file.read(MIB):
                seen += len(chunk)
        return seen

    async def list(self, prefix):
        self.client.invalidate_cache()
        return len(await self.client._find(self.at(prefix)))

    async def remove_tree(self, prefix):
        self.client.invalidate_cache()
        await self.client._rm(self.at(prefix), recursive=True)


class Obstore:
    """https://developmentseed.org/obstore"""

    codecs = ()

    def __init__(self, store):
        import obstore

        self.store, self.library = store, obstore

    async def begin(self):
        pass

    async def put(self, key, data):
        await self.library.put_async(self.store, key, data)

    async def get(self, key):
        return await (await self.library.get_async(self.store, key)).bytes_async()

    async def stat(self, key):
        return await self.library.head_async(self.store, key)

    async def remove(self, key):
        await self.library.delete_async(self.store, key)

    async def write(self, key, chunks, codec):
        await self.library.put_async(self.store, key, chunks, chunk_size=PART)

    async def read(self, key, codec):
        seen = 0
        async for chunk in (await self.library.get_async(self.store, key)).stream(min_chunk_size=MIB):
            seen += len(chunk)
        return seen

    async def list(self, prefix):
        count = 0
        async for page in self.library.list(self.store, prefix):
            count += len(page)
        return count


class Crt:
    """The S3 client of AWS's common runtime, in C: https://awslabs.github.io/aws-crt-python/api/s3.html"""

    codecs = ()

    def __init__(self, target):
        from awscrt import auth, http, io, s3

        self.http, self.s3, self.target = http, s3, target["s3"]
        url = urlsplit(self.target["endpoint"])
        self.host, self.bucket = url.netloc, target["bucket"]
        provider = auth.AwsCredentialsProvider.new_static(self.target["accessKey"], self.target["secretKey"])
        region = self.target["region"]
        signing = s3.create_default_s3_signing_config(region=region, credential_provider=provider)
        secure = url.scheme == "https"
        tls = None
        if secure:
            context = io.TlsContextOptions()
            if self.target.get("caFile"):
                context.override_default_trust_store_from_path(None, self.target["caFile"])
            tls = io.ClientTlsContext(context).new_connection_options()
        self.client = s3.S3Client(
            region=region,
            signing_config=signing,
            tls_mode=s3.S3RequestTlsMode.ENABLED if secure else s3.S3RequestTlsMode.DISABLED,
            tls_connection_options=tls,
            part_size=PART,
        )

    async def begin(self):
        pass

    async def request(self, method, key, body=None, length=None, on_body=None):
        kind = self.s3.S3RequestType.PUT_OBJECT if method == "PUT" else self.s3.S3RequestType.GET_OBJECT
        headers = self.http.HttpHeaders([("host", self.host)])
        if length is not None:
            headers.add("content-length", str(length))
        request = self.http.HttpRequest(method, f"/{self.bucket}/{key}", headers, body)
        await asyncio.wrap_future(self.client.make_request(type=kind, request=request, on_body=on_body).finished_future)

    async def put(self, key, data):
        await self.request("PUT", key, BytesIO(data), len(data))

    async def get(self, key):
        chunks = []
        await self.request("GET", key, on_body=lambda chunk, **_: chunks.append(chunk))
        return b"".join(chunks)

    async def write(self, key, chunks, codec):
        await self.request("PUT", key, Chunks(chunks))

    async def read(self, key, codec):
        seen = 0

        def count(chunk, **_):
            nonlocal seen
            seen += len(chunk)

        await self.request("GET", key, on_body=count)
        return seen


class Chunks(RawIOBase):
    """A file of unknown length, that is read once."""

    def __init__(self, chunks):
        self.chunks, self.rest = iter(chunks), memoryview(b"")

    def readable(self):
        return True

    def readinto(self, into):
        if not self.rest:
            self.rest = memoryview(next(self.chunks, b""))
        count = min(len(into), len(self.rest))
        into[:count] = self.rest[:count]
        self.rest = self.rest[count:]
        return count


class Airflow:
    """The object-storage XCom backend of Apache Airflow."""

    codecs = ("gzip", "zip", "zstd")

    def __init__(self, target):
        os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="stowage-bench-airflow-")
        os.environ["AIRFLOW_CONN_IT"] = json.dumps(connection_of(target))
        self.bucket = target["bucket"]

    async def begin(self):
        from airflow.providers.common.io.xcom import backend

        self.backend = backend.XComObjectStorageBackend

    async def xcom(self, key, value, codec):
        base, run = key.rsplit("/", 1)
        # It reads its settings once for a process, as a worker's do not change.
        prefix = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_"
        os.environ[prefix + "PATH"] = f"s3://it@{self.bucket}/{base}"
        os.environ[prefix + "THRESHOLD"] = "0"
        os.environ[prefix + "COMPRESSION"] = codec or ""
        # Airflow is not asynchronous: as in a task, no loop runs where it works.
        await asyncio.to_thread(self.stored_and_loaded, run, value)

    def stored_and_loaded(self, run, value):
        ids = {"dag_id": "bench", "run_id": run, "task_id": "task", "map_index": -1}
        row = self.backend.serialize_value(value, key="return_value", **ids)
        self.backend.deserialize_value(type("Row", (), {"value": row, "key": "return_value"})())


def connection_of(target):
    connection = target["connection"]
    fields = {"conn_type": connection["type"], "login": connection["login"], "password": connection["password"]}
    return {**fields, "extra": {**connection["extra"], "endpoint_url": target["s3"]["endpoint"]}}


def s3fs(target):
    import s3fs

    s3 = target["s3"]
    options = {"key": s3["accessKey"], "secret": s3["secretKey"], "endpoint_url": s3["endpoint"]}
    settings = {"config_kwargs": {"max_pool_connections": 256}, "skip_instance_cache": True}
    return Fsspec(lambda **more: s3fs.S3FileSystem(**options, **settings, **more), target["bucket"])


def gcsfs(target):
    # It would ask Google for the kind of the bucket, in vain and for a minute: an emulator has one kind.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    import gcsfs

    options = {"token": "anon", "endpoint_url": target["gcs"]["endpoint"], "project": target["gcs"]["project"]}
    return Fsspec(lambda **more: gcsfs.GCSFileSystem(**options, skip_instance_cache=True, **more), target["bucket"])


def adlfs(target):
    import adlfs

    options = {"connection_string": target["azure"]["connectionString"], "skip_instance_cache": True}
    return Fsspec(lambda **more: adlfs.AzureBlobFileSystem(**options, **more), target["bucket"])


def obstore(target):
    from obstore import store

    client = {"client_options": {"allow_http": True}}
    if s3 := target.get("s3"):
        keys = {"access_key_id": s3["accessKey"], "secret_access_key": s3["secretKey"]}
        return Obstore(
            store.S3Store(target["bucket"], endpoint=s3["endpoint"], region=s3["region"], **keys, unsigned_payload=True, **client)
        )
    if gcs := target.get("gcs"):
        key = json.dumps({"gcs_base_url": gcs["endpoint"], "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""})
        return Obstore(store.GCSStore(target["bucket"], service_account_key=key, **client))
    azure = target["azure"]
    keys = {"account_name": azure["account"], "account_key": azure["key"], "endpoint": azure["endpoint"]}
    return Obstore(store.AzureStore(target["bucket"], **keys, **client))


SUBJECTS = {"s3fs": s3fs, "gcsfs": gcsfs, "adlfs": adlfs, "obstore": obstore, "awscrt": Crt, "airflow": Airflow}
METHODS = {"delete": "remove", "bytes": "get", "deleteTree": "remove_tree"}


def value(size):
    """The value of data.mjs."""

    def row(i):
        return {"id": i, "name": f"name-{i % 977}", "amount": i * 7919 % 100000, "tags": ["a", "b"], "paid": i % 2 == 0}

    each = len(json.dumps(row(100000), separators=(",", ":"))) + 1
    return {"rows": [row(i) for i in range(max(1, round(size / each)))]}


async def pooled(count, at, work, seconds=math.inf):
    """As in work.mjs."""
    end, begun = time.perf_counter() + seconds, 0

    async def lane():
        nonlocal begun
        while begun < count and time.perf_counter() < end:
            begun += 1
            await work(begun - 1)

    await asyncio.gather(*(lane() for _ in range(min(at, count))))
    return begun


class Stock:
    """Objects that are there to be deleted: at most twice those that a round has used up, as in work.mjs."""

    def __init__(self, subject, scenario, own):
        self.subject, self.scenario, self.own = subject, scenario, own
        self.present, self.wanted = 0, scenario["count"]
        self.data = text(scenario["size"])

    async def fill(self):
        first = self.present
        missing, seconds = self.wanted - first, self.scenario.get("fillSeconds", math.inf)
        self.present += await pooled(missing, 64, lambda i: self.subject.put(f"{self.own}/{first + i}", self.data), seconds)

    async def use(self):
        seconds = self.scenario.get("seconds", math.inf)
        used = await pooled(self.present, self.scenario["at"], self.remove_one, seconds)
        if self.present > 0:
            self.wanted = min(self.scenario["count"], 2 * used)
        return used

    async def remove_one(self, _):
        self.present -= 1
        await self.subject.remove(f"{self.own}/{self.present}")

    async def use_all(self):
        count, self.present = self.present, 0
        await self.subject.remove_tree(f"{self.own}/")
        return count


def expect(found, wanted):
    if found != wanted:
        raise ValueError(f"{found} came instead of {wanted}")


def work_of(subject, scenario, own):
    """What is to be there before a round, if anything, and the round, which returns how many objects it has done."""
    step, size, codec = scenario["step"], scenario["size"], scenario.get("codec")
    seeds, count, at = scenario["seeds"], scenario["count"], scenario["at"]
    data = text(size) if step == "put" else b""
    json_value = value(size) if step == "xcom" else None

    async def get(i):
        expect(len(await subject.get(f"{seeds}/{i}")), size)

    async def read(i):
        expect(await subject.read(f"{seeds}/{i}", codec), size)

    async def listed():
        expect(await subject.list(f"{seeds}/"), count)
        return count

    each = {
        "put": lambda i: subject.put(f"{own}/{i}", data),
        "get": get,
        "bytes": get,
        "stat": lambda i: subject.stat(f"{seeds}/{i}"),
        "write": lambda i: subject.write(f"{own}/{i}", stream(size), codec),
        "read": read,
        "xcom": lambda i: subject.xcom(f"{own}/{i}", json_value, codec),
    }
    if step == "list":
        return None, listed
    if step in ("delete", "deleteTree"):
        stock = Stock(subject, scenario, own)
        return stock.fill, stock.use if step == "delete" else stock.use_all
    return None, lambda: pooled(count, at, each[step], scenario.get("seconds", math.inf))


def say(message):
    print(json.dumps(message), file=CHANNEL, flush=True)


def resting():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def peak_bytes():
    """The most bytes that were resident, as in worker.mjs."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def serve(subject, scenario, own):
    await subject.begin()
    fill, work = work_of(subject, scenario, own)
    say({"ready": True})
    rest = None
    while await asyncio.to_thread(sys.stdin.readline):
        if fill:
            await fill()
        rest = rest or resting()
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        done = await work()
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        peak = peak_bytes()
        say({"done": done, "seconds": seconds, "cpu": cpu, "peak": peak, "grown": max(0, peak - rest)})


# What libraries print must not come between the answers.
CHANNEL, sys.stdout = sys.stdout, sys.stderr


def main():
    name, target, scenario = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    subject = SUBJECTS[name](target)
    method = METHODS.get(scenario["step"], scenario["step"])
    if not hasattr(subject, method):
        say({"cannot": f"has no {method}"})
    elif scenario.get("codec") and scenario["codec"] not in subject.codecs:
        say({"cannot": f"has no {scenario['codec']}"})
    else:
        asyncio.run(serve(subject, scenario, f"{scenario['name']}/{name}"))


main()
os._exit(0)
