"""The types of parameters. Each type parses the text that a caller sent, and has a description for the API page.

A blank text means that the parameter is absent. For a text that cannot be parsed, the type raises a
ValidationError. The text of the error says what to send instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import inf
from typing import Any, ClassVar, cast

from marshmallow import ValidationError, fields

from schemas.base import describe
from schemas.texts import Message, tell
from schemas.values import LIMITS, NotAnInstant, parse_degrees, parse_instant, stripped

Sent = Mapping[str, Sequence[str]]
"""The parameters that a caller sent: each name with all its values, in order."""

INDEX = re.compile(r"(?:\[\d*\])+", re.ASCII)
"""The end of a name that has several values, as PHP and Rails write it: `status[]`, `status[0]`."""
NUL = "\x00"
HOLDS_NUL = tell("holds a NUL character; leave it out.")
SHOWN_CHARACTERS = 40
"""How many characters of a wrong value an error quotes."""


class Parameter(fields.Field[Any]):
    """One parameter of a call.

    about     the meaning of the parameter, for the API page
    default   the value if the call does not have the parameter
    aliases   other names that clients send; used only if the parameter's own name is absent or blank
    missing   the error if the parameter is absent; "" if the parameter is optional
    openapi   more keys of the parameter's OpenAPI schema
    """

    takes_several: ClassVar[bool] = False
    """Whether the call may send several values, also as `name[]` and `name[0]`."""

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

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names of the parameter, its own first."""
        return (cast("str", self.name), *self.aliases)

    def gather(self, sent: Sent) -> list[str]:
        """The values that were sent, without blank values. An alias is used only if no earlier name has a value."""
        for name in self.names:
            if name in sent and (values := [value for value in map(_clean, sent[name]) if value]):
                return values
        return []

    def overlooked(self, sent: Sent) -> Iterator[Message]:
        """A sentence for each value that `gather` and `read` leave out because others came with it."""
        if sum(len(sent[name]) for name in self.names if name in sent) < 2:
            return
        came = {name: dict.fromkeys(filter(None, map(_clean, sent[name]))) for name in self.names if name in sent}
        first, *others = [name for name, values in came.items() if values] or [""]
        for name in others:
            if came[name] != came[first]:
                yield tell("{name} is ignored, because {first} came too", name=name, first=first)
        if first and not self.takes_several and len(came[first]) > 1:
            yield tell("{first} came {count} times; the first value counts", first=first, count=len(sent[first]))

    def changes(self, values: Sequence[Any]) -> Iterator[Message]:  # noqa: ARG002
        """A sentence for each change that `read` makes to the meaning of a valid value, such as a cut."""
        return iter(())

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return self.read(value)

    def read(self, values: list[str]) -> Any:
        """Parse the values. There is at least one. Raises ValidationError."""
        return self.read_one(values[0])

    def read_one(self, text: str) -> Any:
        """Parse the first value; the others are ignored. Raises ValidationError."""
        raise NotImplementedError  # a subclass overrides `read` or this, so neither can be abstract


def _clean(text: str) -> str:
    """The text without surrounding blanks and forbidden XML characters. NUL stays, because it is refused later."""
    return text.strip() if NUL in text else stripped(text)


