"""Notices for the operator: what the operator is told about trouble, and how often.

The trouble is with a back office, the mail server, the gateway for text messages, or receivers of webhooks. All
functions are pure. A week of trouble leads to few notices: one when a back office is down, one when it works again,
and at most one an hour about what waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from open311.domain.deliveries import Circuit

PAUSE = timedelta(hours=1)
"""The least time between two notices of the same kind about the same back office."""
LIST = "`open311 deliveries list`"
_LISTS = {
    "quarantined": "`open311 deliveries updates list`",
    "disabled": "`open311 subscriptions list`",
    "failing": "`open311 subscriptions list`",
}
_NAMES = {
    "parked": ("parked delivery", "parked deliveries"),
    "uncertain": ("uncertain delivery", "uncertain deliveries"),
    "quarantined": ("quarantined update", "quarantined updates"),
    "disabled": ("disabled subscription", "disabled subscriptions"),
    "failing": ("receiver that fails", "receivers that fail"),
}


class NoticeKind(StrEnum):
    """What a notice is about.

    DOWN     a back office has been down for a long time
    WORKS    the back office works again
    STOPPED  deliveries, updates or subscriptions wait for a person
    """

    DOWN = "down"
    WORKS = "works"
    STOPPED = "stopped"


MAIL_SERVER = ("*", "mail")
"""The place of the mail server among the circuits of back offices."""
SMS_GATEWAY = ("*", "sms")
"""The place of the gateway for text messages among the circuits of back offices."""
RECEIVERS = "*receivers"
"""Stands for the receivers of a city's webhooks where a notice has the name of a back office."""
CONNECTION = (NoticeKind.DOWN, NoticeKind.WORKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice. Its text has names of cities and back ends, times and numbers, and nothing else.

    known    only for STOPPED: about how many of the waiting deliveries, updates and subscriptions the operator
             knows. The number falls when a person settles some of them
    due_at   when the notice is sent next
    sent_at  when the notice had been sent by mail and by webhook, if both are set, or when a newer notice replaced
             it; None until then
    sent_by  the ways by which the notice was sent: mail, webhook
    cause    why the notice could not be sent
    """

    jurisdiction_id: str
    backend: str
    kind: NoticeKind
    text: str
    created_at: datetime
    due_at: datetime
    id: int = 0
    known: int = 0
    sent_at: datetime | None = None
    sent_by: tuple[str, ...] = ()
    attempts: int = 0
    cause: str = ""


def connection_notice(
    place: tuple[str, str], circuit: Circuit, last: Notice | None, now: datetime, *, after: timedelta
) -> Notice | None:
    """The notice that a back office is down, or works again; None if the operator need not know.

    last   the last notice of these kinds
    after  after how long the operator is told that a back office is down
    """
    since, was_reported = circuit.failing_since, last is not None and last.kind is NoticeKind.DOWN
    if since is None:
        if last is None or not was_reported:
            return None
        text = f"{_name(place)} works again. It was reported down at {_instant(last.created_at)}."
        return _notice(place, NoticeKind.WORKS, text, now)
    is_long = circuit.is_resting and now - since >= after
    is_new = last is None or (now - last.created_at >= PAUSE and (not was_reported or last.created_at < since))
    if not is_long or not is_new:
        return None
    told = {
        MAIL_SERVER: "Mails to people wait, and nothing is lost.",
        SMS_GATEWAY: "Each text message waits for up to five days.",
    }.get(place, "Its deliveries wait, and nothing is lost.")
    text = f"{_name(place)} is down since {_instant(since)}. {told}"
    return _notice(place, NoticeKind.DOWN, text, now)


def stopped_notice(
    place: tuple[str, str], stopped: Mapping[str, int], last: Notice | None, now: datetime
) -> Notice | None:
    """The notice that deliveries, updates or subscriptions wait for a person.

    None if no more wait than the operator knows about, or if the last notice is less than an hour old.

    stopped  the numbers, by the keys of `_NAMES`, such as `parked`
    last     the last notice of this kind
    """
    total = sum(stopped.values())
    if total <= (last.known if last else 0) or (last is not None and now - last.created_at < PAUSE):
        return None
    text = f"{_name(place)}: {in_words(stopped)}. See {' and '.join(commands_for(stopped))}."
    return _notice(place, NoticeKind.STOPPED, text, now, known=total)


def in_words(stopped: Mapping[str, int]) -> str:
    """What waits for a person, such as `1 parked delivery, 2 quarantined updates wait for a person`."""
    counts = ", ".join(f"{count} {_NAMES[kind][count != 1]}" for kind, count in stopped.items())
    return f"{counts} {'waits' if sum(stopped.values()) == 1 else 'wait'} for a person"


def commands_for(stopped: Mapping[str, int]) -> list[str]:
    """The commands that show what waits for a person."""
    return sorted({_LISTS.get(kind, LIST) for kind in stopped})


def _notice(place: tuple[str, str], kind: NoticeKind, text: str, now: datetime, *, known: int = 0) -> Notice:
    return Notice(
        jurisdiction_id=place[0],
        backend=place[1],
        kind=kind,
        text=text,
        created_at=now,
        due_at=now,
        known=known,
    )


def _name(place: tuple[str, str]) -> str:
    if place == MAIL_SERVER:
        return "The mail server"
    if place == SMS_GATEWAY:
        return "The gateway for text messages"
    if place[1] == RECEIVERS:
        return f"Webhooks of {place[0]}"
    return f"The back office {place[1]} of {place[0]}"


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M %Z")
