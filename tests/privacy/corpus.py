"""A city into which personal data come by every door that the server has."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from open311.app import create_app
from open311.clock import utc_now
from open311.domain import commands
from open311.domain.abuse import AbuseRules
from open311.domain.access import SHELL, Role
from open311.domain.mails import MailRules
from open311.domain.personal_data import Privacy
from open311.domain.remotes import Remote
from open311.domain.services import Attribute, Datatype, PhotoRule, Service, Value
from open311.domain.sms import SmsRules
from open311.domain.workflow import Outcome
from open311.federation.backends.email import EmailConfig
from open311.federation.backends.file import FileConfig
from open311.federation.backends.webhook import WebhookConfig
from open311.formats.reading import open_source
from open311.operations.access.api_keys import add_key
from open311.operations.delivery.telling import tell_operator
from open311.operations.federation.neighbours import add_neighbour
from open311.operations.federation.pulling import pull
from open311.operations.importing.batches import Import
from open311.operations.importing.processes import Processes
from open311.operations.mailing.sending import send_all
from open311.operations.platform import Platform
from open311.operations.sms.sending import send_all as send_all_texts
from open311.operations.statistics.forecasting import make_forecasts
from open311.operations.upkeep.dumps import Dump, make_dump
from open311.operations.workflow.act import act
from open311.plugins import Destination, Jurisdiction, Secret
from open311.settings import Settings
from tests import build, world
from tests.desk import Desk
from tests.media.pictures import planted
from tests.photos import BASE, PLACE
from tests.privacy.people import FILE_NAME, Person
from tests.subscribing import Subscriber, subscribe, subscriber
from tests.working import work

CITY = "test.example"
QUESTIONS = (
    Attribute(code="WHERE", description="Where exactly?", public=True),
    Attribute(code="WHO", description="Who saw it?", datatype=Datatype.TEXT, public=False),
    Attribute(
        code="SIZE", description="Size?", datatype=Datatype.SINGLEVALUELIST, values=(Value(key="big", name="Big"),)
    ),
)
SERVICES = (
    replace(build.HOLE, attributes=QUESTIONS),
    build.TREE,
    build.TALK,
    Service(code="private", name="Private", department="desk", public=False),
    Service(code="reviewed", name="Reviewed", department="desk", review=True),
    Service(code="faces", name="Faces", department="desk", photos=PhotoRule.HELD),
)
OWN = "http://localhost"
_MAIL_PAGE = re.compile(rf"<{OWN}/mail/{CITY}/([\w-]+)/leave>")
OFFICES = ("hook", "post", "drop")
"""The back ends that get every request and have no allow-list."""


@dataclass
class Town:
    """A server with its back offices and its neighbour, and what has come in.

    people  by the names of the doors
    ids     the ids of requests, by the door
    links   the secrets of links to requests, by the door
    """

    app: Flask
    platform: Platform
    city: Jurisdiction
    hooks: world.Receiver
    mails: world.MailServer
    neighbour: world.Neighbour
    files: Path
    key: str
    city_key: str
    told: Subscriber
    texts: world.Receiver
    people: dict[str, Person] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    dumps: list[Dump] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def client(self) -> FlaskClient:
        return FlaskClient(self.app)

    @property
    def mail_secrets(self) -> list[str]:
        """The secrets of the pages to which the mails to people link."""
        found = (_MAIL_PAGE.findall(mail.message.as_string()) for mail in self.mails.accepted)
        return sorted({secret for some in found for secret in some})

    def person(self, door: str) -> Person:
        """Who comes by this door."""
        if door not in self.people:
            self.people[door] = Person(door, next(self._numbers))
        return self.people[door]

    def post(self, door: str, *files: bytes, format: str = "json", **fields: str) -> TestResponse:
        """Send a report with personal data in every field, and remember what is answered."""
        who = self.person(door)
        data: dict[str, Any] = PLACE | {"api_key": self.key, "extensions": "true"} | who.reporter
        data |= {"description": who.text(), "address_string": who.text("address")}
        data |= {"attribute[WHERE]": who.text("answer"), "attribute[WHO]": who.secret("who")}
        data |= {"attribute[UNASKED]": who.secret("unasked"), "attribute[SIZE]": "big", "sms": "true"} | fields
        if files:
            data["media"] = [(io.BytesIO(content), FILE_NAME) for content in files]
        kind = "multipart/form-data" if files else "application/x-www-form-urlencoded"
        answer = self.client.post(f"{BASE}/requests.{format}", data=data, content_type=kind)
        assert answer.status_code == 200, answer.text
        if format == "json":
            [receipt] = answer.json or []
            self.ids[door] = receipt.get("service_request_id") or ""
            self.tokens += filter(None, [receipt.get("token")])
            if "extended_attributes" in receipt:  # a repeated call gets no link
                address = receipt["extended_attributes"]["status_url"]
                self.links[door] = address.rpartition("/")[2].partition(".")[0]
        return answer

    def update(self, door: str, of: str, *files: bytes, key: str = "", **fields: str) -> TestResponse:
        """Send an update of the request that came by another door."""
        who = self.person(door)
        data: dict[str, Any] = {
            "api_key": key or self.key,
            "service_request_id": self.ids[of],
            "update_id": f"update-{door}",
            "status": "OPEN",
            "updated_datetime": "2026-03-01T12:00:00Z",
            "description": who.text(),
        }
        data |= who.sender | fields
        if files:
            data["photo"] = [(io.BytesIO(content), FILE_NAME) for content in files]
        kind = "multipart/form-data" if files else "application/x-www-form-urlencoded"
        answer = self.client.post(f"{BASE}/servicerequestupdates.json", data=data, content_type=kind)
        assert answer.status_code == 200, answer.text
        return answer

    def act(self, of: str, *orders: commands.Command) -> None:
        act(self.platform, self.city, self.ids[of], orders, principal=SHELL, now=utc_now())

    def shown(self, of: str) -> dict[str, Any]:
        """The public request that came by a door."""
        answer = self.client.get(f"{BASE}/requests/{self.ids[of]}.json?extensions=true")
        assert answer.status_code == 200, answer.text
        [found] = answer.json or []
        return dict(found)


@contextmanager
def town(database_url: str, folder: Path, *, shared: tuple[str, ...] = (), **changes: Any) -> Iterator[Town]:
    """A server on an empty database, with its files in this folder.

    shared   the allow-list of all back ends
    changes  changes of the settings
    """
    drop = folder / "drop"
    drop.mkdir()
    (folder / "secret").write_text(world.SECRET, encoding="ascii")
    secret = Secret(file=str(folder / "secret"))
    with (
        world.receiver() as hooks,
        world.mail_server() as mails,
        world.neighbour(dialect=world.LIKE_OURS) as north,
        subscriber() as told,
        world.receiver() as texts,
    ):
        settings = Settings(
            database_url=database_url,
            data_dir=str(folder),
            media=str(folder / "media"),
            photo_original_days=30,
            post_rate="",
            smtp_url=f"{mails.url}?starttls=optional",
            mail_from="City <311@test.example>",
            bounce_mail="bounces@test.example",
            public_url=OWN,
            operator_mail="ops@test.example",
            sms_url=texts.url,
            sms_secret=world.SECRET,
            sms_private=True,
            webhook_hosts=(told.host,),
            **{"log_level": "error"} | changes,
        )
        hook = WebhookConfig(
            name="hook", kind="webhook", url=hooks.url, secret=secret, incoming_secret=secret, shared=shared
        )
        city = build.city(
            id=CITY,
            services=SERVICES,
            comments="public",
            mail=MailRules(reporters=True, followers=True, reopen_days=14),
            sms=SmsRules(kind="webhook"),
            abuse=AbuseRules(honeypot="website"),
            privacy=Privacy(phone_region="US", plate_pattern=r"[A-Z]{3} \d{4}"),
            backends=(
                hook,
                EmailConfig(name="post", kind="email", to=("works@test.example",), shared=shared),
                FileConfig(name="drop", kind="file", folder=str(drop), shared=shared),
            ),
            destinations=(Destination(backends=OFFICES),),
        )
        with closing(build.platform(settings, city)) as platform:
            app = create_app(settings, platform)
            key = add_key(platform, label="app", now=utc_now())[1]
            city_key = add_key(platform, label="works", may_update=True, now=utc_now())[1]
            yield Town(app, platform, city, hooks, mails, north, drop, key, city_key, told, texts)


def plant(to: Town) -> None:
    """Let personal data come in by every door. Others have subscribed to everything before."""
    subscribe(to.client, to.key, to.told.url)
    _ask_for_mail(to, "subscriber", "follow", how_often="hourly")
    _agree(to)
    for enter in DOORS:
        enter(to)
    work(to.platform)
    _ask_for_mail(to, "follower", f"requests/{to.ids['form']}/follow")
    _agree(to)
    _back_office(to)
    to.update("late", "form")
    to.act("form", commands.Note(text=to.person("late").text("note"), public=True))
    work(to.platform)
    send_all(to.platform, lambda: utc_now() + timedelta(hours=2))
    send_all_texts(to.platform, utc_now)
    tell_operator(to.platform, utc_now() + timedelta(hours=1))
    make_forecasts(to.platform, to.city, utc_now())
    dump = make_dump(to.platform, to.city, utc_now())
    assert dump is not None
    to.dumps.append(dump)


def _reports(to: Town) -> None:
    to.post("form")
    to.post("xml", format="xml")
    to.post("json", locale="es")
    to.post("photos", *(planted(kind, orientation=6) for kind in ("JPEG", "PNG", "WEBP")))
    to.post("hostile", planted("JPEG")[:2_000])
    to.post("place", lat="", long="")
    to.post("batch", service_code="trees")
    test_key = add_key(to.platform, label="test", is_test=True, now=utc_now())[1]
    to.post("tester", api_key=test_key)  # everybody can read it who knows its id
    to.post("repeat", client_request_id="client-1", service_request_id_ext="own-id-1")
    again = to.post("repeat", client_request_id="client-1", service_request_id_ext="own-id-1")
    assert again.json


def _supporters(to: Town) -> None:
    who = to.person("supporter")
    sent = who.ids | {"email": who.email}
    for name, value in sent.items():
        answer = to.client.post(
            f"{BASE}/requests/{to.ids['form']}/support.json", data={"api_key": to.key, name: value}
        )
        assert answer.status_code == 200, answer.text
    assert to.shown("form")["extended_attributes"]["supporters"] == len(sent)


def _hidden_reports(to: Town) -> None:
    """Reports that only staff and their reporters may see: blackbox, private, held, suspected and hidden."""
    hidden: dict[str, dict[str, str]] = {
        "blackbox": {"service_code": "hotline"},
        "private": {"service_code": "private"},
        "held": {"service_code": "reviewed"},
        "suspected": {"website": "https://spam.example"},
        "withdrawn": {},
    }
    for door, fields in hidden.items():
        who = to.person(door)
        texts = {"description": who.secret(), "address_string": who.secret("address")}
        to.post(door, planted("JPEG"), **texts | {"attribute[WHERE]": who.secret("answer")} | fields)
    to.act("withdrawn", commands.Hide(reason=to.person("withdrawn").secret("reason")))


def _held_photos(to: Town) -> None:
    to.post("faces", planted("JPEG"), service_code="faces")
    work(to.platform)
    to.act("faces", commands.Note(text=to.person("faces").text("note"), public=True))


def _updates(to: Town) -> None:
    to.update("comment", "form", planted("JPEG"))
    spam = {"description": to.person("flood").secret(), "website": "https://spam.example"}
    to.update("flood", "form", planted("JPEG"), **spam)
    to.update("works", "form", planted("PNG"), key=to.city_key, status="IN_PROGRESS")


def _staff(to: Town) -> None:
    desk = Desk.of(to.client, to.platform, "staff@leak.example", Role.DISPATCHER, city=CITY)
    who, name = to.person("staff"), to.ids["photos"]
    work(to.platform)
    [photo, *_] = desk.get(f"/requests/{name}").json["photos"]
    reason = {"reason": who.secret("reason")}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("assign", {"account": "staff@leak.example"}),
        ("note", {"text": who.text("note"), "public": True}),
        ("note", {"text": who.secret("note")}),
        ("correct", {"description": who.text("correction"), "address": who.text("address")}),
        ("ask_reporter", {"text": who.text("question")}),
        (f"photos/{photo['id']}/blacken", {"boxes": [[0, 0, 0.5, 0.5]]}),
        ("close", {"outcome": "fixed", "note": who.text("closing")}),
        ("reopen", {"note": who.text("reopening")}),
    ]
    for path, body in calls:
        answer = desk.post(f"/requests/{name}/{path}", body | reason)
        assert answer.status_code == 200, answer.text
    until = (utc_now() + timedelta(days=1)).isoformat()
    for text in ("The water is off.", "The water is off again."):
        told = desk.post("/notices", {"texts": [{"language": "en", "headline": text}], "end_datetime": until})
        assert told.status_code == 200, told.text
    assert desk.post(f"/notices/{told.json['notice_id']}/end", reason).status_code == 200
    added = desk.call("POST", f"/requests/{name}/photos?public=true", data=planted("JPEG"))
    assert added.status_code == 200, added.text


def _shell(to: Town) -> None:
    who = to.person("shell")
    to.act("json", commands.Note(text=who.text("note"), public=True), commands.Note(text=who.secret("note")))
    to.act("json", commands.Close(outcome=Outcome.FIXED, note=who.text("closing"), reason=who.secret("reason")))


def _import(to: Town) -> None:
    who = to.person("file")
    row = who.reporter | {
        "service_request_id": "F1",
        "service_code": "potholes",
        "status": "closed",
        "status_notes": who.text("status_notes"),
        "description": who.text(),
        "address": who.text("address"),
        "requested_datetime": "2026-02-01T10:00:00Z",
        "updated_datetime": "2026-02-02T10:00:00Z",
        "lat": 60.17,
        "long": 24.94,
    }
    order = Import(jurisdiction=to.city, origin="file", now=utc_now())
    with Processes(to.platform, 1) as processes:
        list(processes.import_source(open_source(io.BytesIO(json.dumps([row]).encode())), order))
    to.ids["file"] = "F1"


def _neighbour(to: Town) -> None:
    who = to.person("neighbour")
    place = {"lat": "60.17", "long": "24.94", "address_string": who.text("address")}
    filed = to.neighbour.file("potholes", description=who.text(), **place | who.reporter)
    to.neighbour.close(filed.service_request_id, note=who.text("closing"))
    url, now = to.neighbour.base_url, utc_now() - timedelta(minutes=1)
    (to.files.parent / "key").write_text(to.neighbour.api_key, encoding="ascii")
    remote = Remote(
        jurisdiction_id=CITY,
        name="north",
        url=url,
        since=now,
        pulls=True,
        key_file=str(to.files.parent / "key"),
        services=("faces",),
        codes={"faces": "potholes"},
    )
    add_neighbour(to.platform, remote, now=now)
    pulled = pull(to.platform, (CITY, "north"), utc_now)
    assert pulled is not None
    assert pulled.new == 1, pulled
    to.ids["neighbour"] = remote.id_here(filed.service_request_id)


def _back_office(to: Town) -> None:
    """The back office answers with a text, by a signed call."""
    who, name = to.person("office"), f"msg_{next(to._numbers)}"
    update = {"reference": to.ids["repeat"], "status": "in_progress", "description": who.text("office")}
    broken = {"reference": to.ids["repeat"], "status": who.email, "description": who.secret("broken")}
    undated = update | {"updated_datetime": who.email, "description": who.secret("undated")}
    for number, one in enumerate((update, broken, undated)):
        body = json.dumps({"update_id": f"{name}-{number}"} | one).encode()
        headers = world.signed_headers(body, f"{name}-{number}", utc_now())
        answer = to.client.post(
            f"/callbacks/{CITY}/hook", data=body, headers=headers, content_type="application/json"
        )
        assert answer.status_code == 200, answer.text


def _ask_for_mail(to: Town, door: str, path: str, **fields: str) -> None:
    """Send the form of a page by which people ask for mail."""
    who = to.person(door)
    data = {"email": who.email, "website": "", "lat": "60.1718", "long": "24.9414", "radius": "5000"} | fields
    answer = to.client.post(f"/c/{CITY}/{path}", data=data)
    assert answer.status_code == 200, answer.text


def _agree(to: Town) -> None:
    """Let everybody agree to mail who has got the first one."""
    send_all(to.platform, utc_now)
    for secret in to.mail_secrets:
        answer = to.client.post(f"/mail/{CITY}/{secret}", data={"do": "confirm"})
        assert answer.status_code == 200, answer.text


DOORS: tuple[Callable[[Town], None], ...] = (
    _neighbour,
    _reports,
    _supporters,
    _hidden_reports,
    _held_photos,
    _updates,
    _staff,
    _shell,
    _import,
)
