"""A module with one declaration is an endpoint: it is served, described in OpenAPI and has an access rule."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from open311.web import extensions
from open311.web.endpoints import endpoints_in

MODULE = '''
"""Trees of a city, for the test."""

from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.surfaces import GEOREPORT
from schemas.arguments import JurisdictionArguments
from schemas.georeport import TokenSchema
from schemas.parameters import NumberParameter


class TreeArguments(JurisdictionArguments):
    """What trees take."""

    height = NumberParameter("Metres.", 3, least=1, most=100, default=5, aliases=("h",))


@endpoint(GEOREPORT, "/trees", reads=TreeArguments, access=ANYBODY, answers=TokenSchema, is_extension=True)
def list_trees(call: Call) -> Answer:
    """List trees (extension)."""
    return Answer(body=f'"{call.city.name} {call.values["height"]} {call.output}"'.encode())
'''


@pytest.fixture
def with_trees(make_app: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """A server with an additional extension module."""
    (tmp_path / "trees.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setattr(extensions, "__path__", [*extensions.__path__, str(tmp_path)])
    endpoints_in.cache_clear()
    yield make_app()
    endpoints_in.cache_clear()
    sys.modules.pop("open311.web.extensions.trees", None)


def test_a_module_that_declares_an_endpoint_is_served(with_trees: Flask) -> None:
    client = with_trees.test_client()
    assert client.get("/open311/v2/trees.json?h=7").data == b'"Demoville 7 json"'
    assert client.get("/open311/v2/trees", headers={"Accept": "text/xml"}).data == b'"Demoville 5 xml"'
    refused = client.get("/open311/v2/trees.json?height=200&jurisdiction_id=city.example")
    assert refused.status_code == 400
    assert refused.json == [{"code": 400, "description": "height: '200' is not a whole number from 1 to 100."}]
    assert client.get("/open311/v2/trees.json?jurisdiction_id=nowhere").status_code == 404
    assert "did you mean height?" in client.get("/open311/v2/trees.json?Height_=1").headers["Warning"]


def test_a_declared_endpoint_is_in_openapi(with_trees: Flask) -> None:
    paths = with_trees.test_client().get("/openapi.json").json["paths"]
    [height] = [one for one in paths["/open311/v2/trees.json"]["get"]["parameters"] if one.get("name") == "height"]
    assert height["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "example": 3}
