"""The link to one's own request shows the reporter whether its photos are prepared, shown or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from lxml import etree

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL, Role
from open311.domain.services import PhotoRule
from open311.operations.workflow.act import act
from schemas.extensions import OWN_PHOTO_STATES
from tests import build
from tests.desk import Desk
from tests.photos import Sender, jpeg, prepare_all

MakeApp = Callable[..., Flask]
BROKEN = jpeg()[:-200]
ELSEWHERE = "https://photos.example/hole.jpg"


@pytest.fixture
def sender(make_app: MakeApp, tmp_path: Path) -> Sender:
    return Sender(make_app(build.city(), media=str(tmp_path / "media"), photo_original_days=30))


def report(sender: Sender, *pictures: bytes, **fields: str) -> str:
    """Send a report. Returns the path of its link."""
    answer = sender.post(*(("media", one) for one in pictures), extensions="true", **fields)
    assert answer.status_code == 200, answer.text
    path: str = urlsplit(answer.json[0]["extended_attributes"]["status_url"]).path
    return path


def read(sender: Sender, link: str, query: str = "?extensions=true", **headers: str) -> dict[str, Any]:
    answer = sender.get(link + query, **headers)
    assert answer.status_code == 200, answer.text
    [found] = answer.json
    shown: dict[str, Any] = found
    return shown


def states(sender: Sender, link: str) -> list[str]:
    return [photo["state"] for photo in read(sender, link)["photos"]]


def test_a_photo_is_prepared_and_then_shown_or_refused(sender: Sender) -> None:
    link = report(sender, jpeg(), BROKEN)
    assert states(sender, link) == ["preparing", "preparing"]
    prepare_all(sender.platform)
    assert read(sender, link)["photos"] == [
        {"state": "shown", "description": "Everybody can see it."},
        {"state": "refused", "description": "It is not kept, because the file is broken."},
    ]
    spanish = read(sender, link, Accept_Language="es")["photos"]
    assert spanish[1]["description"] == "No se guarda, porque el archivo está dañado."
    assert set(states(sender, link)) <= set(OWN_PHOTO_STATES)


def test_the_states_of_photos_are_in_xml_too(sender: Sender) -> None:
    link = report(sender, BROKEN)
    prepare_all(sender.platform)
    root = etree.fromstring(sender.get(link.replace(".json", ".xml") + "?extensions=true").data)
    assert root.findtext("request/photos/photo/state") == "refused"


@pytest.mark.parametrize("query", ["", "?extensions=notes"])
def test_states_of_photos_are_shown_only_with_the_extended_attributes(sender: Sender, query: str) -> None:
    assert "photos" not in read(sender, report(sender, jpeg()), query)


def test_a_report_without_photos_shows_no_states(sender: Sender) -> None:
    assert "photos" not in read(sender, report(sender))


def test_the_link_to_a_hidden_request_shows_no_address_that_gets_404(sender: Sender) -> None:
    link = report(sender, jpeg(), media_url=ELSEWHERE)
    prepare_all(sender.platform)
    id = sender.newest()["service_request_id"]
    (city,) = sender.platform.registry
    shown = read(sender, link)
    assert len(shown["extended_attributes"]["media_urls"]) == 2
    act(sender.platform, city, id, [commands.Hide(reason="x")], principal=SHELL, now=utc_now())
    hidden = read(sender, link)
    assert hidden["extended_attributes"]["media_urls"] == [ELSEWHERE]
    assert hidden["media_url"] == ELSEWHERE
    assert hidden["photos"] == [{"state": "not_shown", "description": "Only the city can see it."}]


def test_a_request_with_only_a_token_has_no_address_of_its_photo(sender: Sender) -> None:
    link = report(sender, jpeg(), service_code="trees")
    prepare_all(sender.platform)
    assert read(sender, link)["media_url"] is None
    assert states(sender, link) == ["not_shown"]
    assert [*read(sender, link)][-2:] == ["photos", "token"]


@pytest.mark.parametrize("rule", [PhotoRule.HELD, PhotoRule.PRIVATE])
def test_the_reporter_does_not_learn_why_others_do_not_see_a_photo(
    make_app: MakeApp, tmp_path: Path, rule: PhotoRule
) -> None:
    sender = Sender(make_app(build.city(photos=rule), media=str(tmp_path / "media")))
    link = report(sender, jpeg())
    prepare_all(sender.platform)
    assert states(sender, link) == ["not_shown"]


def test_a_photo_that_staff_have_blackened_is_listed_once(sender: Sender) -> None:
    link = report(sender, jpeg())
    prepare_all(sender.platform)
    id = sender.newest()["service_request_id"]
    desk = Desk.of(sender.client, sender.platform, "ada", Role.DISPATCHER, city="test.example")
    [photo] = desk.get(f"/requests/{id}").json["photos"]
    body = {"boxes": [[0, 0, 0.5, 0.5]], "reason": "A plate."}
    assert desk.post(f"/requests/{id}/photos/{photo['id']}/blacken", body).status_code == 200
    assert states(sender, link) == ["shown"]
