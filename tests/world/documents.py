"""Writes the documents of GeoReport in a dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree

from tests.world.dialects import Dialect
from tests.world.serving import Reply

XSI = "http://www.w3.org/2001/XMLSchema-instance"
ITEMS = {"attributes": "attribute", "values": "value", "endpoints": "endpoint", "formats": "format"}
_ILLEGAL = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""The characters that XML cannot have."""
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Document:
    """The content of an answer: a list of records, or one record.

    root, item  the names in XML
    """

    root: str
    item: str
    content: Sequence[Record] | Record


def write(document: Document, format: str, dialect: Dialect, status: int = 200) -> Reply:
    """The reply with a document."""
    is_list = not isinstance(document.content, Mapping)
    is_error = document.root == "errors"
    if is_list and not document.content and dialect.empty == "body":
        return Reply(b"", _type(format, dialect))
    if is_list and not document.content and dialect.empty == "error":
        nothing = Document("errors", "error", [{"code": 404, "description": "No requests were found."}])
        return write(nothing, format, dialect, 404)
    if is_error and dialect.errors_with_200:
        status = 200
    body = _json(document, dialect) if format == "json" else _xml(document, dialect)
    return Reply(body, _type(format, dialect), status)


def _type(format: str, dialect: Dialect) -> str:
    return "application/json; charset=utf-8" if format == "json" else dialect.xml_type


def _json(document: Document, dialect: Dialect) -> bytes:
    content = _plain(document.content, dialect)
    if isinstance(content, list):
        if document.root != "errors" and dialect.bares_single and len(content) == 1:
            content = content[0]
        elif dialect.wraps_lists:
            content = {document.root: content}
    return json.dumps(content).encode()


def _plain(value: Any, dialect: Dialect) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each, dialect) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each, dialect) for each in value]
    if isinstance(value, bool):
        return str(value).lower() if dialect.booleans_as_text else value
    if isinstance(value, float):
        return repr(value) if dialect.numbers_as_text else value
    if isinstance(value, datetime):
        return written(value, dialect)
    return value


def _xml(document: Document, dialect: Dialect) -> bytes:
    content = document.content
    if isinstance(content, Mapping):
        root = _element(document.root, content, dialect)
    elif document.root != "errors" and dialect.bares_single and len(content) == 1:
        root = _element(document.item, content[0], dialect)
    else:
        root = ElementTree.Element(document.root)
        root.extend([_element(document.item, record, dialect) for record in content])
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _element(name: str, value: Any, dialect: Dialect) -> ElementTree.Element:
    element = ElementTree.Element(name)
    if isinstance(value, Mapping):
        element.extend([_element(key, each, dialect) for key, each in value.items()])
    elif isinstance(value, (list, tuple)):
        element.extend([_element(ITEMS.get(name, name), each, dialect) for each in value])
    elif value is None or value == "":
        if dialect.nils:
            element.set(f"{{{XSI}}}nil", "true")
    elif isinstance(value, bool):
        element.text = str(value).lower()
    else:
        element.text = written(value, dialect) if isinstance(value, datetime) else _ILLEGAL.sub("", str(value))
    return element


def written(moment: datetime, dialect: Dialect) -> str:
    """A time as the dialect writes it."""
    local = moment.astimezone(timezone(timedelta(hours=dialect.zone_hours)))
    text = local.replace(tzinfo=None).isoformat(timespec="milliseconds" if dialect.has_fractions else "seconds")
    zone = "" if dialect.omits_zone else local.strftime("%z")
    zone = f"{zone[:3]}:{zone[3:]}" if zone else ""
    text += "Z" if zone == "+00:00" else zone
    return text.replace("T", " ") if dialect.has_spaces else text
