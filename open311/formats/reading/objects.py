"""Reads JSON in every known shape of a list of requests.

A JSON file is read as a whole, because the list can be at any place in it. NDJSON is read line by line.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

from open311.domain.imports import Refusal
from open311.errors import Invalid
from open311.formats.reading.columns import SourceItem
from open311.formats.reading.templates import Columns, plain_name

MAX_BYTES = 256 * 1024 * 1024
MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 5
_WRAPPERS = (
    *("service_requests", "service_request", "requests", "request", "data", "results", "items"),
    *("result", "records", "rows", "features", "value"),
)
_PARTS = ("attributes", "properties")
"""The members in which ArcGIS and GeoJSON have the fields of a feature."""
_TOTALS = ("numberMatched", "total", "total_count", "totalCount", "nhits", "count", "@odata.count")
"""Members beside a list in which publishers say how many requests there are in all."""
_NEXT = ("next", "next_page", "nextLink", "@odata.nextLink", "nextPageToken")
"""Members beside a list in which publishers name the next page."""
_NO_PAGE = ("0", "-1", "null")
"""What some publishers write in these members on the last page."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The requests of a JSON file.

    count  the number of requests; None for NDJSON, which is read line by line
    notes  sentences for the person who imports the file; the file is the subject of each sentence
    """

    found: Iterator[SourceItem]
    count: int | None
    notes: tuple[str, ...] = ()


def read_objects(stream: BinaryIO, ids: Collection[str]) -> Objects:
    """The requests of a JSON file. An empty file and null have no requests.

    ids  names of columns that hold an id. An object with such a column is a request

    These shapes are known: a bare list; a list under a wrapper's name, at any depth (Toronto, Zürich, CKAN,
    Carto); one object instead of a list; objects that are each wrapped in their element's name; features of GeoJSON
    and ArcGIS; lists of values beside a list of column names (Socrata); one object per line. A number is read as
    the text in the file, so that no id is rounded. Raises Invalid if the file is not JSON or has no list of
    requests.
    """
    head = [stream.readline(MAX_LINE_BYTES)]
    if _is_object(head[0]):
        while line := stream.readline(MAX_LINE_BYTES):
            head.append(line)
            if line.strip():
                return Objects(_by_line(chain(head, _lines(stream)), ids), None)
    found = _parse(_text(chain(head, iter(lambda: stream.read(1 << 20), b""))))
    _refuse_errors(found)
    search = _Search(ids)
    items = search.items(_named(found))
    return Objects((_item(n, 0, item) for n, item in enumerate(items, start=1)), len(items), tuple(search.notes))


def _is_object(line: bytes) -> bool:
    """Whether a line is a complete JSON object."""
    if not line.lstrip(b"\xef\xbb\xbf").startswith(b"{") or not line.rstrip().endswith(b"}"):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE_BYTES):
        yield line


def _by_line(lines: Iterable[bytes], ids: Collection[str]) -> Iterator[SourceItem]:
    """The requests of NDJSON. A line that cannot be read is refused, and reading continues with the next line."""
    search = _Search(ids)
    position = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = _parse(_decoded(line))
            items = search.items([found] if found == {} else found)
        except Invalid as error:
            position += 1
            yield Refusal(position, "", str(error).replace("line 1, ", ""), number)
            continue
        for item in items:
            position += 1
            yield _item(position, number, item)


def _item(position: int, line: int, item: dict[str, Any] | Refusal) -> SourceItem:
    if isinstance(item, Refusal):
        return Refusal(position, "", item.reason, line)
    return position, line, _columns(item)


def _text(parts: Iterable[bytes]) -> str:
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > MAX_BYTES:
            raise Invalid(f"is larger than {MAX_BYTES >> 20} MB, too large for JSON; split it, or use XML or CSV.")
    return _decoded(bytes(body))


def _decoded(body: bytes) -> str:
    encoding = json.detect_encoding(body)
    return body.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def _parse(text: str) -> Any:
    if not text.strip():
        return []
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise Invalid(f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise Invalid("is nested too deeply to be a list of requests.") from None


def _no_number(_: str) -> None:
    """Read NaN and Infinity as null, because some programs write them for a missing value."""


class _Search:
    """Finds the objects that are requests. Adds a sentence to `notes` if the file says that it is incomplete."""

    def __init__(self, ids: Collection[str]) -> None:
        self._ids = ids
        self.notes: list[str] = []

    def items(self, found: Any, depth: int = 0) -> list[dict[str, Any] | Refusal]:
        """The objects that are requests. Any other element of a list becomes a Refusal without a position.

        Raises Invalid if there is no list of requests.
        """
        if depth > MAX_DEPTH:
            raise Invalid("is nested too deeply to be a list of requests.")
        if found is None:
            return []
        if isinstance(found, list):
            if any(isinstance(item, dict) for item in found):
                return [inner for item in found for inner in self._element(item, depth)]
            return [inner for item in found for inner in self._unwrapped(item, depth)]
        if isinstance(found, dict):
            return self._unwrapped(found, depth)
        raise Invalid("holds no list of requests.")

    def _element(self, item: Any, depth: int) -> list[dict[str, Any] | Refusal]:
        """The requests in one element of a list. If the element is invalid, only this element is refused.

        An empty object is a request without fields, like a row of a CSV with empty values only.
        """
        if item == {}:
            return [item]
        try:
            return self._unwrapped(item, depth)
        except Invalid as error:
            return [Refusal(0, "", str(error))]

    def _unwrapped(self, item: Any, depth: int) -> list[dict[str, Any] | Refusal]:
        """The requests in an object, which is a request, a feature, or a wrapper of requests."""
        if not isinstance(item, dict):
            raise Invalid(f"holds {json.dumps(item)[:40]} where a request should be.")
        if any(plain_name(name) in self._ids for name in item):
            return [item]
        for name in _PARTS:
            if isinstance(item.get(name), dict) and any(plain_name(inner) in self._ids for inner in item[name]):
                return [_feature(item, item[name])]
        for name in _WRAPPERS:
            if name in item and not isinstance(item[name], str):
                found = self.items(item[name], depth + 1)
                self._note_part(item, len(found))
                return found
        return [item] if item else []

    def _note_part(self, wrapper: dict[str, Any], count: int) -> None:
        """Add a note if a wrapper says that there are more requests than it holds."""
        for name in _TOTALS:
            total = wrapper.get(name)
            if isinstance(total, str) and total.isdecimal() and int(total) > count:
                self.notes.append(f"holds {count} of the {total} requests that it speaks of ({name}).")
                return
        if sign := _sign_of_more(wrapper):
            self.notes.append(f"holds {count} requests and says that there are more ({sign}).")


def _sign_of_more(wrapper: dict[str, Any]) -> str:
    """The member by which a wrapper says that there are more requests than it holds; "" if there is none."""
    limit = "exceededTransferLimit"
    if wrapper.get(limit) is True or _inner(wrapper, "properties", limit) is True:
        return limit
    links = wrapper.get("links")
    relations = [link.get("rel") for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    if "next" in relations or _inner(links, "next"):
        return "links.next"
    return next((name for name in _NEXT if wrapper.get(name) and wrapper[name] not in _NO_PAGE), "")


def _feature(item: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a feature, with its point as `geometry.x` and `geometry.y`.

    If the geometry is not a point, both texts are the name of the geometry's type. The import cannot read this name
    as a coordinate, so it reports that the row lost its point.
    """
    geometry = item.get("geometry")
    if geometry is None:
        return fields
    return fields | {"geometry": dict(zip("xy", _pair(geometry), strict=True))}


