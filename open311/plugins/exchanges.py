"""Recorded calls, for tests of back ends: the answers of a back office, and the calls that reached it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from open311.domain.results import Result
from open311.plugins.context import Letter

_CHANGING = frozenset({"POST", "PATCH"})


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A call, and the answer of the back office.

    If several exchanges have the same call, their answers are used one after the other. The last answer is used for
    all further calls.

    call     method and path, such as "POST /cases"
    body     bytes, a text, or a value that is sent as JSON; `media_type` is its media type
    changes  whether a repeated call may make a change twice. None means: True for POST and PATCH. Set False for a
             POST that only searches or gets a token
    """

    call: str
    body: Any = b""
    status: int = 200
    media_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    changes: bool | None = None

    @property
    def is_change(self) -> bool:
        """Whether a repeated call may make a change twice."""
        return self.call.split()[0] in _CHANGING if self.changes is None else self.changes

    def content(self) -> bytes:
        """The bytes of the answer."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(frozen=True, kw_only=True)
class Received:
    """A call that reached the back office. The names of its headers are in lower case."""

    call: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The JSON of the body."""
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What happened without any fault of the back office.

    results   the result of each method that the back end has, by the method's name
    received  the calls that the back end made
    letters   the mails that the back end sent
    """

    results: Mapping[str, Result]
    received: tuple[Received, ...]
    letters: tuple[Letter, ...]
