"""The code of a back end may be wrong in any way: no delivery is lost, doubled or tried for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from open311.domain.case import Case, CaseUpdate
from open311.domain.results import Accepted, Failed, Result
from open311.federation.backends.open311 import Open311Config
from open311.observe import configure_logs
from open311.operations.delivery.opening import context_of
from open311.operations.delivery.sending import deliver_all
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import ensure_synced
from open311.plugins import BackendConfig, Destination, Secret
from open311.plugins.backends import Backend, kinds
from open311.plugins.context import Context
from open311.settings import Settings
from open311.storage import deliveries
from tests import build

ANY: Any = None


class Odd(Backend):
    """A back end whose behaviour each test sets."""

    answer: Any = Accepted("W-1")
    opening: Exception | None = None
    sent: list[Case]
    updated: list[CaseUpdate]

    def __init__(self, config: BackendConfig, context: Context) -> None:
        super().__init__(config, context)
        if self.opening:
            raise self.opening

    def send(self, case: Case, key: str) -> Result:
        self.sent.append(case)
        if isinstance(self.answer, Exception):
            raise self.answer
        result: Result = self.answer
        return result

    def send_update(self, update: CaseUpdate, key: str) -> Result:
        self.updated.append(update)
        return Accepted()

    def close(self) -> None:
        raise OSError("cannot be closed")


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> type[Odd]:
    kind = type("Odd", (Odd,), {"sent": [], "updated": []})
    monkeypatch.setitem(kinds(), "odd", kind)
    return kind


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    city = build.city(
        backends=(BackendConfig(name="works", kind="odd"),), destinations=(Destination(backends=("works",)),)
    )
    platform = build.platform(settings, city)
    ensure_synced(platform)
    yield platform
    platform.close()


def run(platform: Platform) -> list[tuple[str, str]]:
    while dispatch(platform, build.NOON):
        continue
    deliver_all(platform, lambda: build.NOON)
    with platform.database.reading() as connection:
        numbers = connection.exec_driver_sql("SELECT DISTINCT request_id FROM delivery").scalars()
        found = deliveries.of_requests(connection, "test.example", list(numbers))
    return [(one.state.value, one.cause) for one in found]


@pytest.mark.parametrize("wrong", [None, "W-1", Accepted(ANY), Failed(ANY)])
def test_a_value_that_is_no_result_leaves_an_uncertain_delivery(
    platform: Platform, odd: type[Odd], wrong: object
) -> None:
    odd.answer = wrong
    build.submit(platform)
    [(state, cause)] = run(platform)
    assert (state, len(odd.sent)) == ("uncertain", 1)
    assert "TypeError" in cause


def test_a_back_end_that_cannot_be_opened_holds_the_deliveries(platform: Platform, odd: type[Odd]) -> None:
    odd.opening = ValueError("no")
    build.submit(platform)
    [(state, cause)] = run(platform)
    assert (state, cause) == ("waiting", "the code of kind odd raised ValueError.")
    assert not odd.sent


def test_changes_are_not_sent_to_a_back_end_that_accepts_no_updates(platform: Platform, odd: type[Odd]) -> None:
    request_id = build.submit(platform).service_request_id
    build.change(platform, request_id, note="Seen.")
    found = run(platform)
    assert found == [("done", ""), ("skipped", "this back office accepts no changes of requests")]
    assert not odd.updated


def test_a_change_of_a_request_without_id_has_the_reference_of_the_request(
    platform: Platform, odd: type[Odd]
) -> None:
    odd.takes_updates = True
    build.submit(platform, service_code="trees")
    run(platform)
    with platform.database.transaction() as connection:
        number = connection.exec_driver_sql("SELECT request_id FROM delivery").scalar_one()
    build.change(platform, str(number), note="Seen.")
    run(platform)
    assert odd.sent[0].reference
    assert [one.case.reference for one in odd.updated] == [odd.sent[0].reference]


def test_a_back_end_cannot_read_the_stored_values_of_another_one(platform: Platform, odd: type[Odd]) -> None:
    (city,) = platform.registry
    store = context_of(platform, city, city.backends[0]).store
    other = context_of(platform, city, BackendConfig(name="mail", kind="odd")).store
    store.put("session", "1")
    store.put("session", "2")
    assert (store.get("session"), other.get("session"), store.get("other")) == ("2", "", "")
    store.put("session", "")
    assert store.get("session") == ""
    for name, value in (("", "x"), ("n" * 201, "x"), ("n", "x" * 65_537), ("n", "\0")):
        with pytest.raises(ValueError, match="characters"):
            store.put(name, value)


def test_a_log_line_of_a_back_end_has_no_secret(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKS_KEY", "the-secret-key")
    config = Open311Config(name="w", kind="open311", url="https://w.example", api_key=Secret(env="WORKS_KEY"))
    (city,) = platform.registry
    configure_logs("info")
    context_of(platform, city, config).log.error("the-secret-key is wrong", told=["the-secret-key"], count=3)
    line = capsys.readouterr().err
    assert "the-secret-key" not in line
    assert '"count":3' in line
