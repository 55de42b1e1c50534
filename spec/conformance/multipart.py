"""Bodies in multipart/form-data, with the boundaries that clients choose."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63f8cfc0f01f00050001ff"
    "56c72f0d0000000049454e44ae426082"
)
"""A picture in PNG."""

Part = tuple[str, str, str, bytes]
"""A part of a multipart body: name, file name ("" for a field), content type, content."""


def multipart(
    fields: Iterable[tuple[str, str]], files: Iterable[Part] = (), *, boundary: str = ""
) -> tuple[bytes, str]:
    """A multipart body and its content type. The boundary is not quoted there, as many clients send it."""
    boundary = boundary or uuid4().hex
    parts = [(name, "", "text/plain; charset=utf-8", value.encode()) for name, value in fields]
    body = bytearray()
    for name, file_name, content_type, content in [*parts, *files]:
        file = f'; filename="{file_name}"' if file_name else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n'
        body += f"{head}Content-Type: {content_type}\r\n\r\n".encode() + content + b"\r\n"
    return bytes(body) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