class TextParameter(Parameter, fields.String):
    """Text. NUL characters are refused, because PostgreSQL cannot store them.

    most_characters  longer text is cut
    is_single        whether several different values are refused; otherwise the first one is used
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
        if self.is_single and len(set(values)) > 1:
            raise ValidationError(tell("takes one value, but {count} were sent.", count=len(set(values))))
        return self.read_one(values[0])

    def overlooked(self, sent: Sent) -> Iterator[Message]:
        """As for other parameters, but a call with several values is refused if only one is allowed."""
        return iter(()) if self.is_single else super().overlooked(sent)

    def read_one(self, text: str) -> str:
        if NUL in text:
            raise ValidationError(HOLDS_NUL)
        return text[: self.most_characters]

    def changes(self, values: Sequence[Any]) -> Iterator[Message]:
        if self.most_characters is not None and len(values[0]) > self.most_characters:
            yield tell(
                "only the first {most} characters of {name} count", most=self.most_characters, name=self.name
            )


class ListParameter(Parameter, fields.String):
    """Words separated by commas, in one value or several. Repeated words are dropped; the order stays.

    choices  the allowed words, in any case; None for any word
    most     the largest number of words; None for no limit
    unit     the name of the words in the error about too many
    """

    takes_several = True

    def __init__(
        self,
        about: str,
        example: Any = None,
        *,
        choices: Sequence[str] | None = None,
        most: int | None = None,
        unit: str = tell("words"),
        **more: Any,
    ) -> None:
        super().__init__(about, example, **{"default": ()} | more)
        self.choices, self.most, self.unit = choices, most, unit

    def gather(self, sent: Sent) -> list[str]:
        words = (_clean(word) for value in super().gather(sent) for word in value.split(","))
        return list(dict.fromkeys(word for word in words if word))

    def read(self, values: list[str]) -> tuple[str, ...]:
        if any(NUL in word for word in values):
            raise ValidationError(HOLDS_NUL)
        if self.most is not None and len(values) > self.most:
            raise ValidationError(
                tell("holds {count} {unit}; {most} are allowed.", count=len(values), unit=self.unit, most=self.most)
            )
        if self.choices is None:
            return tuple(values)
        faults = list(self._unknown(values))
        if faults:
            raise ValidationError(faults)
        return tuple(dict.fromkeys(word.lower() for word in values))

    def _unknown(self, words: list[str]) -> Iterator[Message]:
        choices = self.choices or ()
        for word in words:
            if word.lower() not in choices:
                shown, known = word[:SHOWN_CHARACTERS], ", ".join(choices)
                if len(choices) == 2:
                    yield tell("{value!r} is unknown; send {known} or both.", value=shown, known=known)
                else:
                    yield tell("{value!r} is unknown; send one or more of {known}.", value=shown, known=known)


class ChoiceParameter(Parameter, fields.String):
    """One of a few words, in exactly this case."""

    def __init__(self, about: str, example: Any = None, *, choices: Sequence[str], **more: Any) -> None:
        super().__init__(about, example, openapi={"enum": list(choices)}, **more)
        self.choices = tuple(choices)

    def read_one(self, text: str) -> str:

        if text not in self.choices:
            known = ", ".join(self.choices)
            shown = text[:SHOWN_CHARACTERS]
            raise ValidationError(tell("{value!r} is unknown; send one of {known}.", value=shown, known=known))
        return text


class FlagParameter(Parameter, fields.Boolean):
    """`true` or `false`, in any case."""

    def read_one(self, text: str) -> bool:

        found = {"true": True, "false": False}.get(text.lower())
        if found is None:
            shown = text[:SHOWN_CHARACTERS].lower()
            raise ValidationError(tell("{value!r} is neither true nor false.", value=shown))
        return found


class SwitchParameter(Parameter, fields.String):
    """A switch: on if one of the words, separated by commas, is `true` or `all`; off for any other text."""

    def __init__(self, about: str, example: Any = None) -> None:
        super().__init__(about, example, default=False)

    def read_one(self, text: str) -> bool:
        return not {"true", "all"}.isdisjoint(word.strip().lower() for word in text.split(","))


_DIGITS = re.compile(r"\d{1,1000}", re.ASCII)
GREATEST_NUMBER = 999_999_999
"""The upper limit of a NumberParameter without `most`."""


class NumberParameter(Parameter, fields.Integer):
    """A whole number.

    least   the smallest number that is not refused
    most    the largest number that is not refused; None for GREATEST_NUMBER
    cut_to  a larger number is replaced by this number; None if no number is replaced
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

        number = int(text) if _DIGITS.fullmatch(text) else -1
        if number < self.least or number > self._greatest:
            shown = text[:SHOWN_CHARACTERS]
            raise ValidationError(tell("{value!r} is not a whole number {span}.", value=shown, span=self._span()))
        return number if self.cut_to is None else min(number, self.cut_to)

    @property
    def _greatest(self) -> float:
        if self.cut_to is not None:
            return inf
        return GREATEST_NUMBER if self.most is None else self.most

    def _span(self) -> Message:
        if self.cut_to is not None:
            return tell("of at least {least}", least=self.least)
        return tell("from {least} to {most:.0f}", least=self.least, most=self._greatest)

    def changes(self, values: Sequence[Any]) -> Iterator[Message]:
        if self.cut_to is not None and _DIGITS.fullmatch(values[0]) and int(values[0]) > self.cut_to:
            yield tell("{name} is cut to {most}", name=self.name, most=self.cut_to)


class SecondsParameter(Parameter, fields.Float):
    """A number of seconds. A number larger than `cut_to` is replaced by `cut_to`."""

    def __init__(self, about: str, example: Any = None, *, cut_to: float, **more: Any) -> None:
        super().__init__(about, example, default=0.0, openapi={"minimum": 0}, **more)
        self.cut_to = cut_to

    def read_one(self, text: str) -> float:

        if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
            shown = text[:SHOWN_CHARACTERS]
            raise ValidationError(
                tell("{value!r} is not a number of seconds; send 0 to {most:g}.", value=shown, most=self.cut_to)
            )
        return min(float(text), self.cut_to)

    def changes(self, values: Sequence[Any]) -> Iterator[Message]:
        if self.read_one(values[0]) == self.cut_to != float(values[0]):
            yield tell("{name} is cut to {most:g}", name=self.name, most=self.cut_to)


