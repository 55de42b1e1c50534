"""The wire contract of the staff API: the parameters of its lists, the bodies of its commands, and its answers.

Each command of staff has one schema here, under its name in COMMANDS. The command line reads the same schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from difflib import get_close_matches
from math import isfinite
from typing import Any, ClassVar, TypeGuard, cast

from marshmallow import RAISE, Schema, ValidationError, fields

from schemas.arguments import Arguments
from schemas.base import Body, Degrees, Geometry, Instant, OptionalText, Text, describe
from schemas.deliveries import DELIVERY_STATES, DeliverySchema, ExternalIdSchema
from schemas.georeport import NamedAnswerSchema
from schemas.limits import (
    MAX_QUERY_CHARACTERS,
    MOST_HEADLINE_CHARACTERS,
    MOST_NOTICE_CHARACTERS,
    MOST_NOTICE_ROWS,
    MOST_NOTICE_TEXTS,
    NOTICE_CATEGORIES,
    NOTICE_SEVERITIES,
)
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
STANDINGS = ("applied", "changed", "equal", "gone", "misfit", "off")
BLOCK_KINDS = ("key", "address", "device", "email")
PRIORITIES = ("low", "normal", "high", "urgent")
PHOTO_STATES = ("arriving", "waiting", "ready", "held", "refused", "withdrawn", "blackened")
MAX_BOXES = 50
PHOTO_SIZES = ("large", "medium", "small", "original")
KINDS = ("email", "phone", "iban", "card", "plate")
NOTICE_STATES = ("planned", "current", "past")
VISIBILITIES = ("public", "held", "unlisted", "private", "withdrawn")

# --- Parameters


DUE = "overdue, soon (within the city's `due_soon_hours`), later, or null without a date."


class StaffArguments(Arguments):
    """The parameter of every call of staff."""

    tells_unknown = True

    jurisdiction_id = TextParameter(
        "The city. Optional for accounts of one city, and on servers with one city.", "city.example"
    )


class QueueArguments(StaffArguments):
    """The filters and the page of a queue."""

    id = ListParameter(
        "Ids, tokens, internal numbers or ids in other systems, comma-separated; other filters are then ignored.",
        "8841",
        most=MAX_NAMES,
        unit="ids",
    )
    department = ListParameter("Codes of departments. Without it, all departments of the account.", "streets")
    state = ListParameter(
        "States of the requests. To list closed requests, send `closed` and no other state.",
        "on_hold",
        choices=STATES,
    )
    service_code = ListParameter("Service codes.", "potholes")
    area = TextParameter("The name of an area.")
    older_than = NumberParameter("Only requests that are older than so many days.", 7, least=0, most=36_500)
    overdue = ChoiceParameter(
        "true: past the due date; soon: due within the city's `due_soon_hours`; false: not past the due date.",
        choices=("true", "false", "soon"),
    )
    assignee = TextParameter("`me`, the name of an account, or `none`.", "me")
    q = TextParameter(
        "Words to search for, also in requests that are not public; or an id in another system.",
        most_characters=MAX_QUERY_CHARACTERS,
    )
    merged = FlagParameter("true: the open requests that are merged into others.", default=False)
    suspected = FlagParameter(
        "true: only requests that are held because they look like abuse, until they are released or hidden, and"
        " requests with an update that is held for the same reason.",
        default=False,
    )
    test = FlagParameter("true: the open requests of test keys, which wait in no queue.", default=False)
    held = FlagParameter("true: only requests that the public does not see until they are released.", default=False)
    personal_data = FlagParameter("true: only requests with personal data in their texts.", default=False)
    cursor = TextParameter("Where the next page begins: `cursor` of the page before.")
    page_size = NumberParameter(
        "Requests on a page, at most 200.", 50, least=1, cut_to=MAX_QUEUE_ROWS, default=50, aliases=("limit",)
    )

    def without_effect(self, given: Mapping[str, Any]) -> Iterator[tuple[list[str], Message]]:
        """All other filters have no effect if ids are sent."""
        kept = ("jurisdiction_id", "id", "cursor", "page_size")
        if "id" in given and (others := [name for name in given if name not in kept]):
            yield others, tell("beside id")


class AccountsArguments(StaffArguments):
    """The page of the accounts."""

    cursor = TextParameter("Where the next page begins: `cursor` of the page before.")
    page_size = NumberParameter(
        "Accounts on a page, at most 200.", 100, least=1, cut_to=MAX_QUEUE_ROWS, default=100, aliases=("limit",)
    )


class CrewArguments(StaffArguments):
    """The place around which open requests are listed."""

    lat = LatitudeParameter("Latitude.", 60.1718, missing=tell("is missing; send lat and long."))
    long = LongitudeParameter("Longitude.", 24.9414, missing=tell("is missing; send lat and long."))
    radius = DistanceParameter("Metres around the place.", 500, most=MAX_NEARBY_M, default=500.0)
    page_size = NumberParameter(
        "Requests at most.", 50, least=1, cut_to=MAX_QUEUE_ROWS, default=50, aliases=("limit",)
    )


class DeliveryArguments(StaffArguments):
    """The filters and the page of a list of deliveries."""

    backend = ListParameter("Names of back ends.", "works")
    state = ListParameter(
        "States. Without this parameter, the list has the deliveries that have not ended; with `request`, it has"
        " all deliveries of that request.",
        "parked",
        choices=DELIVERY_STATES,
    )
    request = TextParameter("The id, token or number of one request, or its id in another system.", "8841")
    older_than_hours = NumberParameter(
        "Only deliveries that are older than so many hours.", 2, least=0, most=876_000
    )
    cursor = TextParameter("Where the next page begins: `cursor` of the page before.")
    page_size = NumberParameter(
        "Deliveries on a page, at most 200.", 50, least=1, cut_to=MAX_QUEUE_ROWS, default=50, aliases=("limit",)
    )


class PhotoArguments(StaffArguments):
    """Which file of a photo is read."""

    size = ChoiceParameter(
        "The size; original is the file as it was sent, with its metadata, while it is kept.",
        choices=PHOTO_SIZES,
        default="large",
    )


class HeldPhotosArguments(StaffArguments):
    """The page of a list of held photos."""

    state = ChoiceParameter("Which photos are listed: those that are held.", choices=("held",), default="held")
    cursor = TextParameter("Where the next page begins: `cursor` of the page before.")
    page_size = NumberParameter(
        "Photos on a page, at most 200.", 50, least=1, cut_to=MAX_QUEUE_ROWS, default=50, aliases=("limit",)
    )


class NewPhotoArguments(StaffArguments):
    """Who may see a new photo."""

    public = FlagParameter(
        "true: everybody may see the photo who may see the request; false: only staff.", default=False
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
        super().__init__(
            metadata=describe(about, example) | {"maxLength": most}, **_with_errors(more, tell("a text"))
        )
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


class JsonName(JsonText):
    """A name. null is read as the empty name, which means nobody or nothing."""

    def __init__(self, about: str, example: Any = None, **more: Any) -> None:
        super().__init__(about, example, allow_none=True, **more)

    def deserialize(self, value: Any, *more: Any, **named: Any) -> Any:
        """The name; "" for null."""
        return super().deserialize("" if value is None else value, *more, **named)


class JsonChoice(fields.String):
    """One of a few words, in exactly this case."""

    def __init__(self, about: str, *, choices: tuple[str, ...], **more: Any) -> None:
        form = tell("one of {words}", words=", ".join(choices))
        super().__init__(metadata=describe(about) | {"enum": list(choices)}, **_with_errors(more, form))
        self.choices = choices

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if value not in self.choices:
            named = {"value": str(value)[:40], "known": ", ".join(self.choices)}
            raise ValidationError(tell("{value!r} is unknown; send one of {known}.", **named))
        return str(value)


class JsonInstant(fields.String):
    """A date and time. If the text names no time zone, the schema's `zone` is used."""

    def __init__(self, about: str, **more: Any) -> None:
        metadata = describe(about, "2030-03-04T09:30:00Z") | {"format": "date-time"}
        super().__init__(metadata=metadata, **_with_errors(more, tell("a date and time")))

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
        super().__init__(metadata=describe(about), **_with_errors(more, tell("true or false")))

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(tell("{value!r} is neither true nor false.", value=str(value)[:40]))
        return value


