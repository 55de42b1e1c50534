"""A mail server, as a department's may be: it takes mail by SMTP, keeps it, and misbehaves."""

from __future__ import annotations

import asyncio
import base64
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from threading import Event
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from open311.clock import utc_now
from tests.world.faults import Fault
from tests.world.faulty import Faulty
from tests.world.journal import Journal

KINDS = frozenset({"drop", "lose_answer", "delay", "delay_answer", "double", "status", "busy"})
"""The kinds of fault that a mail server has."""
OK = "250 OK"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail that the server has accepted. `user` is who has logged in; "" for nobody."""

    number: int
    at: datetime
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    content: bytes = field(repr=False)

    @property
    def message(self) -> EmailMessage:
        """The mail with its headers, parsed."""
        found = message_from_bytes(self.content, policy=default)
        assert isinstance(found, EmailMessage)
        return found


class MailServer(Faulty):
    """A mail server on a port of the loopback. Faults name its commands: "MAIL a@b", "RCPT a@b" or "DATA".

    user, password  whom it lets in; without a user, everybody
    accepted        each mail as often as it was taken

    Its kinds of fault are drop, lose_answer, delay, delay_answer, double, status (451, or such as 550) and busy
    (421, and the connection is closed).
    """

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        faults: Iterable[Fault] = (),
        seed: int = 0,
        clock: Callable[[], datetime] = utc_now,
        file: Path | None = None,
    ) -> None:
        given = list(faults)
        _check(given)
        self._begin(Journal(file), given, seed)
        self.user, self.password, self.clock = user, password, clock
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.host, self.port = self._place.getsockname()
        self.url = f"smtp://{self.host}:{self.port}"
        self._controller: Controller | None = None

    @property
    def accepted(self) -> list[Mail]:
        """All mails that it has taken, in order."""
        return [_mail(dict(entry)) for entry in self.journal.of("mail")]

    def fault(self, *faults: Fault) -> None:
        _check(faults)
        super().fault(*faults)

    def up(self) -> None:
        """Accept connections. Does nothing if the server runs."""
        if self._controller is None:
            self._controller = Controller(
                _Handler(self),
                hostname=self.host,
                port=self.port,
                auth_require_tls=False,
                authenticator=self._authenticate,
                enable_SMTPUTF8=True,
            )
            self._controller.start()

    def down(self) -> None:
        """Refuse connections until `up`."""
        self.release()
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def end(self) -> None:
        """Stop permanently."""
        self.down()
        self._place.close()
        self.journal.close()

    def take(self, session: Session, envelope: Envelope) -> None:
        """Keep a mail."""
        content = envelope.original_content or b""
        self.journal.add(
            "mail",
            number=len(self.journal.of("mail")) + 1,
            at=self.clock().isoformat(),
            sender=envelope.mail_from or "",
            recipients=list(envelope.rcpt_tos),
            user=session.auth_data or "",
            content=base64.b64encode(content).decode(),
        )

    def begin(self, label: str) -> tuple[Fault | None, Event]:
        """Record a command; returns its fault, and what ends its pauses."""
        return self._faults.next(label, at=self.clock().isoformat())

    def _authenticate(self, _: SMTP, __: Session, ___: Envelope, ____: str, given: Any) -> AuthResult:
        known = (
            isinstance(given, LoginPassword)
            and self.user
            and given == LoginPassword(self.user.encode(), self.password.encode())
        )
        return AuthResult(success=bool(known), handled=False, auth_data=self.user if known else None)


class _Handler:
    """The commands of one server, as aiosmtpd calls them."""

    def __init__(self, mail: MailServer) -> None:
        self._mail = mail

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._mail.user and not session.authenticated:
            return "530 5.7.0 Authentication required"

        def take() -> None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)

        return await self._answer(f"MAIL {address}", server, take)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        def take() -> None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)

        return await self._answer(f"RCPT {address}", server, take)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return await self._answer("DATA", server, lambda: self._mail.take(session, envelope))

    async def _answer(self, label: str, server: SMTP, take: Callable[[], None]) -> str:
        struck, released = self._mail.begin(label)
        kind = struck.kind if struck else ""
        if struck and kind == "delay":
            await asyncio.to_thread(released.wait, struck.seconds)
        takes = struck is None or struck.accepts or kind not in ("drop", "status", "busy")
        for _ in range((2 if kind == "double" else 1) if takes else 0):
            take()
        if struck and kind == "delay_answer":
            await asyncio.to_thread(released.wait, struck.seconds)
        if struck and kind == "status":
            return f"{struck.status or 451} The server has a bad day"
        if kind == "busy":
            await server.push("421 Try again later")
        if kind in ("drop", "lose_answer", "busy"):
            assert isinstance(server.transport, asyncio.WriteTransport)
            if kind == "busy":
                server.transport.close()
            else:
                server.transport.abort()
        return OK


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    """A mail server in this process. The options are those of MailServer; each has a default.

    with mail_server(faults=[fault("lose_answer", on="DATA")]) as post:
        send_mail_to(post.host, post.port)
        [mail] = post.accepted
        mail.message["Subject"]
    """
    server = MailServer(**options)
    sys.stdout.write(f"mail server {server.url}: seed {server.seed}\n")
    server.up()
    try:
        yield server
    finally:
        server.end()


def _check(faults: Iterable[Fault]) -> None:
    for each in faults:
        if each.kind not in KINDS:
            raise ValueError(
                f"kind: a mail server has no fault {each.kind!r}; use one of {', '.join(sorted(KINDS))}"
            )


def _mail(facts: dict[str, Any]) -> Mail:
    del facts["kind"]
    at, content = datetime.fromisoformat(facts["at"]), base64.b64decode(facts["content"])
    return Mail(**facts | {"at": at, "content": content, "recipients": tuple(facts["recipients"])})
