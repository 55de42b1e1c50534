"""Staff add, change, end and list the notices of a city."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from babel.core import UnknownLocaleError, parse_locale
from shapely.geometry import mapping

from open311.domain.access import Principal, Role
from open311.domain.city_notices import (
    LONGEST,
    MOST_OPEN,
    BadPolygon,
    Category,
    CityNotice,
    NoticeState,
    NoticeText,
    Severity,
    read_polygon,
    sent_after,
)
from open311.domain.cursors import decode_cursor, encode_cursor, is_bigint
from open311.domain.text import clean_text, is_single_line
from open311.errors import Conflict, Invalid, NotFound, Problem
from open311.operations.access.staff import require_city, require_role
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import audit, city_notices
from open311.storage.audit import Entry
from open311.storage.engine import Connection
from schemas.limits import MOST_HEADLINE_CHARACTERS, MOST_NOTICE_CHARACTERS, MOST_NOTICE_TEXTS
from schemas.texts import Message, tell

MOST_SERVICES = 500
MOST_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOrder:
    """What a notice shall say, as a person wrote it. In a change, None leaves a part as it is.

    polygon   a value of JSON; {} for none
    starts_at for a new notice, None means now
    """

    texts: Sequence[NoticeText] | None = None
    service_codes: Sequence[str] | None = None
    area: str | None = None
    polygon: Any = None
    category: Category | None = None
    severity: Severity | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticePage:
    """Notices, the newest first. `cursor`: where the next page begins; None on the last page."""

    notices: Sequence[CityNotice]
    cursor: int | None


def add_notice(
    platform: Platform, city: Jurisdiction, order: NoticeOrder, *, principal: Principal, now: datetime
) -> CityNotice:
    """Add a notice. Raises Forbidden, Invalid with all problems, and Conflict if the city has too many."""
    _require(principal, city)
    if order.texts is None or order.ends_at is None:
        missing = {"texts": order.texts is None, "end_datetime": order.ends_at is None}
        raise Invalid.of(Problem(name, _MISSING[name]) for name, is_missing in missing.items() if is_missing)
    blank = CityNotice(
        jurisdiction_id=city.id,
        texts=(),
        starts_at=now,
        ends_at=order.ends_at,
        sent_at=(),
        created_at=now,
        changed_at=now,
        actor=str(principal),
    )
    new = _ordered(city, blank, order)
    problems = [*_problems(city, new, order), *_past(new, now)]
    if problems:
        raise Invalid.of(problems)
    new = replace(new, sent_at=(max(now, new.starts_at),))
    with platform.database.transaction() as connection:
        city_notices.lock(connection, city.id)
        if len(city_notices.open_ones(connection, now, city.id)) >= MOST_OPEN:
            raise Conflict(tell("the city has {most} open notices; end one of them first.", most=MOST_OPEN))
        added = city_notices.add(connection, new)
        _record(connection, added, "notice.add", principal, now)
    platform.process.notices.forget()
    return added


def change_notice(
    platform: Platform,
    city: Jurisdiction,
    number: int,
    order: NoticeOrder,
    *,
    principal: Principal,
    now: datetime,
    version: int | None = None,
) -> CityNotice:
    """Change a notice that is not over.

    version  the version that the caller has seen; None to accept any version
    Raises NotFound, Forbidden, Invalid with all problems, and Conflict for another version, or if the notice is
    over.
    """
    _require(principal, city)
    with platform.database.transaction() as connection:
        before = _open_one(connection, city, number, version, now)
        after = _ordered(city, before, order)
        problems = [*_problems(city, after, order), *_moved(before, after, now), *_past(after, now)]
        if problems:
            raise Invalid.of(problems)
        if after == before:
            return before
        after = replace(after, version=before.version + 1, changed_at=now, actor=str(principal))
        after = replace(after, sent_at=sent_after(before, after, now))
        city_notices.save(connection, after)
        changed = [name for name in _PARTS if getattr(before, name) != getattr(after, name)]
        _record(connection, after, "notice.change", principal, now, details={"changed": changed})
    platform.process.notices.forget()
    return after


def end_notice(
    platform: Platform,
    city: Jurisdiction,
    number: int,
    *,
    principal: Principal,
    now: datetime,
    version: int | None = None,
    reason: str = "",
) -> CityNotice:
    """End a notice before its time.

    Raises NotFound, Forbidden, Invalid if the reason is too long, and Conflict as `change_notice` does.
    """
    _require(principal, city)
    if len(reason) > MOST_REASON_CHARACTERS:
        raise Invalid(
            tell("has {count} characters; send at most {most}.", count=len(reason), most=MOST_REASON_CHARACTERS),
            "reason",
        )
    with platform.database.transaction() as connection:
        before = _open_one(connection, city, number, version, now)
        sent_at = sent_after(before, before, now) if before.was_public(now) else before.sent_at
        after = replace(
            before, version=before.version + 1, ended_at=now, changed_at=now, actor=str(principal), sent_at=sent_at
        )
        city_notices.save(connection, after)
        _record(connection, after, "notice.end", principal, now, reason=reason.strip())
    platform.process.notices.forget()
    return after


def list_notices(
    platform: Platform, city: Jurisdiction, *, principal: Principal, rows: int, before: int | None = None
) -> NoticePage:
    """The notices of a city, the newest first. Raises Forbidden."""
    _require(principal, city)
    with platform.database.reading() as connection:
        found = city_notices.page(connection, city.id, rows=rows + 1, before=before)
    return page_of(found, rows)


def find_notice(platform: Platform, city: Jurisdiction, number: int, *, principal: Principal) -> CityNotice:
    """One notice of a city. Raises NotFound if there is none with this number, and Forbidden."""
    _require(principal, city)
    with platform.database.reading() as connection:
        found = city_notices.load(connection, city.id, number)
    if found is None:
        raise _unknown(number)
    return found


def page_of(found: Sequence[CityNotice], rows: int) -> NoticePage:
    """A page of `rows` notices. `found` has one more if there is a next page."""
    shown = found[:rows]
    return NoticePage(shown, shown[-1].number if len(found) > rows else None)


def write_cursor(page: NoticePage) -> str:
    """Where the next page begins, as callers send it back; "" on the last page."""
    return "" if page.cursor is None else encode_cursor(page.cursor)


def read_cursor(cursor: str) -> int | None:
    """The number of the last notice of the page before; None for the first page. Raises Invalid."""
    if not cursor:
        return None
    try:
        (number,) = decode_cursor(cursor)
        if not is_bigint(number):
            raise ValueError(cursor)
    except ValueError:
        raise Invalid(tell("is not a cursor of this list; start again without it."), "cursor") from None
    return int(number)


_MISSING: Mapping[str, Message] = {
    "texts": tell("is missing; send a list of texts, each with language and headline."),
    "end_datetime": tell("is missing; send a date and time."),
}
_PARTS = ("texts", "service_codes", "area", "polygon", "category", "severity", "starts_at", "ends_at")


def _require(principal: Principal, city: Jurisdiction) -> None:
    require_role(principal, Role.DISPATCHER)
    require_city(principal, city.id)


def _unknown(number: int) -> NotFound:
    return NotFound(tell("{number} is no notice here.", number=number), "notice")


def _open_one(
    connection: Connection, city: Jurisdiction, number: int, version: int | None, now: datetime
) -> CityNotice:
    """The notice, locked. Raises NotFound, and Conflict if it is over or does not have the version `version`."""
    found = city_notices.load(connection, city.id, number, is_locked=True)
    if found is None:
        raise _unknown(number)
    if version is not None and version != found.version:
        raise Conflict(
            tell(
                "is version {seen}, but the notice is at version {now}; read it again.",
                seen=version,
                now=found.version,
            ),
            "If-Match",
        )
    if found.state(now) is NoticeState.PAST:
        raise Conflict(tell("the notice is over; add a new one."), "notice")
    return found


def _ordered(city: Jurisdiction, before: CityNotice, order: NoticeOrder) -> CityNotice:
    """The notice with the changes of an order, which are not checked yet."""
    named: dict[str, Any] = {
        "texts": None if order.texts is None else _sorted(city, order.texts),
        "service_codes": None if order.service_codes is None else _codes(city, order.service_codes),
        "area": None if order.area is None else clean_text(order.area).strip(),
        "category": order.category,
        "severity": order.severity,
        "starts_at": order.starts_at,
        "ends_at": order.ends_at,
    }
    after = replace(before, **{name: value for name, value in named.items() if value is not None})
    if order.polygon is not None:
        after = replace(after, polygon=_polygon(order.polygon))
    return after


def _sorted(city: Jurisdiction, texts: Sequence[NoticeText]) -> tuple[NoticeText, ...]:
    """The texts, cleaned, with the city's first language before the others."""
    cleaned = [
        NoticeText(
            language=_tag(text.language),
            headline=clean_text(text.headline).strip(),
            description=clean_text(text.description).strip(),
        )
        for text in texts
    ]
    return tuple(sorted(cleaned, key=lambda text: text.language != city.languages[0]))