class JsonNumber(fields.Integer):
    """The number of a request, as an answer has it."""

    def __init__(self, about: str, **more: Any) -> None:
        super().__init__(
            metadata=describe(about, 41) | {"minimum": 1}, **_with_errors(more, tell("a whole number"))
        )

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not _is_count(value):
            raise ValidationError(tell("{value!r} is no number of a request.", value=str(value)[:40]))
        return int(value)


class JsonDays(fields.Integer):
    """A whole number from 0 to `most`."""

    def __init__(self, about: str, example: Any = None, *, most: int, default: int) -> None:
        metadata = describe(about, example) | {"minimum": 0, "maximum": most}
        super().__init__(metadata=metadata, load_default=default)
        self.most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= self.most:
            raise ValidationError(tell("is no whole number from 0 to {most}.", most=self.most))
        return value


class JsonDegrees(fields.Float):
    """Decimal degrees, WGS 84. `axis`: lat or long; it decides the range."""

    def __init__(self, about: str, *, axis: str, **more: Any) -> None:
        self.limit = LIMITS[axis]
        metadata = describe(about) | {"minimum": -self.limit, "maximum": self.limit}
        super().__init__(metadata=metadata, **_with_errors(more, tell("decimal degrees")))

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


class JsonSelection(fields.Raw):
    """A list of requests: for each its id, token or number, or an object with this `id` and the `version` seen.

    Read as pairs of that name and the version; the version is None if it was not sent. A name that is a number in
    JSON is the internal number.
    """

    def __init__(self, about: str, *, most: int, **more: Any) -> None:
        name = {"anyOf": [{"type": "string", "maxLength": MAX_CODE_CHARACTERS}, {"type": "integer", "minimum": 1}]}
        seen = {
            "type": "object",
            "properties": {"id": name, "version": {"type": "integer", "minimum": 1}},
            "required": ["id"],
            "additionalProperties": False,
        }
        shape = {"type": "array", "items": {"anyOf": [*name["anyOf"], seen]}, "maxItems": most}
        super().__init__(metadata=describe(about) | shape, **_with_errors(more, tell("a list of texts")))
        self.most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[tuple[str | int, int | None]]:
        if not isinstance(value, list):
            raise ValidationError(tell("is no list; send a list of texts."))
        if len(value) > self.most:
            lengths = {"count": len(value), "most": self.most}
            raise ValidationError(tell("has {count} entries; send at most {most}.", **lengths))
        return [_selected(entry, at) for at, entry in enumerate(value, start=1)]


def _selected(entry: Any, at: int) -> tuple[str | int, int | None]:
    """The name and the version of one entry. Raises ValidationError."""
    given = entry if isinstance(entry, dict) else {"id": entry}
    name, version = given.get("id"), given.get("version")
    is_text = isinstance(name, str) and NUL not in name and len(name) <= MAX_CODE_CHARACTERS
    is_name, is_version = is_text or _is_count(name), version is None or _is_count(version)
    if not is_name or not is_version or set(given) - {"id", "version"}:
        form = '{"id": "8841", "version": 3}'
        fault = tell("has a faulty entry, number {at}; send a text, such as 8841, or {form}.", at=at, form=form)
        raise ValidationError(fault)
    return cast("str | int", name), version


