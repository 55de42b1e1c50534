"""The wire contract of the staff API: the parameters of its lists, the bodies of its commands, and its answers.

Each command of staff has one schema here, under its name in COMMANDS. The command line reads the same schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from difflib import get_close_matches
from math import isfinite
from typing import Any, cast

from marshmallow import RAISE, Schema, ValidationError, fields

from schemas.arguments import Arguments
from schemas.base import Body, Degrees, Instant, OptionalText, Text, describe
from schemas.georeport import NamedAnswerSchema
from schemas.limits import MAX_QUERY_CHARACTERS
from schemas.parameters import (
    HOLDS_NUL,
    NUL,
    ChoiceParameter,
    DistanceParameter,
    FlagParameter,
    LatitudeParameter,
    ListParameter,
    LongitudeParameter,
    NumberParameter,
    TextParameter,
)
from schemas.texts import Message, tell
from schemas.values import LIMITS, NotAnInstant, parse_instant

MAX_QUEUE_ROWS = 200
MAX_BULK = 500
"""How many requests one bulk command may change."""
MAX_NAMES = 200
MAX_CHARACTERS = 4_000
MAX_CODE_CHARACTERS = 200
MAX_NEARBY_M = 10_000.0

STATES = ("received", "triage", "assigned", "acknowledged", "in_progress", "scheduled", "on_hold", "closed")
OUTCOMES = (
    "fixed",
    "not_found",
    "no_violation",
    "referred",
    "not_responsible",
    "duplicate",
    "no_access",
    "cannot_do",
    "withdrawn",
    "unknown",
)
PRIORITIES = ("low", "normal", "high", "urgent")
VISIBILITIES = ("public", "held", "unlisted", "private", "withdrawn")

# --- Parameters


class StaffArguments(Arguments):
    """The parameter of every call of staff."""

    tells_unknown = True

    jurisdiction_id = TextParameter(
        "The city. Optional for accounts of one city, and on servers with one city.", "city.example"
    )


class QueueArguments(StaffArguments):
    """The filters and the page of a queue."""

    id = ListParameter(
        "Ids, tokens or internal numbers, comma-separated; other filters are then ignored.",
        "8841",
        most=MAX_NAMES,
        unit="ids",
    )
    department = ListParameter("Codes of departments. Without it, all departments of the account.", "streets")
    state = ListParameter("States of the requests; `closed` alone lists closed ones.", "on_hold", choices=STATES)
    service_code = ListParameter("Service codes.", "potholes")
    area = TextParameter("The name of an area.")
    older_than = NumberParameter("Only requests that are older than so many days.", 7, least=0, most=36_500)
    overdue = ChoiceParameter(
        "true: past the due date; soon: due within 24 hours; false: not past the due date.",
        choices=("true", "false", "soon"),
    )
    assignee = TextParameter("`me`, the name of an account, or `none`.", "me")
    q = TextParameter(
        "Words to search for, also in requests that are not public.", most_characters=MAX_QUERY_CHARACTERS
    )
    merged = FlagParameter("true: the open requests that are merged into others.", default=False)
    cursor = TextParameter("Where the next page begins: `cursor` of the page before.")
    page_size = NumberParameter(
        "Requests on a page, at most 200.", 50, least=1, cut_to=MAX_QUEUE_ROWS, default=50, aliases=("limit",)
    )

    def without_effect(self, given: Mapping[str, Any]) -> Iterator[tuple[list[str], Message]]:
        """All other filters have no effect if ids are sent."""
        if "id" in given and (others := [name for name in given if name not in ("jurisdiction_id", "id")]):
            yield others, tell("beside id")


class CrewArguments(StaffArguments):
    """The place around which open requests are listed."""

    lat = LatitudeParameter("Latitude.", 60.1718, missing=tell("is missing; send lat and long."))
    long = LongitudeParameter("Longitude.", 24.9414, missing=tell("is missing; send lat and long."))
    radius = DistanceParameter("Metres around the place.", 500, most=MAX_NEARBY_M, default=500.0)
    page_size = NumberParameter(
        "Requests at most.", 50, least=1, cut_to=MAX_QUEUE_ROWS, default=50, aliases=("limit",)
    )


class ReporterArguments(StaffArguments):
    """Why the data of a reporter are read."""

    reason = TextParameter(
        "Why you read it. It is kept in the audit trail.",
        "Called back about the entrance.",
        missing=tell("is missing; say why you read who sent the request."),
        most_characters=MAX_CHARACTERS,
    )


# --- Bodies of calls


class JsonText(fields.String):
    """Text. Characters that PostgreSQL cannot store are refused."""

    def __init__(self, about: str, example: Any = None, *, most: int = MAX_CHARACTERS, **more: Any) -> None:
        super().__init__(metadata=describe(about, example) | {"maxLength": most}, **_told(more, tell("a text")))
        self.most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(tell("is no text; send a string."))
        if NUL in value:
            raise ValidationError(HOLDS_NUL)
        if len(value) > self.most:
            lengths = {"count": len(value), "most": self.most}
            raise ValidationError(tell("has {count} characters; send at most {most}.", **lengths))
        return value


class JsonChoice(fields.String):
    """One of a few words, in exactly this case."""

    def __init__(self, about: str, *, choices: tuple[str, ...], **more: Any) -> None:
        form = tell("one of {words}", words=", ".join(choices))
        super().__init__(metadata=describe(about) | {"enum": list(choices)}, **_told(more, form))
        self.choices = choices

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if value not in self.choices:
            named = {"value": str(value)[:40], "known": ", ".join(self.choices)}
            raise ValidationError(tell("{value!r} is unknown; send one of {known}.", **named))
        return str(value)


class JsonInstant(fields.String):
    """A date and time. If it names no time zone, the schema's `zone` is used."""

    def __init__(self, about: str, **more: Any) -> None:
        metadata = describe(about, "2026-03-01T09:30:00Z") | {"format": "date-time"}
        super().__init__(metadata=metadata, **_told(more, tell("a date and time")))

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError(tell("is no text; send a date and time such as 2026-03-01T09:30:00Z."))
        try:
            return parse_instant(value, cast("Any", self.root).zone)
        except NotAnInstant as error:
            raise ValidationError(str(error)) from None