def _tag(language: str) -> str:
    """The text in the upper and lower case of a BCP 47 tag, such as zh-Hans. Whether it is a tag is not checked."""
    parts = language.strip().replace("_", "-").split("-")
    return "-".join(
        part.lower() if at == 0 else part.title() if len(part) == 4 else part.upper() if len(part) == 2 else part
        for at, part in enumerate(parts)
    )


def _codes(city: Jurisdiction, codes: Sequence[str]) -> tuple[str, ...]:
    """The codes, each once. The code of the service replaces an alias."""
    known = ((code, city.service(code)) for code in map(str.strip, codes))
    return tuple(dict.fromkeys(service.code if service else code for code, service in known))


def _polygon(value: Any) -> Mapping[str, Any] | None:
    """The polygon as it is stored; None for {}.

    If the value is not a polygon, the result is not None, so that `_problems` reports the value.
    """
    if value == {}:
        return None
    try:
        return dict(mapping(read_polygon(value)))
    except BadPolygon:
        return value if isinstance(value, dict) else {"type": None}


# --- What can be wrong


def _unknown_area(city: Jurisdiction, area: str) -> Message:
    if not city.areas:
        return tell("{area!r} is no area of the city, which has no areas; send a polygon instead.", area=area[:60])
    known = ", ".join(list(city.areas)[:20])
    return tell("{area!r} is no area of the city; its areas are: {known}", area=area[:60], known=known)