def _is_count(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number above 0 that PostgreSQL can store."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


class JsonCodes(fields.Raw):
    """A list of codes."""

    def __init__(self, about: str, *, most: int, **more: Any) -> None:
        shape = {
            "type": "array",
            "items": {"type": "string", "maxLength": MAX_CODE_CHARACTERS},
            "maxItems": most,
        }
        super().__init__(metadata=describe(about) | shape, **_with_errors(more, tell("a list of texts")))
        self.most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[str]:
        if not isinstance(value, list) or not all(map(_is_code, value)):
            raise ValidationError(tell("is no list; send a list of texts."))
        if len(value) > self.most:
            lengths = {"count": len(value), "most": self.most}
            raise ValidationError(tell("has {count} entries; send at most {most}.", **lengths))
        return value


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and NUL not in value and len(value) <= MAX_CODE_CHARACTERS


class JsonObject(fields.Raw):
    """An object whose fields another schema reads."""

    def __init__(self, about: str, **more: Any) -> None:
        super().__init__(metadata=describe(about) | {"type": "object"}, **_with_errors(more, tell("an object")))

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError(tell("is no object; send an object such as {{}}."))
        return value


class JsonFilters(JsonObject):
    """Filters of a queue. A number, true and false are read as the texts that a query would have."""

    def _deserialize(self, value: Any, *more: Any, **named: Any) -> dict[str, Any]:
        filters = super()._deserialize(value, *more, **named)
        return {name: _as_text(given) for name, given in filters.items()}


def _as_text(value: Any) -> Any:
    """A number, true or false as a text; any other value as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _with_errors(more: dict[str, Any], form: str) -> dict[str, Any]:
    """The options of a field, with errors that name the cure."""
    messages = {
        "required": tell("is missing; send {form}.", form=form),
        "null": tell("is null; leave it out or send {form}.", form=form),
    }
    return {"error_messages": messages} | more


class JsonBody(Schema):
    """The body of a call in JSON. Unknown fields are refused.

    is_list  whether the call has a list of such objects
    zone     the time zone of dates that name none
    """

    is_list: ClassVar[bool] = False

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
        known = [field.data_key or own for own, field in self.fields.items()]
        if name in known:
            return text
        near = get_close_matches(name, known, n=1)
        if near:
            return tell("is unknown; did you mean {name}?", name=near[0])
        if not known:
            return tell("is unknown; this call has no fields.")
        return tell("is unknown; this call has {names}.", names=", ".join(known))


class CommandBody(JsonBody):
    """The fields that every command has."""

    reason = JsonText("Why you do it. Only staff see it.", "The caller gave another address.")


class AssignBody(CommandBody):
    """Give the request to a person."""

    account = JsonName(
        "The name of the account, or `me`; empty or null for nobody.",
        "ada",
        most=MAX_CODE_CHARACTERS,
        required=True,
    )


class TransferBody(CommandBody):
    """Give the request to another department."""

    department = JsonText("The department's code.", "parks", most=MAX_CODE_CHARACTERS, required=True)


class PrioritiseBody(CommandBody):
    """Say how urgent the request is."""

    priority = JsonChoice("How urgent it is.", choices=PRIORITIES, required=True)


class ProgressBody(CommandBody):
    """The fields of the commands about the progress of the work."""

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
    expected = JsonInstant("The new date by which the request should be done. The public sees it.")


class HoldBody(ProgressBody):
    """Stop the work."""


class CloseBody(CommandBody):
    """Close the request."""

    outcome = JsonChoice("How it ended.", choices=OUTCOMES, required=True)
    note = JsonText("What the public reads; without it, the city's text for this outcome.", "Filled with asphalt.")


class ReopenBody(CommandBody):
    """Open the request again."""

    note = JsonText("What the public reads; without it, the city's text for reopenings.", "The hole is back.")


class WithdrawPhotoBody(JsonBody):
    """Withdraw a photo."""

    reason = JsonText("Why you withdraw it. Only staff see it.", "It shows a licence plate.", required=True)


class ReleasePhotoBody(JsonBody):
    """Release a photo."""

    reason = JsonText("Why you release it. Only staff see it.", "It shows nobody.", required=True)


class ReleaseUpdateBody(JsonBody):
    """Release an update that looks like abuse."""

    reason = JsonText("Why you release it. Only staff see it.", "The school wrote this.", required=True)


class DropUpdateBody(JsonBody):
    """Drop an update that looks like abuse."""

    reason = JsonText("Why you drop it. Only staff see it.", "It is an advertisement.", required=True)


class JsonBoxes(fields.Field[list[list[float]]]):
    """Parts of a picture, each as left, top, right and bottom."""

    def __init__(self, about: str, example: Any) -> None:
        shape = {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_BOXES,
            "items": {
                "type": "array",
                "minItems": 4,
                "maxItems": 4,
                "items": {"type": "number", "minimum": 0, "maximum": 1},
            },
        }
        more = _with_errors({"required": True}, tell("a list of boxes such as [[0.1, 0.2, 0.5, 0.6]]"))
        super().__init__(metadata=describe(about, example) | shape, **more)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[list[float]]:
        if not isinstance(value, list) or not value:
            raise ValidationError(tell("is no list of boxes; send one such as [[0.1, 0.2, 0.5, 0.6]]."))
        if len(value) > MAX_BOXES:
            raise ValidationError(tell("has {count} boxes; send at most {most}.", count=len(value), most=MAX_BOXES))
        faults = [
            tell("box {number} {fault}", number=number, fault=fault)
            for number, box in enumerate(value, start=1)
            if (fault := _box_fault(box))
        ]
        if faults:
            raise ValidationError(faults)
        return value


def _box_fault(box: Any) -> Message | None:
    """Why a value is not left, top, right and bottom of a part that is not empty. True is no number."""
    if not isinstance(box, list) or len(box) != 4 or not all(type(side) in (int, float) for side in box):
        return tell("must be four numbers: left, top, right and bottom, such as [0.1, 0.2, 0.5, 0.6].")
    left, top, right, bottom = box
    if not all(0 <= side <= 1 for side in box):
        return tell("has a number outside 0..1; send fractions of the width and height, and no pixels.")
    if left >= right:
        return tell("has left {left} and right {right}; left must be smaller.", left=left, right=right)
    if top >= bottom:
        return tell("has top {top} and bottom {bottom}; top must be smaller.", top=top, bottom=bottom)
    return None


class BlackenPhotoBody(JsonBody):
    """Blacken parts of a photo."""

    boxes = JsonBoxes(
        f"The parts, at most {MAX_BOXES}: left, top, right and bottom, as fractions of the upright picture.",
        [[0.1, 0.2, 0.5, 0.6]],
    )
    reason = JsonText("Why you blacken them. Only staff see it.", "A licence plate.", required=True)


class NoteBody(CommandBody):
    """Write a note about the request."""

    text = JsonText("The note.", "The owner was there.", required=True)
    public = JsonFlag("Whether everybody sees the note. Without it, only staff see it.")


class AskReporterBody(CommandBody):
    """Ask the reporter something."""

    text = JsonText("The question. Everybody sees it.", "Which side?", required=True)


class MergeBody(CommandBody):
    """Merge the request into another request."""

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


class UnmaskBody(CommandBody):
    """Show the public a text that was masked and is no personal data."""

    text = JsonText("The masked text, as `personal_data` of the request has it.", "6175550143", required=True)


class MaskBody(CommandBody):
    """Mask again what `unmask` has shown."""

    text = JsonText("The shown text, as `personal_data` of the request has it.", "6175550143", required=True)


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
    "unmask": UnmaskBody,
    "mask": MaskBody,
}
"""The body of each command, by the command's name."""


class DeliveryBody(JsonBody):
    """The fields that every decision about a delivery has."""

    reason = JsonText("Why you decide so. The audit trail keeps it.", "The back office is mended.", required=True)


class RetryDeliveryBody(DeliveryBody):
    """Try a delivery now."""

    accept_risk = JsonFlag("true: send an uncertain one again, although the back office may have it already.")


class ParkDeliveryBody(DeliveryBody):
    """Stop a delivery until somebody decides otherwise."""


class SkipDeliveryBody(DeliveryBody):
    """Do not send a delivery."""

    external_id = JsonText(
        "The request's id in the back office, if you have found it there. The delivery is then done.",
        "W-88",
        most=MAX_CODE_CHARACTERS,
    )


DELIVERY_BODIES: dict[str, type[DeliveryBody]] = {
    "retry": RetryDeliveryBody,
    "park": ParkDeliveryBody,
    "skip": SkipDeliveryBody,
}
"""The body of each decision about a delivery, by its name."""


class ReasonBody(JsonBody):
    """The reason of an act that the audit trail keeps."""

    reason = JsonText("Why you do it. The audit trail keeps it.", "The wave is over.", required=True)


class BlockBody(ReasonBody):
    """A sender whose reports are held."""

    kind = JsonChoice("What the block names.", choices=BLOCK_KINDS, required=True)
    value = JsonText(
        "The number of a key, an address or a range of addresses, a device_id, or an e-mail address. A range has at"
        " most a /16 of IPv4 or a /32 of IPv6. Devices and"
        " e-mail addresses are stored as digests only.",
        "203.0.113.0/24",
        required=True,
    )
    days = JsonDays("After how many days the block ends; 0 for without end.", 90, most=3_650, default=90)


class OverrideBody(JsonBody):
    """What an admin changes in addition to the files of the city."""

    value = JsonObject(
        "The fields to override, with the keys of the city's files. A text has `text`. A service has `name`,"
        " `description`, `group`, `keywords` and `notice`; in another language also `attributes` by their codes,"
        " and no `group`. A form has `attributes`, a list of objects with `code`, `description`,"
        " `datatype_description`, `required` and `values`, in the order of the questions. A group has `name`.",
        required=True,
    )


class JsonNoticeTexts(fields.Raw):
    """The texts of a notice: a list of objects with `language`, `headline` and `description`."""

    def __init__(self, about: str, **more: Any) -> None:
        text = {
            "type": "object",
            "properties": {
                "language": {"type": "string", "maxLength": MAX_CODE_CHARACTERS},
                "headline": {"type": "string", "maxLength": MOST_HEADLINE_CHARACTERS},
                "description": {"type": "string", "maxLength": MOST_NOTICE_CHARACTERS},
            },
            "required": ["language", "headline"],
            "additionalProperties": False,
        }
        shape = {"type": "array", "items": text, "minItems": 1, "maxItems": MOST_NOTICE_TEXTS}
        super().__init__(metadata=describe(about) | shape, **_with_errors(more, tell("a list of texts")))

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[dict[str, str]]:
        if not isinstance(value, list) or len(value) > MOST_NOTICE_TEXTS:
            fault = tell("is no list of at most {most} texts; send such a list.", most=MOST_NOTICE_TEXTS)
            raise ValidationError(fault)
        return [_notice_text(entry, at) for at, entry in enumerate(value, start=1)]


def _notice_text(entry: Any, at: int) -> dict[str, str]:
    """One text of a notice. Raises ValidationError."""
    texts = {"description": "", **entry} if isinstance(entry, dict) else {}
    is_text = all(isinstance(one, str) and NUL not in one and len(one) <= MAX_CHARACTERS for one in texts.values())
    if set(texts) != {"language", "headline", "description"} or not is_text:
        form = '{"language": "en", "headline": "Water is off"}'
        raise ValidationError(
            tell("has a faulty entry, number {at}; send an object such as {form}.", at=at, form=form)
        )
    return texts


class ChangeNoticeBody(JsonBody):
    """What changes of a notice. A field that is absent stays as it is."""

    texts = JsonNoticeTexts("What the notice says, in each language. One is the city's first language.")
    service_codes = JsonCodes("The services that it is about; empty for all.", most=500)
    area = JsonName("The name of an area of the city that it is about; empty for none.", "Harbour")
    polygon = JsonObject(
        "A GeoJSON Polygon or MultiPolygon that it is about; null for none. Without it and `area`: the whole city.",
        allow_none=True,
    )
    category = JsonChoice("What it is about, in the words of CAP 1.2.", choices=NOTICE_CATEGORIES)
    severity = JsonChoice("How bad that is, in the words of CAP 1.2.", choices=NOTICE_SEVERITIES)
    start_datetime = JsonInstant("From when the public reads it. It stays once the notice has begun.")
    end_datetime = JsonInstant("Until when the public reads it, at most 366 days after the beginning.")


class NoticeBody(ChangeNoticeBody):
    """A new notice. Without start_datetime, the public reads it at once."""

    texts = JsonNoticeTexts(
        "What the notice says, in each language. One is the city's first language.", required=True
    )
    end_datetime = JsonInstant(
        "Until when the public reads it, at most 366 days after the beginning.", required=True
    )


class EndNoticeBody(JsonBody):
    """Why a notice ends. The public does not read it."""

    reason = JsonText("Why it ends. The audit trail keeps it.", "The water runs again.", most=500)


class NoticesArguments(StaffArguments):
    """The page of the list of notices."""

    cursor = TextParameter("Where the next page begins: `cursor` of the page before.")
    page_size = NumberParameter(
        "Notices on a page, at most 100.",
        50,
        least=1,
        cut_to=MOST_NOTICE_ROWS,
        default=MOST_NOTICE_ROWS,
        aliases=("limit",),
    )


class BulkBody(JsonBody):
    """One command for several requests. Send `ids` or `filters`."""

    command = JsonChoice("The command.", choices=tuple(COMMANDS), required=True)
    arguments = JsonObject("The fields of the command.")
    ids = JsonSelection(
        "Ids, tokens or numbers of requests. An entry may also be an object with `id` and the `version` that you"
        " have seen: the request is refused if somebody else has changed it since.",
        most=MAX_BULK,
    )
    filters = JsonFilters("The parameters of a queue, each as a text, without its page.")
    dry_run = JsonFlag("true, which is the default: only tell what would change. false: change it.")


class PersonBody(JsonBody):
    """The person whose data are wanted, and why. At least one of the first four fields must be there.

    With several of these fields, the data of all persons who fit one of them are meant. The fields are in the body,
    so that they are in no address and no log.
    """

    email = JsonText("An email address, in any case.", "jane@mail.example", most=MAX_CHARACTERS)
    phone = JsonText(
        "A phone number in any spelling. A number of the city's `phone_region` needs no code of the country.",
        "+1 555 0100",
        most=MAX_CHARACTERS,
    )
    device_id = JsonText("The id of a device, as the app sent it.", most=MAX_CHARACTERS)
    account_id = JsonText("The id of an account with the app.", most=MAX_CHARACTERS)
    reason = JsonText(
        "Why, without the name of the person. It is kept in the audit trail for ever.",
        "Letter of 1 March.",
        required=True,
    )
    after = JsonNumber("The `next` of the page before; without it, the first page.")


class ErasePersonBody(PersonBody):
    """The person whose data are erased."""

    texts = JsonFlag(
        "Whether descriptions, answers, photos and notes of the person's requests, personal data in their"
        " addresses, and the person's comments are erased too."
    )
    dry_run = JsonFlag("true, which is the default: only tell what would be erased. false: erase it.")


class ViewBody(JsonBody):
    """A saved view."""

    filters = JsonFilters("The parameters of a queue, each as a text, without its page.", required=True)


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
    due = OptionalText(
        metadata=describe("overdue, soon (within the city's `due_soon_hours`), later, or null without a date.")
    )
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


class BlockSchema(Body):
    """A sender whose reports are held."""

    number = fields.Integer(metadata=describe("Names the block.", 7))
    kind = fields.String(metadata=describe("What the block names.") | {"enum": list(BLOCK_KINDS)})
    value = OptionalText(metadata=describe("A key's number or a range; null for devices and e-mail addresses."))
    jurisdiction_id = Text(metadata=describe("The city; `*` for all.", "city.example"))
    reason = Text(metadata=describe("Why."))
    actor = Text(metadata=describe("Who has added it.", "staff:3"))
    created_datetime = Instant(metadata=describe("When it was added."))
    expires = Instant(metadata=describe("When it ends; null for without end."))


class BlockListSchema(Body):
    """The block list."""

    blocks = fields.List(fields.Nested(BlockSchema), metadata=describe("Oldest first."))


def _fields_of_item(about: str) -> fields.Raw:
    return fields.Raw(metadata=describe(about) | {"type": "object"})


class OverrideSchema(Body):
    """What an admin has changed in an item of the catalogue, in addition to the files of the city."""

    item = Text(metadata=describe("The item.", "service:en:potholes"))
    standing = fields.String(
        metadata=describe(
            "applied: it counts. changed: it counts, but the files say something else than when it was made. equal:"
            " the files say the same, so it can be dropped. gone: the files do not have the item. misfit: with it,"
            " the catalogue would be faulty. off: the files do not allow overrides. The last three do not count."
        )
        | {"enum": list(STANDINGS)}
    )
    fault = OptionalText(metadata=describe("Why it does not fit; null if it does."))
    value = _fields_of_item("The overridden fields.")
    base = _fields_of_item("What the files said for these fields when the override was made.")
    actor = Text(metadata=describe("Who has changed it last.", "staff:3"))
    changed_datetime = Instant(metadata=describe("When."))
    version = fields.Integer(metadata=describe("Grows with each change; the ETag of the item has it.", 3))


class OverrideListSchema(Body):
    """The overrides of a city."""

    overrides = fields.List(fields.Nested(OverrideSchema), metadata=describe("In the order of their items."))


class OverrideItemSchema(Body):
    """An item of the catalogue that can be overridden."""

    item = Text(metadata=describe("The item.", "service:en:potholes"))
    files = _fields_of_item("All its fields as the city's files have them.")
    now = _fields_of_item("All its fields as they count now.")
    override = fields.Nested(OverrideSchema, allow_none=True, metadata=describe("The override; null without one."))


class StaffNoticeTextSchema(Body):
    """What a notice says in one language."""

    language = Text(metadata=describe("BCP 47 tag.", "en"))
    headline = Text(metadata=describe("One line.", "Water is off in Harbour"))
    description = Text(metadata=describe("More; empty for none."))


class StaffNoticeSchema(Body):
    """A notice as staff see it. Its version is in the ETag; send that in If-Match."""

    notice_id = Text(metadata=describe("Names the notice.", "12"))
    version = fields.Integer(metadata=describe("Grows with each change.", 1))
    state = fields.String(metadata=describe("Where it is in its life.") | {"enum": list(NOTICE_STATES)})
    texts = fields.List(fields.Nested(StaffNoticeTextSchema), metadata=describe("The city's first language first."))
    service_codes = fields.List(fields.String(), metadata=describe("The services; empty for all."))
    area = Text(metadata=describe("The name of an area; empty for none.", "Harbour"))
    polygon = Geometry(metadata=describe("What it is about, if not an area; else null."))
    category = fields.String(metadata=describe("Of CAP 1.2.") | {"enum": list(NOTICE_CATEGORIES)})
    severity = fields.String(metadata=describe("Of CAP 1.2.") | {"enum": list(NOTICE_SEVERITIES)})
    start_datetime = Instant(metadata=describe("From when the public reads it."))
    end_datetime = Instant(metadata=describe("Until when."))
    ended_datetime = Instant(metadata=describe("When staff ended it before that; null if they have not."))
    created_datetime = Instant(metadata=describe("When it was added."))
    updated_datetime = Instant(metadata=describe("When it was changed last."))
    actor = Text(metadata=describe("Who changed it last.", "staff:3"))


class StaffNoticesSchema(Body):
    """Notices of a city."""

    notices = fields.List(fields.Nested(StaffNoticeSchema), metadata=describe("The newest first."))
    cursor = OptionalText(metadata=describe("Where the next page begins; null on the last page."))


class StatusLinkSchema(Body):
    """The link of a reporter to a request."""

    status_url = OptionalText(metadata=describe("The new link, which is not shown again; null if there is none."))


class DepartmentCountSchema(Body):
    """The work of one department."""

    department = OptionalText(metadata=describe("The code; null for requests of no department."))
    name = OptionalText(metadata=describe("The department's name."))
    open = fields.Integer(metadata=describe("Open requests that are not merged into others."))
    merged = fields.Integer(metadata=describe("Open requests that are merged into others."))
    overdue = fields.Integer(metadata=describe("Those of `open` that are past their due date."))
    unassigned = fields.Integer(metadata=describe("Those of `open` that no account works on."))
    triage = fields.Integer(metadata=describe("Those of `open` for which a person has to choose a department."))
    suspected = fields.Integer(metadata=describe("Those of `open` that look like abuse or have such an update."))
    held_photos = fields.Integer(
        metadata=describe("Photos that wait for a person to release them, also those of closed requests.")
    )


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
    actor = Text(metadata=describe("Who did it, such as staff:3, key:5, reporter, portal, shell or system:works."))
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


class PhotoSizeSchema(Body):
    """One size of a photo."""

    size = Text(metadata=describe("The value of the parameter `size`.", "small"))
    width = fields.Integer(metadata=describe("In pixels.", 320))
    height = fields.Integer(metadata=describe("In pixels.", 240))


class StaffPhotoSchema(Body):
    """A photo that this server keeps."""

    id = Text(metadata=describe("The id, which its public address has too.", "h3xR0tqL4l2b9mZkQ1w5vA"))
    state = fields.String(metadata=describe("Where it is on its way.") | {"enum": list(PHOTO_STATES)})
    reason = OptionalText(
        metadata=describe("Why it was refused, not copied, withdrawn or blackened.", "too_many_pixels")
    )
    is_public = fields.Boolean(
        metadata=describe("Whether it is meant for the public, which sees it only while `state` is `ready`.")
    )
    version = fields.Integer(
        metadata=describe("The request's version after the update with this photo; 0 for a photo of the report.")
    )
    media_type = Text(metadata=describe("The kind of the file that was sent; empty without a file.", "image/jpeg"))
    bytes = fields.Integer(metadata=describe("The size of the file that was sent.", 2_400_000))
    sizes = fields.List(fields.Nested(PhotoSizeSchema), metadata=describe("What it was made into."))
    received_datetime = Instant(metadata=describe("When it was sent."))
    original_until = Instant(metadata=describe("Until when it can be read as it was sent."))
    kept_until = Instant(metadata=describe("Until when dispatchers can read it after it was blackened."))
    copy_of = OptionalText(
        metadata=describe("The address from which this server copied it.", "https://photos.example/hole.jpg")
    )


class HeldPhotoSchema(StaffPhotoSchema):
    """A photo that waits for a person who releases it."""

    number = fields.Integer(metadata=describe("The internal number of its request.", 41))
    service_request_id = OptionalText(metadata=describe("The public id of its request.", "8841"))
    service_code = Text(metadata=describe("The service of its request.", "potholes"))
    department = OptionalText(metadata=describe("The department of its request.", "streets"))
    visibility = fields.String(
        metadata=describe(
            "Who can see its request. Unless it is public or unlisted, the public does not see the photo either,"
            " also after the release."
        )
        | {"enum": list(VISIBILITIES)}
    )


class HeldPhotosSchema(Body):
    """One page of held photos."""

    photos = fields.List(fields.Nested(HeldPhotoSchema), metadata=describe("The oldest first."))
    cursor = OptionalText(metadata=describe("Where the next page begins; null on the last page."))


class PersonalDataSchema(Body):
    """Personal data in a text of a request that the public can read, or can read once it is released."""

    kind = fields.String(metadata=describe("What it looks like.") | {"enum": list(KINDS)})
    part = Text(
        metadata=describe(
            "Where it is: description, address, status_notes, detailed_status, attribute[CODE] or note.",
            "description",
        )
    )
    text = Text(metadata=describe("What was typed.", "617-555-0143"))
    start = fields.Integer(metadata=describe("How many characters of the part stand before it.", 12))
    is_masked = fields.Boolean(
        metadata=describe("Whether the public reads a marker instead; false if `unmask` has shown it.")
    )


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
    agency_responsible = OptionalText(metadata=describe("Who does the work, as the public reads it.", "Streets"))
    assignee = OptionalText(metadata=describe("The name of the account that works on it.", "ada"))
    priority = fields.String(metadata=describe("How urgent it is.") | {"enum": list(PRIORITIES)})
    visibility = fields.String(metadata=describe("Who can see it.") | {"enum": list(VISIBILITIES)})
    requested_datetime = Instant(metadata=describe("When it was sent."))
    updated_datetime = Instant(metadata=describe("When it last changed; for a closed one, when it was closed."))
    changed_datetime = Instant(metadata=describe("When anything of it last changed."))
    expected_datetime = Instant(metadata=describe("By when it should be done."))
    scheduled_datetime = Instant(metadata=describe("When somebody will visit the place."))
    held_since = Instant(metadata=describe("Since when the work is on hold."))
    answered_datetime = Instant(
        metadata=describe("When the last answer to a question came, if staff have done nothing since.")
    )
    feedback = OptionalText(
        metadata=describe("What the reporter has said since the last closing: solved, partly or not_solved.")
        | {"enum": ["solved", "partly", "not_solved", None]}
    )
    due = OptionalText(
        metadata=describe("overdue, soon (within the city's `due_soon_hours`), later, or null without a date.")
    )
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
    photos = fields.List(
        fields.Nested(StaffPhotoSchema), metadata=describe("The photos that this server keeps, in their order.")
    )
    source = Text(metadata=describe("api, import, remote (of a neighbour) or example."))
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
    supporters = fields.Integer(metadata=describe("How many people say that it is their problem too.", 12))
    nearby = fields.List(
        fields.Nested(RelatedSchema), metadata=describe("Open requests of the service nearby, nearest first.")
    )
    route_reason = OptionalText(metadata=describe("The rule that chose the department on arrival."))
    route = fields.List(
        fields.Nested(RouteStepSchema), metadata=describe("How today's rules route it; the last step decides.")
    )
    deliveries = fields.List(
        fields.Nested(DeliverySchema), metadata=describe("Its deliveries to back offices, oldest first.")
    )
    external_ids = fields.List(
        fields.Nested(ExternalIdSchema), metadata=describe("Its ids in other systems, oldest first.")
    )
    personal_data = fields.List(
        fields.Nested(PersonalDataSchema),
        metadata=describe("What looks like personal data in its texts, and would be public without a mask."),
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
    """The effect of a bulk command on one request."""

    id = Text(metadata=describe("As you named it; from filters, its service_request_id, or else its number."))
    service_request_id = OptionalText(metadata=describe("The public id; null if it has none.", "8841"))
    number = fields.Integer(allow_none=True, metadata=describe("The internal number; null if it is unknown.", 41))
    result = Text(metadata=describe("would_change, changed, unchanged or refused."))
    changes = fields.List(fields.String(), metadata=describe("The kinds of the events."))
    why = OptionalText(metadata=describe("Why it is refused."))
    version = fields.Integer(allow_none=True, metadata=describe("The version after it."))


class BulkSchema(Body):
    """The effect of a bulk command on all its requests."""

    dry_run = fields.Boolean(metadata=describe("Whether nothing was changed yet."))
    changed = fields.Integer(metadata=describe("How many requests change."))
    unchanged = fields.Integer(metadata=describe("How many are already as wanted."))
    refused = fields.Integer(metadata=describe("How many are refused."))
    results = fields.List(fields.Nested(BulkResultSchema), metadata=describe("Each request."))


class PersonAnswerSchema(Body):
    """An answer to one question of a service."""

    code = Text(metadata=describe("The question's code.", "SURFACE"))
    values = fields.List(fields.String(), metadata=describe("The answers."))


class PersonNoteSchema(Body):
    """One public entry of a request's history."""

    datetime = Instant(metadata=describe("When."))
    type = Text(metadata=describe("The kind of entry.", "note"))
    description = OptionalText(metadata=describe("Its text."))


class PersonFeedbackSchema(Body):
    """What a person said after a closing."""

    datetime = Instant(metadata=describe("When the person said it."))
    answer = Text(metadata=describe("Whether the problem is solved: solved, partly or not_solved.", "solved"))


class PersonReportSchema(Body):
    """What a person reported, and what the city answered."""

    email = OptionalText(metadata=describe("The email address."))
    first_name = OptionalText(metadata=describe("The first name."))
    last_name = OptionalText(metadata=describe("The last name."))
    phone = OptionalText(metadata=describe("The phone number."))
    device_id = OptionalText(metadata=describe("The id of the device."))
    account_id = OptionalText(metadata=describe("The account with the app."))
    description = OptionalText(metadata=describe("What the person wrote."))
    address = OptionalText(metadata=describe("The address."))
    zipcode = OptionalText(metadata=describe("The postal code."))
    lat = Degrees(metadata=describe("Latitude."))
    long = Degrees(metadata=describe("Longitude."))
    answers = fields.List(
        fields.Nested(PersonAnswerSchema), metadata=describe("Answers to the service's questions.")
    )
    media_urls = fields.List(fields.String(), metadata=describe("Addresses of photos."))
    status_notes = OptionalText(metadata=describe("What the city answered last."))
    notes = fields.List(
        fields.Nested(PersonNoteSchema), metadata=describe("The public history without the comments of others.")
    )
    feedback = fields.List(
        fields.Nested(PersonFeedbackSchema), metadata=describe("What the person said after closings, oldest first.")
    )


class PersonUpdateSchema(Body):
    """An update that a person sent."""

    update_id = Text(metadata=describe("The sender's id for it."))
    updated_datetime = Instant(metadata=describe("When it happened, as the sender says."))
    description = OptionalText(metadata=describe("Its text."))
    media_urls = fields.List(fields.String(), metadata=describe("Addresses of photos."))
    email = OptionalText(metadata=describe("The email address."))
    first_name = OptionalText(metadata=describe("The first name."))
    last_name = OptionalText(metadata=describe("The last name."))
    phone = OptionalText(metadata=describe("The phone number."))
    account_id = OptionalText(metadata=describe("The account with the app."))


class ToldSystemSchema(Body):
    """A system that got data of a person, or may have got them."""

    system = Text(metadata=describe("The back office's name.", "works"))
    shared = fields.List(
        fields.String(),
        allow_none=True,
        metadata=describe("The fields that it may get; null if it is not configured any more."),
    )


class PersonPhotoSchema(StaffPhotoSchema):
    """A photo that a person sent."""

    media_url = Text(
        allow_none=True, metadata=describe("Its address in the request; null if the request does not show it.")
    )


class PersonMailSchema(Body):
    """How a person follows a request by mail."""

    email = OptionalText(metadata=describe("The address; null if the person gets no mail."))
    language = Text(metadata=describe("The language of the mails.", "es"))
    since = Instant(metadata=describe("When the first mail was made; null without mail."))
    confirmed_datetime = Instant(metadata=describe("When the person agreed; null before."))


class PersonSmsMessageSchema(Body):
    """A text message to a person."""

    occasion = Text(metadata=describe("received, status or closed.", "closed"))
    state = Text(metadata=describe("waiting, sending, done, skipped or failed.", "done"))
    datetime = Instant(metadata=describe("When it was sent or given up; when it was made, if it waits."))


class PersonSmsSchema(Body):
    """The text messages about a request that a person has asked for."""

    language = Text(metadata=describe("The language of the messages.", "es"))
    messages = fields.List(
        fields.Nested(PersonSmsMessageSchema), metadata=describe("Those of the last month, oldest first.")
    )


class PersonRequestSchema(Body):
    """A request that a person sent, sent updates of, follows or supports."""

    number = fields.Integer(metadata=describe("The internal number.", 41))
    service_request_id = OptionalText(metadata=describe("The public id.", "8841"))
    token = OptionalText(metadata=describe("The token of the person's POST."))
    service_code = Text(metadata=describe("The service's code.", "potholes"))
    service_name = Text(metadata=describe("The service's name.", "Pothole"))
    status = Text(metadata=describe("open or closed."))
    requested_datetime = Instant(metadata=describe("When it was sent."))
    updated_datetime = Instant(metadata=describe("When it last changed; for a closed one, when it was closed."))
    report = fields.Nested(
        PersonReportSchema, allow_none=True, metadata=describe("null for a request that somebody else sent.")
    )
    updates = fields.List(
        fields.Nested(PersonUpdateSchema), metadata=describe("The person's updates, oldest first.")
    )
    photos = fields.List(
        fields.Nested(PersonPhotoSchema),
        metadata=describe("The photos that the person sent and that are kept here, also those that nobody sees."),
    )
    systems = fields.List(fields.Nested(ToldSystemSchema), metadata=describe("Systems that got the report."))
    mail = fields.Nested(
        PersonMailSchema, allow_none=True, metadata=describe("null if the person does not follow it by mail.")
    )
    sms = fields.Nested(
        PersonSmsSchema, allow_none=True, metadata=describe("null if the person asked for no text messages.")
    )
    supported_datetime = Instant(
        metadata=describe("When the person said that it is their problem too; null if they did not.")
    )


class PersonSubscriptionSchema(Body):
    """A filter. A person gets mail about the requests that fit it."""

    email = Text(metadata=describe("The address."))
    language = Text(metadata=describe("The language of the mails.", "es"))
    how_often = Text(metadata=describe("daily or hourly.", "daily"))
    since = Instant(metadata=describe("When the person asked for it."))
    confirmed_datetime = Instant(metadata=describe("When the person agreed or prolonged it last; null before."))
    service_code = fields.List(fields.String(), metadata=describe("Codes of services.", ["potholes"]))
    group = OptionalText(metadata=describe("A service group."))
    status = fields.List(fields.String(), metadata=describe("Statuses.", ["open"]))
    department = OptionalText(metadata=describe("Code of a department."))
    area = OptionalText(metadata=describe("Name of an area."))
    bbox = OptionalText(metadata=describe("A box: west,south,east,north."))
    lat = Degrees(metadata=describe("Centre of a circle.", 60.1718))
    long = Degrees(metadata=describe("Centre of a circle.", 24.9414))
    radius = Degrees(metadata=describe("Radius of a circle in metres.", 500))


class PersonExportSchema(Body):
    """What the city has about a person: up to 200 requests."""

    requests = fields.List(fields.Nested(PersonRequestSchema), metadata=describe("By number."))
    subscriptions = fields.List(
        fields.Nested(PersonSubscriptionSchema),
        metadata=describe("The filters about which the person gets mail. They are on the first page."),
    )
    next = fields.Integer(
        allow_none=True, metadata=describe("Send it as `after` for the next page; null on the last.")
    )

    notice = OptionalText(metadata=describe("How to look again if nothing was found; otherwise null."))


class PersonErasureSystemSchema(ToldSystemSchema):
    """A system that got data of a person, or may have got them."""

    requests = fields.Integer(metadata=describe("With how many requests.", 3))


class PersonErasureSchema(Body):
    """What was erased where: up to 200 requests. The audit trail has the same."""

    dry_run = fields.Boolean(metadata=describe("Whether nothing was changed yet."))
    erasure = OptionalText(metadata=describe("Its id in the audit trail; null for a dry run, which is not there."))
    requests = fields.List(fields.String(), metadata=describe("Ids of requests; numbers of those without one."))
    rows = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata=describe("How many rows had data of the person, by the name of the table or column."),
    )
    systems = fields.List(
        fields.Nested(PersonErasureSystemSchema),
        metadata=describe("Other systems that got the data. Ask them to erase it."),
    )
    copies = fields.List(
        fields.String(), metadata=describe("Requests that may have copies of notes, because they were merged.")
    )
    photos_to_delete = fields.Integer(
        metadata=describe(
            "Photos whose files the worker has still to delete. When no file of the erasure is left, the audit"
            " trail gets the entry `reporter.erase.files` with its id.",
            2,
        )
    )
    next = fields.Integer(
        allow_none=True, metadata=describe("Send it as `after` for the rest; null if none is left.")
    )

    notice = OptionalText(metadata=describe("How to look again if nothing was found; otherwise null."))


class ViewSchema(Body):
    """A saved view."""

    name = Text(metadata=describe("The name.", "overdue-potholes"))
    filters = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata=describe("The parameters of the queue.")
    )


