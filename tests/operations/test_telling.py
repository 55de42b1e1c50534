"""The operator is told about trouble with back offices: by real mail and webhooks, and in few messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from open311.domain.access import SHELL
from open311.domain.deliveries import Delivery, DeliveryState
from open311.domain.requests import Reporter
from open311.domain.subscriptions import RequestFilter, SubscriptionState, Target, Webhook
from open311.operations.access.api_keys import add_key
from open311.operations.delivery.managing import Decision, decide
from open311.operations.delivery.telling import tell_operator
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.operations.upkeep.clean_up import clean_up
from open311.settings import Settings
from open311.storage import deliveries, subscriptions, webhooks
from tests import build, world
from tests.delivering import Clock, run, served, stored


@pytest.fixture
def post() -> Iterator[world.MailServer]:
    with world.mail_server() as server:
        yield server


@pytest.fixture
def mailing(settings: Settings, post: world.MailServer) -> Settings:
    """Settings with somebody who gets mail."""
    changed = replace(
        settings,
        smtp_url=f"{post.url}?starttls=optional",
        mail_from="City <311@city.example>",
        operator_mail="ops@city.example",
    )
    changed.check()
    return changed


@pytest.fixture
def platform(mailing: Settings, neighbour: world.Neighbour) -> Iterator[Platform]:
    platform = served(mailing, neighbour)
    yield platform
    platform.close()


def subjects(post: world.MailServer) -> list[str]:
    return [str(mail.message["Subject"]) for mail in post.accepted]


def park(platform: Platform, one: Delivery, state: DeliveryState = DeliveryState.PARKED) -> None:
    with platform.database.transaction() as connection:
        deliveries.save(connection, replace(one, state=state))


def test_a_week_of_outage_leads_to_one_mail_and_its_end_to_another(
    platform: Platform, neighbour: world.Neighbour, post: world.MailServer
) -> None:
    neighbour.down()
    clock = Clock()
    for minutes in (*[15] * 8, *[240] * 42):
        if minutes > 15 or clock() == build.NOON:
            build.submit(platform, now=clock(), reporter=Reporter(email="ann@example.org"))
        run(platform, clock)
        tell_operator(platform, clock())
        clock.later(minutes=minutes)
    assert subjects(post) == ["Open311: The back office works of test.example is down since 2026-03-01 12:00 UTC"]
    neighbour.up()
    for _ in range(4):
        clock.later(minutes=15)
        run(platform, clock)
        tell_operator(platform, clock())
    assert subjects(post)[1:] == ["Open311: The back office works of test.example works again"]
    assert {one.state for one in stored(platform)} == {DeliveryState.DONE}
    everything = "".join(mail.content.decode() for mail in post.accepted)
    assert "ann@example.org" not in everything
    assert "127.0.0.1" not in everything


def test_no_mail_is_sent_about_an_outage_of_ten_minutes(
    platform: Platform, neighbour: world.Neighbour, post: world.MailServer
) -> None:
    neighbour.down()
    clock = Clock()
    build.submit(platform)
    for step in range(12):
        if step == 5:
            neighbour.up()
        run(platform, clock)
        tell_operator(platform, clock())
        clock.later(minutes=2 if step < 5 else 11)
    assert not post.accepted


def test_a_mail_about_deliveries_that_wait_for_a_person_comes_once_an_hour_at_most(
    platform: Platform, neighbour: world.Neighbour, post: world.MailServer
) -> None:
    neighbour.down()
    for _ in range(20):
        build.submit(platform)
    run(platform)
    clock = Clock()
    for one in stored(platform):  # one more every quarter of an hour, for five hours
        park(platform, one, DeliveryState.UNCERTAIN if one.id % 2 else DeliveryState.PARKED)
        tell_operator(platform, clock())
        clock.later(minutes=15)
    texts = [text for mail in post.accepted for text in mail.message.get_content().splitlines()]
    stopped = [text for text in texts if "wait for" in text]
    assert 4 <= len(stopped) <= 6
    assert "parked deliver" in stopped[-1]
    assert "uncertain deliver" in stopped[-1]
    before = len(post.accepted)
    for _ in range(10):
        clock.later(hours=10)
        tell_operator(platform, clock())
    assert len(post.accepted) <= before + 1, "no second mail tells of the same deliveries"


def test_a_mail_about_new_trouble_is_sent_after_the_old_trouble_was_settled(
    platform: Platform, neighbour: world.Neighbour, post: world.MailServer
) -> None:
    neighbour.down()
    for _ in range(2):
        build.submit(platform)
    run(platform)
    first, second = stored(platform)
    clock = Clock()
    park(platform, first)
    tell_operator(platform, clock())
    park(platform, first, DeliveryState.SKIPPED)
    clock.later(minutes=5)
    tell_operator(platform, clock())
    park(platform, second)
    clock.later(minutes=5)
    tell_operator(platform, clock())
    assert len(post.accepted) == 1, "less than an hour after the first"
    clock.later(hours=1)
    tell_operator(platform, clock())
    assert len([text for text in subjects(post) if "for a person" in text]) == 2


def test_a_delivery_that_a_person_has_parked_leads_to_no_mail_and_delays_no_other_mail(
    platform: Platform, post: world.MailServer
) -> None:
    clock = Clock()
    for _ in range(3):
        build.submit(platform, now=clock())
    dispatch(platform, clock())
    first, second, third = stored(platform)
    (city,) = platform.registry
    by_hand = Decision(command="park", reason="They move house.")
    for one in (first, second):
        decide(platform, city, one.id, by_hand, principal=SHELL, now=clock())
    assert tell_operator(platform, clock()) == 0
    park(platform, third)
    clock.later(minutes=1)
    tell_operator(platform, clock())
    assert subjects(post) == [
        "Open311: The back office works of test.example: 1 parked delivery waits for a person"
    ]


def test_a_mail_server_that_is_down_gets_the_mail_later_and_once(
    platform: Platform, neighbour: world.Neighbour, post: world.MailServer
) -> None:
    neighbour.down()
    build.submit(platform)
    run(platform)
    park(platform, stored(platform)[0])
    post.down()
    clock = Clock()
    for _ in range(12):
        tell_operator(platform, clock())
        clock.later(minutes=40)
    assert not post.accepted
    post.up()
    for _ in range(6):
        tell_operator(platform, clock())
        clock.later(minutes=40)
    assert len(post.accepted) == 1


def test_a_mail_that_may_have_arrived_is_not_sent_twice(
    platform: Platform, neighbour: world.Neighbour, post: world.MailServer
) -> None:
    neighbour.down()
    build.submit(platform)
    run(platform)
    park(platform, stored(platform)[0])
    post.fault(world.fault("lose_answer", on="DATA"))
    clock = Clock()
    for _ in range(4):
        tell_operator(platform, clock())
        clock.later(minutes=30)
    assert len(post.accepted) == 1


def test_a_broken_webhook_does_not_repeat_the_mail(
    mailing: Settings, neighbour: world.Neighbour, post: world.MailServer
) -> None:
    clock = Clock()
    with world.receiver(clock=clock) as hooks:
        changes: dict[str, Any] = {"operator_webhook": hooks.url, "operator_webhook_secret": world.SECRET}
        platform = served(replace(mailing, **changes), neighbour)
        neighbour.down()
        build.submit(platform)
        run(platform)
        park(platform, stored(platform)[0])
        hooks.fault(*(world.fault("status", status=500) for _ in range(3)))
        for _ in range(20):
            tell_operator(platform, clock())
            clock.later(minutes=10)
        assert len(post.accepted) == 1
        [hook] = hooks.accepted
        assert hook.is_signed
        [notice] = hook.data["data"]["notices"]
        assert (hook.data["type"], notice["backend"], notice["kind"]) == ("back_offices.notice", "works", "stopped")
        platform.close()


def test_no_notice_is_sent_if_the_settings_name_no_recipient(
    settings: Settings, neighbour: world.Neighbour
) -> None:
    platform = served(settings, neighbour)
    neighbour.down()
    build.submit(platform)
    run(platform)
    park(platform, stored(platform)[0])
    assert tell_operator(platform, build.NOON) == 0
    with platform.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM operator_notice").scalar_one() == 0
    platform.close()


def test_old_notices_are_deleted(platform: Platform, neighbour: world.Neighbour, post: world.MailServer) -> None:
    neighbour.down()
    build.submit(platform)
    run(platform)
    park(platform, stored(platform)[0])
    assert tell_operator(platform, build.NOON) == 1
    assert clean_up(platform, build.NOON + timedelta(days=89))["notices"] == 0
    assert clean_up(platform, build.NOON + timedelta(days=91))["notices"] == 1


def receiver(platform: Platform, name: str, state: SubscriptionState, **values: Any) -> None:
    """Store a subscription of a key with a webhook whose columns have these values."""
    (city,) = platform.registry
    key, _ = add_key(platform, label=name, now=build.NOON)
    with platform.database.transaction() as connection:
        number = subscriptions.add_subscription(
            connection,
            city.id,
            name=name,
            target=Target.WEBHOOK,
            state=state,
            wanted=RequestFilter(),
            owner=key,
            now=build.NOON,
        )
        added = Webhook(url="http://127.0.0.1:9/", secret="whsec_x", next_at=build.NOON)
        webhooks.add_webhook(connection, (city.id, number), added, None)
        changed = ", ".join(f"{column} = :{column}" for column in values)
        connection.execute(
            text(f"UPDATE webhook SET {changed} WHERE subscription_id = :id"), values | {"id": number}
        )


def test_a_mail_tells_of_receivers_of_webhooks_that_are_dead_and_of_no_others(
    platform: Platform, post: world.MailServer
) -> None:
    clock = Clock()
    tell_operator(platform, clock())
    assert subjects(post) == []
    failing: dict[str, Any] = {"failures": 3, "failing_since": clock() - timedelta(days=1)}
    receiver(platform, "sub_works", SubscriptionState.ACTIVE, failures=0)
    receiver(platform, "sub_brief", SubscriptionState.ACTIVE, failures=1, failing_since=clock())
    receiver(platform, "sub_by_hand", SubscriptionState.DISABLED, failures=0)
    tell_operator(platform, clock())
    assert subjects(post) == []
    receiver(platform, "sub_fails", SubscriptionState.ACTIVE, **failing)
    receiver(platform, "sub_dead", SubscriptionState.DISABLED, **failing)
    for _ in range(3):
        tell_operator(platform, clock())
        clock.later(minutes=2)
    assert len(post.accepted) == 1
    content = " ".join(str(post.accepted[0].message.get_content()).split())
    assert "1 disabled subscription" in content
    assert "1 receiver that fails" in content
    assert "`open311 subscriptions list`" in content
    assert "127.0.0.1" not in content
