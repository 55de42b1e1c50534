"""Dates at the two ends of the calendar, in every parameter that takes a date."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from open311.domain.access import Role
from open311.operations.access.api_keys import add_key
from open311.operations.platform import Platform
from tests import build
from tests.desk import Desk

FAR = (
    "0001-01-01",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00-14:00",
    "0001-01-02T00:00:00Z",
    "0001-06-01T00:00:00Z",
    "9999-12-31",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59+14:00",
    "9999-12-31T23:59:59-14:00",
    "9999-12-30T00:00:00Z",
    "9999-06-01T00:00:00Z",
)
V2 = "/open311/v2"
UPDATES = f"{V2}/servicerequestupdates"
FORMS = ("json", "xml", "csv", "atom", "geojson", "ndjson")
DATED = {
    **{f"{V2}/requests.{form}": ("start_date", "end_date", "updated_after", "updated_before") for form in FORMS},
    "/open311/bulk/v1/requests.csv": ("start_date", "end_date", "updated_after", "updated_before"),
    "/open311/bulk/v1/requests.json": ("start_date", "end_date"),
    f"{UPDATES}.json": ("start_date", "end_date"),
    f"{V2}/changes.json": ("updated_after", "since"),
}


@pytest.mark.parametrize("moment", FAR)
def test_no_date_leads_a_list_to_a_server_error(client: FlaskClient, platform: Platform, moment: str) -> None:
    build.submit(platform)
    for path, names in DATED.items():
        for query in ({name: moment} for name in names):
            with client.get(path, query_string=query) as answer:
                assert answer.status_code in (200, 400), (path, query, answer.data)


@pytest.mark.parametrize("moment", FAR)
def test_no_span_of_dates_leads_a_list_to_a_server_error(
    client: FlaskClient, platform: Platform, moment: str
) -> None:
    build.submit(platform)
    for path, (start, end, *_) in DATED.items():
        for query in ({start: FAR[1], end: moment}, {start: moment, end: FAR[7]}):
            with client.get(path, query_string=query) as answer:
                assert answer.status_code in (200, 400), (path, query, answer.data)


@pytest.mark.parametrize("moment", FAR)
def test_no_date_leads_an_update_to_a_server_error(client: FlaskClient, platform: Platform, moment: str) -> None:
    _, secret = add_key(platform, label="back office", may_update=True, now=build.NOON)
    form = {
        "api_key": secret,
        "service_request_id": build.submit(platform).service_request_id,
        "update_id": "1",
        "status": "OPEN",
        "updated_datetime": moment,
        "description": "Seen.",
    }
    assert client.post(f"{UPDATES}.json", data=form).status_code in (200, 400)


@pytest.mark.parametrize("moment", FAR)
def test_no_date_leads_a_command_to_a_server_error(client: FlaskClient, platform: Platform, moment: str) -> None:
    desk = Desk.of(client, platform, "ada", Role.DISPATCHER)
    name = build.submit(platform).service_request_id
    assert desk.post(f"/requests/{name}/schedule", {"visit": moment}).status_code in (200, 400)
    for field in ("visit", "expected"):
        order = {field: moment, "reason": "x"}
        answer = desk.post(f"/requests/{name}/reschedule", order)
        assert answer.status_code in (200, 400, 409), answer.text
        assert desk.post(f"/requests/{name}/hold", {"reason": "x"}).status_code == 200
        assert desk.post(f"/requests/{name}/start").status_code == 200
    for path in (f"/requests/{name}", "/requests", "/requests?overdue=true", "/requests?overdue=soon", "/queues"):
        assert desk.get(path).status_code == 200, path
    assert client.get(f"{V2}/requests/{name}.xml").status_code == 200
