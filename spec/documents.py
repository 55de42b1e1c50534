"""Reads XML documents without entities or network access, and converts them to the shape of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spec.shapes import BODIES, ROOTS, Kind, Leaf, Plain, Record, Series, Shape

NAMESPACE = "http://wiki.open311.org/GeoReport_v2"

_DECLARATION = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']utf-8[\"']", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"


class UnreadableError(ValueError):
    """A body that is not well-formed. The text says why, and is meant for reports."""


@dataclass(frozen=True, slots=True)
class Document:
    """A well-formed XML document. All namespaces are removed from its elements.

    foreign  the first element in a namespace that the standard does not permit; "" if there is none
    """

    body: bytes
    root: Any  # lxml publishes no types
    foreign: str = ""

    @property
    def plain(self) -> Plain:
        """The data in the shape of JSON, with booleans, numbers and nulls where the standard has them."""
        known = ROOTS.get(self.root.tag)
        return _plain(self.root, known.shape) if known else _extension(self.root)

    def read_as(self, kind: Kind) -> Plain:
        """The data, if the body is read as a body of this kind. The name of the root is ignored."""
        return _plain(self.root, BODIES[kind].shape)

    def prolog_faults(self) -> Iterator[str]:
        """The faults in byte order mark, XML declaration, DOCTYPE and namespace."""
        if self.body.startswith(_BOM):
            yield "the document starts with a byte order mark; send UTF-8 without one."
        if not _DECLARATION.match(self.body.removeprefix(_BOM).lstrip()):
            yield 'the document lacks its declaration; start with <?xml version="1.0" encoding="UTF-8"?>.'
        if self.root.getroottree().docinfo.doctype:
            yield "the document has a DOCTYPE; the standard's XML needs none."
        if self.foreign:
            yield f"the element {self.foreign} has a namespace; use none (or only {NAMESPACE})."

    def padded(self) -> Iterator[str]:
        """The names of identifiers, numbers and times that are written with blanks around them (A38)."""
        known = ROOTS.get(self.root.tag)
        if known:
            yield from _padded(self.root, known.shape)


def read(body: bytes) -> Document:
    """Parse `body`. Raises UnreadableError if it is not well-formed XML in UTF-8."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        body.decode("utf-8")
        root = etree.fromstring(body.removeprefix(_BOM), parser)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"the body is not UTF-8: byte {error.start} cannot be decoded.") from error
    except etree.XMLSyntaxError as error:
        raise UnreadableError(f"the body is not well-formed XML: {error.msg}.") from error
    etree.strip_elements(root, etree.Entity, with_tail=False)
    return Document(body, root, _strip_namespaces(root))


def _strip_namespaces(root: Any) -> str:
    """Remove all namespaces. Returns the first element with a wrong namespace; "" if there is none."""
    foreign = ""
    for element in root.iter("{*}*"):
        tag = element.tag
        if tag[0] != "{":
            continue  # setting the same name again would take longer than parsing the element
        namespace, _, name = tag.rpartition("}")
        if namespace != f"{{{NAMESPACE}":
            foreign = foreign or tag
        element.tag = name
    return foreign


def _plain(element: Any, shape: Shape) -> Plain:
    if isinstance(shape, Leaf):
        return _extension(element) if len(element) else shape.read(element.text or "")
    if isinstance(shape, Series):
        return [_plain(child, shape.shape) for child in element]
    return {child.tag: _member(child, shape) for child in element}


def _member(element: Any, record: Record) -> Plain:
    shape = record.members.get(element.tag)
    return _plain(element, shape) if shape else _extension(element)


def _extension(element: Any) -> Plain:
    """A member that is not in the standard: text, an array if the element looks like a wrapper, or an object."""
    children = list(element)
    if not children:
        return element.text or None
    names = {child.tag for child in children}
    if len(names) == 1 and (len(children) > 1 or _wraps(element.tag, children[0].tag)):
        return [_extension(child) for child in children]
    return {child.tag: _extension(child) for child in children}


def _wraps(wrapper: str, item: str) -> bool:
    return wrapper in (f"{item}s", f"{item}es", f"{item[:-1]}ies")


def _padded(element: Any, shape: Shape) -> Iterator[str]:
    if isinstance(shape, Leaf):
        text = element.text or ""
        if not shape.free and text != text.strip():
            yield element.tag
        return
    for child in element:
        inner = shape.shape if isinstance(shape, Series) else shape.members.get(child.tag)
        if inner:
            yield from _padded(child, inner)
