"""The notices of a city as pages for citizens show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from open311.domain.city_notices import CityNotice
from open311.domain.public_words import CATEGORIES
from open311.operations.notices.current import current_notices, notices_about
from open311.web.calls import Call
from open311.web.languages import in_languages, preferred
from open311.web.portal.rendering import Frame
from open311.web.portal.shown import ShownRequest
from schemas.texts import Message

MOST_ON_PAGE = 5
"""How many notices a page shows, other than the page of notices. If there are more, the page links to the page of
notices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownNotice:
    """A notice in the reader's language.

    headline_lang     the attributes lang and dir of the headline; empty if it is in the language of the page
    description_lang  the attributes lang and dir of the description; empty if it is in the language of the page
    services          the names of the services that the notice is about; empty if it is about all services
    """

    id: str
    headline: str
    headline_lang: Markup
    description: str
    description_lang: Markup
    category: Message
    is_alarming: bool
    area: str
    services: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class ShownNotices:
    """The notices of a page, the worst first. `has_more`: whether the page of notices has others."""

    notices: Sequence[ShownNotice]
    has_more: bool

    @property
    def has_alarm(self) -> bool:
        """Whether people should read the notices before anything else."""
        return any(one.is_alarming for one in self.notices)


def notices_of_city(call: Call, frame: Frame, *, most: int | None = MOST_ON_PAGE) -> ShownNotices:
    """The notices of the city that are valid now. `most`: how many of them at most; None for all."""
    found = current_notices(call.platform, call.city, call.now)
    shown = found[:most]
    return ShownNotices([_shown(call, frame, one) for one in shown], len(found) > len(shown))


def notices_for(
    call: Call,
    frame: Frame,
    *,
    service_code: str,
    point: tuple[float, float] | None,
    only_about_place: bool = False,
) -> ShownNotices:
    """What the city tells about a service and a (long, lat) point.

    only_about_place  whether to leave out the notices about the whole city
    """
    every = current_notices(call.platform, call.city, call.now)
    found = [
        one
        for one in notices_about(every, call.city, service_code=service_code, point=point)
        if not (only_about_place and one.is_about_whole_city)
    ]
    return ShownNotices([_shown(call, frame, one) for one in found[:MOST_ON_PAGE]], len(found) > MOST_ON_PAGE)


def notices_about_request(call: Call, frame: Frame, shown: ShownRequest) -> ShownNotices:
    """What the city tells about the service and the place of a request; nothing once the request is closed."""
    if not shown.is_open:
        return ShownNotices((), has_more=False)
    return notices_for(call, frame, service_code=str(shown["service_code"]), point=shown.point)


def _shown(call: Call, frame: Frame, notice: CityNotice) -> ShownNotice:
    wanted = (frame.language, *preferred(call.request, notice.languages, frame.locale))
    headline_tag, headline = notice.headline_in(wanted)
    description_tag, description = notice.description_in(wanted)
    return ShownNotice(
        id=str(notice.number),
        headline=headline,
        headline_lang=frame.lang(headline_tag),
        description=description,
        description_lang=frame.lang(description_tag),
        category=CATEGORIES[notice.category],
        is_alarming=notice.severity.is_alarming,
        area=notice.area,
        services=tuple(_names(call, frame, notice.service_codes)),
        starts_at=notice.starts_at,
        ends_at=notice.ends_at,
    )


def _names(call: Call, frame: Frame, codes: Iterable[str]) -> Iterable[str]:
    """The names of the services that still exist, in the reader's language."""
    services = [service for code in codes if (service := call.city.service(code))]
    return (service.name for service in in_languages(services, call.city, frame.catalogue_languages))
