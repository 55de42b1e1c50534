"""Read mails that came back, and stop writing to addresses that do not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from enum import StrEnum

from open311.domain.mails import MOST_BOUNCES, Follower, Stop, follower_of_bounce, recipient_of
from open311.observe import logger
from open311.operations.mailing.stopping import stop_mail
from open311.operations.platform import Platform
from open311.storage import followers, mails
from open311.storage.engine import Connection

log = logger(__name__)

MOST_BYTES = 2_000_000
"""At most this many bytes of a mail are read."""
_TOKEN = re.compile(r"\+(?P<token>[0-9]{1,19}-[0-9a-fA-F]{20})@")
_STATUS = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})")
_GONE = frozenset({(5, 0, 0), (5, 2, 0), (5, 2, 1)})
"""Statuses of RFC 3463, in addition to 5.1.x, that mean that the mailbox does not exist or takes no mail."""
_PLACES = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")


class Bounce(StrEnum):
    """What a mail that came back has led to.

    STOPPED   the address gets no mail any more
    COUNTED   the failure may be temporary; after too many of them, the address gets no mail any more
    DELAYED   nothing: our mail is still on its way, or what came is no report about a delivery
    UNKNOWN   nothing: it came to an address that belongs to no follower
    """

    STOPPED = "stopped"
    COUNTED = "counted"
    DELAYED = "delayed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Report:
    """A report about a delivery (RFC 3464). `status`: its class, subject and detail."""

    is_failed: bool
    status: tuple[int, int, int]

    @property
    def is_permanent(self) -> bool:
        """Whether the address does not exist, so that every further mail would come back too."""
        return self.is_failed and (self.status[:2] == (5, 1) or self.status in _GONE)


def take_bounce(platform: Platform, content: bytes, *, now: datetime, to: str = "") -> Bounce:
    """Read a mail that came to the address for bounces.

    to  the address to which it came, if the mail server says it; otherwise the headers of the mail tell it
    """
    message = message_from_bytes(content[:MOST_BYTES], policy=default)
    assert isinstance(message, EmailMessage)
    tokens = list(dict.fromkeys(_tokens(message, to)))
    report = _report(message)
    with platform.database.transaction() as connection:
        found = [one for token in tokens for one in _followers(platform, connection, token)]
        if not found:
            return Bounce.UNKNOWN
        if report is None or not report.is_failed:
            return Bounce.DELAYED
        return _stop(connection, found[0], report, now)


def _tokens(message: Message, to: str) -> Iterator[str]:
    texts = [to, *(str(value) for name in _PLACES for value in message.get_all(name, ()))]
    for text in texts:
        yield from (match["token"] for match in _TOKEN.finditer(text))


def _followers(platform: Platform, connection: Connection, token: str) -> Iterator[Follower]:
    key = mails.key_of(connection)
    for city in platform.registry if key else ():
        id = follower_of_bounce(key, city.id, token)
        one = followers.load(connection, city.id, id, is_locked=True) if id else None
        if one is not None:
            yield one


def _stop(connection: Connection, one: Follower, report: _Report, now: datetime) -> Bounce:
    city = one.jurisdiction_id
    if not report.is_permanent:
        recipient = recipient_of(mails.make_key(connection), city, one.email)
        if mails.add_bounce(connection, city, recipient, now) < MOST_BOUNCES:
            return Bounce.COUNTED
    stop_mail(connection, one, Stop.BOUNCED, now)
    log.info("an address gets no mail any more", city=city, cause=Stop.BOUNCED.value)
    return Bounce.STOPPED


def _report(message: Message) -> _Report | None:
    """The report in a mail; None without one, as in an answer of a person or of a vacation program."""
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            return _read(part)
    return None


def _read(part: Message) -> _Report | None:
    """The report about the first recipient: the first block of fields with an Action; None if no block has one."""
    blocks = part.get_payload()
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, Message):
            continue
        action = str(block.get("Action", "")).strip().lower()
        if action:
            match = _STATUS.match(str(block.get("Status", "")))
            status = tuple(map(int, match.groups())) if match else (0, 0, 0)
            return _Report(action == "failed", (status[0], status[1], status[2]))
    return None
