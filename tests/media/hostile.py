"""Hostile files, made by code: `python -m tests.media.hostile --files 500` prepares them and prints the outcome."""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from zipfile import ZipFile

from PIL import Image

from open311.errors import Unavailable
from open311.media.preparing import Limits, Unreadable, prepare
from open311.observe import configure_logs
from open311.settings import Settings
from tests.media.pictures import (
    PLANTED,
    encoded,
    faults_of_rendition,
    planted,
    png,
    png_chunk,
    quarters,
    swapping_profile,
)

KINDS = ("JPEG", "PNG", "WEBP", "HEIC")
LIMITS = Limits.of(Settings())
SIDE = 40_000


def corpus(count: int, seed: int = 17) -> Iterator[tuple[str, bytes]]:
    """Files with their names: first those that are made for a purpose, then random changes of good files."""
    files = list(purposeful())
    yield from files[:count]
    chance = random.Random(seed)
    seeds = good_files()
    for number in range(count - len(files)):
        name, data = seeds[number % len(seeds)]
        yield f"{name}, changed {number}", changed(data, chance)


def purposeful() -> Iterator[tuple[str, bytes]]:
    yield from bombs()
    yield from polyglots()
    yield from strangers()
    yield from nested_boxes()
    for kind in KINDS:
        yield f"{kind} with texts in every place", planted(kind, orientation=8)
        whole = planted(kind)
        for part in (12, len(whole) // 2):
            yield f"{kind}, the first {part} bytes", whole[:part]


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that declare a huge picture, or decompress to very much data."""
    zeros = packed(bytes(100_000_000))
    yield "PNG of 40 000 × 40 000", png(SIDE, SIDE, png_chunk(b"IDAT", zeros))
    yield "PNG of 2³¹ × 2³¹", png(2**31 - 1, 2**31 - 1)
    yield "PNG of 0 × 0", png(0, 0)
    yield "PNG of 100 megapixels of zeros", png(10_000, 10_000, png_chunk(b"IDAT", packed(bytes(300_010_000))))
    yield "PNG with 16 bits and 110 megapixels", png(11_000, 10_000, png_chunk(b"IDAT", zeros), depth=16, colour=6)
    yield "PNG with 100 MB of text", png(9, 9, png_chunk(b"zTXt", b"Comment\0\0" + zeros))
    yield "PNG with a profile of 100 MB", png(9, 9, png_chunk(b"iCCP", b"ICC\0\0" + zeros))
    yield "PNG with 100 MB of iTXt", png(9, 9, png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros))
    texts = [png_chunk(b"zTXt", b"Comment\0\0" + packed(bytes(900_000)))] * 200
    yield "PNG with 200 texts of 0.9 MB", png(9, 9, *texts)
    jpeg = encoded(quarters())
    start = jpeg.index(b"\xff\xc0") + 5
    yield "JPEG of 40 000 × 40 000", jpeg[:start] + struct.pack(">HH", SIDE, SIDE) + jpeg[start + 4 :]
    yield (
        "JPEG of 10 000 × 10 000 with data for less",
        jpeg[:start] + struct.pack(">HH", 10**4, 10**4) + jpeg[start + 4 :],
    )
    yield (
        "JPEG with 200 comments",
        jpeg[:2] + (b"\xff\xfe\xff\xff" + PLANTED + bytes(65_533 - len(PLANTED))) * 200 + jpeg[2:],
    )
    lossy = encoded(quarters(), "WEBP")
    canvas = b"VP8X" + struct.pack("<II", 10, 0) + (SIDE - 1).to_bytes(3, "little") * 2
    yield "WebP of 40 000 × 40 000", webp(canvas + lossy[12:])
    yield (
        "WebP of 16 384 × 7 000",
        webp(canvas[:12] + (16_383).to_bytes(3, "little") + (6_999).to_bytes(3, "little") + lossy[12:]),
    )
    yield (
        "WebP without loss of 16 383 × 16 383",
        webp(b"VP8L" + struct.pack("<IB", 10, 0x2F) + b"\xfe\xbf\xff\x0f" + bytes(5)),
    )
    heic = encoded(quarters(), "HEIC")
    yield "HEIC of 40 000 × 40 000", resized_heic(heic, SIDE)
    yield "HEIC of 10 000 × 10 000 with data for less", resized_heic(heic, 10_000)
    yield "HEIC of 2³² × 2³²", resized_heic(heic, 2**32 - 1)


def polyglots() -> Iterator[tuple[str, bytes]]:
    """Files that are a picture and something else."""
    page = b"<html><script>alert('" + PLANTED + b"')</script></html>"
    archive = BytesIO()
    with ZipFile(archive, "w") as file:
        file.writestr("name.txt", PLANTED)
    for kind in KINDS:
        whole = encoded(quarters(), kind)
        yield f"{kind} and a page", whole + page
    yield "JPEG and an archive", encoded(quarters()) + archive.getvalue()
    jpeg = encoded(quarters(), comment=page)
    yield "JPEG with a page in its comment", jpeg
    yield "page and JPEG", page + jpeg
    yield "PDF and JPEG", b"%PDF-1.7\n" + jpeg
    yield "two JPEGs", jpeg + jpeg
    yield "JPEG with a JPEG as its profile", encoded(quarters(), icc_profile=jpeg)
    yield "JPEG of several pictures", encoded(quarters(), "MPO", save_all=True, append_images=[quarters()])


def strangers() -> Iterator[tuple[str, bytes]]:
    """Files of other kinds, under whatever name."""
    yield "no bytes", b""
    yield "SVG", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"
    yield "SVG with entities", b"<!DOCTYPE svg [<!ENTITY a '" + b"a" * 99 + b"'>]><svg>&a;</svg>"
    yield "EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"
    yield "program", b"\x7fELF" + bytes(100)
    for kind in ("GIF", "BMP", "TIFF", "ICO", "AVIF", "PDF"):
        yield kind, encoded(quarters(64, 64), kind)
    yield "JPEG in the container of HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + encoded(quarters())
    yield "only the first bytes of a JPEG, and zeros", b"\xff\xd8\xff" + bytes(100_000)
    yield "profile", swapping_profile()


def nested_boxes() -> Iterator[tuple[str, bytes]]:
    """HEIC containers whose boxes are deep, long or wrong."""
    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    deep = b""
    for _ in range(20_000):
        deep = box(b"meta", bytes(4) + deep) if len(deep) < 100_000 else deep
    yield "HEIC with deep boxes", head + deep
    yield "HEIC with a box of 2⁶³ bytes", head + b"\0\0\0\1meta" + struct.pack(">Q", 2**63)
    yield "HEIC with a box that is too short", head + b"\0\0\0\2meta" + bytes(50)
    yield "HEIC with 50 000 empty boxes", head + box(b"meta", bytes(4) + box(b"free", b"") * 50_000)
    items = bytes(4) + box(b"iloc", struct.pack(">IBBH", 0, 0x44, 0x40, 65_535))
    yield "HEIC that promises 65 535 items", head + box(b"meta", items)


def good_files() -> list[tuple[str, bytes]]:
    """Files of all kinds, in several dialects. Many have texts that must not be in the prepared photos."""
    files = [(kind, planted(kind, size=(160, 120))) for kind in KINDS]
    small = quarters(160, 120)
    files += [
        ("progressive JPEG", encoded(small, progressive=True, comment=PLANTED)),
        ("CMYK JPEG", encoded(small.convert("CMYK"), comment=PLANTED)),
        ("PNG with a palette", encoded(small.convert("P"), "PNG", transparency=0)),
        ("PNG with 16 bits", encoded(Image.new("I;16", (160, 120), 999), "PNG")),
        ("animated PNG", encoded(small, "PNG", save_all=True, append_images=[small.rotate(90)])),
        ("animated WebP", encoded(small, "WEBP", save_all=True, append_images=[small.rotate(90)])),
        ("WebP without loss", encoded(small.convert("RGBA"), "WEBP", lossless=True)),
    ]
    return files


def changed(data: bytes, chance: random.Random) -> bytes:
    """The file with one to five random faults."""
    changes: tuple[Callable[[bytearray, int], None], ...] = (
        lambda file, at: file.__setitem__(at, chance.randrange(256)),
        lambda file, at: file.__setitem__(slice(at, at + 4), chance.randbytes(4)),
        lambda file, at: file.__setitem__(
            slice(at, at + 4), chance.choice((bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff"))
        ),
        lambda file, at: file.__delitem__(slice(at, at + chance.randrange(1, 200))),
        lambda file, at: file.__setitem__(slice(at, at), file[at : at + chance.randrange(1, 2000)]),
        lambda file, at: file.__delitem__(slice(at, None)),
    )
    file = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        within = (
            len(file) if chance.random() < 0.5 else min(len(file), 600)
        )  # headers have the most dangerous bytes
        chance.choice(changes)(file, chance.randrange(12, max(within, 13)))
        file.extend(bytes(max(13 - len(file), 0)))
    return bytes(file)


def packed(data: bytes) -> bytes:
    return zlib.compress(data, 1)


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def webp(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def resized_heic(heic: bytes, side: int) -> bytes:
    """The file with another size in its header."""
    at = heic.index(b"ispe") + 8
    return heic[:at] + struct.pack(">II", side, side) + heic[at + 8 :]


def outcome(file: tuple[str, bytes]) -> tuple[str, str]:
    """The outcome for a file, and what is wrong with this outcome; "" if nothing is wrong."""
    name, data = file
    try:
        prepared = prepare(data, LIMITS)
    except Unreadable as refusal:
        return refusal.reason, ""
    except Unavailable as error:
        return "unavailable", f"{name}: {error}"
    faults = [fault for one in prepared.renditions for fault in faults_of_rendition(one.data)]
    return "prepared", f"{name}: {', '.join(faults)}" if faults else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    count = parser.parse_args().files
    configure_logs("info")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(outcome, corpus(count)))
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        os.waitpid(-1, os.WNOHANG)
        left = 1
    except ChildProcessError:
        left = 0
    answer = {
        "files": len(results),
        "outcomes": dict(Counter(word for word, _ in results)),
        "faults": [fault for _, fault in results if fault],
        "children_left": left,
        "peak_mb": spent.ru_maxrss // 1024,
        "limit_mb": LIMITS.memory_bytes // 2**20,
        "cpu_s": round(spent.ru_utime + spent.ru_stime, 1),
    }
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
