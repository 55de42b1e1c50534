"""Mail: composes a message, and hands it to the SMTP server of the operator.

The operator names the server, so it may be in a private network. No error has an address, a text of a mail, or a
text of the server, which may quote an address.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any, Literal
from uuid import uuid4

from open311.federation.deadlines import Deadline
from open311.federation.values import Media
from open311.outgoing import Mailbox, SmtpServer

_DEADLINES = 4
"""How many timeouts a whole mail may take."""
_MOST_SUBJECT = 300
_LINE = 76
"""The longest line of a header, in characters."""
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
_LINK = re.compile(r"(https?://|mailto:)[!-;=?-~]+")
_CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+", re.ASCII | re.IGNORECASE)
_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?!\S)")
_VERBATIM = frozenset({"message-id", "in-reply-to", "references", "list-unsubscribe"})


class MailError(Exception):
    """A mail was not sent, or it is unknown whether it was sent. The subclass says what to do.

    code  the reply of the server, such as 550; None if there was none
    """

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class MailRefused(MailError):
    """The server will never take this mail: it answered 5xx to the sender, a recipient or the text.

    It is also raised if an address has letters that the server does not take.
    is_recipient  whether the server refused a recipient
    """

    def __init__(self, text: str, code: int | None = None, *, is_recipient: bool = False) -> None:
        super().__init__(text, code)
        self.is_recipient = is_recipient


class MailDeferred(MailError):
    """The mail was not sent; try again later.

    The server cannot be reached, answered 4xx, or refused the connection or the login.
    is_setup  whether only the operator can change this: a wrong password, certificate or name of the server
    """

    def __init__(self, text: str, code: int | None = None, *, is_setup: bool = False) -> None:
        super().__init__(text, code)
        self.is_setup = is_setup


class MailUncertain(MailError):
    """The connection was lost after the text was sent, before the answer. The server may have taken the mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to send. Its recipients get it together or not at all, and see each other.

    message_id        such as <42.1@city.example>; give the same at each try, so that a repetition can be
                      recognised. Without it, each try has a new one
    references        the ids of the thread, the oldest first; the last one is also In-Reply-To
    auto_submitted    "" only for a mail that a person has written; any other mail must get no vacation notice
    list_unsubscribe  the address, https: or mailto:, where the recipient ends such mails
    is_one_click      whether an empty POST to that address ends them at once (RFC 8058)
    return_path       the address to which a mail that cannot be delivered comes back; None for the sender's
    attachments       files
    """

    to: tuple[Mailbox, ...] = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(default="", repr=False)
    message_id: str = ""
    references: tuple[str, ...] = ()
    reply_to: Mailbox | None = field(default=None, repr=False)
    auto_submitted: Literal["", "auto-generated", "auto-replied"] = "auto-generated"
    list_unsubscribe: str = field(default="", repr=False)
    is_one_click: bool = False
    return_path: Mailbox | None = field(default=None, repr=False)
    attachments: tuple[Media, ...] = ()

    def __post_init__(self) -> None:
        if not self.to:
            raise ValueError("a mail needs a recipient")
        if not all(map(_MESSAGE_ID.fullmatch, (*filter(None, [self.message_id]), *self.references))):
            raise ValueError("an id of a mail must look like <42@city.example>, in ASCII and without blanks")
        if self.list_unsubscribe and not _LINK.fullmatch(self.list_unsubscribe):
            raise ValueError("list_unsubscribe must be one address, https: or mailto:")


@dataclass(frozen=True, slots=True)
class Mailer:
    """Sends mails from one address through one server. A mail has a connection of its own."""

    server: SmtpServer
    sender: Mailbox

    def send(self, mail: Mail, *, now: datetime) -> str:
        """Send a mail, and return its Message-ID. Raises MailRefused, MailDeferred or MailUncertain."""
        message = compose(mail, sender=self.sender, now=now)
        with self._line() as line:
            _hand_over(line, message, mail.return_path or self.sender, mail.to)
        return str(message["Message-ID"])

    def check(self) -> None:
        """Connect, encrypt and log in as for a mail, but send none. Raises MailDeferred."""
        with self._line() as line:
            line.noop()

    @contextmanager
    def _line(self) -> Iterator[_Line]:
        deadline = Deadline()
        deadline.begin(self.server.timeout_s * _DEADLINES)
        try:
            with _failures_before_text(deadline), _connected(self.server, deadline, self.sender.domain) as line:
                yield line
        finally:
            deadline.end()


def compose(mail: Mail, *, sender: Mailbox, now: datetime) -> EmailMessage:
    """The message of a mail. Control characters in names, subject and file names become blanks."""
    boxes = (sender, *mail.to, *(one for one in (mail.reply_to, mail.return_path) if one))
    message = EmailMessage(_Policy(cte_type="7bit", utf8=not all(each.address.isascii() for each in boxes)))
    message["From"] = _header(sender)
    message["To"] = tuple(map(_header, mail.to))
    message["Subject"] = _line(mail.subject)[:_MOST_SUBJECT]
    message["Date"] = now
    message["Message-ID"] = mail.message_id or f"<{uuid4()}@{sender.domain}>"
    if mail.references:
        message["In-Reply-To"] = mail.references[-1]
        message["References"] = " ".join(mail.references)
    if mail.reply_to:
        message["Reply-To"] = _header(mail.reply_to)
    if mail.auto_submitted:
        message["Auto-Submitted"] = mail.auto_submitted
    if mail.list_unsubscribe:
        message["List-Unsubscribe"] = f"<{mail.list_unsubscribe}>"
        if mail.is_one_click:
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    _add_content(message, mail)
    return message


def _add_content(message: EmailMessage, mail: Mail) -> None:
    message.set_content(_body(mail.text))
    if mail.html:
        message.add_alternative(_body(mail.html), subtype="html")
    for each in mail.attachments:
        kind = each.content_type if _CONTENT_TYPE.fullmatch(each.content_type) else "application/octet-stream"
        maintype, _, subtype = kind.partition("/")
        if maintype.lower() in ("multipart", "message"):  # bytes cannot be parts
            maintype, subtype = "application", "octet-stream"
        message.add_attachment(each.content, maintype, subtype, filename=_line(each.name) or "file")


class _Policy(EmailPolicy):
    """Writes some headers itself.

    - ids and links, as they are: `email` would encode those that are longer than a line
    - the subject: `email` loses a blank between two encoded words, which it puts at the begin of a line
    """

    linesep = "\r\n"

    def fold(self, name: str, value: Any) -> str:
        if name.lower() in _VERBATIM:
            return f"{name}: " + f"{self.linesep} ".join(str(value).split()) + self.linesep
        if name.lower() == "subject" and not str(value).isascii():
            encoded = Header(str(value), "utf-8", _LINE, name).encode(linesep=self.linesep)
            return f"{name}: {encoded}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in (*_VERBATIM, "subject"):
            return self.fold(name, value).encode()
        return super().fold_binary(name, value)


def _header(box: Mailbox) -> Address:
    return Address(_line(box.name), box.address.rpartition("@")[0], box.domain)


def _line(text: str) -> str:
    """A text in one line. No control character or line separator is left, so it can begin no header."""
    return " ".join("".join(" " if _breaks(sign) else sign for sign in text).split())


def _breaks(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")


def _body(text: str) -> str:
    """A text with characters that UTF-8 can write."""
    return text.encode("utf-8", "replace").decode()


# --- SMTP


class _Line(smtplib.SMTP):
    """A connection that ends at the deadline. `name` is ours in the greeting."""

    def __init__(self, server: SmtpServer, deadline: Deadline, context: ssl.SSLContext, *, name: str) -> None:
        self._deadline = deadline
        self._context = context if server.is_tls else None
        super().__init__(local_hostname=name, timeout=server.timeout_s)
        self._host = server.host  # STARTTLS verifies this name

    @property
    def is_over(self) -> bool:
        """Whether the deadline has ended the connection."""
        return self._deadline.is_over

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        line = socket.create_connection((host, port), timeout)
        self._deadline.follow(line)
        try:
            return self._context.wrap_socket(line, server_hostname=host) if self._context else line
        except BaseException:
            line.close()
            raise


@contextmanager
def _connected(server: SmtpServer, deadline: Deadline, name: str) -> Iterator[_Line]:
    """A connection that is ready for a mail: encrypted and logged in."""
    context = ssl.create_default_context(cafile=server.ca or None)
    line = _Line(server, deadline, context, name=name)
    try:
        code, _ = line.connect(server.host, server.port)
        if code != 220:
            raise _failure("the connection", code, b"", is_setup=False)
        line.ehlo_or_helo_if_needed()
        _encrypt(line, server, context)
        if server.user:
            line.login(server.user, server.password)
        yield line
    finally:
        with suppress(OSError, smtplib.SMTPException):
            if line.sock is not None and not line.is_over:
                line.sock.settimeout(min(server.timeout_s, 2.0))
                line.quit()
        line.close()


def _encrypt(line: _Line, server: SmtpServer, context: ssl.SSLContext) -> None:
    if server.is_tls:
        return
    if line.has_extn("starttls"):
        if server.starttls == "optional":
            context = ssl._create_unverified_context()  # noqa: S323
        code, reply = line.starttls(context=context)
        if code == 220:
            line.ehlo_or_helo_if_needed()
            return
        if server.starttls == "required":
            raise _failure("STARTTLS", code, reply, is_setup=False)
    elif server.starttls == "required":
        text = "the mail server does not offer STARTTLS; switch it on, or end the address with ?starttls=optional"
        raise MailDeferred(text, is_setup=True)


def _hand_over(line: _Line, message: EmailMessage, sender: Mailbox, recipients: tuple[Mailbox, ...]) -> None:
    is_ascii = not isinstance(message.policy, EmailPolicy) or not message.policy.utf8
    options = [] if is_ascii else ["SMTPUTF8", "BODY=8BITMIME"]
    if options and not line.has_extn("smtputf8"):
        raise MailRefused("an address has other letters than ASCII, which the mail server does not take")
    _expect(line.mail(sender.address, options), "the sender", 250)
    for each in recipients:
        code, reply = line.rcpt(each.address)
        if code >= 500:
            raise MailRefused(_cause("a recipient", code, reply), code, is_recipient=True)
        _expect((code, reply), "a recipient", 250, 251)
    _expect(line.docmd("DATA"), "the mail", 354)
    text = re.sub(rb"(?m)^\.", b"..", message.as_bytes())
    _expect(_answer_to_text(line, text if text.endswith(b"\r\n") else text + b"\r\n"), "the mail", 250)


def _answer_to_text(line: _Line, text: bytes) -> tuple[int, bytes]:
    """Send the text, and return the whole answer. Raises MailUncertain if the answer is missing or cut.

    A cut answer does not show whether the server has taken the mail.
    """
    try:
        line.send(text + b".\r\n")
        reply = line.getreply()
        why = "" if 200 <= reply[0] <= 599 and not line.is_over else "the answer was cut"
    except (OSError, smtplib.SMTPException) as error:
        why = type(error).__name__
    if why:
        raise MailUncertain(f"no answer came after the text ({why}); the mail server may have taken it")
    return reply


def _expect(reply: tuple[int, bytes], what: str, *codes: int) -> None:
    if reply[0] not in codes:
        raise _failure(what, *reply)


def _failure(what: str, code: int, reply: bytes, *, is_setup: bool | None = None) -> MailError:
    """The error for a reply.

    is_setup  None if the refusal is about a mail. Otherwise no mail was offered yet, so the refusal is temporary.
              True if only the operator can change the cause; every 5xx is treated as such a cause
    """
    cause = _cause(what, code, reply)
    if code >= 500 and is_setup is None:
        return MailRefused(cause, code)
    return MailDeferred(cause, code, is_setup=bool(is_setup) or code >= 500)


def _cause(what: str, code: int, reply: bytes) -> str:
    """A sentence without the text of the reply, which may quote an address."""
    enhanced = _ENHANCED.match(reply)
    return f"the mail server refused {what}: {code}{' ' + enhanced[0].decode() if enhanced else ''}"


@contextmanager
def _failures_before_text(deadline: Deadline) -> Iterator[None]:
    """Raise errors of smtplib and of the connection as errors of this module. The mail has not been sent then."""
    try:
        yield
    except MailUncertain:
        raise
    except MailError:
        if deadline.is_over:  # a reply that was cut
            raise MailDeferred("the mail server cannot be reached: it took too long") from None
        raise
    except smtplib.SMTPAuthenticationError as error:
        raise _failure(
            "the user or the password", error.smtp_code, _bytes(error.smtp_error), is_setup=True
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise MailDeferred("the mail server offers no login that we know", is_setup=True) from None
    except smtplib.SMTPResponseException as error:
        raise _failure("the connection", error.smtp_code, _bytes(error.smtp_error), is_setup=False) from None
    except ssl.SSLCertVerificationError as error:
        cause = f"the certificate of the mail server is not accepted: {error.verify_message}"
        raise MailDeferred(cause, is_setup=True) from None
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        is_slow = deadline.is_over or any(isinstance(each, TimeoutError) for each in (error, error.__context__))
        why = "it took too long" if is_slow else type(error).__name__
        raise MailDeferred(f"the mail server cannot be reached: {why}") from None


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("ascii", "replace")
