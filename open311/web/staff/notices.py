"""The notices of a city, as staff write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from open311.domain.city_notices import Category, CityNotice, NoticeText, Severity
from open311.errors import NotFound
from open311.formats import JSON
from open311.operations.notices.managing import (
    NoticeOrder,
    add_notice,
    change_notice,
    end_notice,
    find_notice,
    list_notices,
    read_cursor,
    write_cursor,
)
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.links import page_url
from open311.web.staff.answers import staff_answer
from open311.web.staff.conditions import IF_MATCH, seen_version
from open311.web.surfaces import STAFF
from schemas.staff import (
    ChangeNoticeBody,
    EndNoticeBody,
    NoticeBody,
    NoticesArguments,
    StaffArguments,
    StaffNoticeSchema,
    StaffNoticesSchema,
)
from schemas.texts import tell

_SHARED: dict[str, Any] = {"access": STAFF_ONLY, "output": JSON, "city": City.OF_CALLER}
_ONE: dict[str, Any] = _SHARED | {
    "reads": StaffArguments,
    "answers": Media("application/json", StaffNoticeSchema()),
    "headers": ("ETag",),
}
_CHANGE: dict[str, Any] = {"errors": (404, 409), "conditions": (IF_MATCH,)}


@endpoint(
    STAFF,
    "/notices",
    reads=NoticesArguments,
    answers=Media("application/json", StaffNoticesSchema()),
    headers=("Link",),
    **_SHARED,
)
def list_staff_notices(call: Call) -> Answer:
    """List the notices of the city, also those that are planned or over. Needs the role dispatcher."""
    rows = call.values["page_size"]
    page = list_notices(
        call.platform, call.city, principal=call.caller, rows=rows, before=read_cursor(call.values["cursor"])
    )
    cursor = write_cursor(page) or None
    body = {"notices": [plain_notice(one, call.now) for one in page.notices], "cursor": cursor}
    links = (("Link", f'<{page_url(call, {"cursor": cursor})}>; rel="next"'),) if cursor else ()
    return staff_answer(body, headers=links)


@endpoint(STAFF, "/notices", method="POST", body=NoticeBody, errors=(409,), **_ONE)
def add_staff_notice(call: Call) -> Answer:
    """Add a notice. Everybody can read it from its start time to its end time. Needs the role dispatcher."""
    order = order_of(call.body)
    return _shown(call, add_notice(call.platform, call.city, order, principal=call.caller, now=call.now))


@endpoint(STAFF, "/notices/<notice>", errors=(404,), **_ONE)
def get_staff_notice(call: Call, notice: str) -> Answer:
    """Show one notice. Its ETag is for If-Match. Needs the role dispatcher."""
    return _shown(call, find_notice(call.platform, call.city, number_of(notice), principal=call.caller))


@endpoint(STAFF, "/notices/<notice>/change", method="POST", body=ChangeNoticeBody, **_ONE | _CHANGE)
def change_staff_notice(call: Call, notice: str) -> Answer:
    """Change a notice that is not over. What is not sent stays. Needs the role dispatcher.

    With If-Match, the change is refused if somebody else has changed the notice since.
    """
    changed = change_notice(
        call.platform,
        call.city,
        number_of(notice),
        order_of(call.body),
        principal=call.caller,
        now=call.now,
        version=seen_version(call.request),
    )
    return _shown(call, changed)


@endpoint(STAFF, "/notices/<notice>/end", method="POST", body=EndNoticeBody, **_ONE | _CHANGE)
def end_staff_notice(call: Call, notice: str) -> Answer:
    """End a notice before its time. Needs the role dispatcher. If-Match works as for a change."""
    ended = end_notice(
        call.platform,
        call.city,
        number_of(notice),
        principal=call.caller,
        now=call.now,
        version=seen_version(call.request),
        reason=call.body.get("reason", ""),
    )
    return _shown(call, ended)


def number_of(notice: str) -> int:
    """The number in a path. Raises NotFound if the path has no number there."""
    if not re.fullmatch(r"\d{1,18}", notice, re.ASCII):
        raise NotFound(tell("{number} is no notice here.", number=repr(notice[:60])), "notice")
    return int(notice)


def order_of(body: Mapping[str, Any]) -> NoticeOrder:
    """What a body orders. The polygon null means that the notice has no polygon."""
    polygon = body.get("polygon")
    return NoticeOrder(
        texts=[NoticeText(**text) for text in body["texts"]] if "texts" in body else None,
        service_codes=body.get("service_codes"),
        area=body.get("area"),
        polygon={} if "polygon" in body and polygon is None else polygon,
        category=Category(body["category"]) if "category" in body else None,
        severity=Severity(body["severity"]) if "severity" in body else None,
        starts_at=body.get("start_datetime"),
        ends_at=body.get("end_datetime"),
    )


def plain_notice(notice: CityNotice, now: datetime) -> dict[str, Any]:
    """A notice (StaffNoticeSchema)."""
    return {
        "notice_id": str(notice.number),
        "version": notice.version,
        "state": notice.state(now).value,
        "texts": [
            {"language": one.language, "headline": one.headline, "description": one.description}
            for one in notice.texts
        ],
        "service_codes": list(notice.service_codes),
        "area": notice.area,
        "polygon": notice.polygon,
        "category": notice.category.value,
        "severity": notice.severity.value,
        "start_datetime": notice.starts_at,
        "end_datetime": notice.ends_at,
        "ended_datetime": notice.ended_at,
        "created_datetime": notice.created_at,
        "updated_datetime": notice.changed_at,
        "actor": notice.actor,
    }


def _shown(call: Call, notice: CityNotice) -> Answer:
    return staff_answer(plain_notice(notice, call.now), tag=f"v{notice.version}")
