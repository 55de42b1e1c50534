"""Endpoints: a view with its declaration, and the search for all endpoints.

A view is a function that takes a `Call` and returns an `Answer` or, for a download, a `Response`. The declaration
has everything that is needed to serve the view: path, parameters, access, city, body. Declaring a view does not
register it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

from werkzeug.wrappers import Request, Response

from open311.operations.platform import Platform
from open311.storage.hot.ahead import ReadAhead
from open311.web.access import Access
from open311.web.calls import Answer, Output
from open311.web.surfaces import Source, Surface
from schemas.arguments import Arguments
from schemas.base import Body
from schemas.staff import JsonBody

View = Callable[..., Answer | Response]


class City(Enum):
    """Which jurisdiction an endpoint works for.

    NAMED      the jurisdiction in the parameter jurisdiction_id; if only one is served, the parameter may be absent
    AT_POINT   as NAMED; on a hub, a call that names no city is for the city at the point of the call
    OPTIONAL   the jurisdiction in the parameter jurisdiction_id; none if the parameter is absent
    IN_PATH    the jurisdiction in the path, <jurisdiction_id>
    OF_CALLER  the jurisdiction of the caller's account; for accounts of all jurisdictions as NAMED
    NONE       no jurisdiction
    """

    NAMED = "named"
    AT_POINT = "at point"
    OPTIONAL = "optional"
    IN_PATH = "in path"
    OF_CALLER = "of caller"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Media:
    """A body that is not a GeoReport list: its media type, and its schema in OpenAPI."""

    media_type: str
    schema: Mapping[str, Any] | Body


@dataclass(frozen=True, kw_only=True, eq=False)
class Endpoint:
    """One view and its declaration. Compared by identity.

    surface           the surface that the path belongs to
    rule              the path after the surface's prefix, in Werkzeug's notation
    reads             the schema of the parameters
    body              the schema of the JSON body; None if the call has none, or a form
    access            who may call the view
    answers           the body of a success. A schema means JSON and XML, chosen by the suffix or Accept; a Media
                      means one path with one format; None means a page
    output            the format, if the path has only one
    city              which jurisdiction the view works for
    by_accept         whether the path without a suffix is served too; Accept then chooses the format
    is_quick          whether the quick lane may serve the view: it is a frequent GET that only reads
    is_fresh          whether the caller may have just sent or withdrawn what the view shows. If so, the replica
                      answers only while the primary is down
    is_extension      whether the call is an extension of this server and not in the standard
    gathers_problems  whether the view is called even if parameters are faulty, to report all problems at once (A59)
    is_raw            whether the view gets the bytes of the body without any decoding
    is_upload         whether the body may be as large as a photo
    success           the status of a success, if it is not the usual one
    errors            error statuses in addition to those that follow from the other fields
    headers           headers of a success in addition to those that follow from the other fields
    conditions        headers with which staff's programs guard the change: If-Match, Idempotency-Key
    expects           returns the reads of a call, with the statement that the call will probably need. They begin
                      with the look-up of the caller, before the caller's rights are known (decision 0029)
    sends             the body of the messages that the server sends to the address in the parameter `url`
    """

    view: View
    surface: Surface
    rule: str
    reads: type[Arguments]
    access: Access
    answers: type[Body] | Media | None
    output: Output | None = None
    method: str = "GET"
    body: type[JsonBody] | None = None
    city: City = City.NAMED
    by_accept: bool = True
    is_quick: bool = False
    is_fresh: bool = False
    is_extension: bool = False
    gathers_problems: bool = False
    is_raw: bool = False
    is_upload: bool = False
    success: int = 200
    errors: frozenset[int] = field(default_factory=frozenset)
    headers: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    expects: Callable[[Platform, Request], ReadAhead] | None = None
    sends: type[Body] | None = None

    @property
    def name(self) -> str:
        """The view's name: unique within a server."""
        return self.view.__name__

    @property
    def path(self) -> str:
        """The whole path, without a suffix, in Werkzeug's notation."""
        return self.surface.prefix + self.rule

    @property
    def source(self) -> Source:
        """Which server of a replicated database answers."""
        if self.method != "GET" or self.access.identify is not None:
            return Source.PRIMARY
        return Source.FRESH if self.is_fresh and self.surface.source is Source.REPLICA else self.surface.source

    @property
    def has_formats(self) -> bool:
        """Whether the suffix or Accept chooses between JSON and XML."""
        return self.output is None and self.answers is not None


def endpoint(
    surface: Surface,
    rule: str,
    *,
    reads: type[Arguments],
    access: Access,
    answers: type[Body] | Media | None = None,
    errors: tuple[int, ...] = (),
    **more: Any,
) -> Callable[[View], Endpoint]:
    """Declare a view. `Endpoint` explains each argument."""

    def declare(view: View) -> Endpoint:
        return Endpoint(
            view=view,
            surface=surface,
            rule=rule,
            reads=reads,
            access=access,
            answers=answers,
            errors=frozenset(errors),
            **more,
        )

    return declare


@lru_cache(maxsize=2)
def endpoints_in(*packages: ModuleType) -> tuple[Endpoint, ...]:
    """Every endpoint that a module of these packages declares, in the order of the modules' names.

    A module may also have a tuple of endpoints that it makes from a table.
    """
    return tuple(_declared_in(packages))


def _declared_in(packages: Iterable[ModuleType]) -> Iterator[Endpoint]:
    for package in packages:
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            for value in vars(module).values():
                several = value if isinstance(value, tuple) else (value,)
                found_here = (one for one in several if isinstance(one, Endpoint))
                yield from (one for one in found_here if one.view.__module__ == module.__name__)
