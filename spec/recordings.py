"""Judges saved answers offline: finds the kind of each body, and its deviations from the wire contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from spec.bodies import deviations, parse, unwrapped
from spec.documents import UnreadableError
from spec.shapes import Kind, Plain

_LACK = re.compile(r"(?P<owner>\S+) lacks (?P<member>\w+): (?P<rule>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Repeated:
    """A deviation: the sentence about its first occurrence, and the number of its occurrences."""

    sentence: str
    times: int

    def __str__(self) -> str:
        return (
            self.sentence
            if self.times == 1
            else f"{self.sentence} This is the first of {self.times} such deviations."
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """The findings for one saved body. `kind` is None for a body that is not in the standard."""

    kind: Kind | None
    deviations: tuple[Repeated, ...] = ()
    why: str = ""


def judge(body: bytes, kind: Kind | None = None) -> Judgement:
    """Judge a saved body. This function recognises the format, and also the kind if `kind` is None."""
    media_type = "text/xml" if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "application/json"
    try:
        data = unwrapped(parse(body, media_type))
    except UnreadableError as error:
        return Judgement(kind, why=str(error))
    kind = kind or kind_of(data)
    if kind is None:
        return Judgement(None, why="this is not a body of the standard")
    bodies = _definitions(data) if kind == "service_definition" else []
    sentences = [
        sentence for each in bodies or [body] for sentence in deviations(each, media_type=media_type, kind=kind)
    ]
    return Judgement(kind, tuple(_grouped(sentences)))


def _definitions(data: Plain) -> list[bytes]:
    """The separate bodies of several service definitions that were saved in one array."""
    return [json.dumps(item).encode() for item in data] if isinstance(data, list) and len(data) > 1 else []


def kind_of(data: Plain) -> Kind | None:
    """The kind of a body, recognised by its members; None if they fit no kind."""
    if isinstance(data, dict):
        return "discovery" if "endpoints" in data else "service_definition" if "attributes" in data else None
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        return None
    names = {name for item in data if isinstance(item, dict) for name in item}
    if {"code", "description"} <= names and "service_code" not in names:
        return "errors"
    if "status" in names or "requested_datetime" in names or not data:
        return "requests"
    if {"service_code", "attributes"} <= names and "type" not in names:
        return "service_definition"
    if "service_code" in names:
        return "services"
    if {"token", "service_request_id"} <= names:
        return "token"
    return "created" if names & {"token", "service_request_id", "service_notice"} else None


def _grouped(sentences: list[str]) -> Iterator[Repeated]:
    """Merge sentences that differ only in position and value. The first sentence is kept.

    Sentences about several missing members of one object become one sentence.
    """
    groups: dict[str, list[str]] = {}
    for sentence in sentences:
        groups.setdefault(_pattern(sentence), []).append(sentence)
    lacking: dict[tuple[str, str, int], list[str]] = {}
    for group in groups.values():
        lack = _LACK.fullmatch(group[0])
        if lack is None:
            yield Repeated(group[0], len(group))
        else:
            lacking.setdefault((lack["owner"], lack["rule"], len(group)), []).append(lack["member"])
    for (owner, rule, times), members in lacking.items():
        yield Repeated(f"{owner} lacks {_listed(members)}: {rule}", times)


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _pattern(sentence: str) -> str:
    where, _, rule = sentence.rpartition(": ")
    return re.sub(r"\[\d+\]", "[]", re.sub(r" is .*| has \d+.*", "", where)) + rule
