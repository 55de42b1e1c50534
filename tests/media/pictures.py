"""Makes pictures for tests. They contain texts that must not be in the prepared photos."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational
from pillow_heif import from_pillow

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 30), (30, 30, 200), (255, 255, 255)
PLANTED = b"Planted-Jane-Doe-"
"""Every text that tests hide in a file begins with this."""


def quarters(width: int = 400, height: int = 300) -> Image.Image:
    """A picture with a red, a green, a blue and a white quarter, from the left to the right and downwards."""
    picture = Image.new("RGB", (width, height), WHITE)
    draw = ImageDraw.Draw(picture)
    across, down = width // 2, height // 2
    draw.rectangle((0, 0, across - 1, down - 1), fill=RED)
    draw.rectangle((across, 0, width, down - 1), fill=GREEN)
    draw.rectangle((0, down, across - 1, height), fill=BLUE)
    return picture


def encoded(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The bytes of a file of this kind."""
    file = BytesIO()
    if kind == "HEIC":
        from_pillow(picture).save(file, **options)
    else:
        picture.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes) -> Image.Image:
    """The picture in a file."""
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def exif(orientation: int = 1) -> bytes:
    """An EXIF block with a name, a position, and a thumbnail with a name in it."""
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x013B] = (PLANTED + b"artist").decode()
    block.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + PLANTED + b"comment"
    gps = block.get_ifd(0x8825)
    gps.update({1: "N", 2: (IFDRational(41), IFDRational(52), IFDRational(31415, 1000)), 29: "2026:11:30"})
    gps[27] = PLANTED + b"gps"
    thumbnail = encoded(quarters(160, 120), comment=PLANTED + b"thumbnail")
    return block.tobytes() + thumbnail


def xmp() -> bytes:
    text = (PLANTED + b"xmp").decode()
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description creator="{text}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def swapping_profile() -> bytes:
    """An ICC profile whose red is sRGB's green, whose green is its blue, and whose blue is its red; with a name."""
    red, green, blue = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, int(2.2 * 256)) + bytes(2)
    text = PLANTED + b"profile"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(79),
        b"cprt": b"text" + bytes(4) + text + b"\0",
        b"wtpt": _xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": _xyz(green),
        b"gXYZ": _xyz(blue),
        b"bXYZ": _xyz(red),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    start, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + _xyz((0.9642, 1.0, 0.8249))[8:] + bytes(48)
    return header + struct.pack(">I", len(tags)) + table + body


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">iii", *(round(value * 65536) for value in values))


def planted(kind: str, *, orientation: int = 1, size: tuple[int, int] = (400, 300)) -> bytes:
    """A picture of this kind with texts in every place that the kind has for texts, and after its end."""
    options: dict[str, Any] = {"exif": exif(orientation), "icc_profile": swapping_profile()}
    if kind == "PNG":
        texts = PngInfo()
        texts.add_text("Author", (PLANTED + b"text").decode())
        texts.add_text("Comment", (PLANTED + b"ztxt").decode(), zip=True)
        texts.add_itxt("XML:com.adobe.xmp", xmp().decode())
        options["pnginfo"] = texts
    elif kind == "JPEG":
        options |= {"comment": PLANTED + b"com", "xmp": xmp()}
    else:
        options["xmp"] = xmp()
    picture = quarters(*size)
    if kind == "HEIC":
        picture.info["icc_profile"] = options.pop("icc_profile")
        options["quality"] = 80
    return encoded(picture, kind, **options) + PLANTED + b"behind the end"


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG with a size of choice and these chunks after its header."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join((b"\x89PNG\r\n\x1a\n", png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b"")))


def faults_of_rendition(data: bytes) -> list[str]:
    """What a rendition has in addition to a JPEG's tables and its pixels."""
    found = ["planted text"] if PLANTED in data else []
    position = 2
    while data[position : position + 2] != b"\xff\xda":
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        is_jfif = marker == 0xE0 and data[position + 4 : position + 9] == b"JFIF\0" and length == 16
        if not is_jfif and marker not in (0xDB, 0xC0, 0xC4):
            found.append(f"marker {marker:x}")
        position += 2 + length
    if data.find(b"\xff\xd9") != len(data) - 2:
        found.append("bytes behind the end")
    return found
