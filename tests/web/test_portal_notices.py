"""Notices of a city on the pages for citizens and for staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.cli.notices import add as add_command
from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.domain.city_notices import CityNotice, NoticeText, Severity
from open311.domain.requests import Status
from open311.operations.notices.managing import NoticeOrder, add_notice, change_notice, list_notices
from open311.operations.platform import Platform
from tests import build
from tests.desk_pages import Person
from tests.pages import checked, text_of

HOME = "/c/city.example/"
HOSTILE = "<script>alert('x')</script>"


def add(platform: Platform, headline: str = "Water is off", **changes: Any) -> CityNotice:
    (city,) = platform.registry
    texts = [
        NoticeText(language="en", headline=headline, description="A pipe has burst."),
        NoticeText(language="ht", headline="Pa gen dlo"),
    ]
    given: dict[str, Any] = {"texts": texts, "ends_at": utc_now() + timedelta(days=2)} | changes
    order = NoticeOrder(**given)
    return add_notice(platform, city, order, principal=SHELL, now=utc_now())


def notices_in(answer: Any) -> list[str]:
    return [text_of(one) for one in checked(answer).xpath("//section[contains(@class, 'notices')]/article")]


def test_the_pages_show_a_valid_notice(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="R/1")
    add(platform)
    for path in (HOME, f"{HOME}requests/R%2F1", "/map/city.example", f"{HOME}report?service_code=potholes"):
        (told,) = notices_in(client.get(path))
        assert "Water is off" in told
        assert "A pipe has burst." in told
    page = checked(client.get(f"{HOME}notices"))
    assert "Water is off" in text_of(page)


def test_pages_without_a_notice_have_no_empty_box(client: FlaskClient) -> None:
    for path in (HOME, "/map/city.example", f"{HOME}report?service_code=potholes"):
        assert not checked(client.get(path)).xpath("//section[contains(@class, 'notices')]")
    assert "no notice at the moment" in text_of(checked(client.get(f"{HOME}notices")))


def test_the_form_shows_what_is_about_its_service_and_place(client: FlaskClient, platform: Platform) -> None:
    add(platform, "About trees", service_codes=["trees"])
    add(platform, "About here", area="Harbour")
    form = f"{HOME}report?service_code=potholes"
    assert notices_in(client.get(form)) == []
    assert notices_in(client.get(f"{form}&lat=60.20&long=24.95")) == []
    (told,) = notices_in(client.get(f"{form}&lat=60.13&long=24.95"))
    assert "About here" in told


def test_the_later_steps_of_the_form_show_only_what_is_about_the_place(
    client: FlaskClient, platform: Platform
) -> None:
    add(platform, "About everything")
    add(platform, "About here", area="Harbour")
    form = f"{HOME}report?service_code=potholes&lat=60.13&long=24.95"
    assert len(notices_in(client.get(form))) == 2
    for step in ("place", "check"):
        (told,) = notices_in(client.get(f"{form}&step={step}"))
        assert "About here" in told


def test_on_the_first_page_only_a_severe_notice_is_above_the_search(
    client: FlaskClient, platform: Platform
) -> None:
    add(platform)
    search, notices = "//form[@role='search']", "section[contains(@class, 'notices')]"
    assert checked(client.get(HOME)).xpath(f"{search}/following-sibling::{notices}")
    add(platform, "Boil the water", severity=Severity.SEVERE)
    page = checked(client.get(HOME))
    assert page.xpath(f"{search}/preceding-sibling::{notices}")
    assert len(page.xpath(f"//{notices}")) == 1


def test_a_closed_request_has_no_notices(client: FlaskClient, platform: Platform) -> None:
    build.store(platform, service_request_id="R/1", status=Status.CLOSED)
    add(platform)
    assert notices_in(client.get(f"{HOME}requests/R%2F1")) == []


def test_each_text_has_its_language(client: FlaskClient, platform: Platform) -> None:
    add(platform)
    page = checked(client.get(f"{HOME}?locale=ht"))
    (article,) = page.xpath("//article")
    assert article.xpath("./h3/text()") == ["Pa gen dlo"]
    assert article.xpath("./h3/@lang") == []
    assert article.xpath("./p[@class='said']/@lang") == ["en"]
    arabic = checked(client.get(f"{HOME}?locale=ar"))
    assert arabic.xpath("//article/h3/@lang") == ["en"]
    assert arabic.xpath("//article/h3/@dir") == ["ltr"]


def test_hostile_text_is_shown_as_text(client: FlaskClient, platform: Platform) -> None:
    add(platform, HOSTILE)
    for path in (HOME, f"{HOME}notices", f"{HOME}report?service_code=potholes"):
        answer = client.get(path)
        assert HOSTILE in text_of(checked(answer))
        assert HOSTILE not in answer.text


def test_a_page_has_five_notices_and_a_link_to_the_others(client: FlaskClient, platform: Platform) -> None:
    for number in range(7):
        add(platform, f"Notice {number}", severity=Severity.SEVERE if number == 3 else Severity.MINOR)
    page = client.get(HOME)
    told = notices_in(page)
    assert len(told) == 5
    assert "Notice 3" in told[0]
    assert checked(page).xpath("//article[@class='alarm']")
    assert checked(page).xpath(f"//a[@href='{HOME}notices']")
    assert len(checked(client.get(f"{HOME}notices")).xpath("//article")) == 7


# --- The desk


@pytest.fixture
def dispatcher(client: FlaskClient, platform: Platform) -> Person:
    return Person.of(client, platform, "ada", Role.DISPATCHER)


def fields(**changes: str) -> dict[str, Any]:
    until = (utc_now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    first = {"language_1": "en", "headline_1": "Water is off", "language_2": "es", "headline_2": "No hay agua"}
    return first | {"end_datetime": until, "category": "Infra", "severity": "Minor"} | changes


def stored(platform: Platform) -> list[CityNotice]:
    (city,) = platform.registry
    return list(list_notices(platform, city, principal=SHELL, rows=100).notices)


def test_a_dispatcher_adds_changes_and_ends_a_notice(dispatcher: Person, platform: Platform) -> None:
    checked(dispatcher.get("notices"))
    added = dispatcher.post("notices", **fields(area="Harbour"))
    assert added.status_code == 303
    page = checked(dispatcher.get(added.headers["Location"]))
    assert "Water is off" in text_of(page)
    (one,) = stored(platform)
    assert [text.language for text in one.texts] == ["en", "es"]
    form = checked(dispatcher.get(f"notices/{one.number}"))
    assert form.xpath("//input[@name='headline_1']/@value") == ["Water is off"]
    sent = fields(do="change", version="1", headline_1="Water runs slowly", start_datetime="")
    assert dispatcher.post(f"notices/{one.number}", **sent).status_code == 303
    assert stored(platform)[0].texts[0].headline == "Water runs slowly"
    stale = dispatcher.post(f"notices/{one.number}", **sent)
    assert "read it again" in text_of(checked(stale, 409))
    ended = dispatcher.post(f"notices/{one.number}", do="end", version="2", reason="It runs.")
    assert ended.status_code == 303
    assert "Over" in text_of(checked(dispatcher.get(f"notices/{one.number}")))
    assert dispatcher.post(f"notices/{one.number}", do="end", version="3").status_code == 409


def test_the_form_of_a_new_notice_has_the_defaults_of_the_shell(dispatcher: Person) -> None:
    page = checked(dispatcher.get("notices"))
    options = {option.name: option for option in add_command.params}
    for name in ("category", "severity"):
        assert page.xpath(f"//select[@name='{name}']/option[@selected]/@value") == [options[name].default]


def test_a_change_on_the_page_keeps_the_beginning(dispatcher: Person, platform: Platform) -> None:
    one = add(platform)
    page = checked(dispatcher.get(f"notices/{one.number}"))
    began = str(page.xpath("//input[@name='start_datetime']/@value")[0])
    sent = fields(do="change", version="1", start_datetime=began)
    assert dispatcher.post(f"notices/{one.number}", **sent).status_code == 303
    assert stored(platform)[0].starts_at == one.starts_at


def test_a_faulty_form_keeps_what_was_typed(dispatcher: Person, platform: Platform) -> None:
    for changes, field in (
        ({"headline_1": ""}, "texts"),
        ({"end_datetime": ""}, "end_datetime"),
        ({"end_datetime": "soon"}, "end_datetime"),
        ({"end_datetime": "2020-01-01T00:00"}, "end_datetime"),
        ({"polygon": "{"}, "polygon"),
        ({"polygon": "[]"}, "polygon"),
        ({"area": "Nowhere"}, "area"),
        ({"category": "Fun"}, "category"),
        ({"service_code": "bridges"}, "service_code"),
        ({"language_2": "<b>"}, "texts"),
        ({"language_2": "x" * 5_000}, "texts"),
    ):
        answer = dispatcher.post("notices", **fields(**changes))
        page = checked(answer, 400)
        assert page.xpath(f"//p[@id='{field}-fault']"), changes
        assert "No hay agua" in page.xpath("//input/@value")
    assert stored(platform) == []


def test_a_language_that_has_no_name_here_does_not_break_the_page(dispatcher: Person, platform: Platform) -> None:
    assert dispatcher.post("notices", **fields(language_2="xx")).status_code == 303
    (one,) = stored(platform)
    page = checked(dispatcher.get(f"notices/{one.number}"))
    assert "xx" in page.xpath("//input[@type='hidden']/@value")


def test_two_people_who_change_a_notice_do_not_overwrite_each_other(dispatcher: Person, platform: Platform) -> None:
    one = add(platform)
    (city,) = platform.registry
    order = NoticeOrder(severity=Severity.SEVERE)
    change_notice(platform, city, one.number, order, principal=SHELL, now=utc_now(), version=1)
    refused = dispatcher.post(f"notices/{one.number}", **fields(do="change", version="1"))
    assert refused.status_code == 409
    assert stored(platform)[0].severity is Severity.SEVERE


def test_an_agent_does_not_see_the_page(client: FlaskClient, platform: Platform) -> None:
    agent = Person.of(client, platform, "bob", Role.AGENT)
    assert agent.get("notices").status_code == 403
    assert agent.post("notices", **fields()).status_code == 403
    assert "notices" not in "".join(checked(agent.get("")).xpath("//footer//a/@href"))


def test_an_unknown_notice_is_a_page_with_404(dispatcher: Person) -> None:
    for path in ("notices/7", "notices/x"):
        assert dispatcher.get(path).status_code == 404
        assert dispatcher.post(path, **fields(do="change")).status_code == 404
