"""The list of services at a point has the services that are offered there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from shapely import box

from tests import build

HARBOUR = box(24.9, 60.1, 25.0, 60.2)
HOLE, TREE, TALK = build.city().services


@pytest.fixture
def codes(make_app: Callable[..., Flask]) -> Callable[..., list[str]]:
    """The codes that the service list has for a query."""
    services = (replace(HOLE, exclude_areas=("Harbour",)), replace(TREE, include_areas=("Harbour",)), TALK)
    app = make_app(build.city(services=services, areas={"Harbour": HARBOUR}, boundary=box(24, 60, 25, 61)))

    def listed(**query: Any) -> list[str]:
        found = app.test_client().get("/open311/v2/services.json", query_string=query).json
        return [service["service_code"] for service in found]

    return listed


def test_a_point_leaves_out_services_that_are_not_offered_there(codes: Callable[..., list[str]]) -> None:
    assert codes(lat=60.15, long=24.95) == ["trees", "hotline"]
    assert codes(lat=60.5, long=24.5) == ["potholes", "hotline"]
    assert codes(lat=10, long=10) == []


def test_without_a_point_every_service_is_listed(codes: Callable[..., list[str]]) -> None:
    assert codes() == ["potholes", "trees", "hotline"]