class InstantParameter(Parameter, fields.String):
    """A date, or a date and time. If the text names no time zone, the schema's `zone` is used.

    is_end  whether a date without a time means its last second
    """

    def __init__(self, about: str, example: Any = None, *, is_end: bool = False, **more: Any) -> None:
        super().__init__(about, example, openapi={"format": "date-time"}, **more)
        self.is_end = is_end

    def read_one(self, text: str) -> Any:
        """Parse an instant into UTC and whole seconds. Raises ValidationError."""
        try:
            return parse_instant(text, cast("Any", self.root).zone, end_of_day=self.is_end)
        except NotAnInstant as error:
            raise ValidationError(str(error)) from None


class DegreesParameter(Parameter, fields.Float):
    """Decimal degrees, WGS 84.

    axis  lat or long; it decides the range
    """

    axis: ClassVar[str]

    def __init__(self, about: str, example: Any = None, **more: Any) -> None:
        limit = LIMITS[self.axis]
        super().__init__(about, example, openapi={"minimum": -limit, "maximum": limit}, **more)

    def read_one(self, text: str) -> float:

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

        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII) or not 0 < float(text) <= self.most:
            shown = text[:SHOWN_CHARACTERS]
            raise ValidationError(
                tell("{value!r} is not a distance; send metres, at most {most:g}.", value=shown, most=self.most)
            )
        return float(text)


class BoxParameter(Parameter, fields.String):
    """west,south,east,north in degrees, WGS 84. If west is greater than east, the box crosses the antimeridian."""

    def read_one(self, text: str) -> tuple[float, float, float, float]:
        """Parse west, south, east and north. Raises ValidationError."""
        parts = [part.strip() for part in text.split(",")]
        if len(parts) != 4:
            raise ValidationError(tell("takes four numbers: west,south,east,north in degrees."))
        try:
            west, east = parse_degrees("long", parts[0]), parse_degrees("long", parts[2])
            south, north = parse_degrees("lat", parts[1]), parse_degrees("lat", parts[3])
        except ValueError:
            raise ValidationError(tell("takes west,south,east,north in degrees, in this order.")) from None
        if south > north:
            raise ValidationError(tell("has its south above its north; send west,south,east,north."))
        return west, south, east, north


class ExtrasParameter(Parameter, fields.String):
    """The extra fields of each item: `true` or `all`, or some names. The result has the order of `choices`."""

    def __init__(self, about: str, example: Any = None, *, choices: Sequence[str]) -> None:
        super().__init__(about, example, default=())
        self.choices = tuple(choices)

    def read_one(self, text: str) -> tuple[str, ...]:

        words = {word.strip().lower() for word in text.split(",")} - {"", "false"}
        if words & {"true", "all"}:
            return self.choices
        unknown = sorted(words - set(self.choices))
        if unknown:
            known = ", ".join(self.choices)
            shown = unknown[0][:SHOWN_CHARACTERS]
            raise ValidationError(
                tell("{value!r} is unknown; send true or some of {known}.", value=shown, known=known)
            )
        return tuple(name for name in self.choices if name in words)


class UnprovenParameter(TextParameter):
    """A filter that would need a proof of identity, which no call can give. Every value is refused."""

    def __init__(self, about: str, *, cure: Message) -> None:
        super().__init__(about)
        self.cure = cure

    def read_one(self, text: str) -> str:  # noqa: ARG002
        raise ValidationError(self.cure)


class RepeatedParameter(Parameter, fields.String):
    """Text that may be sent several times. All values are used."""

    takes_several = True

    def __init__(self, about: str, example: Any = None, **more: Any) -> None:
        openapi = {"type": "array", "items": {"type": "string"}}
        super().__init__(about, example, openapi=openapi, **{"default": ()} | more)

    def read(self, values: list[str]) -> tuple[str, ...]:
        return tuple(values)


class AddressesParameter(RepeatedParameter):
    """Web addresses: repeated, or joined by commas. Only a comma before http:// or https:// separates addresses."""

    def read(self, values: list[str]) -> tuple[str, ...]:
        return tuple(address for value in values for address in re.split(r",\s*(?=https?://)", value))


class AnswersParameter(Parameter, fields.Dict):
    """`attribute[CODE]`, `attribute[CODE][]`, `attribute[CODE][n]`, `attribute[CODE][][]`, by code (A07)."""

    takes_several = True
    NAME = re.compile(rf"attribute\[(?P<code>.+?)\](?:{INDEX.pattern})?", re.DOTALL)

    def __init__(self, about: str, example: Any = None) -> None:
        super().__init__(about, example, default=())

    def gather(self, sent: Sent) -> list[Any]:
        """Pairs of an attribute's code and one of its values."""
        found = ((self.NAME.fullmatch(name), values) for name, values in sent.items())
        return [(match["code"], value) for match, values in found if match for value in values]

    def read(self, values: list[Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Group the pairs: each code with all its values, in the order sent."""
        found: dict[str, list[str]] = {}
        for code, value in values:
            found.setdefault(code, []).append(value)
        return tuple((code, tuple(texts)) for code, texts in found.items())
