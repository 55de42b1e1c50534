"""A caller sees each fault, and the fake server's memory (`city.accepted`) says which requests it took."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from open311.federation import bodies
from open311.federation.client import (
    GeoReportClient,
    GeoReportError,
    Limits,
    Refused,
    TooLarge,
    TooSlow,
    Unreachable,
    Unreadable,
)
from tests import world
from tests.world.faults import Plan, from_plain

FORM = {"service_code": "potholes", "lat": "60.17", "long": "24.94", "api_key": "neighbour-key"}
POST = "POST requests"


def post(city: world.Neighbour, **headers: str) -> requests.Response:
    return requests.post(f"{city.base_url}/requests.json", FORM, headers=headers, timeout=10)


def struck_by(kind: str, **options: Any) -> Any:
    """A neighbour with one fault of its POST."""
    return world.neighbour(faults=[world.fault(kind, on=POST, **options)])


def test_a_call_that_the_fault_drop_strikes_is_not_stored() -> None:
    with struck_by("drop") as city:
        with pytest.raises(requests.ConnectionError):
            post(city)
        assert city.accepted == []
        assert post(city).status_code == 201


def test_an_answer_is_lost_after_the_request_was_taken() -> None:
    with struck_by("lose_answer") as city:
        with pytest.raises(requests.ConnectionError):
            post(city)
        assert len(city.accepted) == 1
        assert city.calls[0]["fault"] == "lose_answer"


def test_the_fault_double_stores_a_request_twice() -> None:
    with struck_by("double") as city:
        assert post(city).json()[0]["service_request_id"] == "C-2"
        assert len(city.accepted) == 2


def test_the_fault_double_stores_a_request_with_an_idempotency_key_once() -> None:
    with world.neighbour(dialect=world.LIKE_OURS, faults=[world.fault("double", on=POST)]) as city:
        assert post(city, **{"Idempotency-Key": "k"}).json()[0]["service_request_id"] == "C-1"
        assert len(city.accepted) == 1


@pytest.mark.parametrize("accepts", [False, True])
@pytest.mark.parametrize(
    ("kind", "options", "status", "content_type"),
    [
        ("status", {}, 500, "application/json; charset=utf-8"),
        ("status", {"status": 503}, 503, "application/json; charset=utf-8"),
        ("page", {}, 502, "text/html; charset=utf-8"),
        ("busy", {"seconds": 7}, 429, "text/plain"),
    ],
)
def test_an_error_comes_before_or_after_the_request_was_taken(
    kind: str, options: dict[str, Any], status: int, content_type: str, accepts: bool
) -> None:
    with struck_by(kind, accepts=accepts, **options) as city:
        answer = post(city)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, content_type)
        assert len(city.accepted) == int(accepts)
        assert post(city).status_code == 201


def test_a_busy_server_names_its_pause_in_seconds_or_as_a_date() -> None:
    until = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    faults = [
        world.fault("busy", on=POST, seconds=7),
        world.fault("busy", on=POST, status=503, until=until),
    ]
    with world.neighbour(faults=faults) as city:
        first, second = post(city), post(city)
        assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
        assert (second.status_code, second.headers["Retry-After"]) == (503, "Sun, 01 Mar 2026 09:30:00 GMT")


@pytest.mark.parametrize(("kind", "taken"), [("delay", 0), ("delay_answer", 1)])
def test_a_delay_comes_before_or_after_the_request_was_taken(kind: str, taken: int) -> None:
    with struck_by(kind, seconds=60) as city:
        with pytest.raises(requests.Timeout):
            requests.post(f"{city.base_url}/requests.json", FORM, timeout=0.3)
        assert len(city.accepted) == taken
        assert post(city).status_code == 201


# --- The script


def test_faults_strike_the_calls_that_they_name() -> None:
    plan = Plan([world.fault("status", on="GET tokens", after=1, times=2), world.fault("drop", on="POST")])
    labels = ["GET tokens/1", "GET requests", "GET tokens/1", "POST requests", "GET tokens/2", "GET tokens/1"]
    assert [each.kind if each else "" for each in map(plan.next, labels)] == [
        "",
        "",
        "status",
        "drop",
        "status",
        "",
    ]


def test_the_first_fault_that_strikes_is_the_only_one() -> None:
    plan = Plan([world.fault("drop"), world.fault("page", times=2)])
    assert [each.kind if each else "" for each in map(plan.next, ["GET x"] * 4)] == ["drop", "page", "page", ""]


def test_the_same_seed_gives_the_same_faults() -> None:
    faults = world.by_chance(0.3, "drop", "lose_answer", on="POST")

    def strikes(seed: int) -> list[str]:
        plan = Plan(faults, seed)
        return [each.kind if each else "" for each in map(plan.next, ["POST requests"] * 200)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert 40 < strikes(1).count("drop") < 80
    assert strikes(1).count("lose_answer") > 20


def test_a_fault_is_written_and_read_as_json() -> None:
    given = world.fault("busy", on=POST, until=datetime(2026, 3, 1, tzinfo=UTC), share=0.5)
    assert from_plain(given.plain()) == given


@pytest.mark.parametrize("wrong", [{"kind": "sleepy"}, {"kind": "drop", "share": 2}])
def test_a_wrong_fault_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind|share"):
        world.Fault(**wrong)


def test_behave_removes_all_faults_of_a_neighbour() -> None:
    with struck_by("status", times=world.FOREVER) as city:
        assert post(city).status_code == 500
        city.behave()
        assert post(city).status_code == 201
        city.fault(world.fault("page", on=POST))
        assert [post(city).status_code for _ in range(2)] == [502, 201]


def test_a_fault_that_was_added_goes_on_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    with world.neighbour(file=file) as city:
        city.fault(world.fault("status", on=POST, times=2))
        assert post(city).status_code == 500
    with world.neighbour(file=file) as city:
        assert [post(city).status_code for _ in range(2)] == [500, 201]


# --- Faults of an answer


def get(city: world.Neighbour, path: str = "services.json") -> requests.Response:
    return requests.get(f"{city.base_url}/{path}", timeout=10, allow_redirects=False)


def answered_with(kind: str, **options: Any) -> Any:
    """A neighbour with one fault of its GET."""
    return world.neighbour(faults=[world.fault(kind, on="GET", **options)])


def read_services(city: world.Neighbour, format: bodies.Format = "json", **limits: Any) -> object:
    """The services, by our client."""
    quick = Limits(**{"rate_per_s": 0, "retries": 0, "timeout_s": 10, **limits})
    with GeoReportClient(city.base_url, limits=quick, format=format) as client:
        return client.services()


@pytest.mark.parametrize("format", ["json", "xml"])
@pytest.mark.parametrize(
    ("kind", "error"),
    [("cut", Unreachable), ("wrong_encoding", Unreadable), ("wrong_type", Unreadable), ("page", Refused)],
)
def test_a_broken_answer_is_an_error_once(kind: str, error: type[GeoReportError], format: bodies.Format) -> None:
    with answered_with(kind) as city:
        with pytest.raises(error):
            read_services(city, format)
        assert read_services(city, format)


def test_a_body_is_cut_on_the_way_after_the_request_was_taken() -> None:
    with struck_by("cut") as city:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            post(city)
        assert len(city.accepted) == 1


def test_the_fault_redirect_leads_to_another_address() -> None:
    with answered_with("redirect", status=307, to="https://elsewhere.example/") as city:
        answer = get(city)
        assert (answer.status_code, answer.headers["Location"]) == (307, "https://elsewhere.example/")


def test_a_huge_body_has_the_size_that_was_asked() -> None:
    with answered_with("huge", size=200_000) as city:
        assert len(get(city).content) == 200_002
    with answered_with("huge") as city, pytest.raises(TooLarge):
        read_services(city, max_body_bytes=100_000)


def test_the_client_gives_up_a_body_that_never_ends() -> None:
    with answered_with("drip") as city, pytest.raises(TooSlow):
        read_services(city, deadline_s=0.3)


def test_a_body_that_drips_ends_when_it_is_released() -> None:
    with (
        answered_with("drip") as city,
        requests.get(f"{city.base_url}/services.json", timeout=10, stream=True) as answer,
    ):
        assert answer.raw.read(1) == b"["
        city.release()
        assert set(answer.raw.read()) <= {ord(" ")}


@pytest.mark.parametrize("format", ["json", "xml"])
@pytest.mark.parametrize(("kind", "expected"), [("reverse", "123"), ("repeat", "332211")])
def test_records_of_a_list_come_in_the_opposite_order_or_twice(
    kind: str, expected: str, format: bodies.Format
) -> None:
    fault = world.fault(kind, on="GET requests")
    with world.neighbour(dialect=world.MYSOCIETY, ids="", faults=[fault]) as city:
        for _ in range(3):
            city.file("potholes", lat="60.17", long="24.94")
        answer = get(city, f"requests.{format}")
        found = bodies.plain(answer.content, format)
        assert isinstance(found, list)
        assert "".join(str(each["service_request_id"]) for each in found) == expected


def test_a_bearer_token_is_refused_until_it_is_renewed() -> None:
    fault = world.fault("revoke", on=POST, after=1)
    with world.neighbour(dialect=world.Dialect(auth="oauth"), faults=[fault]) as city:

        def posted(bearer: str) -> int:
            return post(city, Authorization=f"Bearer {bearer}").status_code

        first = city.grant()
        assert [posted(first), posted(first), posted(first), posted(city.grant())] == [201, 401, 401, 201]


def test_a_service_is_unknown_for_a_while() -> None:
    with answered_with("status", status=404, times=2) as city:
        assert [get(city).status_code for _ in range(3)] == [404, 404, 200]


def test_every_kind_of_fault_has_a_test_and_a_line() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    table = (Path(__file__).parent / "faults.py").read_text(encoding="utf-8").rpartition("What each kind")[2]
    for kind in world.KINDS:
        assert f'"{kind}"' in source, kind
        assert re.search(rf"^{kind} +\w", table, re.MULTILINE), kind