class JsonFlag(fields.Boolean):
    """true or false."""

    def __init__(self, about: str, **more: Any) -> None:
        super().__init__(metadata=describe(about), **_told(more, tell("true or false")))

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(tell("{value!r} is neither true nor false.", value=str(value)[:40]))
        return value


class JsonDegrees(fields.Float):
    """Decimal degrees, WGS 84. `axis`: lat or long; it decides the range."""

    def __init__(self, about: str, *, axis: str, **more: Any) -> None:
        self.limit = LIMITS[axis]
        metadata = describe(about) | {"minimum": -self.limit, "maximum": self.limit}
        super().__init__(metadata=metadata, **_told(more, tell("decimal degrees")))

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            fault = tell("{value!r} is no number; send decimal degrees such as 41.8781.", value=str(value)[:40])
            raise ValidationError(fault)
        if abs(value) > self.limit:
            fault = tell(
                "{value} is outside -{limit:g}..{limit:g}; send WGS 84 degrees.", value=value, limit=self.limit
            )
            raise ValidationError(fault)
        return float(value)


class JsonTexts(fields.List[Any]):
    """A list of texts."""

    def __init__(self, about: str, *, most: int, **more: Any) -> None:
        inner = JsonText("One of them.", most=MAX_CODE_CHARACTERS)
        super().__init__(
            inner, metadata=describe(about) | {"maxItems": most}, **_told(more, tell("a list of texts"))
        )
        self.most = most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError(tell("is no list; send a list of texts."))
        if len(value) > self.most:
            lengths = {"count": len(value), "most": self.most}
            raise ValidationError(tell("has {count} entries; send at most {most}.", **lengths))
        try:
            return super()._deserialize(value, attr, data, **more)
        except ValidationError:
            fault = tell("has an entry that is no text of usual length; send a list of texts.")
            raise ValidationError(fault) from None


class JsonObject(fields.Raw):
    """An object whose fields another schema reads."""

    def __init__(self, about: str, **more: Any) -> None:
        super().__init__(metadata=describe(about) | {"type": "object"}, **_told(more, tell("an object")))

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError(tell("is no object; send an object such as {{}}."))
        return value


