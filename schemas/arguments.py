"""The parameters of calls. Each schema reads the parameters of a call, and describes them on the API page.

The declaration of a parameter has its aliases and its meaning, and in nearly all calls also its type, choices and
caps. A schema does not check what depends on a city's catalogue or on the time. Operations check that, and report
it together with the schema's problems, so that a caller gets all problems at once (A59). For a new request, the
operation `check_submission` also checks latitude, longitude and the length of texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, tzinfo
from functools import cached_property
from typing import Any, ClassVar, cast
from urllib.parse import quote

from marshmallow import EXCLUDE, Schema, ValidationError

from schemas.georeport import ExtrasSchema
from schemas.limits import MAX_IDS, MAX_QUERY_CHARACTERS, MAX_RADIUS_M, MAX_ROWS, MOST_SUGGESTIONS
from schemas.parameters import (
    INDEX,
    AddressesParameter,
    AnswersParameter,
    BoxParameter,
    ChoiceParameter,
    DistanceParameter,
    ExtrasParameter,
    FlagParameter,
    InstantParameter,
    LatitudeParameter,
    ListParameter,
    LongitudeParameter,
    NumberParameter,
    Parameter,
    Sent,
    SwitchParameter,
    TextParameter,
    UnprovenParameter,
)
from schemas.texts import Message, joined, tell, tell_count

Problems = list[tuple[str, str]]
"""Pairs: a parameter's name, and what is wrong with its value."""

EXTRA_FIELDS = tuple(ExtrasSchema().fields)
"""The fields that `extensions=` can add to an item (spec/extensions.md, E1)."""
PAGE_SIZE_ALIASES = ("per_page", "limit", "max_requests")
_NAMES_ELSEWHERE = {
    "api_key": "key xapikey",
    "lat": "latitude",
    "long": "lng lon longitude",
    "radius": "distance",
    "status": "statuses state",
    "service_code": "service servicecodes",
    "service_request_id": "id ids servicerequestids",
    "agency_responsible": "agency",
    "department": "departments departmentcode",
    "group": "groupby",
    "keyword": "keywords",
    "area": "neighborhood neighbourhood ward district",
    "start_date": "from since",
    "end_date": "to until",
    "q": "search query",
    "sort": "orderby",
    "page": "offset",
    "has_photo": "hasmedia",
    "description": "message comments",
    "first_name": "name",
    "media_url": "mediaurls media photo image",
}
"""Parameter -> the names that other APIs have for it, with only their letters and digits."""


