"""What the public reads of a request that is opened again."""

from __future__ import annotations

from datetime import timedelta

from flask.testing import FlaskClient

from open311.domain import commands
from open311.domain.access import SHELL
from open311.domain.commands import Command
from open311.domain.requests import RequestRecord
from open311.domain.workflow import Outcome
from open311.operations.platform import Platform
from open311.operations.workflow.act import act
from tests import build

AGAIN = "We look at this again."
FIXED = commands.Close(outcome=Outcome.FIXED, note="Streets has fixed this. Thank you!")


def give(platform: Platform, name: str, *orders: Command) -> RequestRecord:
    city, now = next(iter(platform.registry)), build.NOON + timedelta(hours=1)
    return act(platform, city, name, orders, principal=SHELL, now=now)


def test_a_reopening_removes_the_closing_text_from_status_notes_and_the_history_keeps_it(
    client: FlaskClient, platform: Platform
) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, FIXED)
    give(platform, name, commands.Reopen(reason="It is broken again."))
    (item,) = client.get(f"/open311/v2/requests/{name}.json?extensions=true").json
    assert (item["status"], item["status_notes"]) == ("open", AGAIN)
    assert [note["description"] for note in item["notes"] if note["type"] == "note"] == [FIXED.note, AGAIN]


def test_staff_can_write_the_text_of_a_reopening(platform: Platform) -> None:
    name = build.submit(platform).service_request_id
    give(platform, name, FIXED)
    again = give(platform, name, commands.Reopen(reason="Rain.", note="The rain has washed it out."))
    assert again.status_notes == "The rain has washed it out."


def test_the_closing_text_of_a_merged_request_is_removed_too(platform: Platform) -> None:
    parent, child, hidden = (build.submit(platform).service_request_id for _ in range(3))
    other = build.submit(platform).service_request_id
    give(platform, child, commands.Merge(into=parent))
    give(platform, other, commands.Merge(into=hidden))
    give(platform, hidden, commands.Hide(reason="A name is in it."))
    for name in (parent, hidden):
        give(platform, name, FIXED)
        give(platform, name, commands.Reopen(reason="Jane Doe says so."))
    for name in (child, other):
        assert build.load(platform, service_request_id=name).status_notes == AGAIN
