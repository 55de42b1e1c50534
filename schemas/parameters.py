"""The kinds of parameter that calls take: each reads its own text, and describes itself on the API page.

Whatever arrives is text. A blank text counts as absent. What cannot be read is answered with a sentence that says
what to send instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

from marshmallow import ValidationError, fields

from schemas.base import describe
from schemas.values import LIMITS, NotAnInstant, parse_degrees, parse_instant, stripped

Sent = Mapping[str, Sequence[str]]
"""What a caller sent: each name with all its values, in their order."""

NUL = "\x00"
HOLDS_NUL = "holds a NUL character; leave it out."
SHOWN_CHARACTERS = 40
"""How much of a faulty value an error repeats."""


class Parameter(fields.Field[Any]):
    """One parameter of a call.

    about     what it means, for the API page
    default   its value where the call has none
    aliases   other names that clients send; the parameter's own name counts first
    missing   makes it required; what to say where it is absent
    openapi   what else OpenAPI says about it
    """

    def __init__(
        self,
        about: str,
        example: Any = None,
        *,
        default: Any = None,
        aliases: Sequence[str] = (),
        missing: str = "",
        openapi: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            required=bool(missing),
            error_messages={"required": missing} if missing else None,
            metadata=dict(openapi or {}) | describe(about, example),
        )
        self.default = default
        self.aliases = tuple(aliases)

    @property
    def names(self) -> tuple[str, ...]:
        """All names it is sent under, its own first."""
        return (cast("str", self.name), *self.aliases)

    def gather(self, sent: Sent) -> list[str]:
        """The values sent for it, without blank ones; those of an alias only where its own name is absent."""
        for name in self.names:
            values = [value for value in map(_clean, sent.get(name, ())) if value]
            if values:
                return values
        return []

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return self.read(value)

    def read(self, values: list[str]) -> Any:
        """What the values mean, of which there is at least one. Raises ValidationError."""
        return self.read_one(values[0])

    def read_one(self, text: str) -> Any:
        """What one value means, where the first one counts. Raises ValidationError."""
        raise NotImplementedError


def _clean(text: str) -> str:
    """Text without blanks around it and without what XML forbids; NUL stays, for it is refused."""
    return text.strip() if NUL in text else stripped(text)


class TextParameter(Parameter, fields.String):
    """Text. It may hold no NUL, which no database could keep.

    most_characters  longer text is cut
    is_single        several different values are refused, rather than all but the first ignored
    """

    def __init__(
        self,
        about: str,
        example: Any = None,
        *,
        most_characters: int | None = None,
        is_single: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(about, example, **{"default": ""} | more)
        self.most_characters, self.is_single = most_characters, is_single

    def read(self, values: list[str]) -> str:
        """The text."""
        if self.is_single and len(set(values)) > 1:
            raise ValidationError(f"takes one value; {len(set(values))} came.")
        return self.read_one(values[0])

    def read_one(self, text: str) -> str:
        """The text."""
        if NUL in text:
            raise ValidationError(HOLDS_NUL)
        return text[: self.most_characters]


class ListParameter(Parameter, fields.String):
    """Words separated by commas, in one value or several; each word once, in order.

    choices  the words there are, case aside; None for any
    most     more words than these are refused
    unit     what to call the words when there are too many
    """

    def __init__(
        self,
        about: str,
        example: Any = None,
        *,
        choices: Sequence[str] | None = None,
        most: int | None = None,
        unit: str = "words",
        **more: Any,
    ) -> None:
        super().__init__(about, example, **{"default": ()} | more)
        self.choices, self.most, self.unit = choices, most, unit

    def gather(self, sent: Sent) -> list[str]:
        """The words."""
        words = (_clean(word) for value in super().gather(sent) for word in value.split(","))
        return list(dict.fromkeys(word for word in words if word))

    def read(self, values: list[str]) -> tuple[str, ...]:
        """The words, checked."""
        if any(NUL in word for word in values):
            raise ValidationError(HOLDS_NUL)
        if self.most is not None and len(values) > self.most:
            raise ValidationError(f"holds {len(values)} {self.unit}; {self.most} are allowed.")
        if self.choices is None:
            return tuple(values)
        faults = list(self._unknown(values))
        if faults:
            raise ValidationError(faults)
        return tuple(dict.fromkeys(word.lower() for word in values))

    def _unknown(self, words: list[str]) -> Iterator[str]:
        choices = self.choices or ()
        for word in words:
            if word.lower() not in choices:
                yield f"{word[:SHOWN_CHARACTERS]!r} is unknown; send {', '.join(choices)} or both."


class ChoiceParameter(Parameter, fields.String):
    """One of a few words, letter for letter."""

    def __init__(self, about: str, example: Any = None, *, choices: Sequence[str], **more: Any) -> None:
        super().__init__(about, example, openapi={"enum": list(choices)}, **more)
        self.choices = tuple(choices)

    def read_one(self, text: str) -> str:
        """The word."""
        if text not in self.choices:
            known = ", ".join(self.choices)
            raise ValidationError(f"{text[:SHOWN_CHARACTERS]!r} is unknown; send one of {known}.")
        return text


class FlagParameter(Parameter, fields.Boolean):
    """`true` or `false`, case aside; None, or its default, where the call has neither."""

    def read_one(self, text: str) -> bool:
        """The flag."""
        found = {"true": True, "false": False}.get(text.lower())
        if found is None:
            raise ValidationError(f"{text[:SHOWN_CHARACTERS].lower()!r} is neither true nor false.")
        return found


class NumberParameter(Parameter, fields.Integer):
    """A whole number.

    least, most  a smaller or larger one is refused; None for no largest
    cut_to       a larger one counts as this one
    """

    def __init__(
        self,
        about: str,
        example: Any = None,
        *,
        least: int,
        most: int | None = None,
        cut_to: int | None = None,
        **more: Any,
    ) -> None:
        openapi = {"minimum": least} | ({} if most is None else {"maximum": most})
        super().__init__(about, example, openapi=openapi, **more)
        self.least, self.most, self.cut_to = least, most, cut_to

    def read_one(self, text: str) -> int:
        """The number."""
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not self._is_in_range(int(text)):
            span = f"of at least {self.least}" if self.most is None else f"from {self.least} to {self.most}"
            raise ValidationError(f"{text[:SHOWN_CHARACTERS]!r} is not a whole number {span}.")
        return int(text) if self.cut_to is None else min(int(text), self.cut_to)

    def _is_in_range(self, number: int) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)


class SecondsParameter(Parameter, fields.Float):
    """A number of seconds; a larger one than `cut_to` counts as that."""

    def __init__(self, about: str, example: Any = None, *, cut_to: float, **more: Any) -> None:
        super().__init__(about, example, default=0.0, openapi={"minimum": 0}, **more)
        self.cut_to = cut_to

    def read_one(self, text: str) -> float:
        """The seconds."""
        if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
            raise ValidationError(
                f"{text[:SHOWN_CHARACTERS]!r} is not a number of seconds; send 0 to {self.cut_to:g}."
            )
        return min(float(text), self.cut_to)


class InstantParameter(Parameter, fields.String):
    """A date, or a date and time; without a zone, in the zone of the schema that it belongs to.

    is_end  whether a date alone means its last second
    """

    def __init__(self, about: str, example: Any = None, *, is_end: bool = False, **more: Any) -> None:
        super().__init__(about, example, openapi={"format": "date-time"}, **more)
        self.is_end = is_end

    def read_one(self, text: str) -> Any:
        """The instant, in UTC and whole seconds."""
        try:
            return parse_instant(text, cast("Any", self.root).zone, end_of_day=self.is_end)
        except NotAnInstant as error:
            raise ValidationError(str(error)) from None


class DegreesParameter(Parameter, fields.Float):
    """Decimal degrees, WGS 84.

    axis  lat or long, from which the range follows
    """

    axis: ClassVar[str]

    def __init__(self, about: str, example: Any = None, **more: Any) -> None:
        limit = LIMITS[self.axis]
        super().__init__(about, example, openapi={"minimum": -limit, "maximum": limit}, **more)

    def read_one(self, text: str) -> float:
        """The degrees."""
        try:
            return parse_degrees(self.axis, text)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class LatitudeParameter(DegreesParameter):
    """Degrees north."""

    axis = "lat"


class LongitudeParameter(DegreesParameter):
    """Degrees east."""

    axis = "long"


class DistanceParameter(Parameter, fields.Float):
    """Metres, more than 0 and at most `most`."""

    def __init__(self, about: str, example: Any = None, *, most: float, **more: Any) -> None:
        super().__init__(about, example, openapi={"maximum": most}, **more)
        self.most = most

    def read_one(self, text: str) -> float:
        """The metres."""
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII) or not 0 < float(text) <= self.most:
            raise ValidationError(
                f"{text[:SHOWN_CHARACTERS]!r} is not a distance; send metres, at most {self.most:g}."
            )
        return float(text)


class BoxParameter(Parameter, fields.String):
    """west,south,east,north in degrees, WGS 84; a west greater than the east crosses the antimeridian."""

    def read_one(self, text: str) -> tuple[float, float, float, float]:
        """The four sides."""
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 4:
            raise ValidationError("takes four numbers: west,south,east,north in degrees.")
        try:
            west, east = parse_degrees("long", parts[0]), parse_degrees("long", parts[2])
            south, north = parse_degrees("lat", parts[1]), parse_degrees("lat", parts[3])
        except ValueError:
            raise ValidationError("takes west,south,east,north in degrees, in this order.") from None
        if south > north:
            raise ValidationError("has its south above its north; send west,south,east,north.")
        return west, south, east, north


class ExtrasParameter(Parameter, fields.String):
    """Which extra fields to add to each item: `true` or `all`, or some of them; in the order of `choices`."""

    def __init__(self, about: str, example: Any = None, *, choices: Sequence[str]) -> None:
        super().__init__(about, example, default=())
        self.choices = tuple(choices)

    def read_one(self, text: str) -> tuple[str, ...]:
        """The names of the fields."""
        words = {word.strip().lower() for word in text.split(",")} - {"", "false"}
        if words & {"true", "all"}:
            return self.choices
        unknown = sorted(words - set(self.choices))
        if unknown:
            known = ", ".join(self.choices)
            raise ValidationError(f"{unknown[0][:SHOWN_CHARACTERS]!r} is unknown; send true or some of {known}.")
        return tuple(name for name in self.choices if name in words)


class RepeatedParameter(Parameter, fields.String):
    """Text that may come several times; all values count."""

    def __init__(self, about: str, example: Any = None, **more: Any) -> None:
        super().__init__(about, example, **{"default": ()} | more)

    def read(self, values: list[str]) -> tuple[str, ...]:
        """All of them."""
        return tuple(values)


class AnswersParameter(Parameter, fields.Dict):
    """`attribute[CODE]`, `attribute[CODE][]` and `attribute[CODE][n]`, gathered by code (A07)."""

    NAME = re.compile(r"attribute\[(?P<code>.+?)\](?:\[\d*\])?", re.DOTALL)

    def __init__(self, about: str, example: Any = None) -> None:
        super().__init__(about, example, default=())

    def gather(self, sent: Sent) -> list[Any]:
        """Pairs of a code and one of its values."""
        found = ((self.NAME.fullmatch(name), values) for name, values in sent.items())
        return [(match["code"], value) for match, values in found if match for value in values]

    def read(self, values: list[Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each code with its values, in the order sent."""
        found: dict[str, list[str]] = {}
        for code, value in values:
            found.setdefault(code, []).append(value)
        return tuple((code, tuple(texts)) for code, texts in found.items())
