from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize("format", ["json", "xml"])
def test_a_posted_request_can_be_read_back(client: FlaskClient, post: Callable[..., Any], format: str) -> None:
    created = post(format=format, service_code="potholes", lat=60.1718, long=24.9414, description="Deep <hole>")
    assert created.status_code == 200
    found = client.get("/open311/v2/requests.json").json[0]
    assert found["description"] == "Deep <hole>"
    assert found["service_request_id"] in created.text
    assert client.get(f"/open311/v2/requests/{found['service_request_id']}.{format}").status_code == 200
