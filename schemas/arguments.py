"""The parameters of calls. Each schema reads the parameters of a call, and describes them on the API page.

The declaration of a parameter is the only place with its type, aliases, choices, caps and meaning. Operations check
what depends on a city's catalogue or on the time, so that a caller gets all problems at once (A59).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Any, ClassVar, cast

from marshmallow import EXCLUDE, Schema, ValidationError

from schemas.georeport import ExtrasSchema
from schemas.limits import MAX_IDS, MAX_QUERY_CHARACTERS, MAX_RADIUS_M, MAX_ROWS
from schemas.parameters import (
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
    RepeatedParameter,
    Sent,
    TextParameter,
)

Problems = list[tuple[str, str]]
"""Pairs of a parameter's name and a fault of its value."""

EXTRA_FIELDS = tuple(ExtrasSchema().fields)
"""The fields that `extensions=` can add to an item (spec/extensions.md, E1)."""
PAGE_SIZE_ALIASES = ("per_page", "limit", "max_requests")
_NAMES_PEOPLE_WRITE = {"lng": "long", "lon": "long", "longitude": "long", "latitude": "lat", "statuses": "status"}


class Arguments(Schema):
    """The parameters of one kind of call. Unknown parameters are ignored (A62).

    together  groups of parameters; a call must send all or none of a group
    zone      the time zone of dates that name none
    """

    class Meta:
        unknown = EXCLUDE

    together: ClassVar[tuple[tuple[str, ...], ...]] = ()

    def __init__(self, *, zone: tzinfo = UTC, **more: Any) -> None:
        super().__init__(**more)
        self.zone = zone

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The declared parameters, by name."""
        return cast("dict[str, Parameter]", self.fields)

    def read(self, sent: Sent) -> tuple[dict[str, Any], Problems]:
        """The values of all parameters, with defaults for those that the call lacks, and all faults."""
        given = self.gather(sent)
        values = {name: parameter.default for name, parameter in self.parameters.items()}
        try:
            return values | cast("dict[str, Any]", self.load(given)), list(self._apart(given))
        except ValidationError as error:
            faults = cast("dict[str, list[str]]", error.messages_dict)
            found = [(name, text) for name, texts in faults.items() for text in texts]
            return values | (cast("dict[str, Any]", error.valid_data) or {}), [*found, *self._apart(given)]

    def gather(self, sent: Sent) -> dict[str, list[Any]]:
        """The values sent for each parameter, under its own name. Parameters that were not sent are left out."""
        found = ((name, parameter.gather(sent)) for name, parameter in self.parameters.items())
        return {name: values for name, values in found if values}

    def own_name(self, name: str) -> str:
        """The parameter's own name for an alias, such as `device_id` for deviceid; other names unchanged."""
        match = AnswersParameter.NAME.fullmatch(name)
        if match:
            return f"attribute[{match['code']}]"
        return next((own for own, known in self.parameters.items() if name in known.aliases), name)

    def near_misses(self, sent: Sent) -> list[tuple[str, str]]:
        """Sent names that resemble a parameter's name (start-date, lng, pagesize), each with the right name."""
        known = {name for parameter in self.parameters.values() for name in parameter.names}
        plain = {_letters(name): name for name in known}
        plain |= {written: name for written, name in _NAMES_PEOPLE_WRITE.items() if name in known}
        pairs = ((name, plain.get(_letters(name))) for name in sent if name not in known)
        return [(name, right) for name, right in pairs if right]

    def _apart(self, given: dict[str, list[Any]]) -> Iterator[tuple[str, str]]:
        """The missing parameters of each group of `together` that was sent in part."""
        for names in self.together:
            missing = [name for name in names if name not in given]
            is_required = any(self.parameters[name].required for name in names)
            if missing and len(missing) < len(names) and not is_required:
                all_names = f"{', '.join(names[:-1])} and {names[-1]}"
                yield from ((name, f"is missing; send {all_names} together.") for name in missing)


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


class NoArguments(Arguments):
    """A call without parameters."""


class JurisdictionArguments(Arguments):
    """The parameter of every call."""

    jurisdiction_id = TextParameter("The city; optional if the server has only one city.", "city.example")


class ServiceArguments(JurisdictionArguments):
    """The parameters of service lists and definitions."""

    locale = TextParameter(
        "Language of the texts; overrides Accept-Language. Also called langcode.", "es", aliases=("langcode",)
    )


class ServiceListArguments(ServiceArguments):
    """The parameters of the service list."""

    together = (("lat", "long"),)

    lat = LatitudeParameter("Only services for this point, with long (extension).", 60.1718)
    long = LongitudeParameter("Only services for this point, with lat (extension).", 24.9414)


class RequestSearchArguments(JurisdictionArguments):
    """The parameters of a list of requests: the standard's filters, and our extensions.

    service_request_id overrides the other filters, which are then not read (A19).
    """

    together = (("lat", "long", "radius"),)

    service_request_id = ListParameter(
        "Ids, comma-separated; overrides the other filters.", most=MAX_IDS, unit="ids"
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
        "Words to search for; accents and case do not matter (extension).",
        "street light",
        most_characters=MAX_QUERY_CHARACTERS,
    )
    group = TextParameter("A service group (extension).")
    keyword = TextParameter("A service keyword (extension).")
    agency_responsible = TextParameter("The agency_responsible, exactly as requests show it (extension).")
    area = TextParameter("Name of an area, as `areas` lists them (extension).")
    has_photo = FlagParameter("true: only requests with a picture; false: only those without (extension).")
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

    def gather(self, sent: Sent) -> dict[str, list[Any]]:
        """The values sent for each parameter, without the other filters if there are ids."""
        found = super().gather(sent)
        if "service_request_id" not in found:
            return found
        kept = ("jurisdiction_id", "service_request_id", "extensions")
        return {name: values for name, values in found.items() if name in kept}


class RequestArguments(JurisdictionArguments):
    """The parameters of a single request."""

    extensions = ExtrasParameter(
        "true, or some of extended_attributes, notes, attributes (extension).", "true", choices=EXTRA_FIELDS
    )


class SubmissionArguments(JurisdictionArguments):
    """The parameters of a new request."""

    api_key = TextParameter("The key; can also be sent in the header X-Api-Key or as Authorization: Bearer.")
    service_code = TextParameter(
        "The code of the service.", "pothole", is_single=True, missing="is missing; send one from the service list."
    )
    lat = TextParameter("Latitude, with long.", 60.1718, openapi={"type": "number"})
    long = TextParameter("Longitude, with lat.", 24.9414, openapi={"type": "number"})
    address_string = TextParameter("The address as text.", "5 Mill Lane")
    address_id = TextParameter("The city's own id of the address.")
    description = TextParameter("What is wrong; at most 4,000 characters.", "Deep hole")
    email = TextParameter("The reporter's email address; never published.")
    first_name = TextParameter("The reporter's first name; never published.")
    last_name = TextParameter("The reporter's last name; never published.")
    phone = TextParameter("The reporter's phone number; never published.")
    device_id = TextParameter("Id of the reporter's device; never published.", aliases=("deviceid",))
    account_id = TextParameter("The reporter's account with the app.")
    media_url = RepeatedParameter("Address of a picture; may be repeated.")
    client_request_id = TextParameter(
        "Your own id of this call. A call that repeats it within 24 hours gets the first call's answer."
    )
    attributes = AnswersParameter("Answers to the service's questions, each as attribute[CODE].")
