"""Everything that goes out of a server: what anybody can read by a GET, and what back offices and operators get."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

from flask import Flask
from werkzeug.routing import BuildError, Rule

from open311.formats.writing import can_write_geoparquet
from tests.privacy.corpus import CITY, Town
from tests.tiles import tile_at
from tests.world.mail import Mail

WHOLE = ("", "?extensions=true", "?extensions=notes,attributes&page_size=3", "?status=closed&extensions=true")
PLAIN = ("",)
PAGES = ("", "?locale=es")
V2, STAFF, INQUIRY = "/open311/v2", "/staff/v1", "/inquiry/v1"
PUBLIC: dict[str, tuple[str, ...]] = {
    "/": PLAIN,
    "/c/<jurisdiction_id>/": (*PAGES, "?q=hole", "?number=1"),
    "/c/<jurisdiction_id>/answers": (*PAGES, "?q=bin"),
    "/c/<jurisdiction_id>/answers/<article>": PAGES,
    "/c/<jurisdiction_id>/collection": (*PAGES, "?zone=Harbour"),
    "/c/<jurisdiction_id>/data": PAGES,
    "/c/<jurisdiction_id>/map.svg": PLAIN,
    "/c/<jurisdiction_id>/notices": PAGES,
    "/c/<jurisdiction_id>/numbers": (*PAGES, "?group_by=week", "?q=pothole"),
    "/c/<jurisdiction_id>/outlook": (*PAGES, "?service_code=potholes"),
    "/c/<jurisdiction_id>/privacy": PAGES,
    "/c/<jurisdiction_id>/report": ("?service_code=potholes", "?service_code=potholes&lat=60.1718&long=24.9414"),
    "/c/<jurisdiction_id>/requests": (*PAGES, "?status=closed", "?start_date=2020-01-01T00:00:00Z"),
    "/c/<jurisdiction_id>/requests/<code:service_request_id>": PAGES,
    **dict.fromkeys(
        ("/c/map.js", "/c/maplibre-gl.css", "/c/maplibre-gl.js", "/c/place.js", "/c/send.js", "/c/style.css"),
        PLAIN,
    ),
    **dict.fromkeys(("/desk/desk.css", "/desk/desk.js", "/desk/sign-in"), PLAIN),
    "/desk/sign-in/<code:secret>": PAGES,
    **dict.fromkeys(("/desk/sign-in/back", "/desk/sign-in/with/<jurisdiction_id>"), PLAIN),
    "/docs": PLAIN,
    "/docs/<path:name>": PLAIN,
    "/docs/extensions": PLAIN,
    "/docs/georeport-v2": PLAIN,
    "/healthz": PLAIN,
    "/mail/<jurisdiction_id>/<secret>": PAGES,
    "/mail/<jurisdiction_id>/<secret>/leave": PLAIN,
    "/map/<jurisdiction_id>": (*PAGES, "?status=closed", "?start_date=2020-01-01"),
    "/metrics": PLAIN,
    "/openapi": PLAIN,
    "/readyz": PLAIN,
    "/status/<jurisdiction_id>/<code:secret>": (*PAGES, "?sent=1"),
    "/widget/<jurisdiction_id>": PAGES,
    "/open311/bulk/v1/requests": ("?start_date=2020-01-01T00:00:00Z", *WHOLE),
    "/open311/discovery": PLAIN,
    f"{INQUIRY}/311TodayContent.rss": PLAIN,
    f"{INQUIRY}/calendar": ("", "?zone=Harbour", "?fromdate=2026-01-01&todate=2026-03-31"),
    f"{INQUIRY}/calendar.ics": PLAIN,
    f"{INQUIRY}/search": ("?q=pothole", "?q=bin&locale=es"),
    f"{INQUIRY}/zones": PLAIN,
    **dict.fromkeys(
        (f"{INQUIRY}/{kind}/<code:topic>" for kind in ("facilities", "faqs", "services", "web_faqs")), PLAIN
    ),
    f"{V2}/areas": PLAIN,
    f"{V2}/changes": (*WHOLE, "?since=2020-01-01T00:00:00Z&extensions=true"),
    f"{V2}/discovery": PLAIN,
    f"{V2}/dumps": PLAIN,
    f"{V2}/dumps/<code:jurisdiction_id>/<name>": PLAIN,
    f"{V2}/jurisdictions": PLAIN,
    f"{V2}/media/<code:jurisdiction_id>/<name>": PLAIN,
    f"{V2}/outbox": ("", "?page=true", "?page=true&page_size=3"),
    f"{V2}/notices": (*PLAIN, "?past=true"),
    f"{V2}/notices/<notice_id>.cap": PLAIN,
    f"{V2}/requests": (*WHOLE, "?start_date=2020-01-01T00:00:00Z&extensions=true"),
    f"{V2}/requests/<code:service_request_id>": WHOLE,
    f"{V2}/requests/nearby": (
        "?lat=60.1718&long=24.9414&service_code=potholes",
        "?lat=60.1718&long=24.9414&service_code=potholes&extensions=true&status=closed",
    ),
    f"{V2}/servicerequestupdates": ("", "?start_date=2020-01-01T00:00:00Z"),
    f"{V2}/services": PLAIN,
    f"{V2}/services/<code:service_code>": PLAIN,
    f"{V2}/services/suggest": ("?q=hole", "?q=hole&locale=es"),
    f"{V2}/stats": ("", "?group_by=service", "?group_by=area", "?q=pothole"),
    f"{V2}/stats/forecast": ("", "?service_code=potholes", "?area=Harbour"),
    f"{V2}/status/<code:secret>": WHOLE,
    f"{V2}/subscriptions": (*PLAIN, "?api_key=KEY"),
    f"{V2}/subscriptions/<subscription>": (*PLAIN, "?api_key=KEY"),
    f"{V2}/tiles": PLAIN,
    f"{V2}/tiles/<z>/<x>/<y>": PLAIN,
    f"{V2}/tokens/<code:token>": PLAIN,
    "/sensors/v1/observations": (*PLAIN, "?api_key=KEY"),
    "/sensors/v1/observations('<code:observation>')": PLAIN,
}
"""Every path that anybody can read, without the suffix of its format, and the queries with which it is read.

