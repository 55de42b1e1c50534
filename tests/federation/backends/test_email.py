"""Cases as mails that a person reads, sent to the mail server of tests/world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from open311.domain.results import Accepted, Rejected, Result, Retry
from open311.errors import Misconfigured
from open311.federation.backends.email import EmailBackend, EmailConfig
from tests import world
from tests.federation.backends.office import CASE, KEY, PLAIN, UPDATE, context, mailer_to

MAP = "https://maps.example/?lat={lat}&lon={long}"


@pytest.fixture
def post() -> Iterator[world.MailServer]:
    with world.mail_server() as post:
        yield post


def office(post: world.MailServer, **changes: Any) -> EmailBackend:
    values: dict[str, Any] = {"name": "works", "kind": "email", "to": ("Works <works@test.example>",)}
    return EmailBackend(EmailConfig(**values | changes), context(mailer=mailer_to(post.url)))


def text_of(mail: world.Mail) -> str:
    found: str = mail.message.get_content()
    return found.replace("\r\n", "\n")


def test_a_person_can_read_the_mail(post: world.MailServer) -> None:
    backend = office(post, map_url=MAP, reply_to="desk@test.example", how_to_answer="Write the number to the desk.")
    assert backend.send(CASE, KEY) == Accepted(f"<{KEY}@test.example>")
    [mail] = post.accepted
    assert mail.recipients == ("works@test.example",)
    assert mail.message["Subject"] == "2026-0000012: Pothole"
    assert mail.message["Reply-To"] == "desk@test.example"
    assert mail.message["Message-ID"] == f"<{KEY}@test.example>"
    assert (
        text_of(mail)
        == """\
Testville has a new request for Street Works.

Number:       2026-0000012
Service:      Pothole
Received:     2026-03-01 14:00 EET
Due:          2026-03-05 14:00 EET
Priority:     high
Address:      5 Mill Lane
Place:        60.171800, 24.941400 (latitude, longitude)
Map:          https://maps.example/?lat=60.171800&lon=24.941400
Public data:  https://311.test.example/open311/v2/requests/2026-0000012.json?jurisdiction_id=test.example

Answers
- Which surface? Brick

Description
Deep, near the kerb

Photos
https://photos.example/1.jpg

Reported by
Name:         Ann
Mail:         ann@example.org

How to answer
Write the number to the desk.
"""
    )


def test_a_mail_has_no_line_for_data_that_are_not_shared(post: world.MailServer) -> None:
    office(post).send(replace(PLAIN, answers=(), expected_at=None, priority="normal"), KEY)
    text = text_of(post.accepted[0])
    for title in ("Address", "Map", "Description", "Photos", "Reported", "Answers", "How to", "Due", "Priority"):
        assert title not in text


def test_a_mail_about_a_change_is_a_reply_to_the_first_mail(post: world.MailServer) -> None:
    backend = office(post)
    first = backend.send(CASE, KEY)
    assert isinstance(first, Accepted)
    backend.send_update(replace(UPDATE, remote_id=first.service_request_id), "key-2")
    mail = post.accepted[1]
    assert (mail.message["In-Reply-To"], mail.message["Message-ID"]) == (
        first.service_request_id,
        "<key-2@test.example>",
    )
    assert mail.message["Subject"] == "Re: 2026-0000012: Pothole"
    text = text_of(mail)
    assert "Status:       fixed\n" in text
    assert "What was written\nFilled.\n" in text
    assert "ann@example.org" not in text


def test_a_mail_about_a_change_with_an_id_of_another_kind_is_no_reply(post: world.MailServer) -> None:
    assert isinstance(office(post).send_update(UPDATE, "key-2"), Accepted)
    assert post.accepted[0].message["In-Reply-To"] is None


def test_no_text_of_a_citizen_begins_a_header(post: world.MailServer) -> None:
    hostile = replace(
        CASE, service_name="Hole\r\nBcc: eve@example.org", description=".\r\n\r\nDATA\r\nBcc: eve@x.y"
    )
    office(post).send(hostile, KEY)
    [mail] = post.accepted
    assert mail.recipients == ("works@test.example",)
    assert mail.message["Bcc"] is None


@pytest.mark.parametrize(
    ("fault", "kind", "is_uncertain"),
    [
        (world.fault("status", on="RCPT", status=550), Rejected, False),
        (world.fault("status", on="DATA", status=554), Rejected, False),
        (world.fault("status", on="RCPT", status=451), Retry, False),
        (world.fault("busy", on="MAIL"), Retry, False),
        (world.fault("drop", on="MAIL"), Retry, False),
        (world.fault("lose_answer", on="DATA"), Retry, True),
    ],
)
def test_the_answer_of_the_mail_server_decides_the_result(
    post: world.MailServer, fault: world.Fault, kind: type[Result], is_uncertain: bool
) -> None:
    post.fault(fault)
    found = office(post).send(CASE, KEY)
    assert isinstance(found, kind)
    assert getattr(found, "is_uncertain", False) is is_uncertain
    assert "example" not in str(found).lower().replace("mail server", "")


def test_a_mail_to_a_server_that_is_down_is_tried_again_and_not_uncertain(post: world.MailServer) -> None:
    post.down()
    found = office(post).send(CASE, KEY)
    assert isinstance(found, Retry)
    assert not found.is_uncertain


def test_a_repeated_mail_has_the_same_id(post: world.MailServer) -> None:
    backend = office(post, may_repeat=True)
    assert (backend.honours_keys, backend.repeats_updates) == (True, True)
    backend.send(CASE, KEY)
    backend.send(CASE, KEY)
    assert len({mail.message["Message-ID"] for mail in post.accepted}) == 1


def test_without_a_mail_server_the_setting_is_named() -> None:
    with pytest.raises(Misconfigured, match="OPEN311_SMTP_URL"):
        EmailBackend(EmailConfig(name="works", kind="email", to=("a@b.example",)), context())


def test_a_check_logs_in_and_sends_no_mail(post: world.MailServer) -> None:
    assert office(post).check() == Accepted()
    assert not post.accepted
    wrong = EmailConfig(name="works", kind="email", to=("works@test.example",))
    login = post.url.replace("smtp://", "smtp://desk:wrong@")
    assert isinstance(EmailBackend(wrong, context(mailer=mailer_to(login))).check(), Retry)
    post.down()
    assert isinstance(office(post).check(), Retry)
