"""Endpoints: what a view declares about itself, and how they are found.

A view is a function that takes a `Call` and returns an `Answer`. What it declares beside is all that the blueprint
needs to serve it: path, parameters, access, the city, the body. Declaring registers nothing.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import Any

from werkzeug.wrappers import Response

from open311.web.access import Access
from open311.web.calls import Answer, Output
from open311.web.surfaces import Surface
from schemas.arguments import Arguments
from schemas.base import Body

View = Callable[..., Answer | Response]


class City(Enum):
    """Which jurisdiction an endpoint works for.

    NAMED      the one that jurisdiction_id names, or the only one
    OPTIONAL   the one that jurisdiction_id names; without a name, none
    IN_PATH    the one that <jurisdiction_id> in the path names
    NONE       none
    """

    NAMED = "named"
    OPTIONAL = "optional"
    IN_PATH = "in path"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Media:
    """A body of another form than a GeoReport list: its media type, and its schema in OpenAPI."""

    media_type: str
    schema: Mapping[str, Any] | Body


@dataclass(frozen=True, kw_only=True, eq=False)
class Endpoint:
    """One view and what it declares. Compared by identity.

    surface   where its path lies; `rule` is what follows the surface's prefix, in Werkzeug's notation
    reads     the schema of its parameters
    access    who may call it
    answers   the body of success: a schema is answered in JSON and XML, as the suffix or Accept wants; a medium has
              one path; None for pages
    output    the format of a path that has only one
    city      which jurisdiction it works for
    by_accept  whether the path without suffix is the same call
    is_quick  whether the quick lane may serve it: a GET that only reads, asked for very often
    is_extension  whether it is ours, not the standard's
    gathers_problems  whether the view gets faulty parameters, to add what the catalogue finds wrong (A59)
    errors    statuses beside those that follow from the rest
    """

    view: View
    surface: Surface
    rule: str
    reads: type[Arguments]
    access: Access
    answers: type[Body] | Media | None
    output: Output | None = None
    method: str = "GET"
    city: City = City.NAMED
    by_accept: bool = True
    is_quick: bool = False
    is_extension: bool = False
    gathers_problems: bool = False
    errors: frozenset[int] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """The view's name: unique within a server."""
        return self.view.__name__

    @property
    def path(self) -> str:
        """Its whole path, without a suffix, in Werkzeug's notation."""
        return self.surface.prefix + self.rule

    @property
    def has_formats(self) -> bool:
        """Whether the suffix, or Accept, says which of the standard's two formats to answer in."""
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
    """Declare a view; `Endpoint` has the meaning of each word."""

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


def endpoints_in(*packages: ModuleType) -> Iterator[Endpoint]:
    """Every endpoint that a module of these packages declares, in the order of names."""
    for package in packages:
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            found_here = (value for value in vars(module).values() if isinstance(value, Endpoint))
            yield from (one for one in found_here if one.view.__module__ == module.__name__)
