"""Reporter data is in no public body, in no header and in no log line (A16, A57)."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import BuildError

from open311.clock import utc_now
from open311.domain import commands
from open311.domain.access import SHELL, Role
from open311.domain.requests import Reporter
from open311.domain.workflow import Outcome
from open311.operations.access.api_keys import add_key
from open311.operations.access.staff import add_account, issue_token, require_staff
from open311.operations.platform import Platform
from open311.operations.upkeep.dumps import make_dump
from open311.operations.workflow.act import act
from tests import build, tiles
from tests.checked_client import platform_of
from tests.photos import PLANTED, prepare_all, tagged_jpeg

BASE = "/open311/v2"
REPORTER = {
    "first_name": "Zaphod",
    "last_name": "Beeblebrox",
    "email": "zaphod@heart-of-gold.example",
    "phone": "+1 555 0142",
    "device_id": "dev-9f1c77",
    "account_id": "acct-4711",
}
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"} | REPORTER
READS = [
    "requests",
    "requests?extensions=true",
    "requests?q=Zaphod&extensions=true",
    "requests?email=zaphod@heart-of-gold.example",
    "requests/{id}",
    "requests/{id}?extensions=true",
    "requests?service_request_id={id}",
    "requests?sort=-updated&page_size=1",
    "requests/nearby?lat=60.1718&long=24.9414&service_code=potholes&extensions=true",
    "changes?extensions=true",
    "services",
    "discovery",
    "tokens/{id}",
    "tokens/{token}",
]


@pytest.mark.requirement("C152")
@pytest.mark.parametrize("format", ["json", "xml"])
def test_no_read_contains_reporter_data(client: FlaskClient, key: str, format: str) -> None:
    headers = {"X-Api-Key": key}
    created = client.post(f"{BASE}/requests.{format}", data=FORM, headers=headers)
    batch = client.post(f"{BASE}/requests.json", data=FORM | {"service_code": "trees"}, headers=headers)
    known = {
        "id": client.get(f"{BASE}/requests.json").json[0]["service_request_id"],
        "token": batch.json[0]["token"],
    }
    assert "acct-4711" in created.text, "only the answer to the sender has the account"
    for read in READS:
        path, question, query = read.format(**known).partition("?")
        answer = client.get(f"{BASE}/{path}.{format}{question}{query}")
        for planted in REPORTER.values():
            assert planted not in answer.text.replace("q=Zaphod", ""), read
            assert planted not in str(answer.headers).replace("zaphod@heart-of-gold.example", "", 1), read


def addresses(app: Flask, values: dict[str, list[str]]) -> Iterator[str]:
    """Every URL that a GET can reach, with each value in each variable part."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            for chosen in product(*(values[name] for name in sorted(rule.arguments))):
                with suppress(BuildError):  # this rule does not have the suffix
                    yield adapter.build(rule.endpoint, dict(zip(sorted(rule.arguments), chosen, strict=True)))


TYPED = {
    "mail": "trillian@heart-of-gold.example",
    "phone": "+1 617 555 0143",
    "iban": "GB29 NWBK 6016 1331 9268 19",
    "card": "4111 1111 1111 1111",
}
"""Personal data that the reporter and staff type into texts that are public."""
SENTENCE = "Planted text: {mail} or {phone}, refund to {iban}, paid with {card}.".format(**TYPED)
STAFF_ONLY = ("ada@city.example", "planted-note", "planted-reason")
"""The name of an account, an internal note, and the reason of a command."""


def work_on(platform: Platform, service_request_id: str) -> None:
    """Let an account work on a request, so that the database has everything that only staff may see."""
    (city,), now = platform.registry, utc_now()
    for name in ("ada@city.example", "bo"):
        add_account(platform, name=name, role=Role.AGENT, jurisdiction_id=city.id, principal=SHELL, now=now)
    token = issue_token(platform, city.id, "ada@city.example", principal=SHELL, now=now).secret
    orders = [
        commands.Assign(account="ada@city.example", reason="planted-reason"),
        commands.Note(text="planted-note", reason="planted-reason"),
        commands.Note(text=SENTENCE, public=True),
        commands.Hold(reason="planted-reason"),
        commands.AskReporter(text=SENTENCE),
        commands.Close(outcome=Outcome.FIXED, note=SENTENCE, reason="planted-reason"),
        commands.Reopen(reason="planted-reason"),
    ]
    principal = require_staff(platform, token, now=now)
    for order in orders:
        act(platform, city, service_request_id, [order], principal=principal, now=now)


