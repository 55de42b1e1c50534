"""A mail is composed and handed to a real SMTP server, and each failure says what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from hypothesis import given
from hypothesis import strategies as st

from open311.federation.mail import (
    Mail,
    MailDeferred,
    Mailer,
    MailError,
    MailRefused,
    MailUncertain,
    compose,
)
from open311.federation.values import Media
from open311.outgoing import Mailbox, SmtpServer, read_mailbox
from tests.ports import free_port

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
CITY = Mailbox("desk@city.example", "City Desk")
JANE = Mailbox("jane@home.example", "Jane Doe")
MAIL = Mail(to=(JANE,), subject="Your report", text="The hole at your door is closed.\n")


@dataclass
class Server:
    """A real SMTP server that keeps the mails that it takes. `replies`: what it answers to some commands."""

    replies: dict[str, str] = field(default_factory=dict)
    taken: list[Envelope] = field(default_factory=list)
    port: int = 0
    drops_after_data: bool = False
    logins: list[bytes] = field(default_factory=list)
    slow: threading.Event | None = None

    async def handle_RCPT(self, server: SMTP, *args: Any) -> str:  # noqa: N802
        _, envelope, address, _ = args
        if "RCPT" in self.replies:
            return self.replies["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, server: SMTP, *args: Any) -> str:  # noqa: N802
        _, envelope, address, options = args
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.replies.get("MAIL", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.slow:
            await asyncio.get_running_loop().run_in_executor(None, self.slow.wait, 20)
        self.taken.append(envelope)
        if self.drops_after_data:
            server.transport.close()
        return self.replies.get("DATA", "250 OK")

    def login(self, *args: Any) -> AuthResult:
        data = args[-1]
        self.logins.append(data.login)
        is_right = (data.login, data.password) == (b"city", b"pass word:/@")
        return AuthResult(success=is_right, handled=is_right)

    def mailer(self, options: str = "starttls=optional", *, scheme: str = "smtp", user: str = "") -> Mailer:
        at = f"{user}@" if user else ""
        return Mailer(SmtpServer.from_url(f"{scheme}://{at}localhost:{self.port}?timeout=5&{options}"), CITY)

    def read(self) -> EmailMessage:
        [envelope] = self.taken
        found = message_from_bytes(envelope.original_content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found


@contextmanager
def served(*, smtps: ssl.SSLContext | None = None, **options: Any) -> Iterator[Server]:
    server = Server()
    for name in ("replies", "drops_after_data", "slow"):
        if name in options:
            setattr(server, name, options.pop(name))
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=0,
        ready_timeout=30,
        authenticator=server.login,
        ssl_context=smtps,
        **options,
    )
    with socket.create_server(("127.0.0.1", 0)) as line:
        controller.port = line.getsockname()[1]
    controller.start()
    server.port = controller.port
    try:
        yield server
    finally:
        controller.stop()


# --- What is composed


def test_a_mail_has_the_expected_headers_texts_and_attachments() -> None:
    with served() as server:
        mail = Mail(
            to=(JANE, Mailbox("bob@bücher.example")),
            subject="Grüße ☂",
            text="Hällo\n.dot\n",
            html="<p>Hällo</p>",
            message_id="<42.1@city.example>",
            references=("<42.0@city.example>", "<answer@home.example>"),
            reply_to=Mailbox("42+reply@city.example"),
            list_unsubscribe="https://city.example/stop?t=1",
            attachments=(Media("Loch ü.jpg", "image/jpeg", b"\xff\xd8\x00"),),
        )
        assert server.mailer().send(mail, now=NOW) == "<42.1@city.example>"
        found = server.read()
        assert server.taken[0].rcpt_tos == ["jane@home.example", "bob@xn--bcher-kva.example"]
        assert server.taken[0].mail_from == "desk@city.example"
    headers = {name: str(value) for name, value in found.items()}
    assert (
        headers
        | {
            "From": "City Desk <desk@city.example>",
            "To": "Jane Doe <jane@home.example>, bob@xn--bcher-kva.example",
            "Subject": "Grüße ☂",
            "Date": "Sun, 01 Mar 2026 09:30:00 +0000",
            "Message-ID": "<42.1@city.example>",
            "In-Reply-To": "<answer@home.example>",
            "References": "<42.0@city.example> <answer@home.example>",
            "Reply-To": "42+reply@city.example",
            "Auto-Submitted": "auto-generated",
            "List-Unsubscribe": "<https://city.example/stop?t=1>",
        }
        == headers
    )
    assert found.get_body(("plain",)).get_content().replace("\r\n", "\n") == "Hällo\n.dot\n"
    assert found.get_body(("html",)).get_content().strip() == "<p>Hällo</p>"
    [attached] = found.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("Loch ü.jpg", b"\xff\xd8\x00")


def test_a_mail_without_an_id_gets_a_new_id_with_the_domain_of_the_sender() -> None:
    ids = {compose(MAIL, sender=CITY, now=NOW)["Message-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert all(each.endswith("@city.example>") for each in ids)


def test_long_ids_and_links_are_not_encoded() -> None:
    long = tuple(f"<{'a' * 90}{number}@mail.far.example>" for number in range(3))
    link = "https://city.example/" + "b" * 200
    mail = Mail(to=(JANE,), subject="x", text="x", references=long, message_id=long[0], list_unsubscribe=link)
    sent = compose(mail, sender=CITY, now=NOW).as_bytes()
    assert b"=?" not in sent
    assert sent.count(long[1].encode()) == 1
    assert f"<{link}>".encode() in sent


def test_a_long_subject_in_other_letters_keeps_its_blanks() -> None:
    subject = "يُرجى التأكيد: \u2068البلاغ \u20682026-0003025\u2069: \u2068حفرة في الطريق\u2069\u2069"
    for text in (subject, "Grüße aus der Straße " * 10 + "zum Schluss", "报告 " * 30 + "完"):
        raw = compose(Mail(to=(JANE,), subject=text, text="x"), sender=CITY, now=NOW).as_bytes()
        assert message_from_bytes(raw, policy=policy.default)["Subject"] == text
        assert raw.isascii()
        assert max(map(len, raw.splitlines())) <= 78


@given(name=st.text(), subject=st.text(), text=st.text(), file=st.text())
def test_no_text_begins_a_header_and_every_mail_is_ascii(name: str, subject: str, text: str, file: str) -> None:
    hostile = "x\r\nBcc: victim@far.example\u2028Bcc: a\x0bBcc: b\r\n\r\nbody"
    mail = Mail(
        to=(Mailbox("jane@home.example", name + hostile),),
        subject=subject + hostile,
        text=text,
        attachments=(Media(file + hostile, "text/html\r\nX: y", b"x"),),
    )
    sent = compose(mail, sender=CITY, now=NOW).as_bytes()
    found = message_from_bytes(sent, policy=policy.default)
    assert sent.isascii()
    assert set(found.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"),
    }
    assert [each.addr_spec for each in found["To"].addresses] == ["jane@home.example"]
    assert max(map(len, sent.split(b"\r\n"))) <= 998
    assert b"\n" not in sent.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "address",
    [
        *("", "jane", "@home.example", "jane@", "a b@home.example", "a@b@home.example", "jane@home..example"),
        *("jane@home.example\r\nRCPT TO:<x@y.example>", "<jane@home.example>", "a,b@home.example", '"a"@b.example'),
        *("jane@home_.example", "j\x00@home.example", "jane@" + "a" * 64 + ".example", "x" * 65 + "@a.example"),
        *("jane@\u2028.example", "\ud800@home.example"),
    ],
)
def test_a_text_that_is_no_address_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(ValueError, match="mail address") as caught:
        Mailbox(address)
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"to": ()}, "recipient"),
        ({"message_id": "42"}, "id of a mail"),
        ({"message_id": "<a@b>\r\nBcc: x@y.example"}, "id of a mail"),
        ({"references": ("<a b@c>",)}, "id of a mail"),
        ({"list_unsubscribe": "https://a.example>\r\nX: y"}, "list_unsubscribe"),
        ({"list_unsubscribe": "javascript:alert(1)"}, "list_unsubscribe"),
    ],
)
def test_a_mail_that_cannot_be_composed_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Mail(**{"to": (JANE,), "subject": "x", "text": "x", **options})


def test_a_mailbox_is_read_as_people_write_it() -> None:
    assert read_mailbox("Zoë's Desk <desk@bücher.example>") == Mailbox("desk@xn--bcher-kva.example", "Zoë's Desk")
    assert read_mailbox(" desk@city.example ") == Mailbox("desk@city.example")


@pytest.mark.parametrize(
    "text",
    ["a@b.example, c@d.example", "A <a@b.example>, B <c@d.example>", "Desk <>", "<", "group: <a@b.c>;", ""],
)
def test_a_text_that_is_not_one_mailbox_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="mail address"):
        read_mailbox(text)


def test_repr_shows_neither_addresses_nor_passwords() -> None:
    assert "jane" not in f"{MAIL!r}{JANE!r}".lower()
    assert "pass" not in repr(SmtpServer.from_url("smtp://city:pass@mail.example"))


# --- TLS and login


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Path:
    path = tmp_path_factory.mktemp("mail") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def context(authority: trustme.CA) -> ssl.SSLContext:
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(found)
    return found


def test_a_mail_is_sent_with_starttls_and_a_login(authority: trustme.CA, ca: Path) -> None:
    with served(tls_context=context(authority), require_starttls=True, auth_required=True) as server:
        server.mailer(f"ca={ca}", user="city:pass%20word%3A%2F%40").send(MAIL, now=NOW)
        assert server.logins == [b"city"]
        assert server.read()["Subject"] == "Your report"


def test_a_mail_is_sent_with_tls_from_the_beginning(authority: trustme.CA, ca: Path) -> None:
    with served(smtps=context(authority)) as server:
        server.mailer(f"ca={ca}", scheme="smtps").send(MAIL, now=NOW)
        assert len(server.taken) == 1


def test_optional_starttls_is_used_without_a_check_of_the_certificate(authority: trustme.CA) -> None:
    with served(tls_context=context(authority), require_starttls=True) as server:
        server.mailer("starttls=optional").send(MAIL, now=NOW)
        assert len(server.taken) == 1


def test_starttls_is_required_unless_an_option_makes_it_optional() -> None:
    with served() as server, pytest.raises(MailDeferred, match="does not offer STARTTLS") as caught:
        server.mailer("").send(MAIL, now=NOW)
    assert caught.value.is_setup


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_of_an_unknown_authority_is_refused(authority: trustme.CA, scheme: str) -> None:
    own = context(authority)
    with served(**({"smtps": own} if scheme == "smtps" else {"tls_context": own})) as server:
        with pytest.raises(MailDeferred, match="certificate of the mail server is not accepted") as caught:
            server.mailer("", scheme=scheme).send(MAIL, now=NOW)
        assert caught.value.is_setup
        assert server.taken == []


def test_a_wrong_password_is_an_error_for_the_operator_and_no_mail_counts_as_refused(
    authority: trustme.CA, ca: Path
) -> None:
    with served(tls_context=context(authority), auth_required=True) as server:
        with pytest.raises(MailDeferred, match=r"the user or the password: 535 5\.7\.8") as caught:
            server.mailer(f"ca={ca}", user="city:wrong-word").send(MAIL, now=NOW)
        assert caught.value.is_setup
        assert "wrong-word" not in str(caught.value)


def test_a_server_without_login_gets_no_password() -> None:
    with served() as server, pytest.raises(MailDeferred) as caught:
        server.mailer(user="city:wrong-word").send(MAIL, now=NOW)
    assert caught.value.is_setup
    assert server.logins == []


# --- Failures


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "error"),
    [("550 5.1.1 jane@home.example is unknown", MailRefused), ("451 4.7.1 jane@home.example: later", MailDeferred)],
)
def test_a_reply_says_whether_to_try_again(command: str, reply: str, error: type[MailError]) -> None:
    with served(replies={command: reply}) as server, pytest.raises(error, match=rf"{reply[:9]}$") as caught:
        server.mailer().send(MAIL, now=NOW)
    assert type(caught.value) is error
    assert caught.value.code == int(reply[:3])
    assert "jane" not in f"{caught.value!r}"
    assert caught.value.__cause__ is None


def test_the_error_for_a_reply_without_an_enhanced_code_has_no_text_of_the_reply() -> None:
    with served(replies={"RCPT": "550 jane@home.example"}) as server, pytest.raises(MailRefused, match=r"550$"):
        server.mailer().send(MAIL, now=NOW)


def test_a_mail_is_uncertain_if_the_connection_is_lost_after_its_text() -> None:
    with served(drops_after_data=True) as server:
        with pytest.raises(MailUncertain, match="may have taken it"):
            server.mailer().send(MAIL, now=NOW)
        assert len(server.taken) == 1


def test_a_mail_is_uncertain_if_the_answer_to_its_text_is_slow() -> None:
    is_done = threading.Event()
    with served(slow=is_done) as server:
        at = SmtpServer(host="localhost", port=server.port, starttls="optional", timeout_s=0.3)
        with pytest.raises(MailUncertain):
            Mailer(at, CITY).send(MAIL, now=NOW)
        is_done.set()


def test_a_mail_to_a_server_that_is_not_there_is_tried_later() -> None:
    port = free_port()
    with pytest.raises(MailDeferred, match="cannot be reached: ConnectionRefusedError") as caught:
        Mailer(SmtpServer(host="127.0.0.1", port=port), CITY).send(MAIL, now=NOW)
    assert not caught.value.is_setup


def test_a_mail_to_a_server_that_says_nothing_is_tried_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as line:
        server = SmtpServer(host="127.0.0.1", port=line.getsockname()[1], timeout_s=0.2)
        with pytest.raises(MailDeferred, match="took too long"):
            Mailer(server, CITY).send(MAIL, now=NOW)


@pytest.mark.parametrize("banner", [b"554 no service here\r\n", b"421 busy\r\n", b"HTTP/1.1 400\r\n\r\n", b""])
def test_a_mail_is_tried_later_if_the_greeting_is_not_one_of_smtp(banner: bytes) -> None:
    with answering(lambda line: line.sendall(banner)) as port, pytest.raises(MailDeferred):
        Mailer(SmtpServer(host="127.0.0.1", port=port, timeout_s=2), CITY).send(MAIL, now=NOW)


def test_the_wait_for_a_reply_that_comes_byte_by_byte_ends_at_the_deadline() -> None:
    is_done = threading.Event()

    def drip(line: socket.socket) -> None:
        while not is_done.wait(0.05):
            try:
                line.sendall(b"2")
            except OSError:
                return

    with answering(drip) as port:
        with pytest.raises(MailDeferred, match="took too long"):
            Mailer(SmtpServer(host="127.0.0.1", port=port, timeout_s=0.2), CITY).send(MAIL, now=NOW)
        is_done.set()


@contextmanager
def answering(act: Any) -> Iterator[int]:
    """A port at which the first connection is handed to `act`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            line, _ = server.accept()
            with line:
                act(line)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join()


