"""Neighbours of a city make no difference to apps: calls and answers are the same as without neighbours."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.federated.test_pushing import work
from tests.federated.towns import HERE, NORTH, Open, Town

FIXMYSTREET = {"attribute[title]": "Hole", "attribute[external_id]": "901", "first_name": "Ann", "device_id": "x"}
ONEBUSAWAY = {"address_string": "Stop 75403", "device_id": "phone-1", "account_id": "a-1"}


def calls(town: Town, point: tuple[float, float], fields: dict[str, str]) -> list[tuple[int, Any]]:
    """The answers to an app's calls, in their order: a report, services, a definition, the request, the list."""
    answer = town.post(point, **fields)
    [receipt] = answer.json()
    request_id = receipt["service_request_id"]
    found: list[tuple[int, Any]] = [(answer.status_code, receipt)]
    for path in ("services.json", "services/potholes.xml", f"requests/{request_id}.json", "requests.xml"):
        got = requests.get(f"{town.url}/{path}", timeout=30)
        found.append((got.status_code, _timeless(got.text)))
    return found


def _timeless(text: str) -> str:
    import re

    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)


@pytest.mark.parametrize("fields", [FIXMYSTREET, ONEBUSAWAY], ids=["FixMyStreet", "OneBusAway"])
@pytest.mark.parametrize("point", [HERE, NORTH], ids=["here", "there"])
def test_an_app_gets_the_same_bodies_with_and_without_neighbours(
    open_town: Open, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], point: tuple[float, float]
) -> None:
    alone, a, b = open_town("a"), open_town("a"), open_town("b")
    a.federate(b, monkeypatch, areas=("North",))
    b.federate(a, monkeypatch)
    assert calls(alone, point, fields) == calls(a, point, fields)
    work(a, b)
    assert len(b.ids()) == (point is NORTH)
    [mine], [other] = (town.listed(extensions="false") for town in (a, alone))
    assert mine.keys() == other.keys()