def test_a_crawl_of_every_public_url_finds_no_data_of_reporters_and_staff(
    make_app: Callable[..., Flask], tmp_path: Path, make_database: Callable[[str], str]
) -> None:
    media = str(tmp_path / "media")
    app = make_app(data_dir=str(tmp_path), media=media, photo_original_days=30, database_url=make_database("crawl"))
    platform, client = platform_of(app), FlaskClient(app)
    _, key = add_key(platform, label="tests", now=utc_now())
    batch = client.post(f"{BASE}/requests.json", data=FORM | {"api_key": key, "service_code": "trees"}).json
    photo = {"media": (io.BytesIO(tagged_jpeg()), f"{PLANTED.decode()}.jpg")}
    typed = {"description": SENTENCE, "address_string": f"1428 Elm, {TYPED['mail']}"}
    form = FORM | {"api_key": key, "service_code": "potholes", "extensions": "true"} | typed | photo
    made = client.post(f"{BASE}/requests.json", data=form, content_type="multipart/form-data").json
    (city,) = platform.registry
    prepare_all(platform)
    (address,) = client.get(f"{BASE}/requests.json?extensions=true").json[0]["extended_attributes"]["media_urls"]
    photo_id = address.rpartition("/")[2].removesuffix(".jpg")
    work_on(platform, made[0]["service_request_id"])
    dump = make_dump(platform, city, utc_now())
    zoom, column, row = tiles.tile_at(float(FORM["long"]), float(FORM["lat"]), 14)
    values = {
        "z": [str(zoom)],
        "x": [str(column)],
        "y": [str(row)],
        "suffix": ["json", "xml"],
        "service_code": ["potholes"],
        "service_request_id": [made[0]["service_request_id"]],
        "token": [batch[0]["token"]],
        "id": [made[0]["service_request_id"]],
        "view": ["mine"],
        "delivery": ["1"],
        "jurisdiction_id": [city.id],
        "name": [*(file.name for file in dump.files), f"{photo_id}.jpg", f"{photo_id}-small.jpg"],
        "photo": [photo_id],
        "filename": ["swagger-ui.css"],
        "secret": [made[0]["extended_attributes"]["status_url"].rpartition("/")[2].removesuffix(".json")],
        "block": ["1"],
    }
    crawled = list(addresses(app, values))
    assert len(crawled) > 40
    shown = photos = 0
    seen_text = False
    for address, query in product(crawled, ("", "?extensions=true")):
        answer = client.get(address + query, buffered=True)
        assert answer.status_code < 500, address
        body = (
            gzip.decompress(answer.data) if address.endswith(".gz") and answer.status_code == 200 else answer.data
        )
        photos += answer.status_code == 200 and answer.mimetype == "image/jpeg"
        shown += made[0]["service_request_id"].encode() in body
        seen_text |= b"Planted text" in body
        for planted in (*REPORTER.values(), *STAFF_ONLY, *TYPED.values(), PLANTED.decode()):
            assert planted.encode() not in body, address
            assert planted not in str(answer.headers), address
    assert shown > 20
    assert seen_text
    assert photos == 4


def test_the_publication_table_contains_no_reporter_data(platform: Platform) -> None:
    build.submit(platform, reporter=Reporter(**REPORTER))
    with platform.database.reading() as connection:
        public = connection.exec_driver_sql("SELECT publication::text FROM publication").scalar_one()
        kept = connection.exec_driver_sql("SELECT reporter::text FROM reporter").scalar_one()
    for planted in REPORTER.values():
        assert planted not in public
        assert planted in kept


# --- The log. A logger keeps the level of its first use, so these tests run the server in a separate process.

