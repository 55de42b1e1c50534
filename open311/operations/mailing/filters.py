"""Mail about all requests of a filter: what it says, and the filter in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson

from open311.domain.mails import MOST_NUMBERS, Follower
from open311.domain.page_paths import list_path, request_path
from open311.domain.public_words import STATUSES
from open311.domain.subscriptions import RequestFilter
from open311.operations.mailing.composing import end_of, page_of_follower, service_name
from open311.operations.mailing.letters import Letter, Part, Style, time_in
from open311.operations.publishing import Names
from open311.plugins import Jurisdiction
from open311.storage.notifications import Waiting
from open311.translations import in_language
from schemas.texts import Message, tell, tell_count

REMINDED_BEFORE = timedelta(days=30)
"""Mail about a filter ends on some day. In this time before that day, each of these mails names the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterNews:
    """What a mail about a filter is about.

    waiting  the requests that the mail reports, with their newest public versions. If there are more than a mail
             names, one more is here
    key      the key of signatures
    own      the address of this server, without a slash at its end
    """

    city: Jurisdiction
    names: Names
    follower: Follower
    wanted: RequestFilter
    waiting: Sequence[Waiting]
    key: str
    own: str

    @property
    def page(self) -> str:
        """The address of the follower's own page, in the follower's language."""
        return f"{page_of_follower(self.own, self.key, self.follower)}?locale={self.follower.language}"

    @property
    def in_words(self) -> str:
        """The filter in the follower's language."""
        return in_words(self.city, self.names, self.wanted, self.follower.language)


def in_words(city: Jurisdiction, names: Names, wanted: RequestFilter, language: str) -> str:
    """A filter in a language, such as `Pothole · Open · Kallio`."""
    parts = _words(city, names, wanted, language)
    return " · ".join(in_language(part, language) for part in parts) or in_language(tell("All reports"), language)


def _words(city: Jurisdiction, names: Names, wanted: RequestFilter, language: str) -> Iterator[str]:
    yield from (service_name(city, names, code, language) for code in wanted.service_codes)
    if wanted.group:
        yield wanted.group
    yield from (STATUSES[status] for status in wanted.statuses)
    if wanted.department:
        yield next((one.name for one in city.departments if one.code == wanted.department), wanted.department)
    if wanted.area:
        yield wanted.area
    if wanted.near:
        near = wanted.near
        place = {"lat": near.lat, "long": near.long}
        yield tell("at most {metres:g} m from {lat:.5f}, {long:.5f}", metres=near.radius_m, **place)
    if wanted.box:
        yield tell("in a part of the map")


def filter_invitation(about: FilterNews) -> Letter:
    """The mail that asks the owner of an address to agree."""
    city = about.city
    parts = [
        Part(tell("Somebody wants to get mail about reports to {city} with your email address.", city=city.name)),
        Part(tell("Reports: {filter}", filter=about.in_words), Style.FACT),
        Part(_how_often(about.follower), Style.FACT),
        Part(tell("Do you want to get this mail? Then confirm that this is your address:")),
        Part(tell("Confirm the address"), Style.LINK, about.page),
        Part(tell("If you do not know about this, do nothing. Then you get no more mail about it.")),
        *end_of(city),
    ]
    title = tell("Please confirm: mail about reports to {city}", city=city.name)
    return Letter(about.follower.language, title, parts)


def _how_often(one: Follower) -> Message:
    if one.is_daily:
        return tell("You get one mail a day at most.")
    return tell("You get one mail an hour at most.")


def filter_news(about: FilterNews, now: datetime) -> Letter | None:
    """The mail about what is new, without descriptions and notes; None if the public can read none of it now."""
    shown = [(one, orjson.loads(one.body)) for one in about.waiting if one.body]
    if not shown:
        return None
    city, language = about.city, about.follower.language
    count = min(len(shown), MOST_NUMBERS)
    title = tell_count(
        "{city}: news about {count} report", "{city}: news about {count} reports", count=count, city=city.name
    )
    parts = [Part(tell("Reports: {filter}", filter=about.in_words)), *_groups(about, shown[:MOST_NUMBERS])]
    if len(about.waiting) > MOST_NUMBERS:
        parts.append(Part(tell("There are more. The list has all of them.")))
    parts.append(Part(tell("The list of these reports"), Style.LINK, _list_address(about)))
    parts += end_of(city)
    parts.append(Part(tell("You get this mail because you have confirmed that you want it."), Style.SMALL))
    ends_at = about.follower.ends_at
    if ends_at is not None and now > ends_at - REMINDED_BEFORE:
        day = time_in(ends_at, city.zone, language)
        text = tell("This mail ends on {day}. You can prolong it for a year.", day=day)
        parts.append(Part(text, Style.SMALL, about.page))
    parts.append(Part(tell("Change how often you get this mail, or end it"), Style.SMALL, about.page))
    return Letter(language, title, parts)


def _groups(about: FilterNews, shown: Iterable[tuple[Waiting, dict[str, Any]]]) -> Iterator[Part]:
    """The requests in three groups: new ones, closed ones, and others."""
    groups: dict[str, list[Part]] = {
        tell("New reports:"): [],
        tell("Closed reports:"): [],
        tell("Other reports with news:"): [],
    }
    new, closed, others = groups.values()
    for one, item in shown:
        is_closed = item["status"] == "closed"
        group = closed if is_closed and "status" in one.changes else new if "received" in one.changes else others
        group.append(_line(about, one, item))
    for heading, parts in groups.items():
        yield from (Part(heading), *parts) if parts else ()


def _line(about: FilterNews, one: Waiting, item: dict[str, Any]) -> Part:
    language = about.follower.language
    service = service_name(about.city, about.names, item["service_code"], language)
    facts = "; ".join(filter(None, (service, item.get("address"))))
    address = f"{about.own}{request_path(about.city.id, one.service_request_id)}?locale={language}"
    return Part(f"{one.service_request_id}: {facts}", Style.PLAIN, address)


def _list_address(about: FilterNews) -> str:
    """The address of the list with the filter."""
    wanted = about.wanted
    box, near = wanted.box, wanted.near
    values = {
        "service_code": ",".join(wanted.service_codes),
        "group": wanted.group,
        "status": ",".join(wanted.statuses),
        "department": wanted.department,
        "area": wanted.area,
        "bbox": f"{box.west},{box.south},{box.east},{box.north}" if box else "",
        "lat": str(near.lat) if near else "",
        "long": str(near.long) if near else "",
        "radius": str(near.radius_m) if near else "",
        "locale": about.follower.language,
    }
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{about.own}{list_path(about.city.id)}?{query}"
