"""The routes of Flask: the paths of each endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import flask
from werkzeug.routing import BaseConverter, Map, Rule
from werkzeug.wrappers import Response

from open311.formats import JSON, XML, Format
from open311.web.blueprint import BoundEndpoint
from open311.web.endpoints import Endpoint
from open311.web.surfaces import SURFACES


class CodeConverter(BaseConverter):
    """A service code, id or token in a path: any text, also with slashes and dots, also empty (A46)."""

    regex = ".*?"
    part_isolating = False


CONVERTERS = {"code": CodeConverter}


@dataclass(frozen=True, slots=True)
class Path:
    """One path of an endpoint.

    rule          the path in Werkzeug's notation
    name          the name of the path: unique within a surface
    suffix        the format of this path; None if the endpoint or the caller chooses it
    is_described  whether OpenAPI describes the path, if it describes the endpoint
    """

    rule: str
    name: str
    suffix: Format | None = None
    is_described: bool = True


def paths_of(endpoint: Endpoint) -> Iterator[Path]:
    """The paths of an endpoint: one for each format, because client generators want one media type per path."""
    if not endpoint.has_formats:
        yield Path(endpoint.path, endpoint.name)
        return
    yield Path(f"{endpoint.path}.{JSON}", endpoint.name, JSON)
    yield Path(f"{endpoint.path}.{XML}", f"{endpoint.name}_as_xml", XML)
    if endpoint.by_accept:  # the same call without suffix
        yield Path(endpoint.path, f"{endpoint.name}_by_accept", is_described=False)


def register_endpoints(app: flask.Flask, bound: Sequence[BoundEndpoint]) -> None:
    """Make the app serve these endpoints, and nothing else. All apps of a process share the map of the paths."""
    app.url_map = _url_map(tuple(one.endpoint for one in bound))
    for one in bound:
        view = _flask_view(one)
        for path in paths_of(one.endpoint):
            app.view_functions[_flask_name(one.endpoint, path)] = view


@lru_cache(maxsize=2)
def _url_map(endpoints: tuple[Endpoint, ...]) -> Map:
    """The paths of endpoints. Werkzeug compiles each path, which takes longer than all other steps of a start."""
    ordered = (one for surface in SURFACES for one in endpoints if one.surface is surface)
    rules = [_rule(one, path) for one in ordered for path in paths_of(one)]
    return Map(rules, converters=CONVERTERS, merge_slashes=False)


def _rule(endpoint: Endpoint, path: Path) -> Rule:
    rule = Rule(
        path.rule,
        endpoint=_flask_name(endpoint, path),
        methods={endpoint.method, "OPTIONS"},
        defaults=None if path.suffix is None else {"suffix": str(path.suffix)},
    )
    rule.provide_automatic_options = True  # type: ignore[attr-defined]  # Flask sets and reads it
    return rule


def _flask_name(endpoint: Endpoint, path: Path) -> str:
    return f"{endpoint.surface.name}.{path.name}"


def _flask_view(bound: BoundEndpoint) -> Callable[..., Response]:
    """A Flask view that serves an endpoint."""

    def view(suffix: str | None = None, **path: str) -> Response:
        return bound.serve(flask.request._get_current_object(), suffix, path)  # type: ignore[attr-defined]

    view.__name__ = bound.endpoint.name
    view.__doc__ = bound.endpoint.view.__doc__
    view.endpoint = bound.endpoint  # type: ignore[attr-defined]  # tests/test_contract.py reads it
    return view
