"""Mail to people who follow requests, and to departments: what waits, what a try means, and signed addresses.

All functions are pure: the time, the random number and the key are arguments.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import TypeVar

from open311.domain.deliveries import wait_after

MOST_UNASKED_A_DAY = 3
"""How many mails an address gets within a day before its owner has agreed to any."""
MOST_UNASKED_AN_HOUR = 500
"""How many mails a city sends within an hour to people who have not agreed. Further addresses get none."""
MOST_A_DAY = 30
"""How many mails an address gets within a day. Further changes wait, and come together."""
GIVEN_UP_AFTER = timedelta(days=5)
"""For how long a mail is sent again after temporary refusals. While the server is down, no mail is given up."""
PAUSE = timedelta(hours=1)
"""How long a mail waits that is above a limit, or whose city is not served."""
UNCONFIRMED_FOR = timedelta(days=7)
"""For how long the owner of an address can agree by the link."""
MOST_BOUNCES = 3
"""After how many bounces that may be temporary an address gets no mail any more."""
LEASE = timedelta(minutes=10)
"""If a worker dies while it sends a mail, another worker sends the mail again after this time."""
MOST_NUMBERS = 50
"""How many requests one mail names."""
MOST_SUBSCRIPTIONS = 20
"""How many filters an address gets mail about in a city."""
SUBSCRIBED_FOR = timedelta(days=365)
"""How long people get mail about a filter if they do not prolong it."""
LEAST_PAUSE = timedelta(hours=1)
"""The shortest time between two mails about a filter."""
DAILY_AT = time(7)
"""From when on the daily mails are sent, in the city's time zone."""

_TOKEN = re.compile(r"(?P<id>[1-9][0-9]{0,18})-(?P<mark>[A-Za-z0-9_-]{22})")
_VERP = re.compile(r"(?P<id>[1-9][0-9]{0,18})-(?P<mark>[0-9a-f]{20})")


class MailKind(StrEnum):
    """What a mail is about.

    RECEIVED  to the reporter: the report has arrived; with the link by which the reporter agrees to further mail
    CONFIRM   to somebody else: the link by which the person agrees
    CHANGES   to a follower: what has happened since the last mail
    WORK      to a department: new requests
    OVERDUE   to a department: requests that should be done by now
    DAILY     to a department: once a day, what is new, open and overdue
    """

    RECEIVED = "received"
    CONFIRM = "confirm"
    CHANGES = "changes"
    WORK = "work"
    OVERDUE = "overdue"
    DAILY = "daily"

    @property
    def is_unasked(self) -> bool:
        """Whether the owner of the address has not agreed to it."""
        return self in (MailKind.RECEIVED, MailKind.CONFIRM)


class MailState(StrEnum):
    """The state of a mail, or of a text message.

    WAITING  it will be sent when it is due
    SENDING  a worker is sending it; if the lease ends first, the worker has died
    DONE     the mail server or the gateway has it
    SKIPPED  it is not sent; its cause says why, for example because there is nothing to tell
    FAILED   the mail server or the gateway will never take it, or has not taken it for days
    """

    WAITING = "waiting"
    SENDING = "sending"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class Feedback(StrEnum):
    """What a reporter says after a closing: whether the problem is solved."""

    SOLVED = "solved"
    PARTLY = "partly"
    NOT_SOLVED = "not_solved"


class Stop(StrEnum):
    """Why an address gets no mail: its mail comes back, or its owner wants none."""

    BOUNCED = "bounced"
    REFUSED = "refused"