STAFF_HEADERS = {"Authorization": "Bearer TOKEN"}
CALLS: list[dict[str, Any]] = [
    {
        "path": f"{BASE}/requests.json",
        "method": "POST",
        "data": FORM | {"api_key": "KEY", "description": "my secret"},
    },
    {
        "path": f"{BASE}/requests.json?api_key=KEY&email=zaphod@heart-of-gold.example",
        "method": "POST",
        "data": FORM,
    },
    {"path": f"{BASE}/requests.xml?api_key=wrong-key-123", "method": "POST", "data": FORM},
    {"path": f"{BASE}/requests.xml", "method": "POST", "data": FORM | {"api_key": "KEY", "lat": "Beeblebrox"}},
    {"path": f"{BASE}/requests.json", "method": "POST", "data": FORM | {"api_key": "KEY", "email": "\x00zaphod"}},
    {"path": f"{BASE}/requests.json?q=Zaphod&api_key=KEY", "method": "GET"},
    {"path": f"{BASE}/nothing.json?name=Beeblebrox", "method": "GET"},
    {"path": f"{BASE}/requests.json", "method": "GET", "headers": {"Authorization": "Bearer KEY"}},
    {"path": f"{BASE}/requests.json&api_key=KEY", "method": "POST", "data": FORM},
    {"path": f"{BASE}/requests.json;email=zaphod@heart-of-gold.example/x", "method": "GET"},
    {"path": f"{BASE}/requests.json%3Fapi_key=KEY", "method": "GET"},
    {"path": f"{BASE}/requests/%26api_key%3DKEY", "method": "GET"},
    {"path": "/staff/v1/me", "method": "GET", "headers": {"Authorization": "Bearer TOKEN"}},
    {"path": "/staff/v1/requests?assignee=ada@city.example", "method": "GET", "headers": STAFF_HEADERS},
    {
        "path": "/staff/v1/requests/1/note",
        "method": "POST",
        "json": {"text": "planted-note", "reason": "planted-reason"},
        "headers": STAFF_HEADERS,
    },
    {"path": "/staff/v1/requests/1/reporter?reason=planted-reason", "method": "GET", "headers": STAFF_HEADERS},
    # From here on, the reporter table refuses every row. That is a server error and is logged with its traceback.
    {"sql": "ALTER TABLE reporter ADD CONSTRAINT none_at_all CHECK (email = '') NOT VALID"},
    {"path": f"{BASE}/requests.json", "method": "POST", "data": FORM | {"api_key": "KEY"}},
]
SERVER = """
import json, sys
from open311.app import create_app
from open311.clock import utc_now
from open311.domain.access import SHELL, Role
from open311.operations.access.api_keys import add_key
from open311.operations.access.staff import add_account, issue_token
from open311.settings import Settings

app = create_app(Settings(database_url=sys.argv[1], jurisdictions=("demo",), log_level="debug"))
platform = app.extensions["open311"]
_, key = add_key(platform, label="tests", now=utc_now())
options = {"principal": SHELL, "now": utc_now()}
add_account(platform, name="ada@city.example", role=Role.AGENT, jurisdiction_id="city.example", **options)
token = issue_token(platform, "city.example", "ada@city.example", **options).secret
client, statuses = app.test_client(), []
for call in json.loads(sys.stdin.read().replace("KEY", key).replace("TOKEN", token)):
    if "sql" in call:
        with platform.database.transaction() as connection:
            connection.exec_driver_sql(call["sql"])
    else:
        path = call.pop("path")
        statuses.append(client.open(path, **call).status_code)
print(json.dumps({"statuses": statuses, "key": key, "token": token}))
"""


@pytest.mark.requirement("C296")
def test_no_log_line_contains_a_key_or_data_of_a_citizen(make_database: Callable[[str], str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVER, make_database("privacy")],
        input=json.dumps(CALLS),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["statuses"] == [200, 200, 403, 400, 400, 200, 404, 200, 404, 404, 404, 404, 200, 200, 200, 200, 500]
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["status"] for line in lines if line["event"] == "call"] == told["statuses"]
    assert [line["event"] for line in lines if line["level"] == "error"] == ["fault"]
    assert "CheckViolation" in done.stderr, "the log names the failed constraint"
    assert {line["account"] for line in lines if "account" in line} == {"staff:1"}
    for planted in [
        told["key"],
        told["token"],
        *STAFF_ONLY,
        "wrong-key-123",
        "my secret",
        *REPORTER.values(),
        "zaphod",
    ]:
        assert planted not in done.stderr
