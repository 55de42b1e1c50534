"""Reporter data is in no public body, in no header and in no log line (A16, A57)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from open311.domain.requests import Reporter
from open311.operations.platform import Platform
from tests import build

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


STAFF_ONLY = ("ada@city.example", "planted-note", "planted-reason")
"""The name of an account, an internal note, and the reason of a command."""


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
    sent = json.loads(done.stdout)
    assert sent["statuses"] == [200, 200, 403, 400, 400, 200, 404, 200, 404, 404, 404, 404, 200, 200, 200, 200, 500]
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["status"] for line in lines if line["event"] == "call"] == sent["statuses"]
    assert [line["event"] for line in lines if line["level"] == "error"] == ["fault"]
    assert "CheckViolation" in done.stderr, "the log names the failed constraint"
    assert {line["account"] for line in lines if "account" in line} == {"staff:1"}
    for planted in [
        sent["key"],
        sent["token"],
        *STAFF_ONLY,
        "wrong-key-123",
        "my secret",
        *REPORTER.values(),
        "zaphod",
    ]:
        assert planted not in done.stderr