class SavedViewsSchema(Body):
    """The saved views of an account."""

    views = fields.List(fields.Nested(ViewSchema), metadata=describe("By name."))


class StaffAccountSchema(Body):
    """An account that requests can be assigned to."""

    name = Text(metadata=describe("The name, as `assign` and the filter `assignee` have it.", "ada"))
    number = fields.Integer(metadata=describe("The account's number.", 3))
    role = Text(metadata=describe("agent, dispatcher or admin."))
    departments = fields.List(fields.String(), metadata=describe("Codes; empty for all."))


class StaffAccountsSchema(Body):
    """One page of accounts."""

    accounts = fields.List(fields.Nested(StaffAccountSchema), metadata=describe("By name."))
    cursor = OptionalText(metadata=describe("Where the next page begins; null on the last page."))


class CatalogueDepartmentSchema(Body):
    """A department of the city."""

    code = Text(metadata=describe("The code.", "streets"))
    name = Text(metadata=describe("The name.", "Street Works"))


class CatalogueServiceSchema(Body):
    """A service of the city, also one that only staff can report or that is not offered any more."""

    code = Text(metadata=describe("The code.", "potholes"))
    name = Text(metadata=describe("The name.", "Pothole"))
    group = OptionalText(metadata=describe("The group."))
    department = OptionalText(metadata=describe("The department that gets its requests if no rule decides."))
    is_active = fields.Boolean(metadata=describe("Whether it is still offered."))
    is_public = fields.Boolean(metadata=describe("Whether everybody may see its requests."))


