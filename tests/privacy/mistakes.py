"""Calls that have personal data, and that are refused or fail inside. None of the data may be in the log."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from open311.clock import utc_now
from open311.domain.access import Role
from tests import world
from tests.desk import Desk
from tests.photos import BASE, PLACE
from tests.privacy.corpus import CITY, Town

NO_REPORTERS = "ALTER TABLE reporter ADD CONSTRAINT none_at_all CHECK (email = '') NOT VALID"
"""After this statement, each report with a reporter fails with an internal error."""


def make_mistakes(to: Town) -> Counter[int]:
    """Make all of these calls. Returns how many calls got each status."""
    who = to.person("mistake")
    found: Counter[int] = Counter()

    def send(method: str, path: str, **options: Any) -> None:
        found[to.client.open(path, method=method, **options).status_code] += 1

    report = PLACE | {"api_key": to.key, "description": who.text()} | who.reporter
    wrong: list[dict[str, str]] = [
        {"api_key": who.email},
        {"lat": who.email},
        {"long": who.phone},
        {"service_code": who.email},
        {"jurisdiction_id": who.email},
        {"email": who.secret() * 100},
        {"phone": f"{who.phone}\0"},
        {"description": who.text() * 100},
        {"media_url": f"ftp://{who.email}/x"},
        {"attribute[WHERE][": who.text()},
        {"service_request_id_ext": who.text() * 50},
        {who.email: who.phone},
    ]
    for changes in wrong:
        for format in ("json", "xml"):
            send("POST", f"{BASE}/requests.{format}", data=report | changes)
    update = {"api_key": to.key, "service_request_id": to.ids["form"], "update_id": "m1", "status": "OPEN"}
    update |= {"updated_datetime": "2026-03-01T12:00:00Z", "description": who.text()} | who.sender
    for changes in (
        {"status": who.email},
        {"service_request_id": who.email},
        {"updated_datetime": who.phone},
        {"description": who.text() * 100},
        {"update_id": who.text() * 50},
    ):
        send("POST", f"{BASE}/servicerequestupdates.json", data=update | changes)
    send("POST", f"{BASE}/requests.json", data=json.dumps(report), content_type="application/json")
    send("POST", f"{BASE}/requests.json", data=who.text(), content_type="multipart/form-data; boundary=x")
    send("POST", f"{BASE}/requests.json?email={who.email}&api_key={to.key}", data=report | {"lat": "95"})
    send("GET", f"{BASE}/requests/{who.email}.json")
    send("GET", f"{BASE}/{who.email}")
    send(
        "GET", f"{BASE}/requests.json?email={who.email}&start_date={who.typed['mail']}&account_id={who.account_id}"
    )
    _mistakes_of_staff(to, send)
    _mistakes_of_offices(to, send)
    with to.platform.database.transaction() as connection:
        connection.exec_driver_sql(NO_REPORTERS)
    send("POST", f"{BASE}/requests.json", data=report)
    send("POST", f"{BASE}/requests.xml", data=report | {"client_request_id": "c2"})
    return found


def _mistakes_of_staff(to: Town, send: Any) -> None:
    who, desk = to.person("mistake"), Desk.of(to.client, to.platform, "bo", Role.ADMIN, city=CITY)
    headers = {"Authorization": f"Bearer {desk.token}"}
    wrong: list[tuple[str, dict[str, str]]] = [
        (f"requests/{to.ids['form']}/note", {"text": " ", "reason": who.secret()}),
        (f"requests/{to.ids['form']}/close", {"outcome": who.email, "reason": who.secret()}),
        (f"requests/{to.ids['form']}/unmask", {"text": who.email, "reason": who.secret()}),
        (f"requests/{to.ids['form']}/{who.email}", {}),
        (f"requests/{who.email}/hide", {"reason": who.secret()}),
        ("reporters/erase", {"email": who.email, "reason": who.email}),
        ("reporters/export", {"email": who.email, "reason": "Letter.", who.email: "x"}),
        ("blocks", {"kind": "email", "value": who.email, "reason": "Spam."}),
    ]
    for path, body in wrong:
        send("POST", f"/staff/v1/{path}", json=body, headers=headers)
    send("GET", f"/staff/v1/requests?assignee={who.email}&q={who.email}", headers=headers)
    send("GET", "/staff/v1/me", headers={"Authorization": f"Bearer {who.email}"})


def _mistakes_of_offices(to: Town, send: Any) -> None:
    """Calls of back offices: some have a wrong signature, others a right one and a body that cannot be read."""
    who = to.person("mistake")
    for number, body in enumerate((who.text().encode(), json.dumps({"description": who.text()}).encode())):
        signed = world.signed_headers(body, f"wrong-{number}", utc_now())
        for headers in (signed, signed | {"webhook-signature": f"v1,{who.email}"}):
            send("POST", f"/callbacks/{CITY}/hook", data=body, headers=headers, content_type="application/json")
