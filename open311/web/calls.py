"""A call that is being served, and what a view answers it with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from werkzeug.wrappers import Request

from open311.domain.access import Principal
from open311.errors import Problem
from open311.formats import Format
from open311.formats.writing import BulkFormat, Feed
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.web.codings import Coding, wanted_coding
from open311.web.surfaces import BASE

Output = Format | Feed | BulkFormat


class Values(dict[str, Any]):
    """The values of a call's parameters. Compared by identity, so that what is made of them can be remembered."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, read and checked, as its view gets it.

    output    the format to answer in; where a view has several, that of the suffix or of Accept
    values    of all parameters that the view declares, defaults where the call has none
    problems  what is wrong with them; empty unless the view gathers problems itself
    misspelt  names that look like parameters and are none, each with the right one
    city      the jurisdiction that is asked; None for views that do without
    principal  who calls; None where anybody may
    now       when the call began, whole seconds
    """

    request: Request
    platform: Platform
    output: Any
    now: datetime
    values: Values
    problems: tuple[Problem, ...] = ()
    misspelt: tuple[tuple[str, str], ...] = ()
    named_city: Jurisdiction | None = None
    principal: Principal | None = None

    @property
    def city(self) -> Jurisdiction:
        """The jurisdiction that is asked. LookupError in a view that declares none."""
        if self.named_city is None:
            raise LookupError("this view declares no city")
        return self.named_city

    @property
    def caller(self) -> Principal:
        """Who calls. LookupError in a view that anybody may call."""
        if self.principal is None:
            raise LookupError("anybody may call this view")
        return self.principal

    @cached_property
    def coding(self) -> Coding:
        """How the answer may be packed: the client takes it so, and no proxy is to do it."""
        if not self.platform.settings.compress:
            return Coding.NONE
        return wanted_coding(self.request.headers.get("Accept-Encoding", ""))

    def own_address(self) -> str:
        """The address of this server as clients see it, without a slash at its end (A47)."""
        request = self.request
        given = self.platform.settings.public_url
        return (given or f"{request.scheme}://{request.host}{request.root_path}").rstrip("/")

    def base_url(self) -> str:
        """The base address of all calls, as clients see it, without a slash at its end (A47)."""
        return self.own_address() + BASE

    def has_unchanged(self, validator: str) -> bool:
        """Whether the client has the body that this validator stands for, in this format and coding (A66)."""
        if "If-None-Match" not in self.request.headers:
            return False
        return self.request.if_none_match.contains_weak(self.tag(validator))

    def tag(self, validator: str) -> str:
        """An ETag for each representation: format and coding change the bytes."""
        return f"{validator}-{self.output}-{self.coding}" if self.coding else f"{validator}-{self.output}"


@dataclass(slots=True, kw_only=True)
class Answer:
    """A body with what its headers say.

    body       None where the client has it already: 304
    validator  changes just when the body does; made of the body itself where none is given
    language   what the body's texts are in, where they could be in others
    cache_control  how long caches may keep it; "no-cache" has them ask each time
    status     of a POST: 200 or 201, as the operator wants
    headers    further ones, also of a 304
    """

    body: bytes | None
    validator: str = ""
    status: int = 200
    language: str = ""
    cache_control: str = "no-cache"
    headers: tuple[tuple[str, str], ...] = ()


def unchanged(validator: str) -> Answer:
    """The answer to a client who has the body already."""
    return Answer(body=None, validator=validator, status=304)
