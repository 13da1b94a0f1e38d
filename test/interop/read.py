"""Prints the SHA-256 of what Python's readers find in the files of a folder, as JSON by file name."""

import bz2
import gzip
import hashlib
import json
import lzma
import pathlib
import sys
import zipfile

import fsspec
import lz4.frame
import snappy
import zstandard


def by_fsspec(codec, path):
    with fsspec.open(str(path), "rb", compression=codec) as stream:
        return stream.read()


def by_zipfile(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None and archive.namelist() == ["file"]
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
        return archive.read("file")


def by_zstandard(path):
    with open(path, "rb") as stream:
        return zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True).read()


def by_snappy(path):
    reader = snappy.StreamDecompressor()
    data = path.read_bytes()
    return reader.decompress(data) if data else b""


READERS = {
    "zip": [by_zipfile],
    "gzip": [lambda path: gzip.decompress(path.read_bytes())],
    "bz2": [lambda path: bz2.decompress(path.read_bytes())],
    "xz": [lambda path: lzma.decompress(path.read_bytes())],
    "lzma": [lambda path: lzma.decompress(path.read_bytes())],
    "zstd": [by_zstandard],
    "lz4": [lambda path: lz4.frame.decompress(path.read_bytes())],
    "snappy": [by_snappy],
}

found = {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    codec = path.name.split(".")[-1]
    readers = [lambda path, codec=codec: by_fsspec(codec, path), *READERS[codec]]
    found[path.name] = [hashlib.sha256(reader(path)).hexdigest() for reader in readers]
print(json.dumps(found))
