"""Mail that comes back: addresses that do not exist get no further mail."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart

import pytest

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.mails import MOST_BOUNCES
from open311.operations.mailing.bouncing import Bounce, take_bounce
from tests.mailing.towns import Town


def report(to: str, status: str = "5.1.1", action: str = "failed") -> bytes:
    """A report about a delivery, as mail servers send it (RFC 3464)."""
    message = MIMEMultipart("report", report_type="delivery-status")
    message["From"], message["To"], message["Subject"] = "MAILER-DAEMON@mx.example", to, "Undelivered"
    server, recipient, block = EmailMessage(), EmailMessage(), EmailMessage()
    server["Reporting-MTA"] = "dns; mx.example"
    recipient["Final-Recipient"] = "rfc822; ann@mail.example"
    recipient["Action"], recipient["Status"] = action, status
    part = MIMEMessage(block, "delivery-status")
    part.set_payload([server, recipient])
    message.attach(part)
    return message.as_bytes()


def sender_of(here: Town) -> str:
    """The address to which the last mail comes back."""
    return here.post.accepted[-1].sender


def take(here: Town, content: bytes, to: str = "") -> Bounce:
    return take_bounce(here.platform, content, now=utc_now(), to=to)


def test_mail_comes_back_to_an_address_of_the_city_that_does_not_name_the_follower(here: Town) -> None:
    here.confirmed()
    first, _, domain = sender_of(here).partition("@")
    assert first.startswith("bounces+")
    assert domain == "city.example"
    assert "ann" not in first


@pytest.mark.parametrize("change", [str, str.upper, "<{}>".format])
def test_an_address_that_does_not_exist_gets_no_mail_any_more(here: Town, change: Callable[[str], str]) -> None:
    name, _ = here.confirmed()
    here.confirmed()
    assert take(here, report(change(sender_of(here)))) is Bounce.STOPPED
    assert here.rows("SELECT id FROM follower") == [], "the follower of no request is left"
    here.act(name, commands.Note(text="We were there.", public=True))
    here.report()
    assert here.send(hours=30) == []
    assert take(here, report(sender_of(here))) is Bounce.UNKNOWN


def test_bounces_that_may_be_temporary_are_counted(here: Town) -> None:
    here.confirmed()
    content = report(sender_of(here), "5.2.2")
    results = [take(here, content) for _ in range(MOST_BOUNCES)]
    assert results == [Bounce.COUNTED] * (MOST_BOUNCES - 1) + [Bounce.STOPPED]


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (lambda to: report(to, "4.4.1", "delayed"), Bounce.DELAYED),
        (lambda to: report(to, "2.0.0", "delivered"), Bounce.DELAYED),
        (lambda to: f"To: {to}\r\nSubject: I am away\r\n\r\nUntil Monday.".encode(), Bounce.DELAYED),
        (lambda to: report(to.replace("+", "+9")), Bounce.UNKNOWN),
        (lambda to: report("bounces+1-00000000000000000000@city.example"), Bounce.UNKNOWN),
        (lambda to: report("desk@city.example"), Bounce.UNKNOWN),
        (lambda to: b"", Bounce.UNKNOWN),
        (lambda to: b"\xff\x00" * 1_000, Bounce.UNKNOWN),
    ],
)
def test_a_mail_that_is_no_report_about_a_failure_stops_nobody(
    here: Town, content: Callable[[str], bytes], result: Bounce
) -> None:
    here.confirmed()
    assert take(here, content(sender_of(here))) is result
    assert len(here.rows("SELECT id FROM follower")) == 1


def test_a_bounce_finds_its_follower_by_the_recipient_that_the_mail_server_names(here: Town) -> None:
    here.confirmed()
    assert take(here, report("undisclosed"), to=sender_of(here)) is Bounce.STOPPED


def test_a_deeply_nested_mail_without_a_report_stops_nobody(here: Town) -> None:
    here.confirmed()
    outer = MIMEMultipart()
    outer["To"] = sender_of(here)
    for _ in range(30):
        inner = outer
        outer = MIMEMultipart()
        outer["To"] = sender_of(here)
        outer.attach(inner)
    assert take(here, outer.as_bytes()) is Bounce.DELAYED
    assert len(here.rows("SELECT id FROM follower")) == 1
