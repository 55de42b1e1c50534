"""Some time after a request was closed, nothing says any more who sent it or its updates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from open311.domain.events import Erased, replay
from open311.domain.requests import Reporter, RequestRecord
from open311.domain.retention import Retention
from open311.domain.updates import SentUpdate
from open311.errors import Invalid
from open311.operations.people import expiring as module
from open311.operations.people.expiring import REPORTERS, expire
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.operations.workflow.receive_update import receive_update
from open311.settings import Settings
from open311.storage import counts
from tests import build
from tests.stored import dump

JANE = {
    "email": "jane@mail.example",
    "first_name": "Jane-first",
    "last_name": "Jane-last",
    "phone": "+1 555 0142",
    "device_id": "jane-device",
    "account_id": "jane-account",
}
BO = {
    "email": "bo@mail.example",
    "first_name": "Bo-first",
    "last_name": "Bo-last",
    "phone": "+1 555 0143",
    "account_id": "bo-account",
}
SECRETS = (*JANE.values(), *BO.values())
DAY = timedelta(days=1)


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A city that keeps reporters for 30 days, those about trees for 10, and those of the hotline for 36,500."""
    tree = replace(build.TREE, retention=Retention(reporter_days=10))
    talk = replace(build.TALK, retention=Retention(reporter_days=36_500))
    city = build.city(services=(build.HOLE, tree, talk), retention=Retention(reporter_days=30))
    platform = build.platform(settings, city)
    ensure_synced(platform)
    yield platform
    platform.close()


def closed(platform: Platform, **fields: Any) -> RequestRecord:
    """A request of Jane that was closed at noon, with an update of Bo."""
    key = build.api_key(platform)
    sent: dict[str, Any] = {"reporter": Reporter(**JANE), "client_request_id": "post-1"} | fields
    receipt = build.submit(platform, key=key, **sent)
    if receipt.service_request_id:
        update(platform, receipt.service_request_id, key=key)
    name = receipt.service_request_id or receipt.token or str(number_of_last(platform))
    return build.change(platform, name, status="closed", note="Filled.")


def number_of_last(platform: Platform) -> int:
    with platform.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT max(id) FROM service_request").scalar_one())


def update(platform: Platform, name: str, *, key: Any = None, id: str = "u1") -> None:
    (city,) = platform.registry
    values: dict[str, Any] = {
        "service_request_id": name,
        "update_id": id,
        "status": "unchanged",
        "updated_at": build.NOON,
        "description": "It is deeper now.",
        "client_key": f"key of {id}",
        **BO,
    }
    sent = SentUpdate(**values)
    receive_update(platform, city, sent, principal=key or build.api_key(platform), now=build.NOON)


def run(platform: Platform, now: datetime, **more: Any) -> Counter[str]:
    (city,) = platform.registry
    batches = list(expire(platform, city, REPORTERS, now=now, **more))
    return sum((batch.due for batch in batches), Counter())


def test_personal_data_is_erased_when_its_time_is_over_and_not_before(platform: Platform) -> None:
    record = closed(platform)
    assert run(platform, build.NOON + 30 * DAY - timedelta(seconds=1)) == {}
    before = dump(platform)
    assert [secret for secret in SECRETS if secret not in before] == []
    assert run(platform, build.NOON + 30 * DAY) == {"potholes": 1}
    after = dump(platform)
    assert [secret for secret in SECRETS if secret in after] == []
    assert "It is deeper now." in after, "texts stay"
    record = build.load(platform, number=record.number)
    history = build.history(platform, record)
    assert history[-1] == Erased(
        at=build.NOON + 30 * DAY, cause="retention", version=record.version, what=("reporter",), marks=()
    )
    assert replay(record, history) == record


def test_a_dry_run_finds_the_same_and_changes_nothing(platform: Platform) -> None:
    closed(platform)
    before = dump(platform)
    assert run(platform, build.NOON + 30 * DAY, is_dry_run=True) == {"potholes": 1}
    assert dump(platform) == before


def test_a_second_run_finds_nothing(platform: Platform) -> None:
    closed(platform)
    later = build.NOON + 30 * DAY
    run(platform, later)
    before = dump(platform)
    assert run(platform, later + DAY) == {}
    assert dump(platform) == before