class Arguments(Schema):
    """The parameters of one kind of call. Unknown parameters are ignored (A62).

    together  groups of parameters; a call must send all or none of a group
    zone      the time zone of dates without a time zone
    """

    class Meta:
        unknown = EXCLUDE

    tells_unknown: ClassVar[bool] = False
    """Whether warnings name all unknown parameters.

    If not, they name only those that are a known parameter written differently, or its name in another API.
    """

    together: ClassVar[tuple[tuple[str, ...], ...]] = ()

    def __init__(self, *, zone: tzinfo = UTC, **more: Any) -> None:
        super().__init__(**more)
        self.zone = zone

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The declared parameters, by name."""
        return cast("dict[str, Parameter]", self.fields)

    def read(self, sent: Sent) -> tuple[dict[str, Any], Problems]:
        """The values of all parameters, and all faults. A parameter that the call lacks has its default."""
        given = self.gather(self._plain(sent))
        values = {name: parameter.default for name, parameter in self.parameters.items()}
        try:
            return values | cast("dict[str, Any]", self.load(given)), list(self._apart(given))
        except ValidationError as error:
            faults = cast("dict[str, list[str]]", error.messages_dict)
            found = [(name, text) for name, texts in faults.items() for text in texts]
            return values | (cast("dict[str, Any]", error.valid_data) or {}), [*found, *self._apart(given)]

    def gather(self, sent: Sent) -> dict[str, list[Any]]:
        """The values sent for each parameter, under its own name. Parameters without effect are left out."""
        found = self._given(sent)
        for names, _ in self.without_effect(found):
            for name in names:
                del found[name]
        return found

    def _given(self, sent: Sent) -> dict[str, list[Any]]:
        found = {}
        for name, parameter in self.parameters.items():
            if values := parameter.gather(sent):
                found[name] = values
        return found

    def without_effect(self, given: Mapping[str, Any]) -> Iterator[tuple[list[str], Message]]:  # noqa: ARG002
        """The parameters that are not read because of other parameters of the call, and the reason."""
        return iter(())

    def own_name(self, name: str) -> str:
        """The parameter's own name for an alias or `name[]`: device_id for deviceid; other names unchanged."""
        match = AnswersParameter.NAME.fullmatch(name)
        if match:
            return f"attribute[{match['code']}]"
        plain = self._plain_name(name)
        return self._own_names.get(plain, plain)

    def key_warnings(self, sent: Sent) -> list[Message]:
        """The warnings about parameters that have `api_key` misspelt."""
        return self.warnings({name: values for name, values in sent.items() if means_key(name)})

    def warnings(self, sent: Sent) -> list[Message]:
        """A sentence for each thing in a call that is ignored or changed, though the call is not refused."""
        return [*self._unknown_names(sent), *self._ignored(self._plain(sent))]

    def _unknown_names(self, sent: Sent) -> Iterator[Message]:
        """Warnings about some unknown names; with `tells_unknown`, about all unknown names."""
        for name in sent:
            if self._plain_name(name) in self._known or self._is_answer(name):
                continue
            right = self._by_letters.get(_letters(INDEX.sub("", name)))
            if right == "media_url" and any(value.startswith("@") for value in sent[name]):
                yield tell(
                    "{name} is ignored, and no photo came with this call; send the file in a multipart form, as"
                    " curl does with -F, or the address of the photo in media_url",
                    name=as_sent(name),
                )
            elif right:
                yield tell("{name} is ignored; did you mean {right}?", name=as_sent(name), right=right)
            elif self.tells_unknown:
                yield tell("{name} is ignored; this call has no such parameter", name=as_sent(name))

    def _is_answer(self, name: str) -> bool:
        is_answered = any(isinstance(parameter, AnswersParameter) for parameter in self.parameters.values())
        return is_answered and AnswersParameter.NAME.fullmatch(name) is not None

    def _ignored(self, plain: Sent) -> Iterator[Message]:
        """The values that are not read, or read as something else."""
        given = self._given(plain)
        for names, why in list(self.without_effect(given)):
            ignored = joined(names)
            yield tell_count(
                "{names} is ignored {why}", "{names} are ignored {why}", count=len(names), names=ignored, why=why
            )
            for name in names:
                del given[name]
        for name, values in given.items():
            yield from self.parameters[name].overlooked(plain)
            with suppress(ValidationError):  # `read` reports it as a fault
                yield from self.parameters[name].changes(values)

    @cached_property
    def _known(self) -> set[str]:
        return {name for parameter in self.parameters.values() for name in parameter.names}

    @cached_property
    def _own_names(self) -> dict[str, str]:
        """The parameters by their aliases."""
        return {alias: name for name, parameter in self.parameters.items() for alias in parameter.aliases}

    @cached_property
    def _lists(self) -> set[str]:
        """The names of the parameters that take several values."""
        lists = (parameter for parameter in self.parameters.values() if parameter.takes_several)
        return {name for parameter in lists for name in parameter.names}

    @cached_property
    def _by_letters(self) -> dict[str, str]:
        """Letters and digits of a name -> parameter. The names are the parameters' own and those in other APIs."""
        others = {
            word: name for name, words in _NAMES_ELSEWHERE.items() if name in self._known for word in words.split()
        }
        return others | {_letters(name): name for name in self._known}

    def _plain(self, sent: Sent) -> Sent:
        """The values under names without indexes: `status[]` and `status[0]` are `status`."""
        if not any("[" in name for name in sent):
            return sent
        found: dict[str, list[str]] = {}
        for name, values in sent.items():
            found.setdefault(self._plain_name(name), []).extend(values)
        return found

    def _plain_name(self, name: str) -> str:
        """The name without an index, if it is the name of a parameter that takes several values."""
        if not name.endswith("]"):
            return name
        stem = INDEX.sub("", name)
        return stem if stem in self._lists else name

    def _apart(self, given: dict[str, list[Any]]) -> Iterator[tuple[str, str]]:
        """The missing parameters of each group in `together`, if only a part of the group was sent."""
        for names in self.together:
            missing = [name for name in names if name not in given]
            is_required = any(self.parameters[name].required for name in names)
            if missing and len(missing) < len(names) and not is_required:
                *first, last = names
                fault = tell("is missing; send {first} and {last} together.", first=", ".join(first), last=last)
                yield from ((name, fault) for name in missing)