def _pair(geometry: Any) -> tuple[Any, Any]:
    """The coordinates of a point (GeoJSON or ArcGIS), or of a MultiPoint with one point."""
    if not isinstance(geometry, dict):
        return (str(geometry)[:40],) * 2
    if "type" not in geometry:
        return geometry.get("x"), geometry.get("y")
    kind, pair = str(geometry["type"]), geometry.get("coordinates")
    if kind == "MultiPoint" and isinstance(pair, list) and len(pair) == 1:
        pair = pair[0]
    if kind not in ("Point", "MultiPoint") or not isinstance(pair, list) or len(pair) < 2:
        return kind, kind
    return (kind, kind) if any(isinstance(each, list | dict) for each in pair) else (pair[0], pair[1])


def _named(found: Any) -> Any:
    """Objects made of lists of values and the column names beside them (Socrata's rows.json, pandas' `split`)."""
    if not isinstance(found, dict):
        return found
    rows: list[Any] = next((found[name] for name in ("data", "rows") if isinstance(found.get(name), list)), [])
    if not rows or not all(isinstance(row, list) for row in rows):
        return found
    titles = _inner(found, "meta", "view", "columns") or found.get("columns") or found.get("fields")
    if not isinstance(titles, list):
        raise Invalid("holds lists of values without the names of their columns.")
    names = [_title(title) for title in titles]
    return [dict(zip(names, row, strict=False)) for row in rows]


def _inner(found: Any, *names: str) -> Any:
    """The member at a path of names in nested objects, None if it is missing."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _title(title: Any) -> str:
    if isinstance(title, dict):
        title = title.get("fieldName") or title.get("name") or title.get("id")
    return title if isinstance(title, str) else ""


def _refuse_errors(found: Any) -> None:
    """Raise Invalid if the file is a saved error answer, which would otherwise look like an empty list."""
    first = found[0] if isinstance(found, list) and found else found
    if not isinstance(first, dict):
        return
    if "code" in first and "description" in first and "service_code" not in first:
        raise Invalid(f"is an error answer, not a list of requests: {str(first['description'])[:200]}")
    fault = first.get("error")
    if fault and not any(name in first for name in _WRAPPERS):
        words = fault.get("message") if isinstance(fault, dict) else fault
        words = first.get("message") if fault is True else words
        raise Invalid(f"is an error answer, not a list of requests: {str(words)[:200]}")


def _columns(item: dict[str, Any]) -> Columns:
    columns: dict[str, str] = {}
    for name, value in item.items():
        if isinstance(value, str):
            columns[plain_name(name)] = value
        elif value is not None:
            _add(columns, name, value, 0)
    return columns


def _add(columns: dict[str, str], name: str, value: Any, depth: int) -> None:
    """Add a value that is not a text. `{"media_url": {"url": …}}` becomes the column `media_url.url`.

    A list of texts becomes one text with a line for each. In a list of objects, the texts of each member are joined
    in the same way.
    """
    if isinstance(value, bool):
        columns[plain_name(name)] = "true" if value else "false"
    elif isinstance(value, dict):
        for inner, each in value.items():
            if depth < MAX_DEPTH and not inner.startswith("@"):  # such as `@xsi:nil`, in JSON made from XML
                _add(columns, f"{name}.{inner}", each, depth + 1)
    elif isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        if texts:
            columns[plain_name(name)] = "\n".join(texts)
        for inner in (item for item in value if isinstance(item, dict)):
            more: dict[str, str] = {}
            _add(more, name, inner, depth + 1)
            for key, text in more.items():
                columns[key] = f"{columns[key]}\n{text}" if key in columns else text
    elif isinstance(value, str):
        columns[plain_name(name)] = value