def test_each_service_has_its_own_retention(platform: Platform) -> None:
    for code in ("potholes", "trees", "hotline"):
        closed(platform, service_code=code, client_request_id=code)
    assert run(platform, build.NOON + 10 * DAY) == {"trees": 1}
    assert run(platform, build.NOON + 30 * DAY) == {"potholes": 1}
    assert run(platform, build.NOON + 3_000 * DAY) == {}


def test_a_request_that_is_open_again_waits_for_its_next_closing(platform: Platform) -> None:
    record = closed(platform)
    build.change(platform, record.service_request_id, status="open", now=build.NOON + DAY)
    assert run(platform, build.NOON + 90 * DAY) == {}
    build.change(platform, record.service_request_id, status="closed", note="Done.", now=build.NOON + 91 * DAY)
    assert run(platform, build.NOON + 120 * DAY) == {}
    assert run(platform, build.NOON + 121 * DAY) == {"potholes": 1}


def test_updates_after_the_closing_are_erased_with_the_others(platform: Platform) -> None:
    record = closed(platform)
    later = build.NOON + 30 * DAY
    run(platform, later)
    update(platform, record.service_request_id, id="u2")
    assert BO["email"] in dump(platform)
    assert run(platform, later) == {"potholes": 1}
    assert [secret for secret in SECRETS if secret in dump(platform)] == []


def test_the_public_sees_no_change_and_the_counts_stay(platform: Platform) -> None:
    closed(platform)
    public = "SELECT t::text FROM publication t"
    with platform.database.reading() as connection:
        before = connection.exec_driver_sql(public).scalars().all(), counts.stored_counts(connection)
    run(platform, build.NOON + 30 * DAY)
    with platform.database.reading() as connection:
        after = connection.exec_driver_sql(public).scalars().all(), counts.stored_counts(connection)
    assert after == before


def test_a_city_without_retention_keeps_everything(settings: Settings) -> None:
    platform = build.platform(settings, build.city())
    ensure_synced(platform)
    closed(platform)
    assert run(platform, build.NOON + 30_000 * DAY) == {}
    assert JANE["email"] in dump(platform)
    platform.close()


def test_a_repeated_call_does_not_bring_the_data_back(platform: Platform) -> None:
    key = build.api_key(platform)
    sent: dict[str, Any] = {"reporter": Reporter(**JANE), "client_request_id": "post-1", "key": key}
    name = build.submit(platform, **sent).service_request_id
    update(platform, name, key=key)
    build.change(platform, name, status="closed", note="Filled.")
    run(platform, build.NOON + 30 * DAY)
    with pytest.raises(Invalid, match="client_request_id"):
        build.submit(platform, **sent)
    with pytest.raises(Invalid, match="update_id"):
        update(platform, name, key=key)
    assert [secret for secret in SECRETS if secret in dump(platform)] == []


def test_the_data_of_many_requests_is_erased_in_batches(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_PER_TRANSACTION", 3)
    for number in range(7):
        closed(platform, client_request_id=str(number))
    build.submit(platform, reporter=Reporter(email="open@mail.example"))
    (city,) = platform.registry
    batches = list(expire(platform, city, REPORTERS, now=build.NOON + 30 * DAY))
    assert [batch.seen for batch in batches] == [3, 3, 2]
    assert [batch.due["potholes"] for batch in batches] == [3, 3, 1]
    assert batches[-1].kept == {"potholes": 1}


def test_an_update_that_comes_in_at_the_same_time_is_erased_now_or_by_the_next_run(platform: Platform) -> None:
    key = build.api_key(platform)
    names = [closed(platform, client_request_id=str(number)).service_request_id for number in range(4)]
    start, later = Barrier(2), build.NOON + 30 * DAY

    def send() -> None:
        start.wait()
        for number, name in enumerate(names):
            update(platform, name, key=key, id=f"late {number}")

    sender = Thread(target=send)
    sender.start()
    start.wait()
    run(platform, later)
    sender.join()
    run(platform, later)
    text = dump(platform)
    assert [secret for secret in SECRETS if secret in text] == []
    assert text.count("late 3") >= 1, "the updates were accepted"
    for name in names:
        record = build.load(platform, service_request_id=name)
        assert replay(record, build.history(platform, record)) == record