class DepartmentMail(StrEnum):
    """What departments get mail about: new requests, overdue requests, and once a day the state of their work."""

    NEW = "new"
    OVERDUE = "overdue"
    DAILY = "daily"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRules:
    """What mail a city sends to people. Without a mail server in the settings, it sends none.

    reporters        whether reporters get mail about their requests
    followers        whether everybody can follow a request, or the requests of a filter, by mail
    sender           the name of the sender; "" for the city's name
    reply_to         the address for answers; "" for none
    footer           a sentence at the end of each mail, in the city's first language
    departments      the addresses of departments by their codes
    about            which mails departments get: `new`, `overdue`, `daily`
    collect_minutes  how long changes are collected for one mail
    feedback         whether reporters are asked after a closing whether the problem is solved
    reopen_days      how many days after a closing the reporter can open the request again; 0 for never
    """

    reporters: bool = False
    followers: bool = False
    sender: str = ""
    reply_to: str = field(default="", repr=False)
    footer: str = ""
    collect_minutes: int = 10
    feedback: bool = True
    reopen_days: int = 0
    departments: Mapping[str, str] = field(default_factory=dict, repr=False)
    about: tuple[DepartmentMail, ...] = (*DepartmentMail,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """Somebody who gets mail about one request, or about all requests of a filter.

    number        the number of the request; 0 for a filter, which a subscription has
    language      a BCP 47 tag
    is_reporter   whether the follower is the reporter, who may also read the request while the public may not
    told_version  up to which version of the request the person knows the changes
    confirmed_at  when the owner of the address has agreed; None before
    is_daily      whether news about a filter come once a day, and not once an hour
    told_at       when the last news about a filter were sent; None before
    """

    jurisdiction_id: str
    number: int
    email: str = field(repr=False)
    language: str
    is_reporter: bool
    told_version: int
    created_at: datetime
    confirmed_at: datetime | None = None
    is_daily: bool = False
    told_at: datetime | None = None
    id: int = 0

    @property
    def ends_at(self) -> datetime | None:
        """When mail about a filter ends, if the person does not prolong it.

        None for mail about one request, and before the owner of the address has agreed.
        """
        return None if self.number or self.confirmed_at is None else self.confirmed_at + SUBSCRIBED_FOR

    def next_mail_at(self, now: datetime, zone: tzinfo, collect: timedelta) -> datetime:
        """When news about a filter are sent: once an hour at most, or at the next time of the daily mails."""
        if not self.is_daily:
            return max(now + collect, self.not_before(zone) or now)
        here = now.astimezone(zone)
        morning = _morning(here)
        return morning if here < morning else _morning(here + timedelta(days=1))

    def not_before(self, zone: tzinfo) -> datetime | None:
        """The time before which no further news about a filter are sent; None before the first mail."""
        if self.told_at is None:
            return None
        if not self.is_daily:
            return self.told_at + LEAST_PAUSE
        return _morning(self.told_at.astimezone(zone) + timedelta(days=1))


def _morning(here: datetime) -> datetime:
    """The time of daily mails on the day of a local time."""
    return datetime.combine(here.date(), DAILY_AT, here.tzinfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A mail or a text message (`domain.sms`) that waits, or was sent.

    due_at  when it is sent; during a try, when the lease ends
    cause   a sentence that says why the last try failed, without an address or a number
    """

    jurisdiction_id: str
    created_at: datetime
    due_at: datetime
    state: MailState = MailState.WAITING
    attempts: int = 0
    cause: str = ""
    ended_at: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMail(Queued):
    """A mail that waits, or was sent.

    follower_id    the id of the follower; 0 for a mail to a department
    department     the code of a department; "" for a mail to a follower
    numbers        the requests that a mail to a department names
    recipient      the digest of the address
    since_version  the mail tells the changes after this version of the request
    upto_version   the last version that the mail tells; 0 until the first try. Later tries tell the same versions
    """

    kind: MailKind
    recipient: bytes = field(repr=False)
    follower_id: int = 0
    department: str = ""
    numbers: tuple[int, ...] = ()
    since_version: int = 0
    upto_version: int = 0


Sending = TypeVar("Sending", bound=Queued)


@dataclass(frozen=True, slots=True)
class Tried:
    """What the mail server or the gateway for text messages said.

    cause         why it was not taken, without an address or a number; "" if it was taken
    is_final      whether it will never be taken
    is_down       whether the server itself does not work, so that nothing else would be taken either
    is_recipient  whether the server refused the address, not the mail
    """

    cause: str = ""
    is_final: bool = False
    is_down: bool = False
    is_recipient: bool = False


TAKEN = Tried()


def settled(queued: Sending, result: Tried, now: datetime, *, chance: float) -> Sending:
    """The mail after a try. `chance`: a random number between 0 and 1, which spreads the waits."""
    if not result.cause:
        return _ended(queued, MailState.DONE, now)
    if result.is_final or (not result.is_down and too_old(queued, now)):
        return _ended(queued, MailState.FAILED, now, result.cause)
    attempts = queued.attempts + (not result.is_down)
    due_at = now + timedelta(seconds=wait_after(max(1, attempts) + 4, chance))
    waiting = replace(queued, state=MailState.WAITING, cause=result.cause, attempts=attempts)
    return replace(waiting, due_at=now if result.is_down else due_at)


def skipped(queued: Sending, cause: str, now: datetime) -> Sending:
    """The mail, marked as one that is not sent. `cause`: why."""
    return _ended(queued, MailState.SKIPPED, now, cause)


def postponed(queued: Sending, until: datetime, cause: str) -> Sending:
    """The mail, which is put off without a try until `until`."""
    return replace(queued, state=MailState.WAITING, due_at=until, cause=cause)


def too_old(queued: Queued, now: datetime) -> bool:
    """Whether a mail or a text message has waited so long that it is given up."""
    return now - queued.created_at >= GIVEN_UP_AFTER


def unserved(queued: Sending, now: datetime) -> Sending:
    """The mail of a city that is not served, perhaps only for a moment. It waits for some days."""
    cause = "the city is not served"
    return skipped(queued, cause, now) if too_old(queued, now) else postponed(queued, now + PAUSE, cause)


def given_up(queued: Sending, now: datetime) -> Sending:
    """The mail that has waited for too long."""
    return _ended(queued, MailState.FAILED, now, queued.cause or "it has waited for days")


def _ended(queued: Sending, state: MailState, now: datetime, cause: str = "") -> Sending:
    return replace(queued, state=state, ended_at=now, due_at=now, cause=cause)


# --- Signed addresses


def link_token(key: str, jurisdiction_id: str, follower_id: int) -> str:
    """The secret part of the address of a follower's page."""
    mark = mac(key, "link", jurisdiction_id, str(follower_id))[:16]
    return f"{follower_id}-{urlsafe_b64encode(mark).decode().rstrip('=')}"


def follower_of_link(key: str, jurisdiction_id: str, token: str) -> int:
    """The id of the follower for whom a token was made; 0 if it was not made here."""
    match = _TOKEN.fullmatch(token)
    is_ours = match is not None and hmac.compare_digest(
        token.encode(), link_token(key, jurisdiction_id, int(match["id"])).encode()
    )
    return int(match["id"]) if match and is_ours else 0


def bounce_token(key: str, jurisdiction_id: str, follower_id: int) -> str:
    """A part of the address to which a follower's mail comes back. Mail servers may change its case."""
    return f"{follower_id}-{mac(key, 'bounce', jurisdiction_id, str(follower_id))[:10].hex()}"


def follower_of_bounce(key: str, jurisdiction_id: str, token: str) -> int:
    """The id of the follower whose mail has come back to this address; 0 if the token was not made here."""
    match = _VERP.fullmatch(token.lower())
    is_ours = match is not None and hmac.compare_digest(
        token.lower().encode(), bounce_token(key, jurisdiction_id, int(match["id"])).encode()
    )
    return int(match["id"]) if match and is_ours else 0


def thread_mark(key: str, jurisdiction_id: str, follower_id: int) -> str:
    """A part of the Message-IDs of a follower's mails. Nobody can make the link from it."""
    return f"{follower_id}.{mac(key, 'thread', jurisdiction_id, str(follower_id))[:8].hex()}"


def recipient_of(key: str, jurisdiction_id: str, address: str) -> bytes:
    """The digest of an address, without regard to case. Nobody can read the address from it without the key."""
    return mac(key, "recipient", jurisdiction_id, address.casefold())[:16]


def counted_as(address: str) -> str:
    """The address under which mail is counted: without a `+` and what follows it before the `@`.

    Many servers deliver such addresses to one mailbox. So nobody gets more mail than the limits allow by writing
    me+1@, me+2@ and so on. Dots and other signs stay, because most servers tell such addresses apart.
    """
    local, at, domain = address.rpartition("@")
    base = local.partition("+")[0]
    return f"{base or local}{at}{domain}"


def mac(key: str, *parts: str) -> bytes:
    """A digest that nobody can make, or check against a guess, without the key."""
    return hmac.digest(key.encode(), "\0".join(parts).encode("utf-8", "surrogatepass"), "sha256")