def _problems(city: Jurisdiction, new: CityNotice, order: NoticeOrder) -> Iterator[Problem]:
    """What is wrong with a notice."""
    if order.texts is not None:
        yield from _text_problems(city, new)
    yield from _service_problems(city, new) if order.service_codes is not None else ()
    if order.area and new.area not in city.areas:
        yield Problem("area", _unknown_area(city, new.area))
    if order.polygon is not None and new.polygon is not None:
        yield from _polygon_problems(city, order.polygon)
    if new.area and new.polygon is not None:
        yield Problem("polygon", tell("cannot be sent together with an area; send one of them."))
    if new.ends_at <= new.starts_at:
        yield Problem("end_datetime", tell("is not after the beginning; send a later time."))
    elif new.ends_at - new.starts_at > LONGEST:
        fault = tell("is more than {days} days after the beginning; send an earlier time.", days=LONGEST.days)
        yield Problem("end_datetime", fault)


def _text_problems(city: Jurisdiction, new: CityNotice) -> Iterator[Problem]:
    languages = list(new.languages)
    if city.languages[0] not in languages:
        fault = tell(
            "have no text in {language}, the first language of the city; add one.", language=city.languages[0]
        )
        yield Problem("texts", fault)
    if len(languages) > MOST_NOTICE_TEXTS:
        yield Problem("texts", tell("are more than {most}; send fewer.", most=MOST_NOTICE_TEXTS))
    for tag in dict.fromkeys(languages):
        if languages.count(tag) > 1:
            yield Problem(
                "texts", tell("have {language} twice; send one text for each language.", language=tag[:40])
            )
        if not _is_language(tag):
            fault = tell("{language!r} is no language; send a tag such as es or zh-Hans.", language=tag[:40])
            yield Problem("texts", fault)
    for text in new.texts:
        yield from _faults_of(text)


def _faults_of(text: NoticeText) -> Iterator[Problem]:
    language = text.language[:40]
    if not text.headline or not is_single_line(text.headline):
        yield Problem("texts", tell("need one line as headline in {language}.", language=language))
    lengths = ((text.headline, MOST_HEADLINE_CHARACTERS), (text.description, MOST_NOTICE_CHARACTERS))
    for value, most in lengths:
        if len(value) > most:
            fault = tell(
                "have {count} characters in {language}; {most} are allowed.",
                count=len(value),
                language=language,
                most=most,
            )
            yield Problem("texts", fault)


def _is_language(tag: str) -> bool:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", tag, re.ASCII):
        return False
    try:
        parse_locale(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return False
    return True


def _service_problems(city: Jurisdiction, new: CityNotice) -> Iterator[Problem]:
    if len(new.service_codes) > MOST_SERVICES:
        yield Problem("service_codes", tell("are more than {most}; send fewer.", most=MOST_SERVICES))
        return
    for code in new.service_codes:
        if city.service(code) is None:
            fault = tell("{code!r} is no service of the city; see the service list.", code=code[:60])
            yield Problem("service_codes", fault)


def _polygon_problems(city: Jurisdiction, value: Any) -> Iterator[Problem]:
    try:
        found = read_polygon(value)
    except BadPolygon as error:
        yield Problem("polygon", error.fault)
        return
    if city.boundary is not None and not city.boundary.intersection(found).area:
        yield Problem("polygon", tell("lies outside of the city; correct it."))


def _past(new: CityNotice, now: datetime) -> Iterator[Problem]:
    if new.starts_at < new.ends_at <= now:
        yield Problem("end_datetime", tell("is over already; send a later time."))


def _moved(before: CityNotice, after: CityNotice, now: datetime) -> Iterator[Problem]:
    if before.starts_at != after.starts_at and before.was_public(now):
        yield Problem(
            "start_datetime",
            tell("cannot be changed any more, because the notice has begun; end it and add another."),
        )


def _record(
    connection: Connection,
    notice: CityNotice,
    act: str,
    principal: Principal,
    now: datetime,
    *,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry of the audit trail. It has no text of the notice."""
    entry = Entry(
        jurisdiction_id=notice.jurisdiction_id,
        at=now,
        actor=str(principal),
        act=act,
        subject=f"notice:{notice.number}",
        reason=reason,
        details={"version": notice.version, **(details or {})},
    )
    audit.add_entry(connection, entry)
