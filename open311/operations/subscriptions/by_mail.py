"""People without an account subscribe by mail to the requests of a filter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from open311.domain.ids import new_subscription_name
from open311.domain.mails import MOST_SUBSCRIPTIONS, Follower, MailKind
from open311.domain.subscriptions import SubscriptionState, Target
from open311.errors import Invalid, NotFound, Problem
from open311.operations.mailing.queueing import MailDesk, invite
from open311.operations.mailing.rules import mailbox_of, mails_followers
from open311.operations.platform import Platform
from open311.operations.subscriptions.filters import read_filter
from open311.plugins import Jurisdiction
from open311.storage import followers, mails, subscriptions
from open311.storage.engine import Connection
from schemas.texts import tell


def subscribe_by_mail(
    platform: Platform,
    city: Jurisdiction,
    email: str,
    values: Mapping[str, Any],
    *,
    is_daily: bool,
    language: str,
    now: datetime,
) -> bool:
    """Let somebody get mail about the requests of a filter: a mail asks the owner of the address to agree.

    values  the values of `FollowFilterArguments`
    Returns False if the text is no address to which mail can be sent. In all other cases the answer is the same, so
    that nobody learns what an address follows, or whether it has reached its limits. Raises Invalid for a filter
    that the city does not know, and NotFound if the city sends no such mail.
    """
    if not mails_followers(platform.settings, city):
        raise NotFound(tell("Reports cannot be followed by mail here."))
    problems: list[Problem] = []
    wanted = read_filter(platform, city, values, problems)
    if problems:
        raise Invalid.of(problems)
    box = mailbox_of(email)
    if box is None:
        return False
    new = Follower(
        jurisdiction_id=city.id,
        number=0,
        email=box.address,
        language=language,
        is_reporter=False,
        told_version=0,
        created_at=now,
        is_daily=is_daily,
    )
    with platform.database.transaction() as connection:
        mails.lock_key(connection)  # so that the same form, sent twice at the same time, leads to one mail
        ids = [one.id for one in followers.subscribed(connection, city.id, box.address)]
        known = subscriptions.of_followers(connection, city.id, ids).values()
        if len(known) >= MOST_SUBSCRIPTIONS or any(one.wanted == wanted for one in known):
            return True
        id = invite(MailDesk(connection, city, now), new, MailKind.CONFIRM)
        if id:
            subscriptions.add_subscription(
                connection,
                city.id,
                name=new_subscription_name(),
                target=Target.MAIL,
                state=SubscriptionState.UNVERIFIED,
                wanted=wanted,
                follower=id,
                now=now,
            )
    return True


def queue_news(
    platform: Platform, connection: Connection, jurisdiction_id: str, numbers: Collection[int], now: datetime
) -> None:
    """Make a mail for each person to whom one of these subscriptions belongs, unless a mail to the person waits."""
    city = platform.registry.get(jurisdiction_id)
    if not numbers or city is None or not mails_followers(platform.settings, city):
        return
    desk, collect = MailDesk(connection, city, now), timedelta(minutes=city.mail.collect_minutes)
    for one in followers.of_subscriptions(connection, city.id, numbers):
        mail = desk.new_mail(MailKind.CHANGES, one.email, follower_id=one.id)
        mails.add(connection, replace(mail, due_at=one.next_mail_at(now, city.zone, collect)))