@pytest.mark.parametrize("reply", [b"", b"2", b"45", b"250-all is", b"nonsense\r\n"])
def test_a_mail_is_uncertain_if_the_answer_to_its_text_is_cut(reply: bytes) -> None:
    def talk(line: socket.socket) -> None:
        with line.makefile("rb") as read:
            line.sendall(b"220 hello\r\n")
            for answer in (b"250 hello\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"):
                read.readline()
                line.sendall(answer)
            while read.readline() != b".\r\n":
                pass
            line.sendall(reply)

    with answering(talk) as port, pytest.raises(MailUncertain):
        Mailer(SmtpServer(host="127.0.0.1", port=port, timeout_s=2, starttls="optional"), CITY).send(MAIL, now=NOW)


def test_an_address_with_non_ascii_letters_is_sent_if_the_server_accepts_it() -> None:
    zoe = Mail(to=(Mailbox("zoë@home.example"),), subject="x", text="x")
    with served(enable_SMTPUTF8=True) as server:
        server.mailer().send(zoe, now=NOW)
        assert server.taken[0].rcpt_tos == ["zoë@home.example"]
    with served(enable_SMTPUTF8=False) as server, pytest.raises(MailRefused, match="other letters"):
        server.mailer().send(zoe, now=NOW)


# --- The address of the server