def _told(more: dict[str, Any], form: str) -> dict[str, Any]:
    """The options of a field, with errors that name the cure."""
    messages = {
        "required": tell("is missing; send {form}.", form=form),
        "null": tell("is null; leave it out or send {form}.", form=form),
    }
    return {"error_messages": messages} | more


class JsonBody(Schema):
    """The body of a call in JSON. Unknown fields are refused. `zone`: the time zone of dates that name none."""

    class Meta:
        unknown = RAISE

    def __init__(self, *, zone: tzinfo = UTC, **more: Any) -> None:
        super().__init__(**more)
        self.zone = zone

    def read(self, sent: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """The fields that were sent, and all faults as pairs of a field's name and a sentence."""
        try:
            return cast("dict[str, Any]", self.load(sent)), []
        except ValidationError as error:
            faults = cast("dict[str, list[str]]", error.messages_dict)
            return {}, [(name, self._worded(name, text)) for name, texts in faults.items() for text in texts]

    def _worded(self, name: str, text: str) -> str:
        if name in self.fields:
            return text
        near = get_close_matches(name, self.fields, n=1)
        if near:
            return tell("is unknown; did you mean {name}?", name=near[0])
        if not self.fields:
            return tell("is unknown; this call has no fields.")
        return tell("is unknown; this call has {names}.", names=", ".join(self.fields))


class CommandBody(JsonBody):
    """What every command has."""

    reason = JsonText("Why you do it. Only staff see it.", "The caller gave another address.")


class AssignBody(CommandBody):
    """Give the request to a person."""

    account = JsonText("The name of the account; empty for nobody.", "ada", most=MAX_CODE_CHARACTERS, required=True)


class TransferBody(CommandBody):
    """Give the request to another department."""

    department = JsonText("The department's code.", "parks", most=MAX_CODE_CHARACTERS, required=True)


class PrioritiseBody(CommandBody):
    """Say how urgent the request is."""

    priority = JsonChoice("How urgent it is.", choices=PRIORITIES, required=True)


class ProgressBody(CommandBody):
    """The fields of all commands that say how far the work is."""

    detail = JsonText("The code of one of the city's own states.", most=MAX_CODE_CHARACTERS)


class AcknowledgeBody(ProgressBody):
    """Say that the department has seen the request."""


class StartBody(ProgressBody):
    """Begin the work."""


class ScheduleBody(ProgressBody):
    """Say when somebody will visit the place."""

    visit = JsonInstant("When somebody will visit the place.", required=True)


class RescheduleBody(CommandBody):
    """Change the date of the visit or the expected date."""

    visit = JsonInstant("The new date of the visit.")
    expected = JsonInstant("The new date by which it should be done. The public sees it.")


class HoldBody(ProgressBody):
    """Stop the work."""


class CloseBody(CommandBody):
    """Close the request."""

    outcome = JsonChoice("How it ended.", choices=OUTCOMES, required=True)
    note = JsonText("What the public reads; without it, the city's text for this outcome.", "Filled with asphalt.")


class ReopenBody(CommandBody):
    """Open the request again."""


class NoteBody(CommandBody):
    """Write a note about the request."""

    text = JsonText("The note.", "The owner was there.", required=True)
    public = JsonFlag("Whether everybody sees the note. Without it, only staff see it.")


class AskReporterBody(CommandBody):
    """Ask the reporter something."""

    text = JsonText("The question. Everybody sees it.", "Which side?", required=True)


class MergeBody(CommandBody):
    """Merge the request into another one."""

    into = JsonText("The other request's id or number.", "8841", most=MAX_CODE_CHARACTERS, required=True)


class UnmergeBody(CommandBody):
    """Undo a merge."""


class ChangeServiceBody(CommandBody):
    """Move the request to another service."""

    service_code = JsonText("The code of the service.", "trees", most=MAX_CODE_CHARACTERS, required=True)


class HideBody(CommandBody):
    """Hide the request from the public."""


class ShowBody(CommandBody):
    """Show the request to the public again."""


class ReleaseBody(CommandBody):
    """Show the request to the public after a review."""


class CorrectBody(CommandBody):
    """Correct parts of the report."""

    description = JsonText("The right text.")
    address = JsonText("The right address.")
    lat = JsonDegrees("The right latitude, with long.", axis="lat")
    long = JsonDegrees("The right longitude, with lat.", axis="long")


COMMANDS: dict[str, type[CommandBody]] = {
    "assign": AssignBody,
    "transfer": TransferBody,
    "prioritise": PrioritiseBody,
    "acknowledge": AcknowledgeBody,
    "start": StartBody,
    "schedule": ScheduleBody,
    "reschedule": RescheduleBody,
    "hold": HoldBody,
    "close": CloseBody,
    "reopen": ReopenBody,
    "note": NoteBody,
    "ask_reporter": AskReporterBody,
    "merge": MergeBody,
    "unmerge": UnmergeBody,
    "change_service": ChangeServiceBody,
    "hide": HideBody,
    "show": ShowBody,
    "release": ReleaseBody,
    "correct": CorrectBody,
}
"""The body of each command, by the command's name."""


class BulkBody(JsonBody):
    """One command for several requests. Send `ids` or `filters`."""

    command = JsonChoice("The command.", choices=tuple(COMMANDS), required=True)
    arguments = JsonObject("The fields of the command.")
    ids = JsonTexts("Ids, tokens or numbers of requests.", most=MAX_BULK)
    filters = JsonObject("The parameters of a queue, each as a text, without its page.")
    dry_run = JsonFlag("true, which is the default: only tell what would change. false: change it.")


class ViewBody(JsonBody):
    """A saved view."""

    filters = JsonObject("The parameters of a queue, each as a text, without its page.", required=True)


# --- Answers


class QueueItemSchema(Body):
    """One request of a queue."""

    number = fields.Integer(metadata=describe("The internal number, which every request has.", 41))
    service_request_id = OptionalText(metadata=describe("The public id.", "8841"))
    service_code = Text(metadata=describe("The service's code.", "potholes"))
    service_name = Text(metadata=describe("The service's name.", "Pothole"))
    state = fields.String(metadata=describe("Where it is in its life.") | {"enum": list(STATES)})
    outcome = OptionalText(metadata=describe("How a closed one ended."))
    department = OptionalText(metadata=describe("The department's code.", "streets"))
    assignee = OptionalText(metadata=describe("The name of the account that works on it.", "ada"))
    priority = fields.String(metadata=describe("How urgent it is.") | {"enum": list(PRIORITIES)})
    visibility = fields.String(metadata=describe("Who can see it.") | {"enum": list(VISIBILITIES)})
    requested_datetime = Instant(metadata=describe("When it was sent."))
    updated_datetime = Instant(metadata=describe("When it last changed; for a closed one, when it was closed."))
    expected_datetime = Instant(metadata=describe("By when it should be done."))
    scheduled_datetime = Instant(metadata=describe("When somebody will visit the place."))
    due = OptionalText(metadata=describe("overdue, soon (within 24 hours), later, or null without a date."))
    description = OptionalText(metadata=describe("The first 300 characters of what was reported."))
    address = OptionalText(metadata=describe("The address."))
    lat = Degrees(metadata=describe("Latitude."))
    long = Degrees(metadata=describe("Longitude."))
    areas = fields.List(fields.String(), metadata=describe("Names of the areas around the place."))
    merged_into = fields.Integer(
        allow_none=True, metadata=describe("The number of the request that it was merged into.")
    )
    version = fields.Integer(metadata=describe("Grows with each change.", 3))


class QueueSchema(Body):
    """One page of a queue."""

    requests = fields.List(fields.Nested(QueueItemSchema), metadata=describe("The most urgent due date first."))
    cursor = OptionalText(metadata=describe("Where the next page begins; null on the last page."))


class CrewItemSchema(QueueItemSchema):
    """One request near a place."""

    metres = fields.Float(metadata=describe("The distance from the place.", 12.5))


class CrewSchema(Body):
    """The open requests around a place."""

    requests = fields.List(fields.Nested(CrewItemSchema), metadata=describe("The nearest first."))


class DepartmentCountSchema(Body):
    """The work of one department."""

    department = OptionalText(metadata=describe("The code; null for requests of no department."))
    name = OptionalText(metadata=describe("The department's name."))
    open = fields.Integer(metadata=describe("Open requests that are not merged into others."))
    merged = fields.Integer(metadata=describe("Open requests that are merged into others."))
    overdue = fields.Integer(metadata=describe("Those of `open` that are past their due date."))
    unassigned = fields.Integer(metadata=describe("Those of `open` that no account works on."))
    triage = fields.Integer(metadata=describe("Those of `open` for which a person has to choose a department."))


class QueueCountsSchema(Body):
    """The work of all departments of the account."""

    queues = fields.List(fields.Nested(DepartmentCountSchema), metadata=describe("By the department's code."))
    uncounted_changes = fields.Integer(
        metadata=describe("Changes that `open` and `merged` do not contain yet; 0 where all are counted.")
    )


class HistoryEntrySchema(Body):
    """One event of a request's history."""

    at = Instant(metadata=describe("When it happened."))
    kind = Text(metadata=describe("What happened.", "transferred"))
    actor = Text(metadata=describe("Who did it: staff:3, key:5, reporter, shell or system."))
    name = OptionalText(metadata=describe("The name of the account that did it."))
    text = OptionalText(metadata=describe("A note, or what changed."))
    reason = OptionalText(metadata=describe("Why it was done."))
    cause = OptionalText(metadata=describe("What led to it."))
    is_public = fields.Boolean(metadata=describe("Whether the public sees it."))
    version = fields.Integer(metadata=describe("The request's version after it."))


class RelatedSchema(Body):
    """Another request."""

    number = fields.Integer(metadata=describe("The internal number."))
    service_request_id = OptionalText(metadata=describe("The public id."))
    status = Text(metadata=describe("open or closed."))
    metres = fields.Float(allow_none=True, metadata=describe("The distance, for a request nearby."))


class RouteStepSchema(Body):
    """One routing rule that was tried."""

    rule = Text(metadata=describe("The rule."))
    department = Text(metadata=describe("The department that it names."))
    fits = fields.Boolean(metadata=describe("Whether it decides."))
    why = Text(metadata=describe("Why it fits or not."))


class StaffRequestSchema(Body):
    """One request with everything that staff may see, except its reporter."""

    number = fields.Integer(metadata=describe("The internal number, which every request has.", 41))
    service_request_id = OptionalText(metadata=describe("The public id.", "8841"))
    token = OptionalText(metadata=describe("The token of a batch request."))
    service_code = Text(metadata=describe("The service's code.", "potholes"))
    service_name = Text(metadata=describe("The service's name.", "Pothole"))
    status = Text(metadata=describe("open or closed."))
    state = fields.String(metadata=describe("Where it is in its life.") | {"enum": list(STATES)})
    detail = OptionalText(metadata=describe("The code of one of the city's own states, which says more."))
    detailed_status = OptionalText(metadata=describe("The status in the words of an import."))
    outcome = OptionalText(metadata=describe("How a closed one ended."))
    status_notes = OptionalText(metadata=describe("What the public reads about the status."))
    department = OptionalText(metadata=describe("The department's code.", "streets"))
    agency_responsible = OptionalText(metadata=describe("The agency's name from an import."))
    assignee = OptionalText(metadata=describe("The name of the account that works on it.", "ada"))
    priority = fields.String(metadata=describe("How urgent it is.") | {"enum": list(PRIORITIES)})
    visibility = fields.String(metadata=describe("Who can see it.") | {"enum": list(VISIBILITIES)})
    requested_datetime = Instant(metadata=describe("When it was sent."))
    updated_datetime = Instant(metadata=describe("When it last changed; for a closed one, when it was closed."))
    changed_datetime = Instant(metadata=describe("When anything of it last changed."))
    expected_datetime = Instant(metadata=describe("By when it should be done."))
    scheduled_datetime = Instant(metadata=describe("When somebody will visit the place."))
    held_since = Instant(metadata=describe("Since when the work is on hold."))
    due = OptionalText(metadata=describe("overdue, soon (within 24 hours), later, or null without a date."))
    description = OptionalText(metadata=describe("What was reported."))
    service_notice = OptionalText(metadata=describe("What the reporter was told."))
    address = OptionalText(metadata=describe("The address."))
    address_id = OptionalText(metadata=describe("The city's id of the address."))
    zipcode = OptionalText(metadata=describe("The postal code."))
    lat = Degrees(metadata=describe("Latitude."))
    long = Degrees(metadata=describe("Longitude."))
    is_outside = fields.Boolean(metadata=describe("Whether the point lies outside the city."))
    areas = fields.List(fields.String(), metadata=describe("Names of the areas around the place."))
    media_urls = fields.List(fields.String(), metadata=describe("Addresses of pictures."))
    source = Text(metadata=describe("api, import or example."))
    channel = OptionalText(metadata=describe("How it reached the city."))
    attributes = fields.List(fields.Nested(NamedAnswerSchema), metadata=describe("All answers."))
    history = fields.List(fields.Nested(HistoryEntrySchema), metadata=describe("All events, oldest first."))
    parent = fields.Nested(
        RelatedSchema, allow_none=True, metadata=describe("The request that it was merged into.")
    )
    children = fields.List(
        fields.Nested(RelatedSchema), metadata=describe("The requests that were merged into it.")
    )
    possible_duplicate_of = OptionalText(metadata=describe("The id of an earlier request nearby."))
    nearby = fields.List(
        fields.Nested(RelatedSchema), metadata=describe("Open requests of the service nearby, nearest first.")
    )
    route_reason = OptionalText(metadata=describe("The rule that chose the department on arrival."))
    route = fields.List(
        fields.Nested(RouteStepSchema), metadata=describe("How today's rules route it; the last step decides.")
    )
    commands = fields.List(fields.String(), metadata=describe("The commands that this account may give now."))
    version = fields.Integer(metadata=describe("Grows with each change; also in the ETag.", 3))


class StaffReporterSchema(Body):
    """Who sent a request: personal data."""

    number = fields.Integer(metadata=describe("The request's internal number."))
    email = OptionalText(metadata=describe("Email address."))
    first_name = OptionalText(metadata=describe("First name."))
    last_name = OptionalText(metadata=describe("Last name."))
    phone = OptionalText(metadata=describe("Phone number."))
    device_id = OptionalText(metadata=describe("Id of the device."))
    account_id = OptionalText(metadata=describe("The account with the app."))


class BulkResultSchema(Body):
    """What a bulk command does to one request."""

    id = Text(metadata=describe("The request, as it was named; from filters, its number."))
    result = Text(metadata=describe("would_change, changed, unchanged or refused."))
    changes = fields.List(fields.String(), metadata=describe("The kinds of the events."))
    why = OptionalText(metadata=describe("Why it is refused."))
    version = fields.Integer(allow_none=True, metadata=describe("The version after it."))


class BulkSchema(Body):
    """What a bulk command does."""

    dry_run = fields.Boolean(metadata=describe("Whether nothing was changed yet."))
    changed = fields.Integer(metadata=describe("How many requests change."))
    unchanged = fields.Integer(metadata=describe("How many are already as wanted."))
    refused = fields.Integer(metadata=describe("How many are refused."))
    results = fields.List(fields.Nested(BulkResultSchema), metadata=describe("Each request."))


class ViewSchema(Body):
    """A saved view."""

    name = Text(metadata=describe("The name.", "overdue-potholes"))
    filters = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata=describe("The parameters of the queue.")
    )


class SavedViewsSchema(Body):
    """The saved views of an account."""

    views = fields.List(fields.Nested(ViewSchema), metadata=describe("By name."))


class MeSchema(Body):
    """The account of the token."""

    name = Text(metadata=describe("The account's name.", "ada"))
    number = fields.Integer(metadata=describe("The account's number.", 3))
    role = Text(metadata=describe("reader, agent, dispatcher or admin."))
    jurisdiction_id = Text(metadata=describe("The city; * for all."))
    departments = fields.List(fields.String(), metadata=describe("Codes; empty for all."))
    commands = fields.List(fields.String(), metadata=describe("The commands that the role may give."))