def as_sent(name: str) -> str:
    """A name for a header: as it was sent, but cut if it is long."""
    return for_header(name[:40]) + ("..." if len(name) > 40 else "")


def for_header(text: str) -> str:
    """A text for a header. Characters that a header cannot carry are percent-encoded."""
    return quote(text, safe=HEADER_SAFE)


HEADER_SAFE = "".join(sign for sign in map(chr, range(32, 127)) if sign not in '"\\')


def means_key(name: str) -> bool:
    """Whether a parameter is the api_key, also if its name is written differently or is that of another API."""
    return _letters(INDEX.sub("", name)) in ("apikey", *_NAMES_ELSEWHERE["api_key"].split())


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


class NoArguments(Arguments):
    """A call without parameters."""


class JurisdictionArguments(Arguments):
    """The parameters that nearly all calls have."""

    jurisdiction_id = TextParameter("The city; optional if the server has only one city.", "city.example")
    locale = TextParameter(
        "Language of the texts; overrides Accept-Language. Also called langcode.", "es", aliases=("langcode",)
    )


class DefinitionArguments(JurisdictionArguments):
    """The parameters of a service definition."""

    extensions = SwitchParameter(
        "true: each question also says on which answers it depends, and more (extension).", "true"
    )


class ServiceListArguments(JurisdictionArguments):
    """The parameters of the service list."""

    together = (("lat", "long"),)

    lat = LatitudeParameter("Only services for this point, with long (extension).", 60.1718)
    long = LongitudeParameter("Only services for this point, with lat (extension).", 24.9414)


class RequestSearchArguments(JurisdictionArguments):
    """The parameters of a list of requests: the standard's filters, and our extensions.

    service_request_id and service_request_id_ext override the other filters, which are then not read (A19, I2).
    """

    together = (("lat", "long", "radius"),)

    service_request_id = ListParameter(
        "Ids, comma-separated; overrides the other filters.", most=MAX_IDS, unit=tell("ids")
    )
    service_code = ListParameter("Service codes, comma-separated or repeated.")
    start_date = InstantParameter("Earliest requested_datetime.", "2026-03-01T00:00:00Z")
    end_date = InstantParameter("Latest requested_datetime; at most 90 days after start_date.", is_end=True)
    status = ListParameter("open, closed, or both comma-separated.", "open", choices=("open", "closed"))
    updated_after = InstantParameter("Earliest change (extension).")
    updated_before = InstantParameter("Latest change (extension).", is_end=True)
    lat = LatitudeParameter("Centre of a circle, with long and radius (extension).")
    long = LongitudeParameter("Centre of a circle, with lat and radius (extension).")
    radius = DistanceParameter("Metres around lat and long (extension).", most=MAX_RADIUS_M)
    bbox = BoxParameter("west,south,east,north in degrees (extension).", "24.9,60.1,25.0,60.2")
    sort = ChoiceParameter(
        "-requested, requested, -updated or updated (extension).",
        choices=("-requested", "requested", "-updated", "updated"),
        aliases=("order_by",),
    )
    q = TextParameter(
        "Words to search for, or an id; accents and case do not matter (extension).",
        "street light",
        most_characters=MAX_QUERY_CHARACTERS,
    )
    group = TextParameter("A service group (extension).")
    keyword = TextParameter("A service keyword (extension).")
    agency_responsible = TextParameter("The agency_responsible, exactly as requests show it (extension).")
    department = TextParameter(
        "Code of the responsible department, as in extended_attributes; its name is read as well (extension).",
        "streets",
    )
    area = TextParameter("Name of an area, as `areas` lists them (extension).")
    has_photo = FlagParameter("true: only requests with a picture; false: only those without (extension).")
    service_request_id_ext = TextParameter(
        "Your own id of a request, with the api_key that sent it; overrides the other filters (extension)."
    )
    account_id = UnprovenParameter(
        "Refused, because nothing proves whose account it is; a reporter reads a request by its status_url"
        " (extension).",
        cure=tell(
            "cannot be proven here, so it is no filter; send extensions=true with a report, and read it by the"
            " status_url of the answer."
        ),
    )
    extensions = ExtrasParameter(
        "true, or some of extended_attributes, notes, attributes (extension).", "true", choices=EXTRA_FIELDS
    )
    cursor = TextParameter("Where the next page begins; taken from a Link header (extension).")
    page = NumberParameter("Number of the page, from 1; 0 means 1 (extension).", 1, least=0, default=1)
    page_size = NumberParameter(
        "Requests on a page, at most 1000. Also called per_page, limit or max_requests (extension).",
        100,
        least=1,
        cut_to=MAX_ROWS,
        default=MAX_ROWS,
        aliases=PAGE_SIZE_ALIASES,
    )
    count = FlagParameter(
        "true: X-Total-Count has the number of requests on all pages, up to 10,000 (extension).", default=False
    )

    def without_effect(self, given: Mapping[str, Any]) -> Iterator[tuple[list[str], Message]]:
        """With ids of requests, all parameters except the ids, city, language, extensions and bom (A19, I2).

        Without ids and without radius: lat and long.
        """
        if "service_request_id_ext" in given:
            kept = ("jurisdiction_id", "locale", "service_request_id_ext", "extensions", "bom")
            if others := [name for name in given if name not in kept]:
                yield others, tell("beside service_request_id_ext")
        elif "service_request_id" in given:
            kept = ("jurisdiction_id", "locale", "service_request_id", "extensions", "bom")
            if others := [name for name in given if name not in kept]:
                yield others, tell("beside service_request_id")
        elif "radius" not in given and (point := [name for name in ("lat", "long") if name in given]):
            yield point, tell("without radius; send radius in metres, or bbox")


