"""A neighbour answers by GeoReport, remembers what it accepted, and says what its staff did."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
import trustme

from open311.federation.client import GeoReportClient, Limits, Media, NewRequest, NewUpdate, Refused
from tests import world
from tests.world.journal import Journal, read
from tests.world.serving import Asked, Reply, serving

FREE = Limits(rate_per_s=0, retries=0, timeout_s=10)
HOLE = NewRequest(service_code="potholes", lat=60.17, long=24.94, description="Deep hole")


def client_of(city: world.Neighbour, **options: Any) -> GeoReportClient:
    """A client of a neighbour, in the first of its formats."""
    options = {"format": city.dialect.formats[0], "limits": FREE, "api_key": city.api_key, **options}
    return GeoReportClient(city.base_url, city.city_id, **options)


@pytest.fixture(params=["json", "xml"])
def talk(request: pytest.FixtureRequest) -> Iterator[tuple[world.Neighbour, GeoReportClient]]:
    """A neighbour like our server, and a client of it, in each format."""
    with (
        world.neighbour(dialect=world.LIKE_OURS, clock=world.Ticking()) as city,
        client_of(city, format=request.param) as client,
    ):
        yield city, client
        assert not client.seen.points, str(client.seen)


Talk = tuple[world.Neighbour, GeoReportClient]


def test_discovery_leads_to_the_services(talk: Talk) -> None:
    city, client = talk
    with GeoReportClient.discovered(city.discovery_url, limits=FREE, trusted=[city.origin]) as found:
        assert found.base_url == city.base_url
    assert [(each.service_code, each.type) for each in client.services()] == [
        ("potholes", "realtime"),
        ("signs", "realtime"),
        ("trees", "batch"),
        ("praise", "blackbox"),
    ]
    [question] = client.definition("signs").attributes
    assert (question.code, question.required, [each.key for each in question.values]) == (
        "FAULT",
        True,
        ["bent", "gone"],
    )


def test_a_request_is_taken_with_all_that_was_sent(talk: Talk) -> None:
    city, client = talk
    photo = Media("hole.jpg", "image/jpeg", b"\xff\xd8")
    own = {"external_id": "R-77"}
    receipt = client.post_request(replace(HOLE, extra=own, media=(photo,)), key="k-1")
    [filed] = city.accepted
    assert receipt.service_request_id == filed.service_request_id == "C-1"
    assert (filed.key, filed.own_id, filed.get("description")) == ("k-1", "R-77", "Deep hole")
    assert [each[:2] for each in filed.media] == [("hole.jpg", "image/jpeg")]
    assert not filed.get("api_key")
    shown = client.request("C-1")
    assert (shown.description, shown.lat, shown.status, shown.extra) == ("Deep hole", 60.17, "open", own)


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        ({"service_code": "nothing"}, 404, "service_code"),
        ({"service_code": ""}, 400, "service_code"),
        ({"lat": None}, 400, "lat"),
        ({"service_code": "signs"}, 400, "FAULT"),
    ],
)
def test_a_request_that_lacks_something_is_refused(
    talk: Talk, sent: dict[str, Any], status: int, reason: str
) -> None:
    city, client = talk
    with pytest.raises(Refused, match=reason) as caught:
        client.post_request(replace(HOLE, **sent))
    assert caught.value.status == status
    assert city.accepted == []


def test_a_wrong_key_is_refused(talk: Talk) -> None:
    city, _ = talk
    with client_of(city, api_key="wrong") as stranger, pytest.raises(Refused, match="api_key"):
        stranger.post_request(HOLE)
    city.rotate_key("new-key")
    with client_of(city) as late, pytest.raises(Refused, match="api_key"):
        late.post_request(HOLE)
    with client_of(city, api_key="new-key") as client:
        client.post_request(HOLE)


def test_the_same_idempotency_key_is_one_request(talk: Talk) -> None:
    city, client = talk
    first, again = (client.post_request(HOLE, key="k") for _ in range(2))
    assert first == again
    with pytest.raises(Refused, match="409"):
        client.post_request(replace(HOLE, description="Another hole"), key="k")
    assert len(city.accepted) == 1


def test_a_neighbour_that_ignores_the_key_stores_the_request_twice() -> None:
    with world.neighbour() as city, client_of(city) as client:
        receipts = [client.post_request(HOLE, key="k").service_request_id for _ in range(2)]
        assert receipts == ["C-1", "C-2"]
        assert [each.key for each in city.accepted] == ["k", "k"]


def test_the_same_key_at_the_same_time_is_one_request() -> None:
    with world.neighbour(dialect=world.LIKE_OURS) as city:

        def post() -> None:
            with client_of(city) as client:
                client.post_request(HOLE, key="k")

        threads = [threading.Thread(target=post) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len(city.accepted) == 1


@pytest.mark.parametrize("name", ["external_id", "service_request_id_ext", "attribute[external_id]"])
def test_a_client_finds_its_request_by_its_own_id(talk: Talk, name: str) -> None:
    _, client = talk
    client.post_request(HOLE)
    client.post_request(replace(HOLE, extra={name: "R-2"}))
    for search in ("external_id", "service_request_id_ext"):
        assert [each.service_request_id for each in client.requests(filters={search: "R-2"})] == ["C-2"]
        assert list(client.requests(filters={search: "R-9"})) == []


def test_an_own_id_that_cannot_be_searched_is_ignored() -> None:
    with world.neighbour() as city, client_of(city) as client:
        client.post_request(replace(HOLE, extra={"external_id": "R-1"}))
        assert len(list(client.requests(filters={"external_id": "R-9"}))) == 1
        assert city.find("R-1").service_request_id == "C-1"


def test_an_own_id_can_be_refused_the_second_time() -> None:
    new = replace(HOLE, extra={"external_id": "R-1"})
    with world.neighbour(dialect=world.Dialect(refuses_own_id=True)) as city, client_of(city) as client:
        client.post_request(new)
        with pytest.raises(Refused, match="409"):
            client.post_request(new)
        assert len(city.accepted) == 1


def test_a_batch_request_gets_its_id_after_a_poll_or_by_staff() -> None:
    with world.neighbour(dialect=world.Dialect(polls_per_token=2)) as city, client_of(city) as client:
        tokens = [client.post_request(replace(HOLE, service_code="trees")).token for _ in range(2)]
        assert [client.token(tokens[0]).service_request_id for _ in range(3)] == ["", "C-1", "C-1"]
        assert [each.service_request_id for each in client.requests()] == ["C-1"]
        city.resolve(tokens[1])
        assert client.token(tokens[1]).service_request_id == "C-2"
        with pytest.raises(Refused, match="404"):
            client.token("C-1")


def test_a_blackbox_service_tells_no_id(talk: Talk) -> None:
    city, client = talk
    receipt = client.post_request(replace(HOLE, service_code="praise"))
    assert (receipt.service_request_id, receipt.token) == ("", "")
    assert receipt.service_notice
    assert len(city.accepted) == 1
    assert list(client.requests()) == []


def test_staff_close_a_request_and_the_update_is_listed(talk: Talk) -> None:
    city, client = talk
    client.post_request(HOLE)
    city.change("C-1", status="in_progress", note="A crew will come.")
    closed = city.close("C-1", note="Filled.", status="fixed")
    updates = list(client.updates(world.START, world.START + timedelta(days=1)))
    assert [(each.update_id, each.status, each.description) for each in updates] == [
        ("C-update-1", "in_progress", "A crew will come."),
        (closed.update_id, "fixed", "Filled."),
    ]
    shown = client.request("C-1")
    assert (shown.status, shown.status_notes, shown.updated_datetime) == ("closed", "Filled.", closed.at)


def test_a_late_update_does_not_undo_a_newer_one(talk: Talk) -> None:
    city, client = talk
    client.post_request(HOLE)
    city.close("C-1", note="Filled.")
    city.change("C-1", status="in_progress", note="A crew will come.", at=world.START)
    assert [each.status for each in client.updates(world.START, world.START + timedelta(days=1))] == [
        "in_progress",
        "closed",
    ]
    assert client.request("C-1").status == "closed"


def test_an_update_of_a_client_is_taken_once(talk: Talk) -> None:
    city, client = talk
    client.post_request(HOLE)
    update = NewUpdate(
        service_request_id="C-1", update_id="u-1", status="fixed", updated_datetime=world.START, description="Done"
    )
    assert client.post_update(update, key="k").update_id == "u-1"
    assert client.post_update(update, key="k").update_id == "u-1"
    with pytest.raises(Refused, match="u-1"):
        client.post_update(update)
    [received] = city.received
    assert (received.status, received.description, received.by) == ("fixed", "Done", "caller")


def test_a_neighbour_without_updates_answers_404_for_them() -> None:
    with world.neighbour() as city, client_of(city) as client, pytest.raises(Refused, match="404"):
        list(client.updates())


def test_a_list_is_searched_and_paged(talk: Talk) -> None:
    city, client = talk
    for number in range(5):
        city.file("potholes", lat="60.17", long="24.94", description=str(number))
    city.close("C-2")
    ids = [each.service_request_id for each in client.requests(page_size=2)]
    assert ids == ["C-5", "C-4", "C-3", "C-2", "C-1"]
    assert [each.service_request_id for each in client.requests(status=["closed"])] == ["C-2"]
    found = client.requests(start_date=city.requests[1].at, end_date=city.requests[2].at)
    assert [each.service_request_id for each in found] == ["C-3", "C-2"]
    assert city.accepted == []


def test_codes_and_ids_can_change(talk: Talk) -> None:
    city, client = talk
    client.post_request(HOLE)
    city.rename_service("potholes", "PH-1")
    city.retire_service("signs")
    city.add_service("bins", "Bins")
    city.renumber("C-1", "new-1")
    assert [each.service_code for each in client.services()] == ["PH-1", "trees", "praise", "bins"]
    with pytest.raises(Refused, match="404"):
        client.request("C-1")
    assert client.request("new-1").service_code == "PH-1"
    with pytest.raises(Refused, match="service_code"):
        client.post_request(HOLE)


def test_a_test_can_turn_the_clock_of_the_neighbour_back(talk: Talk) -> None:
    city, client = talk
    client.post_request(HOLE)
    city.turn_clock(-86400)
    client.post_request(HOLE)
    assert [each.service_request_id for each in client.requests()] == ["C-1", "C-2"]


def test_each_call_is_recorded(talk: Talk) -> None:
    city, client = talk
    client.post_request(HOLE, key="k")
    client.request("C-1")
    assert [each["label"] for each in city.calls] == ["POST requests", "GET requests/C-1"]
    assert city.calls[0]["key"] == "k"
    assert "Deep" in city.calls[0]["body"]


def test_an_oauth_token_is_needed_and_renewed() -> None:
    with world.neighbour(dialect=world.Dialect(auth="oauth")) as city:
        grant = {"grant_type": "client_credentials"}
        wrong = requests.post(city.token_url, grant | {"client_id": "x", "client_secret": "y"}, timeout=10)
        assert wrong.status_code == 401

        def granted() -> dict[str, str]:
            answer = requests.post(city.token_url, grant, auth=(city.client_id, city.client_secret), timeout=10)
            return {"Authorization": f"Bearer {answer.json()['access_token']}"}

        def post(headers: dict[str, str]) -> int:
            url = f"{city.base_url}/requests.json"
            form = {"service_code": "potholes", "address_string": "5 Mill Lane"}
            return requests.post(url, form, headers=headers, timeout=10).status_code

        first = granted()
        assert [post({}), post(first)] == [401, 201]
        city.revoke_tokens()
        assert [post(first), post(granted())] == [401, 201]


def test_a_neighbour_that_is_down_refuses_connections_and_keeps_its_memory() -> None:
    with world.neighbour() as city, client_of(city) as client:
        client.post_request(HOLE)
        city.down()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{city.base_url}/services.json", timeout=10)
        city.up()
        assert client.request("C-1").status == "open"


def test_a_restarted_neighbour_reads_its_journal_without_a_line_that_was_cut(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    options = {"dialect": world.LIKE_OURS, "file": file}
    with world.neighbour(**options) as city, client_of(city) as client:
        first = client.post_request(HOLE, key="k")
        city.close("C-1", note="Filled.")
        before = city.requests, city.updates
    with file.open("ab") as cut:
        cut.write(b'{"kind": "request", "num')
    assert len(read(file)) == 3
    with world.neighbour(**options) as city, client_of(city) as client:
        assert (city.requests, city.updates) == before
        assert client.post_request(HOLE, key="k") == first
        assert len(world.City(journal=Journal(file)).accepted) == 1


@pytest.mark.parametrize(
    ("method", "call", "sent"),
    [
        ("POST", "requests.json", {"service_code": "potholes", "lat": "north", "long": "24"}),
        ("POST", "requests.json", {"service_code": "potholes", "lat": "nan", "long": "9" * 5000}),
        (
            "POST",
            "requests.json",
            {"service_code": "\x00\udcff".encode("utf-8", "replace"), "lat": "1", "long": "1"},
        ),
        ("POST", "servicerequestupdates.xml", {"service_request_id": "C-1", "update_id": "\x01"}),
        (
            "POST",
            "servicerequestupdates.json",
            {"service_request_id": "C-1", "update_id": "u", "status": "fixed", "updated_datetime": "soon"},
        ),
        ("POST", "services.json", {}),
        ("DELETE", "requests/C-1.json", {}),
        ("GET", "requests.json", {"page": "-1", "page_size": "many"}),
        ("GET", "requests.json", {"page": "9" * 400, "page_size": "0"}),
        ("GET", "requests.json", {"start_date": "2026-13-01"}),
        ("GET", "requests/%00.xml", {}),
        ("GET", "requests.xml", {}),
        ("GET", "..%2f..%2fetc.json", {}),
        ("GET", "", {}),
        ("GET", "nothing", {}),
    ],
)
def test_no_faulty_call_gets_a_server_error(method: str, call: str, sent: dict[str, str]) -> None:
    with world.neighbour(dialect=world.LIKE_OURS) as city:
        city.file("potholes", description="\x00 \ud83d".encode("utf-8", "replace").decode())
        form = sent | {"api_key": city.api_key} if method == "POST" else None
        query = None if form else sent
        answer = requests.request(method, f"{city.base_url}/{call}", data=form, params=query, timeout=10)
        assert answer.status_code in (200, 400, 403, 404), answer.text
        if "xml" in answer.headers["Content-Type"]:
            ElementTree.fromstring(answer.content)
        assert city.accepted == []


def test_an_error_in_the_servers_code_is_reported() -> None:
    def answer(_: Asked) -> Reply:
        raise KeyError("the mistake")

    with serving(answer) as server:
        reply = requests.get(server.origin, timeout=10)
        assert (reply.status_code, "the mistake" in reply.text) == (599, True)


def test_a_neighbour_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with world.neighbour(tls=context) as city:
        answer = requests.get(f"{city.base_url}/services.json", timeout=10, verify=str(tmp_path / "ca.pem"))
        assert answer.status_code == 200
        city.down()
        city.up()
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{city.base_url}/services.json", timeout=10)


def test_an_update_without_zone_is_read_in_the_zone_of_the_server() -> None:
    dialect = world.Dialect(takes_updates=True, zone_hours=-5)
    with world.neighbour(dialect=dialect) as city:
        city.file("potholes")
        sent = {"service_request_id": "C-1", "update_id": "u", "status": "FIXED", "description": ""}
        sent |= {"updated_datetime": "2026-03-01T04:30:00", "api_key": city.api_key}
        assert requests.post(f"{city.base_url}/servicerequestupdates.json", sent, timeout=10).status_code == 200
        assert city.received[0].at.isoformat() == "2026-03-01T09:30:00+00:00"
