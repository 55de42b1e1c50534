"""A call that is being served, and the answer of its view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from werkzeug.wrappers import Request

from open311.domain.abuse import Sender
from open311.domain.access import Principal
from open311.domain.photos import SentFile
from open311.errors import Problem
from open311.formats import Format
from open311.formats.writing import ActivityFormat, AlertFormat, BulkFormat, Feed, InquiryFormat, TileFormat
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.web.codings import Coding
from open311.web.languages import wanted_languages
from open311.web.surfaces import BASE
from schemas.texts import Message


class PageFormat(StrEnum):
    """The format of pages for people, and of the pictures that the server draws for them."""

    HTML = "html"
    SVG = "svg"

    @property
    def media_type(self) -> str:
        """The value of Content-Type."""
        return "text/html; charset=utf-8" if self is PageFormat.HTML else "image/svg+xml"


Output = Format | Feed | BulkFormat | TileFormat | ActivityFormat | AlertFormat | InquiryFormat | PageFormat


class Values(dict[str, Any]):
    """The values of a call's parameters. Compared and hashed by identity, so they can be the key of a cache."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One call, parsed and checked, as its view gets it. Nobody changes it; to enforce that would cost 1 µs a call.

    output      the format to answer in: that of the suffix, of Accept, or the view's only one
    values      the values of all parameters that the view declares, with defaults for those that were not sent
    problems    what is wrong with the values; empty unless the view gathers problems itself
    warnings    sentences for the header Warning about values that are ignored or read in another way
    files       the files of a body
    body        the fields of a JSON body, checked; for a list, `items` has its objects unchecked; else empty
    raw         the bytes of the body, if the view declares `is_raw`
    is_caught   whether the call fills the field that only programs fill (`AbuseRules.honeypot` of the city)
    named_city  the jurisdiction of the call; None if the view works without one
    principal   the caller; None if anybody may call the view
    now         when the call began, in whole seconds
    coding      the content coding of the answer; NONE if the client accepts none or a proxy compresses instead
    """

    request: Request
    platform: Platform
    output: Any
    now: datetime
    values: Values
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Message, ...] = ()
    files: tuple[SentFile, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes = field(default=b"", repr=False)
    is_caught: bool = False
    named_city: Jurisdiction | None = None
    principal: Principal | None = None
    coding: Coding = Coding.NONE

    @property
    def city(self) -> Jurisdiction:
        """The jurisdiction of the call. Raises LookupError if the view declares none."""
        if self.named_city is None:
            raise LookupError("this view declares no city")
        return self.named_city

    @property
    def caller(self) -> Principal:
        """The caller. Raises LookupError if anybody may call the view."""
        if self.principal is None:
            raise LookupError("anybody may call this view")
        return self.principal

    @property
    def point(self) -> tuple[float, float] | None:
        """The (long, lat) point of the parameters `lat` and `long`; None unless both have a value."""
        long, lat = self.values["long"], self.values["lat"]
        return None if long is None or lat is None else (long, lat)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which to look up texts of the catalogue: see `wanted_languages`."""
        return wanted_languages(self.request, self.city, self.values["locale"])

    def sender(self) -> Sender:
        """Who sends the call, for the rules against abuse. The address is that of the client behind our proxies."""
        return Sender(address=self.request.environ.get("REMOTE_ADDR") or "", is_caught=self.is_caught)

    def own_address(self) -> str:
        """The address of this server as clients see it, without a slash at its end (A47)."""
        request = self.request
        given = self.platform.settings.public_url
        return (given or f"{request.scheme}://{request.host}{request.root_path}").rstrip("/")

    def base_url(self) -> str:
        """The base address of all calls, as clients see it, without a slash at its end (A47)."""
        return self.own_address() + BASE

    def has_unchanged(self, validator: str) -> bool:
        """Whether If-None-Match names this validator, in this format and coding (A66)."""
        if "HTTP_IF_NONE_MATCH" not in self.request.environ:
            return False
        return self.request.if_none_match.contains_weak(self.tag(validator))

    def tag(self, validator: str) -> str:
        """The ETag of one representation. It holds format and coding, because both change the bytes."""
        coding = self.coding
        return f"{validator}-{self.output}-{coding}" if coding else f"{validator}-{self.output}"


@dataclass(slots=True, kw_only=True)
class Answer:
    """What a view answers: a body, a status and headers.

    body           None if the client already has the body: the answer is 304
    validator      changes exactly when the body changes; if not given, a digest of the body
    language       the language of the texts in the body, if they exist in several languages
    cache_control  how long caches may keep the body; with "no-cache", caches revalidate it each time
    status         200 unless the view chooses another one
    headers        more headers; a 304 has them too
    tag            the whole ETag, for answers whose ETag clients send in If-Match; such an answer is never 304
    is_weak        whether the ETag is weak: the same data may come in other bytes
    has_tag        whether a GET gets an ETag; False if nobody may keep the body
    warnings       more sentences for the header Warning, beside those of the call
    """

    body: bytes | None
    validator: str = ""
    status: int = 200
    language: str = ""
    cache_control: str = "no-cache"
    headers: tuple[tuple[str, str], ...] = ()
    tag: str = ""
    is_weak: bool = False
    has_tag: bool = True
    warnings: tuple[Message, ...] = ()


def unchanged(validator: str) -> Answer:
    """The answer to a client that already has the body."""
    return Answer(body=None, validator=validator, status=304)