def test_the_address_of_a_server_has_defaults() -> None:
    assert SmtpServer.from_url("smtp://mail.city.example") == SmtpServer(host="mail.city.example", port=587)
    assert SmtpServer.from_url("smtps://u:p%40@mail.city.example") == SmtpServer(
        host="mail.city.example", port=465, is_tls=True, user="u", password="p@"
    )


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mail.city.example", "must look like"),
        ("smtp://", "must look like"),
        ("http://mail.city.example", "smtp:// or smtps://"),
        ("smtp://mail.city.example:x", "must look like"),
        ("smtp://mail.city.example:99999", "must look like"),
        ("smtp://city:hunter2/x@mail.city.example", "must look like"),
        ("smtp://city@mail.city.example", "password"),
        ("smtp://city:hunter2@mail.city.example?starttls=optional", "starttls=required"),
        ("smtp://mail.city.example?starttls=never", "required or optional"),
        ("smtp://mail.city.example?timeout=0", "1 to 600"),
        ("smtp://mail.city.example?timeout=x", "1 to 600"),
        ("smtp://mail.city.example?tls=yes", "only the options"),
        ("smtp://mail.city.example?ca=a&ca=b", "only the options"),
    ],
)
def test_an_address_that_is_no_mail_server_is_refused_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        SmtpServer.from_url(url)
    assert "hunter2" not in str(caught.value)
