"""Tells the operator about trouble, by mail and by a webhook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import orjson

from open311.federation.addresses import Guard, host_of
from open311.federation.calls import Call, Limits, open_transport
from open311.federation.failures import GeoReportError
from open311.federation.mail import Mail, Mailer, MailError, MailUncertain
from open311.federation.signing import sign
from open311.outgoing import Mailbox

WEBHOOK_TYPE = "back_offices.notice"
_LIMITS = Limits(timeout_s=10.0, deadline_s=30.0, retries=0, rate_per_s=0, max_body_bytes=100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the operator is told.

    id     the id of the message; it is the same at each try
    lines  one line for each trouble, of one or two sentences
    data   the troubles as plain data, for programs
    """

    id: str
    lines: Sequence[str]
    data: Sequence[Mapping[str, object]]


class Notifier(Protocol):
    """Tells the operator, by mail or by a webhook."""

    def send(self, message: Message, *, now: datetime) -> str:
        """Why the message was not sent, in a sentence without addresses; "" if it was."""


@dataclass(frozen=True, slots=True)
class ByMail:
    """Sends a mail to one address."""

    mailer: Mailer
    to: Mailbox = field(repr=False)

    def send(self, message: Message, *, now: datetime) -> str:
        """Send the mail. A mail that may have arrived counts as sent, so that nobody gets it twice."""
        first, *others = message.lines
        mail = Mail(
            to=(self.to,),
            subject=f"Open311: {first.partition('. ')[0]}" + (f" (and {len(others)} more)" if others else ""),
            text="\n".join(message.lines) + "\n",
            message_id=f"<{message.id}@{self.mailer.sender.domain}>",
        )
        try:
            self.mailer.send(mail, now=now)
        except MailUncertain:
            return ""
        except MailError as error:
            return str(error)
        return ""


@dataclass(frozen=True, slots=True)
class ByWebhook:
    """Sends a signed webhook (Standard Webhooks) to one address. The operator names it, so it may be private."""

    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    proxy: str = field(default="", repr=False)

    def send(self, message: Message, *, now: datetime) -> str:
        """Send the webhook. The receiver recognises a repeated one by its id."""
        body = orjson.dumps({"type": WEBHOOK_TYPE, "timestamp": now, "data": {"notices": list(message.data)}})
        headers = sign(body, message.id, secrets=self.secrets, now=now) | {"Content-Type": "application/json"}
        transport = open_transport(_LIMITS, Guard(frozenset({host_of(self.url)})), proxy=self.proxy)
        try:
            answer = transport.send(Call("POST", self.url, headers=headers, body=body))
        except GeoReportError as error:
            return f"the webhook was not sent: {type(error).__name__}"
        finally:
            transport.close()
        return "" if answer.status < 300 else f"the receiver of the webhook answered {answer.status}"
