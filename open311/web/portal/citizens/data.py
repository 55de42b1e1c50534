"""The pages about open data and about privacy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from open311.operations.mailing.rules import mails_followers, mails_reporters
from open311.operations.sms.rules import texts_reporters
from open311.operations.upkeep.dumps import find_dumps, terms
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call, PageFormat
from open311.web.endpoints import City, endpoint
from open311.web.portal.background import Background
from open311.web.portal.rendering import page
from open311.web.surfaces import BASE, DUMPS, INQUIRY, PORTAL, WIDGET
from schemas.portal import PageArguments

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Download:
    """A file of the newest daily dump."""

    name: str
    address: str
    megabytes: float


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/data",
    reads=PageArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def data_page(call: Call) -> Answer:
    """The open data of the city: feeds, files, the API, the licence, and how to get a key."""
    licence, attribution = terms(call.platform, call.city)
    address = f"{call.own_address()}{WIDGET.prefix}/{quote(call.city.id, safe='')}"
    return page(
        call,
        "data.html",
        base=BASE,
        inquiry=INQUIRY.prefix,
        licence=licence,
        attribution=attribution,
        dumps=list(_newest(call)),
        widget=f'<iframe src="{address}" title="{escape(call.city.name)}" width="320" height="420"></iframe>',
    )


@endpoint(
    PORTAL,
    "/<jurisdiction_id>/privacy",
    reads=PageArguments,
    access=ANYBODY,
    city=City.IN_PATH,
    output=PageFormat.HTML,
)
def privacy_page(call: Call) -> Answer:
    """What happens to personal data: what is public, what only the city sees, and for how long."""
    settings, city = call.platform.settings, call.city
    is_mailed = mails_reporters(settings, city) or mails_followers(settings, city)
    hosts = Background.of(settings).names
    return page(
        call,
        "privacy.html",
        days=city.retention.reporter_days,
        is_mailed=is_mailed,
        is_texted=texts_reporters(settings, city),
        map_hosts=hosts,
    )


def _newest(call: Call) -> Iterator[Download]:
    """The files of the newest daily dump."""
    for dump in find_dumps(call.platform, call.city.id)[:1]:
        for file in dump.files:
            city = quote(call.city.id, safe="")
            address = f"{call.request.root_path}{DUMPS.prefix}/{city}/{quote(file.name)}"
            yield Download(file.name, address, round(file.bytes / _MEGABYTE, 1))
