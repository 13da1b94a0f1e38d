"""Measures one of Python's codecs once, as fsspec chooses it. Arguments: codec, direction, input file."""

import io
import json
import resource
import sys
import time
import zipfile

import fsspec
import snappy

codec, direction, file = sys.argv[1:]
data = open(file, "rb").read()


class Sink(io.RawIOBase):
    length = 0

    def writable(self):
        return True

    def write(self, chunk):
        self.length += len(chunk)
        return len(chunk)


def encode():
    sink = Sink()
    if codec == "zip":
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("file", "w", force_zip64=True) as stream:
                stream.write(data)
    elif codec == "snappy":
        sink.write(snappy.StreamCompressor().add_chunk(data))
    else:
        with fsspec.compression.compr[codec](sink, mode="wb") as stream:
            for at in range(0, len(data), 65536):
                stream.write(data[at : at + 65536])
    return sink.length


def decode():
    if codec == "snappy":
        return len(snappy.StreamDecompressor().decompress(data))
    length = 0
    with fsspec.compression.compr[codec](io.BytesIO(data), mode="rb") as stream:
        while chunk := stream.read(262144):
            length += len(chunk)
    return length


before = resource.getrusage(resource.RUSAGE_SELF)
start = time.perf_counter()
length = encode() if direction == "encode" else decode()
wall = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"wall": wall, "cpu": cpu, "length": length, "rss": (after.ru_maxrss - before.ru_maxrss) / 1024}))
