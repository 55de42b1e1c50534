"""Reports that look like abuse get the usual answer, and wait for a person (decision 0038)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.abuse import AbuseRules, BlockKind
from open311.domain.access import SHELL
from open311.operations.access.api_keys import add_key
from open311.operations.access.blocks import BlockOrder, add_block, remove_block
from open311.operations.desk.queues import count_queues
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from open311.storage.hot.sessions import Session
from open311.storage.hot.statements import Statement
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
MakeApp = Callable[..., Flask]
RECEIPT = {"service_request_id", "service_notice", "account_id"}


class City:
    """A server with one city and its rules against abuse."""

    def __init__(self, app: Flask, **options: Any) -> None:
        self.platform = platform_of(app)
        self.number, self.key = add_key(self.platform, label="app", now=utc_now(), **options)
        self.client = app.test_client()
        (self.city,) = self.platform.registry

    def send(self, address: str = "203.0.113.7", client: FlaskClient | None = None, **changes: Any) -> Any:
        return (client or self.client).post(
            f"{BASE}/requests.json",
            data=FORM | {"api_key": self.key} | changes,
            environ_overrides={"REMOTE_ADDR": address},
        )

    def id_of(self, answer: Any) -> str:
        assert answer.status_code == 200, answer.text
        assert set(answer.json[0]) == RECEIPT
        name: str = answer.json[0]["service_request_id"]
        return name

    def is_public(self, name: str) -> bool:
        return bool(self.client.get(f"{BASE}/requests/{name}.json").status_code == 200)

    def history(self, name: str) -> list[str]:
        record = build.load(self.platform, service_request_id=name)
        return [f"{event.kind}: {event.description}" for event in build.history(self.platform, record)]

    def block(self, kind: BlockKind, value: str, **more: Any) -> int:
        order = BlockOrder(kind=kind, value=value, reason="spam wave", **more)
        return add_block(self.platform, order, principal=SHELL, now=utc_now()).id


@pytest.fixture
def serve(make_app: MakeApp) -> Callable[..., City]:
    def make(rules: AbuseRules | None = None, **settings: Any) -> City:
        return City(make_app(build.city(abuse=rules or AbuseRules()), **settings))

    return make


Serve = Callable[..., City]


def test_a_city_without_rules_suspects_nobody(serve: Serve) -> None:
    city = serve()
    names = [city.id_of(city.send(description="same")) for _ in range(10)]
    assert all(map(city.is_public, names))


def test_a_filled_honeypot_holds_the_report(serve: Serve) -> None:
    city = serve(AbuseRules(honeypot="website"))
    caught = city.send(website="https://spam.example")
    usual = city.send(website="  ")
    assert caught.headers.get("Warning") is usual.headers.get("Warning") is None
    assert not city.is_public(city.id_of(caught))
    assert city.is_public(city.id_of(usual))
    assert "suspected: honeypot" in city.history(city.id_of(caught))


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (AbuseRules(per_key="2 per hour"), "key_rate"),
        (AbuseRules(per_address="2 per hour"), "address_rate"),
        (AbuseRules(per_device="2 per hour"), "device_rate"),
        (AbuseRules(most_repeats=2), "repeats"),
    ],
)
def test_reports_above_a_rate_are_held(serve: Serve, rules: AbuseRules, reason: str) -> None:
    city = serve(rules)
    names = [city.id_of(city.send(device_id="d-1", description=" Same  text ")) for _ in range(4)]
    assert list(map(city.is_public, names)) == [True, True, False, False]
    assert f"suspected: {reason}" in city.history(names[3])


def test_a_report_of_another_sender_is_not_held(serve: Serve) -> None:
    city = serve(AbuseRules(per_address="1 per hour", per_device="1 per hour", most_repeats=1))
    first = city.id_of(city.send("203.0.113.7", device_id="a", description="Same"))
    other = city.id_of(city.send("203.0.113.8", device_id="b", description="Same"))
    assert city.is_public(first)
    assert city.is_public(other)


def test_addresses_of_one_customers_ipv6_network_count_together(serve: Serve) -> None:
    city = serve(AbuseRules(per_address="1 per hour"))
    assert city.is_public(city.id_of(city.send("2001:db8:1:1::1")))
    assert not city.is_public(city.id_of(city.send("2001:db8:1:1:ffff::2")))
    assert city.is_public(city.id_of(city.send("2001:db8:1:2::1")))
    assert city.is_public(city.id_of(city.send("203.0.113.7")))
    assert not city.is_public(city.id_of(city.send("::ffff:203.0.113.7")))


def test_a_report_with_another_text_or_place_is_no_repeat(serve: Serve) -> None:
    city = serve(AbuseRules(most_repeats=1))
    several: list[dict[str, Any]] = [{}, {"description": "Other"}, {"lat": "60.1800"}, {"long": "24.95"}]
    for changes in several:
        assert city.is_public(city.id_of(city.send(**changes)))
    assert not city.is_public(city.id_of(city.send(lat="60.17181")))


def test_a_refused_report_is_not_counted(serve: Serve) -> None:
    city = serve(AbuseRules(per_address="1 per hour", most_repeats=1))
    assert city.send(lat="95").status_code == 400
    assert city.is_public(city.id_of(city.send()))


def test_two_hundred_reports_at_once_are_all_counted(make_app: MakeApp) -> None:
    app = make_app(build.city(abuse=AbuseRules(per_key="150 per hour")))
    city = City(app)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda number: city.send(client=FlaskClient(app), description=str(number)), range(200))
        )
    assert sum(city.is_public(city.id_of(answer)) for answer in answers) == 150


def test_the_citys_own_apps_are_not_counted(make_app: MakeApp) -> None:
    city = City(make_app(build.city(abuse=AbuseRules(per_key="1 per hour"))), is_for_staff=True)
    assert all(city.is_public(city.id_of(city.send(description=str(one)))) for one in range(3))


def test_reports_of_test_keys_are_not_held(make_app: MakeApp) -> None:
    city = City(make_app(build.city(abuse=AbuseRules(honeypot="website"))), is_test=True)
    assert city.is_public(city.id_of(city.send(website="x")))


def test_a_suspected_report_is_in_no_list_and_no_feed(serve: Serve) -> None:
    city = serve(AbuseRules(honeypot="website"))
    city.id_of(city.send(website="x", description="Buy now"))
    for path in ("requests.json", "requests.csv", "requests.geojson", "requests.atom", "changes.json"):
        assert "Buy now" not in city.client.get(f"{BASE}/{path}?extensions=true").text
    assert city.client.get(f"{BASE}/requests.json?q=Buy").json == []
    near = f"{BASE}/requests/nearby.json?lat=60.1718&long=24.9414&service_code=potholes"
    assert city.client.get(near).json == []


def test_staff_count_list_and_release_suspected_reports(serve: Serve) -> None:
    city = serve(AbuseRules(honeypot="website"))
    names = [city.id_of(city.send(website="x", description=str(one))) for one in range(2)]
    city.id_of(city.send())
    assert suspected(city) == (2, names)
    act(city.platform, city.city, names[0], [commands.Release()], principal=SHELL, now=utc_now())
    act(city.platform, city.city, names[1], [commands.Hide(reason="Spam.")], principal=SHELL, now=utc_now())
    assert list(map(city.is_public, names)) == [True, False]
    assert suspected(city) == (0, [])
    assert city.history(names[0])[-1] == "visibility: public"


def suspected(city: City) -> tuple[int, list[str]]:
    """How many reports are suspected, and their ids, as staff see them."""
    from open311.operations.desk.queues import find_queue, queue_search
    from schemas.staff import QueueArguments

    now = utc_now()
    counted = count_queues(city.platform, city.city, principal=SHELL, now=now)
    values, problems = QueueArguments().read({"suspected": ["true"]})
    assert not problems
    search = queue_search(city.platform, city.city, values, principal=SHELL)
    rows = find_queue(city.platform, search, now).rows
    return sum(one.suspected for one in counted.departments), [str(row.service_request_id) for row in rows]


@pytest.mark.parametrize(
    ("kind", "value", "changes"),
    [
        (BlockKind.DEVICE, "D-1", {"device_id": " d-1 "}),
        (BlockKind.EMAIL, "Spam@Mail.example", {"email": "spam@mail.EXAMPLE"}),
        (BlockKind.ADDRESS, "203.0.113.0/24", {}),
        (BlockKind.ADDRESS, "203.0.113.7", {}),
        (BlockKind.ADDRESS, "::ffff:203.0.113.7", {}),
        (BlockKind.KEY, "", {}),
    ],
)
def test_reports_of_a_blocked_sender_are_held(
    serve: Serve, kind: BlockKind, value: str, changes: dict[str, Any]
) -> None:
    city = serve()
    assert city.is_public(city.id_of(city.send(**changes)))
    number = city.block(kind, value or str(city.number))
    name = city.id_of(city.send(**changes))
    assert not city.is_public(name)
    assert f"suspected: block {number}" in city.history(name)
    remove_block(city.platform, number, reason="Over.", principal=SHELL, now=utc_now())
    assert city.is_public(city.id_of(city.send(**changes)))


def test_a_blocked_range_of_ipv6_holds_only_its_addresses(serve: Serve) -> None:
    city = serve()
    city.block(BlockKind.ADDRESS, "2001:db8:abcd::/48")
    assert not city.is_public(city.id_of(city.send("2001:db8:abcd:1::9")))
    assert city.is_public(city.id_of(city.send("2001:db8:abce::9")))
    assert city.is_public(city.id_of(city.send("203.0.113.7")))
    assert city.is_public(city.id_of(city.send("")))
    assert city.is_public(city.id_of(city.send("no address")))


def test_an_expired_block_holds_nothing(make_app: MakeApp) -> None:
    city = City(make_app(build.city()))
    order = BlockOrder(kind=BlockKind.DEVICE, value="d-1", reason="old", days=1)
    add_block(city.platform, order, principal=SHELL, now=build.NOON)
    assert city.is_public(city.id_of(city.send(device_id="d-1")))


def test_a_block_works_in_all_processes_and_after_a_restart(make_app: MakeApp) -> None:
    one, other = City(make_app(build.city())), City(make_app(build.city()))
    assert other.is_public(other.id_of(other.send()))
    one.block(BlockKind.ADDRESS, "203.0.113.7")
    assert not other.is_public(other.id_of(other.send()))
    restarted = City(make_app(build.city()))
    assert not restarted.is_public(restarted.id_of(restarted.send()))


def test_a_forged_forwarded_address_is_not_believed(serve: Serve) -> None:
    city = serve()
    city.block(BlockKind.ADDRESS, "203.0.113.7")
    forged = {"X-Forwarded-For": "198.51.100.1"}
    answer = city.client.post(
        f"{BASE}/requests.json",
        data=FORM | {"api_key": city.key},
        headers=forged,
        environ_overrides={"REMOTE_ADDR": "203.0.113.7"},
    )
    assert not city.is_public(city.id_of(answer))


def test_the_address_that_a_trusted_proxy_forwards_is_blocked(serve: Serve) -> None:
    city = serve(trusted_proxies=1)
    city.block(BlockKind.ADDRESS, "203.0.113.7")
    for forwarded, is_held in (
        ("203.0.113.7", True),
        ("198.51.100.1", False),
        ("203.0.113.7, 198.51.100.1", False),
    ):
        answer = city.client.post(
            f"{BASE}/requests.json",
            data=FORM | {"api_key": city.key},
            headers={"X-Forwarded-For": forwarded},
            environ_overrides={"REMOTE_ADDR": "10.0.0.1"},
        )
        assert city.is_public(city.id_of(answer)) is not is_held


def test_above_the_hard_rate_of_a_device_the_answer_is_429(serve: Serve) -> None:
    city = serve(device_rate="2 per hour")
    statuses = [city.send(device_id="d-1").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert city.send(device_id="d-1").headers["Retry-After"]
    assert city.send(device_id="d-2").status_code == 200
    assert city.send().status_code == 200


def test_the_reporter_of_a_suspected_report_can_read_it(serve: Serve) -> None:
    city = serve(AbuseRules(honeypot="website"))
    answer = city.send(website="x", description="Mine", extensions="true")
    link = answer.json[0]["extended_attributes"]["status_url"].removeprefix("http://localhost")
    shown = city.client.get(link)
    assert shown.json[0]["description"] == "Mine"
    assert "suspected" not in shown.text
    assert "honeypot" not in shown.text


def test_a_suspected_report_of_a_private_service_stays_private(make_app: MakeApp) -> None:
    from dataclasses import replace

    hole = replace(build.HOLE, public=False)
    city = City(make_app(build.city(services=(hole,), abuse=AbuseRules(honeypot="website"))))
    name = city.id_of(city.send(website="x"))
    act(city.platform, city.city, name, [commands.Release()], principal=SHELL, now=utc_now())
    assert not city.is_public(name)
    assert suspected(city) == (0, [])


def test_a_suspected_report_gets_a_token_as_usual(serve: Serve, platform: Platform) -> None:
    city = serve(AbuseRules(honeypot="website"))
    answer = city.send(website="x", service_code="trees")
    assert answer.json[0]["token"]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hot statements that this test runs."""
    found: list[str] = []
    run = Session.run

    def record(self: Session, statement: Statement, values: Any) -> Any:
        found.append(statement.text)
        return run(self, statement, values)

    monkeypatch.setattr(Session, "run", record)
    return found


def test_blocks_add_no_statement_to_a_post_or_a_list(serve: Serve, statements: list[str]) -> None:
    city = serve(AbuseRules(per_address="9 per hour", honeypot="website"))
    for _ in range(2):  # the first POST also takes a number for the next ones
        city.send()
    statements.clear()
    city.send()
    plain = len(statements)
    city.block(BlockKind.ADDRESS, "198.51.100.0/24")
    city.send()  # reads the list once
    statements.clear()
    assert city.is_public(city.id_of(city.send()))
    statements.clear()
    city.send()
    assert len(statements) == plain
    statements.clear()
    assert city.client.get(f"{BASE}/requests.json").status_code == 200
    assert not [one for one in statements if "block" in one]
