"""Reads the body of a call: a form of either type (A05, A06), JSON, or bytes. Checks its size and decodes it.

All files are read to their end. Only files that are small enough for a photo are kept, in memory. A part with a
transfer encoding is kept whole until it is decoded.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData
from werkzeug.wrappers import Request
from werkzeug.wsgi import get_input_stream

from open311.domain.photos import SentFile
from open311.errors import Invalid, TooMuch
from open311.settings import Settings
from open311.web.parsing import MAX_FIELDS, Parameters, not_utf8, read_query, too_many_fields
from schemas.arguments import Arguments, as_sent
from schemas.texts import Message, tell

URLENCODED, MULTIPART = FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
PIECE_BYTES = 65_536
JSON_TYPE = "application/json"
_GZIP_BITS = 31
# Unquoted values end at a semicolon only: clients send boundaries with "=" and do not quote them.
_TYPE_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))', re.ASCII)
_BLANKS = b" \t\r\n\v\f"
_PLAIN_CODINGS = ("", "7bit", "8bit", "binary")
_WRONG_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*(?:\r?\n|\Z))")
_PART_CHARSETS = ("ascii", "us-ascii", "utf-8", "iso-8859-1")


@dataclass(frozen=True, slots=True)
class Form:
    """What a body contains.

    fields  the values of each parameter
    files   the files, in their order
    """

    fields: Parameters
    files: tuple[SentFile, ...] = ()


def read_form(request: Request, schema: Arguments, settings: Settings) -> Form:
    """The parameters of body and query. If one is in both, even under an alias, the body's values count (A05).

    Raises UnsupportedMediaType if the body is not a form or has an unknown coding (A06), TooMuch if
    the body is too large, and Invalid if the body cannot be read or its text is not UTF-8.
    """
    body = _read_body(request, settings)
    known = {schema.own_name(name) for name in body.fields}
    rest = {
        name: values
        for name, values in read_query(request.query_string).items()
        if schema.own_name(name) not in known
    }
    return Form(body.fields | rest, body.files)


def read_json(request: Request, settings: Settings) -> dict[str, Any]:
    """The object in a JSON body; {} without a body. Raises as `read_form` does, and Invalid if it is no object."""
    found = _read_value(request, settings)
    if not isinstance(found, dict):
        raise Invalid(tell("the body is JSON, but no object; send an object such as {{}}."))
    return found


def read_json_list(request: Request, settings: Settings) -> list[dict[str, Any]]:
    """The objects in a JSON body. Raises as `read_form` does, and Invalid if the body is no list of objects."""
    found = _read_value(request, settings)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Invalid(tell("the body is JSON, but no list of objects; send a list such as [{{}}]."))
    return found


def _read_value(request: Request, settings: Settings) -> Any:
    """The value in a JSON body; {} without a body."""
    media_type = request.mimetype
    if media_type and media_type != JSON_TYPE:
        named = {"media_type": media_type[:60], "known": JSON_TYPE}
        raise UnsupportedMediaType(tell("{media_type} is not read here; send {known}.", **named))
    charset = _type_parameters(request).get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(tell("charset {charset} is not read here; send UTF-8.", charset=charset[:40]))
    raw = b"".join(_pieces(request, settings.max_body_bytes))
    if not raw.strip():
        return {}
    if not media_type:
        raise UnsupportedMediaType(tell("The body has no Content-Type; send {known}.", known=JSON_TYPE))
    try:
        found = orjson.loads(raw)
        json.loads(raw, object_pairs_hook=_object_of_single_names)
    except RecursionError:
        raise Invalid(tell("the body is nested too deeply; send an object such as {{}}.")) from None
    except orjson.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        fault = tell("the body is not JSON (line {line}, column {column}); send an object such as {{}}.", **place)
        raise Invalid(fault) from None
    return found


def read_raw(request: Request, most: int) -> bytes:
    """The bytes of a body, at most `most`. Raises as `read_form` does for its size and its coding."""
    return b"".join(_pieces(request, most))


def _object_of_single_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises Invalid if it has a name twice, because parsers differ in which one they read."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(tell("is in the body twice; send it once."), as_sent(twice[:40]))
    return found


def _read_body(request: Request, settings: Settings) -> Form:
    media_type, parameters = request.mimetype, _type_parameters(request)
    charset = parameters.get("charset", "utf-8").lower()
    if media_type and media_type not in FORM_TYPES:
        known = {"urlencoded": URLENCODED, "multipart": MULTIPART}
        raise UnsupportedMediaType(
            tell("{media_type} is not read here; send {urlencoded} or {multipart}.", media_type=media_type, **known)
        )
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType(tell("charset {charset} is not read here; send UTF-8.", charset=charset))
    if media_type != MULTIPART:
        return Form(read_query(b"".join(_pieces(request, settings.max_body_bytes))))
    boundary = parameters.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise Invalid(tell("Content-Type names no boundary; name the one that is between the parts of the body."))
    pieces = _pieces(request, max(settings.max_body_bytes, settings.max_upload_bytes))
    return _read_parts(pieces, boundary, settings)


def _type_parameters(request: Request) -> dict[str, str]:
    found = _TYPE_PARAMETER.findall(request.headers.get("Content-Type", ""))
    return {name.lower(): quoted or plain.strip() for name, quoted, plain in found}


# --- Bytes


def _pieces(request: Request, most: int) -> Iterable[bytes]:
    """The decompressed body in pieces.

    Raises TooMuch above `most` bytes, compressed or not, UnsupportedMediaType for an unknown coding, and Invalid if
    the body is not gzip, or is cut off.
    """
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if (request.content_length or 0) > most:
        raise TooMuch(too_large(most))
    if coding in ("", "identity"):
        return _limited(_sent(request), most)
    if coding in ("gzip", "x-gzip"):
        return _limited(_unpacked(_limited(_sent(request), most)), most)
    raise UnsupportedMediaType(
        tell("Content-Encoding {coding} is not read here; send gzip or no coding.", coding=coding[:40])
    )


def _sent(request: Request) -> Iterator[bytes]:
    stream = get_input_stream(request.environ)
    while piece := stream.read(PIECE_BYTES):
        yield piece


def _limited(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    left = most
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise TooMuch(too_large(most))
        yield piece


def too_large(most: int) -> Message:
    """That a body is too large, and how large it may be, in bytes."""
    return tell("The body is too large; send at most {most} bytes.", most=most)


def _unpacked(packed: Iterable[bytes]) -> Iterator[bytes]:
    """The data of one or more gzip members. No piece is larger than PIECE_BYTES. Raises Invalid."""
    unpacker, is_begun = zlib.decompressobj(_GZIP_BITS), False
    try:
        for piece in packed:
            rest = piece
            while rest:
                if unpacker.eof:
                    unpacker = zlib.decompressobj(_GZIP_BITS)
                is_begun = True
                yield unpacker.decompress(rest, PIECE_BYTES)
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error:
        raise Invalid(tell("the body is not gzip, which Content-Encoding names; send gzip or no coding.")) from None
    if is_begun and not unpacker.eof:
        raise Invalid(tell("the gzip body is cut off; send it whole."))


# --- Parts


def _read_parts(pieces: Iterable[bytes], boundary: bytes, settings: Settings) -> Form:
    """Read a multipart body.

    Raises Invalid if the body has no parts, has a part without a name, has text that cannot be decoded, or is cut
    off. Raises TooMuch if its fields are too large.
    """
    # The decoder's own limit is for data that it cannot return yet, such as a header that never ends.
    most_waiting = max(settings.max_body_bytes, 4 * PIECE_BYTES)
    decoder = MultipartDecoder(boundary, most_waiting)
    parts = _Parts(settings.max_body_bytes, settings.max_photo_bytes)
    try:
        for piece in chain[bytes | None](pieces, (None,)):
            decoder.receive_data(piece)
            while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
                parts.take(event)
    except UnicodeDecodeError:
        raise Invalid(tell("a header of a part is not UTF-8; send UTF-8.")) from None
    except ValueError:
        if parts.is_begun:
            raise Invalid(tell("the multipart body is cut off or a part has no name; send it whole.")) from None
    if not parts.is_begun:
        raise Invalid(
            tell(
                "the multipart body has no parts with the boundary in Content-Type; send each parameter as a part."
            )
        )
    return Form(parts.fields, tuple(parts.files))


class _Parts:
    """Collects the parts of a multipart body."""

    def __init__(self, most_field_bytes: int, most_file_bytes: int) -> None:
        self._count = 0
        self.fields: Parameters = {}
        self.files: list[SentFile] = []
        self._left = self._most_field_bytes = most_field_bytes
        self._most_file_bytes = most_file_bytes
        self._part: Field | File | None = None
        self._value = bytearray()
        self._size = 0
        self._coding = ""

    @property
    def is_begun(self) -> bool:
        """Whether the body has a part."""
        return self._count > 0

    def take(self, event: Event) -> None:
        """Add the beginning of a part, or data of the current part."""
        if isinstance(event, Field | File):
            self._begin(event)
        elif isinstance(event, Data) and self._part is not None:
            self._size += len(event.data)
            if isinstance(self._part, Field):
                self._add(event.data)
            elif self._coding or self._size <= self._most_file_bytes:
                self._value += event.data
            if not event.more_data:
                self._end(self._part)

    def _begin(self, part: Field | File) -> None:
        self._count += 1
        if self._count > MAX_FIELDS:
            raise too_many_fields()
        if part.name is None:  # Werkzeug casts the missing name to str
            raise Invalid(tell("a part of the body has no name; give each part a name."))
        is_picture = part.headers.get("Content-Type", "").lower().startswith("image/")
        if is_picture and isinstance(part, Field):  # some clients give the picture no file name
            part = File(part.name, "", part.headers)
        self._part, self._value, self._size, self._coding = part, bytearray(), 0, _coding(part)
        self._left -= len(part.name)

    def _add(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise TooMuch(
                tell(
                    "The fields of the body are too large; send at most {most} bytes beside the files.",
                    most=self._most_field_bytes,
                )
            )
        self._value += data

    def _end(self, part: Field | File) -> None:
        value = bytes(self._value)
        if self._coding:
            value = _decoded(part, value, self._coding)
            self._size = len(value)
        if isinstance(part, Field):
            self.fields.setdefault(part.name, []).append(_text(part, value))
        elif part.filename or self._size:  # browsers send a nameless, empty file for a field without one
            data = value if self._size <= self._most_file_bytes else None
            self.files.append(SentFile(name=part.name, size_bytes=self._size, data=data))


def _coding(part: Field | File) -> str:
    """The transfer encoding that must be decoded; "" for none. Raises Invalid for an unknown one.

    RFC 7578, 4.7, deprecates the header, but some old clients send it.
    """
    named = part.headers.get("Content-Transfer-Encoding", "").strip().lower()
    if named in _PLAIN_CODINGS:
        return ""
    if named in ("base64", "quoted-printable"):
        return named
    fault = tell(
        "has the Content-Transfer-Encoding {coding}, which is not read here; send the value without the header.",
        coding=named[:40],
    )
    raise Invalid(fault, part.name[:60])


def _decoded(part: Field | File, value: bytes, coding: str) -> bytes:
    """The bytes of a part without its transfer encoding. Raises Invalid if they do not have this encoding."""
    try:
        if coding == "base64":
            return base64.b64decode(value.translate(None, _BLANKS), validate=True)
        if not _WRONG_ESCAPE.search(value):
            return binascii.a2b_qp(value)
    except binascii.Error:
        pass
    fault = tell(
        "is not {coding}, which its Content-Transfer-Encoding names; send the value without the header.",
        coding=coding,
    )
    raise Invalid(fault, part.name[:60])


def _text(part: Field, value: bytes) -> str:
    """The text of a field, decoded with the charset that its part names, or else as UTF-8. Raises Invalid."""
    content_type = part.headers.get("Content-Type", "")
    named = next((text for name, _, text in _TYPE_PARAMETER.findall(content_type) if name.lower() == "charset"), "")
    charset = named.strip().lower()
    try:
        return value.decode(charset if charset in _PART_CHARSETS else "utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(part.name, value, error) from None
