"""What the public sees after the changes of staff."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.domain.requests import RequestRecord, Status, Visibility
from open311.errors import Invalid, NotFound
from open311.operations.platform import Platform
from tests import build

BASE = "/open311/v2"
HOUR = timedelta(hours=1)

Update = Callable[..., RequestRecord]


@pytest.fixture
def update(platform: Platform) -> Update:
    """A function that updates a request, `hours` after noon."""

    def change(record: RequestRecord, hours: int, **changes: Any) -> RequestRecord:
        return build.change(platform, record.service_request_id, **changes, now=build.NOON + hours * HOUR)

    return change


def shown(client: FlaskClient, record: RequestRecord) -> dict[str, Any]:
    (item,) = client.get(f"{BASE}/requests/{record.service_request_id}.json").json
    return dict(item)


def ids(client: FlaskClient, query: str = "start_date=2026-03-01&end_date=2026-03-02") -> list[str]:
    return [item["service_request_id"] for item in client.get(f"{BASE}/requests.json?{query}").json]


@pytest.mark.requirement("C222")
def test_updated_datetime_of_a_closed_request_is_its_closing_time(
    client: FlaskClient, platform: Platform, update: Update
) -> None:
    record = build.store(platform)
    update(record, 1, note="A crew is on its way.")
    assert shown(client, record)["updated_datetime"] == "2026-03-01T13:00:00Z"
    update(record, 2, status=Status.CLOSED)
    assert shown(client, record)["status"] == "closed"
    assert shown(client, record)["updated_datetime"] == "2026-03-01T14:00:00Z"


@pytest.mark.requirement("C223")
def test_a_note_after_closing_keeps_the_closing_time_and_is_a_change(
    client: FlaskClient, platform: Platform, update: Update
) -> None:
    record = build.store(platform)
    update(record, 2, status=Status.CLOSED)
    update(record, 5, note="Thank you for telling us.")
    assert shown(client, record)["updated_datetime"] == "2026-03-01T14:00:00Z"
    assert shown(client, record)["status_notes"] == "Thank you for telling us."
    assert ids(client, "updated_after=2026-03-01T16:59:59Z") == [record.service_request_id]
    assert ids(client, "updated_after=2026-03-01T17:00:01Z") == []


def test_updated_datetime_of_a_reopened_request_is_the_time_of_reopening(
    client: FlaskClient, platform: Platform, update: Update
) -> None:
    record = build.store(platform)
    update(record, 2, status=Status.CLOSED)
    update(record, 4, status=Status.OPEN)
    assert shown(client, record)["updated_datetime"] == "2026-03-01T16:00:00Z"
    update(record, 6, status=Status.CLOSED)
    assert shown(client, record)["updated_datetime"] == "2026-03-01T18:00:00Z"


@pytest.mark.requirement("C215")
@pytest.mark.parametrize("format", ["json", "xml"])
def test_a_private_request_is_not_found(
    client: FlaskClient, platform: Platform, update: Update, format: str
) -> None:
    public, hidden = build.store(platform), build.store(platform, description="planted words")
    update(hidden, 1, visibility=Visibility.PRIVATE)
    assert ids(client) == [public.service_request_id]
    never = client.get(f"{BASE}/requests/never.{format}")
    answer = client.get(f"{BASE}/requests/{hidden.service_request_id}.{format}")
    assert answer.status_code == never.status_code == 404
    assert answer.text.replace(hidden.service_request_id, "never") == never.text
    assert ids(client, f"service_request_id={hidden.service_request_id}") == []
    with platform.database.reading() as connection:
        left = connection.exec_driver_sql("SELECT string_agg(json || xml || point::text, '') FROM publication")
        assert "planted words" not in left.scalar_one()


def test_a_request_made_public_again_is_unchanged(client: FlaskClient, platform: Platform, update: Update) -> None:
    record = build.store(platform, description="words")
    update(record, 1, visibility=Visibility.PRIVATE)
    update(record, 2, visibility=Visibility.PUBLIC)
    assert shown(client, record)["description"] == "words"
    assert ids(client) == [record.service_request_id]


def test_an_unlisted_request_is_readable_by_its_id_only(
    client: FlaskClient, platform: Platform, update: Update
) -> None:
    record = build.store(platform)
    update(record, 1, visibility=Visibility.UNLISTED)
    assert shown(client, record)["service_request_id"] == record.service_request_id
    assert ids(client) == []
    assert ids(client, f"service_request_id={record.service_request_id}") == []


def test_a_transferred_request_shows_its_new_department(
    client: FlaskClient, platform: Platform, update: Update
) -> None:
    record = build.store(platform, department="streets", agency_responsible="As imported", is_triage=True)
    assert shown(client, record)["agency_responsible"] == "As imported"
    after = update(record, 1, department="parks")
    assert shown(client, record)["agency_responsible"] == "Parks"
    assert not after.is_triage
    assert [(event.kind, event.description) for event in build.history(platform, record)][1:] == [
        ("transferred", "Parks")
    ]


def test_an_unknown_department_is_refused_and_changes_nothing(
    client: FlaskClient, platform: Platform, update: Update
) -> None:
    record = build.store(platform, department="streets")
    with pytest.raises(Invalid, match=r"department: 'nowhere' is no department of city.example"):
        update(record, 1, department="nowhere", status=Status.CLOSED)
    assert shown(client, record)["status"] == "open"


def test_an_expected_time_is_shown(client: FlaskClient, platform: Platform, update: Update) -> None:
    record = build.store(platform)
    update(record, 1, expected_at=build.NOON + 48 * HOUR)
    assert shown(client, record)["expected_datetime"] == "2026-03-03T12:00:00Z"


def test_characters_forbidden_in_xml_are_removed_from_a_note(
    client: FlaskClient, platform: Platform, update: Update
) -> None:
    record = build.store(platform)
    update(record, 1, note=" done\x00 <soon>\r\n& well ")
    assert shown(client, record)["status_notes"] == "done <soon>\n& well"


@pytest.mark.parametrize("change", [{}, {"status": Status.OPEN}, {"department": "streets"}])
def test_an_update_without_a_change_is_not_recorded(
    platform: Platform, update: Update, change: dict[str, Any]
) -> None:
    record = build.store(platform, department="streets")
    assert update(record, 1, **change) == record
    assert build.load(platform, number=record.number) == record
    assert len(build.history(platform, record)) == 1


def test_an_unknown_id_is_not_found(platform: Platform, update: Update) -> None:
    with pytest.raises(NotFound):
        update(build.record(next(iter(platform.registry)), number=999_999), 1, status=Status.CLOSED)
