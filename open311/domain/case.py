"""What a back office may see of a request.

Personal data, free texts and photos are sent only if the allow-list of the back office names them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from open311.domain.places import Place
from open311.domain.requests import NamedAnswer, Reporter

REPORTER_FIELDS = ("email", "first_name", "last_name", "phone", "device_id", "account_id")
SHAREABLE = ("description", "address", "answers", "media", "notes", *REPORTER_FIELDS)
"""The names that an allow-list may contain.

description  the citizen's text
address      the address in the citizen's own words
answers      answers in the citizen's own words; answers that were chosen from a list are always sent
media        the addresses of photos
notes        texts for citizens and from citizens, which come with changes of the request
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request, as a back office sees it.

    reference     our name for the request: its service_request_id or, until it has one, the key of its delivery
    status        mySociety's word for the state
    department    the code of the department
    agency        the name of the department
    areas         names of the city's areas that contain the point
    via           the hops of the request, the last of which is this city: see domain.origins
    """

    jurisdiction_id: str
    reference: str
    service_request_id: str
    service_code: str
    service_name: str
    department: str
    agency: str
    status: str
    requested_at: datetime
    updated_at: datetime
    place: Place
    expected_at: datetime | None = None
    priority: str = ""
    areas: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    description: str = field(default="", repr=False)
    answers: tuple[NamedAnswer, ...] = field(default=(), repr=False)
    media_urls: tuple[str, ...] = ()
    reporter: Reporter = field(default=Reporter(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseUpdate:
    """A change of a case, as a back office sees it.

    case         the case in its present state
    remote_id    the back office's own id of the case; "" if it gave none
    at           when the case changed
    status       mySociety's word for the state after the change
    description  texts for and from citizens; "" unless the allow-list has `notes`
    kinds        the kinds of the events, such as `status` and `note`
    """

    case: Case
    remote_id: str
    at: datetime
    status: str
    description: str = field(default="", repr=False)
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteUpdate:
    """An update of a case by a back office.

    update_id     the back office's own id of the update, which never changes
    remote_id     the back office's id of the case; "" if the update has only `reference`
    reference     our name for the case; "" if the update has only `remote_id`
    status        the back office's word for the state; "" if the state did not change
    at            when the update happened there; None if the back office does not say when
    description   a text for citizens; if the update cannot be read, the update itself
    is_echo       whether the update only repeats one that we have sent
    fault         a sentence that says why the update cannot be read; "" if it can be read
    """

    update_id: str
    remote_id: str = ""
    reference: str = ""
    status: str = ""
    at: datetime | None = None
    description: str = field(default="", repr=False)
    media_urls: tuple[str, ...] = ()
    is_echo: bool = False
    fault: str = ""


def limited(case: Case, shared: Iterable[str], choices: Iterable[str]) -> Case:
    """The case, without the parts that may not be sent.

    shared   names of SHAREABLE
    choices  codes of the attributes whose answers are chosen from a list
    """
    allowed, lists = frozenset(shared), frozenset(choices)
    reporter = Reporter(**{name: getattr(case.reporter, name) for name in REPORTER_FIELDS if name in allowed})
    place = case.place if "address" in allowed else replace(case.place, address="")
    return replace(
        case,
        description=case.description if "description" in allowed else "",
        answers=tuple(one for one in case.answers if "answers" in allowed or one.code in lists),
        media_urls=case.media_urls if "media" in allowed else (),
        place=place,
        reporter=reporter,
    )
