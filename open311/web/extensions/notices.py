"""The notices of a city: a list, single CAP alerts, and an Atom index of these (R1 to R8 of spec/extensions.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from open311.domain.city_notices import CityNotice, NoticeState, exteriors
from open311.domain.public_words import CATEGORIES, part_of
from open311.errors import Invalid, NotFound
from open311.formats import JSON, document, shape_of
from open311.formats.writing import Alert, AlertFormat, AlertIndex, Feed, sender_of, write_alert_index, write_cap
from open311.operations.notices.current import lies_in
from open311.operations.notices.managing import read_cursor, write_cursor
from open311.operations.notices.reading import alerting_notices, begun_notices, public_notice, valid_notices
from open311.plugins import Jurisdiction
from open311.translations import in_language
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import Media, endpoint
from open311.web.languages import preferred
from open311.web.links import own_url, page_url
from open311.web.portal.rendering import city_path
from open311.web.surfaces import GEOREPORT
from schemas.extensions import LocalArguments, NoticesArguments, NoticeSchema
from schemas.texts import tell

_NOTICES = shape_of(NoticeSchema)
_TEXT = {"type": "string"}
_COARSE = 0.0005
"""How far, in degrees, the boundary of an alert may be from the true one: about 50 m. A boundary may have thousands
of points, and alerts are read by phones."""
_FINEST = 200
"""Shapes with at most so many points stay as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A notice as the list shows it."""

    notice_id: str
    headline: str
    description: str
    language: str
    languages: tuple[str, ...]
    category: str
    severity: str
    state: str
    service_codes: tuple[str, ...]
    area: str
    boundary: Any
    start_datetime: datetime
    end_datetime: datetime
    updated_datetime: datetime
    cap_url: str


@endpoint(
    GEOREPORT,
    "/notices",
    reads=NoticesArguments,
    access=ANYBODY,
    answers=NoticeSchema,
    is_extension=True,
    headers=("Link", "Content-Language"),
)
def list_public_notices(call: Call) -> Answer:
    """List what the city tells everybody now, the worst first (extension).

    With past=true, also what is over: all notices, the newest first. Each text is in the language that the caller
    wants, if the city has written it in that language.
    """
    values = call.values
    if values["past"]:
        page = begun_notices(
            call.platform, call.city, call.now, rows=values["page_size"], before=read_cursor(values["cursor"])
        )
        found, cursor = page.notices, write_cursor(page)
    else:
        if values["cursor"]:
            raise Invalid(tell("continues only lists with past=true; leave it out."), "cursor")
        found, cursor = valid_notices(call.platform, call.city, call.now)[: values["page_size"]], ""
    listed = [_listed(call, one) for one in found if _is_wanted(call, one)]
    address = page_url(call, {"cursor": cursor}) if cursor else ""
    return Answer(
        body=document(_NOTICES, _NOTICES.plain_list(listed), call.output),
        language=", ".join(dict.fromkeys(one.language for one in listed)),
        headers=(("Link", f'<{address}>; rel="next"'),) if address else (),
    )


@endpoint(
    GEOREPORT,
    "/notices.atom",
    reads=LocalArguments,
    access=ANYBODY,
    answers=Media("application/atom+xml", _TEXT),
    output=Feed.ATOM,
    is_extension=True,
)
def list_alerts(call: Call) -> Answer:
    """List the city's notices as an Atom index of CAP 1.2 alerts, for programs that warn people (extension).

    Each entry leads to one alert and has its main fields. A notice that the city has ended before its time stays in
    the index as a Cancel until its time is over.
    """
    found = alerting_notices(call.platform, call.city, call.now)
    languages = preferred(call.request, [tag for one in found for tag in one.languages], call.values["locale"])
    index = AlertIndex(
        jurisdiction_id=call.city.id,
        title=f"Notices: {call.city.name}",
        author=call.city.name,
        links={"self": own_url(call)},
        languages=languages,
    )
    return Answer(body=write_alert_index(index, [_alert(call, one) for one in found]))


@endpoint(
    GEOREPORT,
    "/notices/<notice_id>.cap",
    reads=LocalArguments,
    access=ANYBODY,
    answers=Media("application/cap+xml", _TEXT),
    output=AlertFormat.CAP,
    is_extension=True,
    errors=(404,),
)
def get_alert(call: Call, notice_id: str) -> Answer:
    """Show the newest message about a notice as a CAP 1.2 alert, in all its languages (extension)."""
    if not re.fullmatch(r"\d{1,18}", notice_id, re.ASCII):
        raise NotFound(tell("{number} is no notice here.", number=repr(notice_id[:60])), "notice_id")
    found = public_notice(call.platform, call.city, int(notice_id), call.now)
    return Answer(body=write_cap(_alert(call, found)))


def _is_wanted(call: Call, notice: CityNotice) -> bool:
    code, point = call.values["service_code"], call.point
    service = call.city.service(code) if code else None
    if code and notice.service_codes and (service.code if service else code) not in notice.service_codes:
        return False
    return point is None or lies_in(notice, call.city, point)


def _listed(call: Call, notice: CityNotice) -> _Listed:
    wanted = preferred(call.request, notice.languages, call.values["locale"])
    language, headline = notice.headline_in(wanted)
    _, description = notice.description_in(wanted)
    where = shape_about(call.city, notice)
    return _Listed(
        notice_id=str(notice.number),
        headline=headline,
        description=description,
        language=language,
        languages=notice.languages,
        category=notice.category,
        severity=notice.severity,
        state="current" if notice.state(call.now) is NoticeState.CURRENT else "past",
        service_codes=notice.service_codes,
        area=notice.area,
        boundary=None if where is None else mapping(where) if call.output is JSON else where.wkt,
        start_datetime=notice.starts_at,
        end_datetime=notice.ended_at or notice.ends_at,
        updated_datetime=notice.sent_at[-1],
        cap_url=_cap_address(call, notice),
    )


def shape_about(city: Jurisdiction, notice: CityNotice) -> BaseGeometry | None:
    """The shape of the part of the city that a notice is about; None for the whole city."""
    if notice.area:
        return city.areas.get(notice.area)
    return notice.shape


def _alert(call: Call, notice: CityNotice) -> Alert:
    city = call.city
    return Alert(
        notice=notice,
        sender=sender_of(city.id),
        is_test=city.id.endswith(".example"),
        city_name=city.name,
        contact=city.contact,
        events={tag: in_language(CATEGORIES[notice.category], tag) for tag in notice.languages},
        where={tag: in_language(_where(city, notice), tag) for tag in notice.languages},
        rings=exteriors(_simplified(shape_about(city, notice) or city.boundary)),
        address=_cap_address(call, notice),
        page=f"{city_path(call.own_address(), city.id)}notices#notice-{notice.number}",
    )


def _where(city: Jurisdiction, notice: CityNotice) -> str:
    """The place of a notice in words: its area, "A part of" the city if it has a drawn shape, or the city."""
    return notice.area or (part_of(city.name) if notice.polygon else city.name)


def _simplified(found: BaseGeometry | None) -> BaseGeometry | None:
    is_fine = found is not None and sum(map(len, exteriors(found))) > _FINEST
    return found.simplify(_COARSE) if found is not None and is_fine else found


def _cap_address(call: Call, notice: CityNotice) -> str:
    query = urlencode({"jurisdiction_id": call.city.id})
    return f"{call.base_url()}/notices/{notice.number}.cap?{query}"