KEY stands for the key of an app. What only the holder of a key can read is here too.
"""
DESK = "/desk/<jurisdiction_id>"
OF_DESK = frozenset(
    (
        "/desk/",
        "/desk/account",
        *(
            f"{DESK}/{path}"
            for path in (
                "",
                "blocks",
                "catalogue",
                "catalogue/item",
                "deliveries",
                "deliveries/<delivery>",
                "find",
                "keys",
                "keys/<key>",
                "neighbours",
                "people",
                "people/erasures/<erasure>",
                "notices",
                "notices/<notice>",
                "photos",
                "requests/<number>",
                "requests/<number>/finish",
                "requests/<number>/photos/<photo>",
                "requests/<number>/photos/<photo>/file",
                "texts",
                "work",
            )
        ),
    )
)
"""Every page that needs a session of an account."""
FOR_STAFF = OF_DESK | frozenset(
    f"{STAFF}{path}"
    for path in (
        "/accounts",
        "/blocks",
        "/catalogue",
        "/deliveries",
        "/deliveries/<code:delivery>",
        "/me",
        "/overrides",
        "/overrides/<code:item>",
        "/notices",
        "/notices/<notice>",
        "/photos",
        "/queues",
        "/requests",
        "/requests/<code:id>",
        "/requests/<code:id>/photos/<photo>",
        "/requests/<code:id>/reporter",
        "/requests/nearby",
        "/views",
    )
)
"""Every path that needs the token or the session of an account."""
ACCEPTED = ("application/json", "text/xml")
_SUFFIX = re.compile(r"\.(json|xml|csv|geojson|atom|ndjson|mvt)$")


@dataclass(frozen=True)
class Found:
    """The answer to a call, with its body unpacked, or another thing that has gone out."""

    place: str
    content: bytes
    status: int = 200
    headers: str = ""
    media_type: str = ""


def path_of(rule: Rule) -> str:
    """The path of a route, as the tables here name it."""
    return _SUFFIX.sub("", rule.rule)


def readable(app: Flask) -> list[Rule]:
    """The routes that have a GET."""
    return [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]


def crawl(town: Town, paths: frozenset[str] = frozenset(PUBLIC)) -> Iterator[Found]:
    """The answers of all routes with these paths, for all that was planted, in all formats."""
    values = _values(town)
    adapter = town.app.url_map.bind("localhost")
    for rule in readable(town.app):
        names = sorted(rule.arguments)
        for chosen in product(*(values[name] for name in names)) if path_of(rule) in paths else ():
            with suppress(BuildError):
                address = adapter.build(rule.endpoint, dict(zip(names, chosen, strict=True)))
                formats = ACCEPTED if rule.endpoint.endswith("_by_accept") else ACCEPTED[:1]
                for query, accepted in product(PUBLIC.get(path_of(rule), PLAIN), formats):
                    yield _read(town, address + query.replace("KEY", town.key), accepted)


def _read(town: Town, address: str, accepted: str) -> Found:
    answer = town.client.get(address, headers={"Accept": accepted}, buffered=True)
    headers, content = str(answer.headers), unpacked(answer.data)
    return Found(f"GET {address} {accepted}", content, answer.status_code, headers, answer.mimetype)


def _values(town: Town) -> dict[str, list[str]]:
    """The values of the variables of paths: all requests, links, tokens, photos and dumps."""
    ids = [*filter(None, town.ids.values()), *map(str, _column(town, "SELECT id FROM service_request"))]
    photos = _column(town, "SELECT id FROM media")
    sizes = ("", "-medium", "-small")
    files = [file.name for dump in town.dumps for file in dump.files]
    names = [f"{photo}{size}.jpg" for photo in photos for size in sizes]
    return {
        "suffix": ["json", "xml"],
        "service_code": ["potholes", "private"],
        "service_request_id": ids,
        "id": ids[:3],
        "article": ["bin-not-emptied", "harbour-library"],
        "topic": ["all", "bin-size", "harbour-library", "bin-not-emptied"],
        "token": [*town.tokens, *ids[:2]],
        "secret": [*town.links.values(), *town.mail_secrets],
        "jurisdiction_id": [CITY],
        "name": [*files, *(f"{name}.sha256" for name in files), *names, "swagger-ui.css"],
        "photo": photos[:2],
        "delivery": ["1"],
        "erasure": ["00000000-0000-4000-8000-000000000000"],
        "item": ["service:en:potholes"],
        "key": ["1"],
        "notice": _column(town, "SELECT id FROM city_notice"),
        "notice_id": _column(town, "SELECT id FROM city_notice"),
        "observation": ["elm-underpass-water@2026-03-01T09:30:00Z"],
        "number": _column(town, "SELECT id FROM service_request")[:3],
        "subscription": _column(town, "SELECT name FROM subscription"),
        **dict(zip("zxy", ([str(number)] for number in tile_at(24.9414, 60.1718, 14)), strict=True)),
    }


def _column(town: Town, statement: str) -> list[str]:
    with town.platform.database.reading() as connection:
        return [str(value) for value in connection.exec_driver_sql(statement).scalars()]


def unpacked(content: bytes) -> bytes:
    """A body without its compression: gzip, or the pages of Parquet."""
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"PAR1") and can_write_geoparquet():
        from pyarrow import parquet

        table = parquet.read_table(io.BytesIO(content))
        return repr((table.schema.metadata, table.to_pylist())).encode()
    return content


def told(town: Town) -> Iterator[Found]:
    """What subscribers get."""
    for hook in town.told.office.hooks:
        yield Found(f"subscriber {hook.number}", repr((hook.data, hook.headers)).encode())


def mailed(town: Town) -> Iterator[tuple[str, Found]]:
    """The mails to people, each with its address."""
    for mail in filter(_is_to_person, town.mails.accepted):
        parts = [part.get_content() for part in mail.message.walk() if not part.is_multipart()]
        yield mail.recipients[0], Found(f"mail {mail.number}", repr((mail.message.items(), parts)).encode())


def texted(town: Town) -> Iterator[tuple[str, Found]]:
    """The text messages to people: the phone number of each, and what the gateway gets in addition to it."""
    for hook in town.texts.hooks:
        rest = {name: value for name, value in hook.data.items() if name != "to"}
        yield hook.data["to"], Found(f"text {hook.number}", repr((rest, hook.headers)).encode())


def _is_to_person(mail: Mail) -> bool:
    return any(one.endswith("@leak.example") for one in mail.recipients)


def delivered(town: Town) -> Iterator[Found]:
    """What goes to back offices, the operator and the neighbour: webhooks, mails, files, requests and updates."""
    for hook in town.hooks.hooks:
        yield Found(f"webhook {hook.number}", repr((hook.data, hook.headers)).encode())
    for mail in town.mails.accepted:
        if _is_to_person(mail):
            continue
        parts = [part.get_content() for part in mail.message.walk() if not part.is_multipart()]
        yield Found(f"mail {mail.number}", repr((mail.content, mail.message.items(), parts)).encode())
    for path in sorted(town.files.iterdir()):
        yield Found(f"file {path.name}", path.read_bytes())
    for filed in town.neighbour.accepted:
        yield Found(f"neighbour {filed.service_request_id}", repr(filed.parameters).encode())
    for update in town.neighbour.received:
        yield Found(f"neighbour {update.update_id}", repr(update).encode())