class RequestArguments(JurisdictionArguments):
    """The parameters of a single request."""

    extensions = ExtrasParameter(
        "true, or some of extended_attributes, notes, attributes (extension).", "true", choices=EXTRA_FIELDS
    )


class SubmissionArguments(JurisdictionArguments):
    """The parameters of a new request."""

    tells_unknown = True

    api_key = TextParameter("The key; can also be sent in the header X-Api-Key or as Authorization: Bearer.")
    service_code = TextParameter(
        "The code of the service.",
        "pothole",
        is_single=True,
        missing=tell("is missing; send one from the service list."),
    )
    lat = TextParameter("Latitude, with long.", 60.1718, openapi={"type": "number"})
    long = TextParameter("Longitude, with lat.", 24.9414, aliases=("lng",), openapi={"type": "number"})
    address_string = TextParameter("The address as text.", "5 Mill Lane", aliases=("address",))
    address_id = TextParameter("The city's own id of the address.")
    description = TextParameter("What is wrong; at most 4,000 characters.", "Deep hole")
    email = TextParameter("The reporter's email address; never published.")
    first_name = TextParameter("The reporter's first name; never published.")
    last_name = TextParameter("The reporter's last name; never published.")
    phone = TextParameter("The reporter's phone number; never published.")
    sms = FlagParameter(
        "true: the reporter asks for text messages about the request to `phone` (extension).", True, default=False
    )
    device_id = TextParameter("Id of the reporter's device; never published.", aliases=("deviceid",))
    account_id = TextParameter("The reporter's account with the app.")
    media_url = AddressesParameter("Address of a picture; may be repeated.")
    client_request_id = TextParameter(
        "Your own id of this call. A call that repeats it within 24 hours gets the first call's answer."
    )
    service_request_id_ext = TextParameter(
        "Your own id of the request (extension). A call that repeats it gets the first call's answer, at any time."
        " Only your api_key can see it or search by it.",
        is_single=True,
    )
    extensions = ExtrasParameter(
        "true or extended_attributes: the answer has status_url, a secret link for the reporter (extension).",
        "true",
        choices=EXTRA_FIELDS,
    )
    suggestion = ListParameter(
        "Codes of the services that services/suggest gave and the person saw, the best first, at"
        " most three (extension). The server counts which of them is chosen.",
        "pothole,sidewalk",
        most=MOST_SUGGESTIONS,
        unit=tell("codes"),
    )
    attributes = AnswersParameter("Answers to the service's questions, each as attribute[CODE].")
