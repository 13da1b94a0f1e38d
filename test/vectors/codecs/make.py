"""Writes the files of this folder with Python's own codecs; see README.md."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import pathlib
import platform
import zipfile
from importlib.metadata import version

import fsspec
import lz4.frame
import snappy
import zstandard

HERE = pathlib.Path(__file__).parent


def noise(size: int, seed: bytes = b"stowage") -> bytes:
    out = bytearray()
    block = seed
    while len(out) < size:
        block = hashlib.sha256(block).digest()
        out += block
    return bytes(out[:size])


def records(count: int) -> bytes:
    rows = [{"id": i, "name": f"Zoë {i % 17}", "score": (i * 7919) % 1000 / 8, "tags": ["a", "b", "c"][: i % 4]} for i in range(count)]
    return json.dumps(rows).encode()


CONTENTS = {
    "empty": b"",
    "byte": b"x",
    "records": records(60),
    "noise": noise(700),
    "runs": b"".join(bytes([65 + i % 7]) * (i * 37 % 1200) for i in range(120)),
    "large": records(2100),  # more than 64 KiB of blocks for lz4 and snappy, more than 128 KiB for zstd
}
SUFFIX = {"zip": "zip", "gzip": "gz", "bz2": "bz2", "xz": "xz", "lzma": "lzma", "zstd": "zst", "lz4": "lz4", "snappy": "snappy"}
entries = []


def add(codec: str, case: str, data: bytes, content: bytes, how: str) -> None:
    name = f"{case}.{SUFFIX[codec]}"
    (HERE / name).write_bytes(data)
    entries.append(
        {"codec": codec, "file": name, "how": how, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    )


def by_fsspec(codec: str, content: bytes) -> bytes:
    memory = fsspec.filesystem("memory")
    target = memory.open("/made", "wb")
    stream = fsspec.compression.compr[codec](target, mode="wb")
    stream.write(content)
    stream.close()
    if not target.closed:
        target.close()
    return memory.cat("/made")


def by_snappy(content: bytes) -> bytes:
    compressor = snappy.StreamCompressor()
    return compressor.add_chunk(content) + (compressor.flush() or b"")


for codec in SUFFIX:
    for case, content in CONTENTS.items():
        if codec == "snappy":
            add(codec, case, by_snappy(content), content, "snappy.StreamCompressor")
        else:
            add(codec, case, by_fsspec(codec, content), content, f"fsspec compression={codec!r}")

RECORDS, NOISE, LARGE = CONTENTS["records"], CONTENTS["noise"], CONTENTS["large"]
TWO = RECORDS + NOISE

# gzip
named = io.BytesIO()
with gzip.GzipFile("records.json", "wb", 9, named, mtime=1700000000) as stream:
    stream.write(RECORDS)
add("gzip", "named", named.getvalue(), RECORDS, "GzipFile with a file name and a time")
add("gzip", "members", gzip.compress(RECORDS) + gzip.compress(b"") + gzip.compress(NOISE), TWO, "three members")
add("gzip", "zeros", gzip.compress(RECORDS) + bytes(700), RECORDS, "zeros after the end")


# zip
class NoSeek(io.RawIOBase):
    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, chunk) -> int:
        self.data += chunk
        return len(chunk)


def zipped(content: bytes, method: int, seek: bool, wide: bool) -> bytes:
    out = io.BytesIO() if seek else NoSeek()
    with zipfile.ZipFile(out, "w", method) as archive, archive.open("file", "w", force_zip64=wide) as stream:
        stream.write(content)
    return bytes(out.getvalue() if seek else out.data)


for method, word in ((zipfile.ZIP_STORED, "stored"), (zipfile.ZIP_DEFLATED, "deflated")):
    for seek in (True, False):
        for wide in (False, True):
            case = f"{word}-{'seek' if seek else 'noseek'}-{'z64' if wide else 'z32'}"
            add("zip", case, zipped(RECORDS, method, seek, wide), RECORDS, f"zipfile, {case}")
inner = zipped(RECORDS, zipfile.ZIP_STORED, False, False) * 2 + b"PK\x07\x08PK\x07\x08"
for wide in (False, True):
    case = f"nested-{'z64' if wide else 'z32'}"
    add("zip", case, zipped(inner, zipfile.ZIP_STORED, False, wide), inner, "a zip in a stored member with a data descriptor")
add("zip", "empty-noseek", zipped(b"", zipfile.ZIP_STORED, False, False), b"", "an empty stored member with a data descriptor")
for seek in (True, False):
    out = io.BytesIO() if seek else NoSeek()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("first", RECORDS)
        with archive.open("second", "w") as stream:
            stream.write(NOISE)
        archive.writestr("third", LARGE, zipfile.ZIP_DEFLATED)
        archive.writestr("fourth", LARGE, zipfile.ZIP_LZMA if seek else zipfile.ZIP_DEFLATED)
        archive.comment = b"four members"
    data = bytes(out.getvalue() if seek else out.data)
    add("zip", f"members-{'seek' if seek else 'noseek'}", data, RECORDS, "four members and a comment")

# bz2
add("bz2", "streams", bz2.compress(RECORDS, 1) + bz2.compress(b"") + bz2.compress(NOISE), TWO, "three streams")
add("bz2", "level1", bz2.compress(LARGE, 1), LARGE, "level 1, several blocks")
add("bz2", "repeats", bz2.compress(b"ab" * 200_000, 9), b"ab" * 200_000, "a block with a period")

# xz and lzma
for check, word in ((lzma.CHECK_NONE, "none"), (lzma.CHECK_CRC32, "crc32"), (lzma.CHECK_SHA256, "sha256")):
    add("xz", f"check-{word}", lzma.compress(RECORDS, check=check), RECORDS, f"check {word}")
add("xz", "streams", lzma.compress(RECORDS) + bytes(8) + lzma.compress(NOISE, preset=0), TWO, "two streams with padding between")
add("lzma", "alone", lzma.compress(LARGE, lzma.FORMAT_ALONE), LARGE, "the legacy format, with an end marker")
add("lzma", "alone-empty", lzma.compress(b"", lzma.FORMAT_ALONE), b"", "the legacy format, empty")
options = {"id": lzma.FILTER_LZMA2, "dict_size": 4096, "lc": 0, "lp": 2, "pb": 0}
add("xz", "lp2", lzma.compress(LARGE, filters=[options]), LARGE, "lc=0 lp=2 pb=0 and a dictionary of 4 KiB")
for name in ("DELTA", "X86", "ARM", "ARMTHUMB", "POWERPC", "IA64", "SPARC"):
    first = {"id": getattr(lzma, f"FILTER_{name}"), **({"dist": 4} if name == "DELTA" else {})}
    content = (b"\xe8\x10\x20\x00\x00\xeb\x01\x02\x03\x48\x00\x10\x01\xf0\x01\xf8\x02" * 300) + LARGE[:3000]
    data = lzma.compress(content, filters=[first, {"id": lzma.FILTER_LZMA2, "preset": 6}])
    add("xz", f"filter-{name.lower()}", data, content, f"the {name} filter before LZMA2")

# zstd
for level in (1, 3, 10, 19):
    add("zstd", f"level{level}", zstandard.ZstdCompressor(level, write_checksum=True).compress(LARGE), LARGE, f"level {level}")
plain = zstandard.ZstdCompressor(write_checksum=True)
add("zstd", "checked", plain.compress(RECORDS), RECORDS, "with a checksum")
skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
add("zstd", "frames", plain.compress(RECORDS) + skippable + plain.compress(b"") + plain.compress(NOISE), TWO, "three frames and a skippable one")
add("zstd", "zeros", plain.compress(bytes(300_000)), bytes(300_000), "one repeated byte")
for window in (27, 28):
    parameters = zstandard.ZstdCompressionParameters(window_log=window, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    add("zstd", f"window{window}", stream.compress(LARGE) + stream.flush(), LARGE, f"a window of 2^{window} bytes")

# lz4
for case, options in {
    "blocks-independent": {"block_linked": False},
    "checksums": {"content_checksum": True, "block_checksum": True},
    "block-4m": {"block_size": lz4.frame.BLOCKSIZE_MAX4MB, "content_checksum": True},
    "level12": {"compression_level": 12},
    "sized": {"store_size": True},
    "unsized": {"store_size": False},
}.items():
    add("lz4", case, lz4.frame.compress(LARGE, **options), LARGE, f"lz4.frame.compress {options}")
add("lz4", "checked", lz4.frame.compress(RECORDS, content_checksum=True), RECORDS, "with a checksum")
add("lz4", "frames", lz4.frame.compress(RECORDS) + skippable + lz4.frame.compress(b"") + lz4.frame.compress(NOISE), TWO, "three frames and a skippable one")

# snappy
add("snappy", "streams", by_snappy(RECORDS) + by_snappy(NOISE), TWO, "two streams")
padding = b"\xfe\x04\x00\x00" + bytes(4) + b"\x99\x03\x00\x00abc"
add("snappy", "padding", by_snappy(RECORDS) + padding + by_snappy(NOISE), TWO, "padding and a skippable chunk between")

made = {
    "python": platform.python_version(),
    **{name: version(name) for name in ("fsspec", "isal", "lz4", "python-snappy", "cramjam", "zstandard")},
}
(HERE / "manifest.json").write_text(json.dumps({"made": made, "files": entries}, indent=1, sort_keys=True) + "\n")
print(len(entries), "files", sum(f.stat().st_size for f in HERE.iterdir()), "bytes")