class CatalogueStateSchema(Body):
    """A state that the city uses, or a state that the city adds inside one of ours."""

    state = fields.String(metadata=describe("The state.") | {"enum": list(STATES)})
    detail = OptionalText(metadata=describe("For `detail` of a command: the code of the city's own state."))
    name = OptionalText(metadata=describe("What the city calls it."))


class CatalogueTextSchema(Body):
    """The text that the public reads if a command has no text."""

    outcome = Text(
        metadata=describe("An outcome, or what happened: merged, unmerged, reopened or scheduled.", "fixed")
    )
    service_code = OptionalText(metadata=describe("The service; null for all others."))
    text = Text(metadata=describe("The text, with its placeholders.", "The problem is fixed."))


class StaffCatalogueSchema(Body):
    """The words of a city that a client for staff needs."""

    jurisdiction_id = Text(metadata=describe("The city.", "city.example"))
    name = Text(metadata=describe("The city's name."))
    departments = fields.List(fields.Nested(CatalogueDepartmentSchema), metadata=describe("All of them."))
    services = fields.List(fields.Nested(CatalogueServiceSchema), metadata=describe("All of them."))
    areas = fields.List(fields.String(), metadata=describe("Names of areas."))
    states = fields.List(fields.Nested(CatalogueStateSchema), metadata=describe("Those that the city uses."))
    outcomes = fields.List(fields.String(), metadata=describe("For `close`."))
    priorities = fields.List(fields.String(), metadata=describe("For `prioritise`."))
    texts = fields.List(fields.Nested(CatalogueTextSchema), metadata=describe("The first that fits counts."))


class MeSchema(Body):
    """The account of the token."""

    name = Text(metadata=describe("The account's name.", "ada"))
    number = fields.Integer(metadata=describe("The account's number.", 3))
    role = Text(metadata=describe("reader, agent, dispatcher or admin."))
    jurisdiction_id = Text(metadata=describe("The city; * for all."))
    departments = fields.List(fields.String(), metadata=describe("Codes; empty for all."))
    token = fields.Integer(metadata=describe("The number of the token.", 12))
    expires = Instant(metadata=describe("When the token expires."))
    commands = fields.List(fields.String(), metadata=describe("The commands that the role may give."))
