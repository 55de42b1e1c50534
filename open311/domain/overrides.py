"""Overrides: what admins of a city change in texts and questions, in addition to the city's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class OverrideKind(StrEnum):
    """What an override changes.

    TEXT     what citizens read if staff close or change a request without a text
    SERVICE  the name, description, group, keywords and notice of a service; in another language also its questions
    FORM     the questions of a service: texts, order, which are required, and the choices of lists
    GROUP    the name of a group of services in another language
    """

    TEXT = "text"
    SERVICE = "service"
    FORM = "form"
    GROUP = "group"


_PARTS = {OverrideKind.TEXT: 4, OverrideKind.SERVICE: 3, OverrideKind.FORM: 2, OverrideKind.GROUP: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A part of a city's catalogue that can be overridden.

    language  BCP 47 tag; "" for a form, whose texts are in the city's first language
    outcome   for a text: an outcome, or one of `workflow.MOMENTS`; "" for other items
    code      the code of a service; "" for a text of all services; the original name of a group
    """

    kind: OverrideKind
    language: str = ""
    outcome: str = ""
    code: str = ""

    def __str__(self) -> str:
        """The item's name, which callers send: text:es:fixed:potholes, service:es:potholes, form:potholes."""
        parts = {
            OverrideKind.TEXT: (self.language, self.outcome, self.code),
            OverrideKind.FORM: (self.code,),
        }
        return ":".join((self.kind, *parts.get(self.kind, (self.language, self.code))))

    @classmethod
    def of(cls, name: str) -> Item | None:
        """The item with this name; None if the name has another form. A code may contain colons."""
        kind = name.partition(":")[0]
        if kind not in tuple(OverrideKind):
            return None
        parts = name.split(":", _PARTS[OverrideKind(kind)] - 1)
        if len(parts) != _PARTS[OverrideKind(kind)]:
            return None
        if kind == OverrideKind.TEXT:
            return cls(kind=OverrideKind.TEXT, language=parts[1], outcome=parts[2], code=parts[3])
        if kind == OverrideKind.FORM:
            return cls(kind=OverrideKind.FORM, code=parts[1])
        return cls(kind=OverrideKind(kind), language=parts[1], code=parts[2])


class Standing(StrEnum):
    """How an override compares with the files of its city.

    APPLIED  it counts, and the files say what they said when it was made
    CHANGED  it counts, but the files say something else now than when it was made
    EQUAL    the files say the same now, so it can be dropped
    GONE     the files do not have the item any more, so it does not count
    MISFIT   with it, the city's catalogue would be faulty, so it does not count
    OFF      the files do not allow overrides any more, so none counts
    """

    APPLIED = "applied"
    CHANGED = "changed"
    EQUAL = "equal"
    GONE = "gone"
    MISFIT = "misfit"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An override of an item.

    value    the overridden fields, with the keys of the city's files
    base     what the files said for these fields when the override was made
    version  grows with each change of an override of the city
    actor    who has made or changed it last, such as staff:3
    """

    item: Item
    value: Mapping[str, Any]
    base: Mapping[str, Any] = field(default_factory=dict)
    version: int
    actor: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Stand:
    """An override and how it compares with the files. `fault`: why it does not fit; "" unless MISFIT."""

    override: Override
    standing: Standing
    fault: str = ""
