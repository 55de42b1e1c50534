"""Checks of bodies: whether a body has the standard's shape, and whether XML and JSON contain the same data.

This module needs lxml and jsonschema, and imports them when they are first used.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from spec.documents import Document, UnreadableError, read
from spec.shapes import BODIES, ROOTS, Kind, Plain, Series

HERE = Path(__file__).parent
SCHEMAS = HERE / "schemas"
EXAMPLES = HERE / "examples"

_SHOWN = 60
_MOST_FAULTS = 1_000
"""How many faults of a body are listed. Each takes about a kilobyte of memory."""
_NUMERAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def deviations(body: bytes, *, media_type: str, kind: Kind) -> list[str]:
    """The deviations of `body` from the wire contract, one sentence each; empty if there are none.

    media_type  the media type of the answer; it decides whether the body is read as XML or JSON
    The body is validated against the JSON Schema of this server. The schema's descriptions name the decisions. XML
    that fits this schema is also validated against RELAX NG.
    """
    try:
        if "json" in media_type:
            return list(_json_deviations(_json(body), kind))
        if "xml" in media_type:
            return list(_xml_deviations(read(body), kind))
    except UnreadableError as error:
        return [f"{kind}: {error}"]
    return [f"{kind}: the media type {media_type!r} is neither JSON nor XML."]


def parse(body: bytes, media_type: str) -> Plain:
    """The data of a JSON or XML body, in the shape of JSON.

    The standard's tables say which XML elements are arrays, booleans or numbers. An empty element becomes null or
    "", depending on what the field has in JSON. Members that are not in the standard stay texts.
    Raises UnreadableError if the body is not well-formed.
    """
    if "json" in media_type:
        return _json(body)
    if "xml" in media_type:
        return read(body).plain
    raise UnreadableError(f"the media type {media_type!r} is neither JSON nor XML.")


def same_data(xml: bytes, json: bytes, kind: Kind) -> list[str]:
    """The differences between the XML and the JSON body of an answer, one sentence each.

    An absent member, null, "" and an empty list count as equal. A number and its text also count as equal.
    """
    try:
        return list(_differences(parse(xml, "text/xml"), parse(json, "application/json"), kind))
    except UnreadableError as error:
        return [f"{kind}: {error}"]


def example(name: str, media_type: str = "application/json") -> bytes:
    """The example body spec/examples/<name>.json or .xml."""
    suffix = "json" if "json" in media_type else "xml"
    return (EXAMPLES / f"{name}.{suffix}").read_bytes()


def kind_of_example(name: str) -> Kind:
    """The kind of an example, from its name: the example `token-pending` has the kind `token`."""
    stem = name.partition("-")[0]
    return next(kind for kind in BODIES if kind == stem)


# --- JSON


def _json(body: bytes) -> Plain:
    try:
        data: Plain = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"the body is not UTF-8: byte {error.start} cannot be decoded.") from error
    except json.JSONDecodeError as error:
        raise UnreadableError(f"the body is not JSON: {error}.") from error
    except RecursionError:
        raise UnreadableError("the body is nested too deeply.") from None
    return data


def _refuse_constant(name: str) -> Plain:
    raise UnreadableError(f"the body is not JSON: {name} is not a JSON number.")


def _json_deviations(data: Plain, kind: Kind) -> Iterator[str]:
    inner = unwrapped(data)
    if inner is not data:
        yield f"{kind}: the answer is wrapped in an object; drop the root name in JSON (A40)."
    yield from _schema_deviations(inner, kind)


def unwrapped(data: Plain) -> Plain:
    """The data without the root name and item name with which some servers wrap JSON."""
    if not isinstance(data, dict) or len(data) != 1:
        return data
    name, inner = next(iter(data.items()))
    if name not in ROOTS:
        return data
    shape = ROOTS[name].shape
    if isinstance(shape, Series) and isinstance(inner, dict) and shape.item in inner:
        inner = inner[shape.item]
        return inner if isinstance(inner, list) else [inner]
    return inner


def _schema_deviations(data: Plain, kind: Kind) -> Iterator[str]:
    found = islice(_validator(kind).iter_errors(data), _MOST_FAULTS)
    errors = sorted(found, key=lambda error: list(map(str, error.absolute_path)))
    yield from (_sentence(error, kind) for error in errors)
    if not errors:
        yield from _repeats(data, kind)


@cache
def _validator(kind: Kind) -> Any:
    from jsonschema import Draft202012Validator

    schema = json.loads((SCHEMAS / "georeport-v2.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]})


def _sentence(error: Any, kind: Kind) -> str:
    where = _path(kind, error.absolute_path)
    rule = error.schema.get("description", error.message)
    match error.validator:
        case "required":
            name = re.match(r"'([^']*)'", error.message)
            return f"{where} lacks {name[1] if name else 'a field'}: {rule}."
        case "not":
            return f"{where}: {rule}."
        case "minItems" | "maxItems":
            return f"{where} has {len(error.instance)} items: {rule}."
        case "maxLength":
            return f"{where} has {len(error.instance)} characters: {rule}."
        case _:
            return f"{where} is {shown(error.instance)}: {rule}."


def _path(kind: str, steps: Any) -> str:
    return kind + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def shown(value: Plain) -> str:
    """A value as shortened JSON, for a report."""
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _repeats(data: Any, kind: Kind) -> Iterator[str]:
    """Repeated codes and order numbers, which a JSON Schema cannot find. `data` must be valid by the schema."""
    if kind == "services":
        yield from _repeated(kind, data, "service_code")
    if kind == "requests":
        yield from _repeated(kind, data, "service_request_id")
    if kind == "service_definition":
        attributes = data["attributes"]
        yield from _repeated(f"{kind}.attributes", attributes, "code")
        yield from _repeated(f"{kind}.attributes", attributes, "order")
        for index, attribute in enumerate(attributes):
            where = f"{kind}.attributes[{index}].values"
            yield from _repeated(where, attribute.get("values", []), "key")


def _repeated(where: str, records: list[dict[str, Any]], name: str) -> Iterator[str]:
    counts = Counter(record[name] for record in records)
    for value in sorted(value for value, times in counts.items() if times > 1):
        yield f"{where}: the {name} {shown(value)} occurs {counts[value]} times; it must be unique."


# --- XML


def _xml_deviations(document: Document, kind: Kind) -> Iterator[str]:
    yield from (f"{kind}: {fault}" for fault in document.prolog_faults())
    expected = BODIES[kind].root
    if document.root.tag != expected:
        yield f"{kind}: the root element is <{document.root.tag}>; it must be <{expected}>."
        return
    for name in sorted(set(document.padded())):
        yield f"{kind}: <{name}> has blanks around its text (A38)."
    house = list(_schema_deviations(document.plain, kind))
    yield from house or _structure_faults(document, kind)


def _structure_faults(document: Document, kind: Kind) -> Iterator[str]:
    """The faults that only the RELAX NG grammar finds, such as repeated elements and XML attributes."""
    grammar = _grammar()
    if not grammar.validate(document.root):
        for message in dict.fromkeys(str(entry.message) for entry in grammar.error_log):
            yield f"{kind}: the XML does not fit the grammar: {message}."


@cache
def _grammar() -> Any:
    from lxml import etree

    return etree.RelaxNG(etree.parse(SCHEMAS / "georeport-v2.rng"))


# --- Both


def _differences(xml: Plain, json: Plain, where: str) -> Iterator[str]:
    if isinstance(xml, dict) and isinstance(json, dict):
        for name in [*xml, *(name for name in json if name not in xml)]:
            yield from _differences(xml.get(name), json.get(name), f"{where}.{name}")
    elif isinstance(xml, list) and isinstance(json, list) and len(xml) == len(json):
        for index, (left, right) in enumerate(zip(xml, json, strict=True)):
            yield from _differences(left, right, f"{where}[{index}]")
    elif isinstance(xml, list) and isinstance(json, list):
        yield f"{where}: XML has {len(xml)} items, JSON has {len(json)}."
    elif not _alike(xml, json):
        yield f"{where}: XML has {shown(xml)}, JSON has {shown(json)}."


def _alike(xml: Plain, json: Plain) -> bool:
    if _is_empty(xml) or _is_empty(json):
        return _is_empty(xml) and _is_empty(json)
    if isinstance(xml, list | dict) or isinstance(json, list | dict):
        return False
    return _scalar(xml) == _scalar(json)


def _is_empty(value: Plain) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _scalar(value: Plain) -> str | float:
    """A float for a number, and for a text that is a number in JSON. Other texts, such as "02134", stay texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return float(text) if _NUMERAL.fullmatch(text) else text
