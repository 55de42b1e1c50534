"""The mail server keeps what it takes, and misbehaves at the command that a test names."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests import world

LOST = (smtplib.SMTPServerDisconnected, ConnectionError)


def send(post: world.MailServer, *, to: str = "streets@city.example", login: tuple[str, str] | None = None) -> None:
    """Send a mail."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "desk@city.example", to, "Grüße: hole"
    message["Message-ID"] = "<1@city.example>"
    message.set_content("A deep hole.\n.\n..\nEnd")
    with smtplib.SMTP(post.host, post.port, timeout=10) as line:
        if login:
            line.login(*login)
        line.send_message(message)


def test_a_mail_is_kept_as_it_was_sent() -> None:
    with world.mail_server(clock=world.Ticking()) as post:
        send(post)
        [mail] = post.accepted
        assert (mail.sender, mail.recipients) == ("desk@city.example", ("streets@city.example",))
        assert mail.message["Subject"] == "Grüße: hole"
        assert mail.message.get_content().splitlines() == ["A deep hole.", ".", "..", "End"]
        assert [each["label"] for each in post.calls] == [
            "MAIL desk@city.example",
            "RCPT streets@city.example",
            "DATA",
        ]


@pytest.mark.parametrize(("kind", "taken"), [("drop", 0), ("lose_answer", 1)])
def test_the_connection_is_lost_before_or_after_the_mail_was_taken(kind: str, taken: int) -> None:
    with world.mail_server(faults=[world.fault(kind, on="DATA")]) as post:
        with pytest.raises(LOST):
            send(post)
        assert len(post.accepted) == taken
        send(post)
        assert len(post.accepted) == taken + 1


def test_the_fault_double_stores_a_mail_twice() -> None:
    with world.mail_server(faults=[world.fault("double", on="DATA")]) as post:
        send(post)
        assert [each.message["Message-ID"] for each in post.accepted] == ["<1@city.example>"] * 2


@pytest.mark.parametrize("accepts", [False, True])
@pytest.mark.parametrize("code", [451, 552])
def test_a_mail_is_refused_temporarily_or_permanently(code: int, accepts: bool) -> None:
    with world.mail_server(faults=[world.fault("status", on="DATA", status=code, accepts=accepts)]) as post:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            send(post)
        assert caught.value.smtp_code == code
        assert len(post.accepted) == int(accepts)


def test_a_recipient_is_refused() -> None:
    with world.mail_server(faults=[world.fault("status", on="RCPT bad@", status=550)]) as post:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(post, to="bad@city.example")
        send(post)
        assert len(post.accepted) == 1


def test_a_busy_server_closes_the_connection() -> None:
    with world.mail_server(faults=[world.fault("busy", on="MAIL")]) as post:
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            send(post)
        assert caught.value.smtp_code == 421
        send(post)


@pytest.mark.parametrize(("kind", "taken"), [("delay", 0), ("delay_answer", 1)])
def test_a_delay_comes_before_or_after_the_mail_was_taken(kind: str, taken: int) -> None:
    with world.mail_server(faults=[world.fault(kind, on="DATA", seconds=60)]) as post:
        line = smtplib.SMTP(post.host, post.port, timeout=0.3)
        with pytest.raises(LOST):
            line.sendmail("desk@city.example", ["streets@city.example"], b"Subject: x\r\n\r\n")
        assert len(post.accepted) == taken
        line.close()


@pytest.mark.parametrize(("login", "is_known"), [(("desk", "secret"), True), (("desk", "wrong"), False)])
def test_only_the_user_with_the_password_is_let_in(login: tuple[str, str], is_known: bool) -> None:
    with world.mail_server(user="desk", password="secret") as post:
        with pytest.raises(smtplib.SMTPException):
            send(post)
        if is_known:
            send(post, login=login)
            assert post.accepted[0].user == "desk"
        else:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                send(post, login=login)
            assert post.accepted == []


def test_a_server_remembers_its_mails_and_comes_back_at_its_port(tmp_path: Path) -> None:
    with world.mail_server(file=tmp_path / "journal") as post:
        send(post)
        post.down()
        with pytest.raises(ConnectionRefusedError):
            send(post)
        post.up()
        send(post)
    with world.mail_server(file=tmp_path / "journal") as post:
        assert [each.number for each in post.accepted] == [1, 2]


@pytest.mark.parametrize("wrong", [{"kind": "drip"}, {"kind": "redirect"}])
def test_a_fault_that_only_http_has_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no fault"), world.mail_server(faults=[world.Fault(**wrong)]):
        pass
    with world.mail_server() as post, pytest.raises(ValueError, match="no fault"):
        post.fault(world.Fault(**wrong))
