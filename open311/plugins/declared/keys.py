"""The types of the keys in a city's files. They accept only exact types.

An error says what is wrong and how to correct it. Its message is the rest of a sentence that begins with the key's
name: `must be a string, not 7; put it in quotes.`
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, time
from string import Formatter
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, missing

from open311.outgoing import read_mailbox

_LONGEST = 60


class Key(fields.Field[Any]):
    """A key of a table. A key without a default is required.

    kind     the type's name in messages
    meaning  the description in jurisdictions/README.md
    unset    the text about the default in jurisdictions/README.md, if the value itself would not be clear
    """

    kind: str

    def __init__(self, meaning: str = "", *, default: Any = missing, unset: str = "") -> None:
        shown_default = "must be given" if default is missing else unset or f"`{json.dumps(default)}`"
        metadata = {"description": meaning, "type": self.type, "default": shown_default}
        super().__init__(
            required=default is missing,
            load_default=default,
            allow_none=False,
            metadata=metadata,
            error_messages={
                "required": 'is missing; write {name} = "…".',
                "null": f"must be {self.kind}, not null; leave it out for the default.",
            },
        )

    @property
    def type(self) -> str:
        """The type's name in jurisdictions/README.md."""
        return self.kind.removeprefix("a ")

    def make_error(self, key: str, **kwargs: Any) -> ValidationError:
        """Like marshmallow's `make_error`, but the message may contain the key's name."""
        return super().make_error(key, name=self.name, **kwargs)

    def misfit(self, value: object) -> ValidationError:
        """The error for a value of another type."""
        return ValidationError(f"must be {self.kind}, not {shown(value)}.")


class Text(Key):
    """A string."""

    kind = "a string"

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The value. Most values are strings, which are returned directly, because marshmallow is slower."""
        return value if type(value) is str else super().deserialize(value, attr, data, **kwargs)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> str:
        raise ValidationError(f"must be a string, not {_quotable(value)}.")


class MailAddress(Text):
    """A mail address, or none."""

    kind = "a mail address"

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The address, if mail can be sent to it."""
        text = super().deserialize(value, attr, data, **kwargs)
        if text:
            try:
                read_mailbox(text)
            except ValueError as error:
                raise ValidationError(f"is {cut(text)}; {error}.") from None
        return text


class LowerCase(Text):
    """A string whose case does not matter."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The string in lower case."""
        return super().deserialize(value, attr, data, **kwargs).lower()


class CitizenSentence(Text):
    """A sentence for citizens with names in braces, which are replaced."""

    kind = "a sentence"
    names = ("department", "service", "address", "date", "into")

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The sentence, if each name in braces is known. Only plain names are valid, without a point or index."""
        text = super().deserialize(value, attr, data, **kwargs)
        if text == self.load_default:
            return text
        try:
            parts = list(Formatter().parse(text))
        except ValueError:
            raise ValidationError("has a brace that is not closed; write {{ and }} for braces.") from None
        for _, name, form, conversion in parts:
            if name is not None and (name not in self.names or form or conversion):
                known = ", ".join(f"{{{one}}}" for one in self.names)
                raise ValidationError(f"holds {{{cut(name)}}}; use some of {known}.")
        if not text.strip():
            raise ValidationError("is empty; citizens would read nothing.")
        return text


class Flag(Key):
    """True or false."""

    kind = "true or false"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.misfit(value)
        return value


class Number(Key):
    """A whole number within bounds."""

    kind = "a whole number"

    def __init__(self, meaning: str, *, least: int, most: int, default: int | None, unset: str = "") -> None:
        super().__init__(meaning, default=default, unset=unset)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.misfit(value)
        if not self.least <= value <= self.most:
            raise ValidationError(f"must be {self.least} to {self.most}, not {shown(value)}.")
        return value


class Measure(Key):
    """A number, with a point or without, within bounds."""

    kind = "a number"

    def __init__(self, meaning: str, *, least: float, most: float, default: Any = missing, unset: str = "") -> None:
        super().__init__(meaning, default=default, unset=unset)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.misfit(value)
        if not self.least <= value <= self.most:
            raise ValidationError(f"must be {self.least:g} to {self.most:g}, not {shown(value)}.")
        return float(value)


class Choice(Key):
    """One of a few words."""

    def __init__(self, choices: Iterable[str], meaning: str, *, default: Any = missing, unset: str = "") -> None:
        self.choices = {str(choice): choice for choice in choices}
        self.kind = f"one of {', '.join(self.choices)}"
        super().__init__(meaning, default=default, unset=unset)

    @property
    def type(self) -> str:
        """The words, as an author writes them."""
        return ", ".join(f'`"{word}"`' for word in self.choices)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise self.misfit(value)
        return self.choices[value]


class Texts(Key):
    """A list of strings. A single string means a list of one string; an empty list means the default."""

    kind = "a string or a list of strings"

    @property
    def type(self) -> str:
        """The usual way to write it."""
        return "list of strings"

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[str, ...]:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list):
            raise self.misfit(value)
        for text in texts:
            if not isinstance(text, str):
                raise ValidationError(f"must hold strings only, not {_quotable(text)}.")
        return tuple(texts) or self.load_default


class Phrases(Texts):
    """A list of phrases, at least one, each with a word."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        found: tuple[str, ...] = super()._deserialize(value, *args, **kwargs)
        if not found or not all(any(map(str.isalnum, phrase)) for phrase in found):
            raise ValidationError("must have at least one phrase, each with letters.")
        return found


class Chosen(Texts):
    """A list of some of a few words."""

    def __init__(self, choices: Iterable[str], meaning: str, *, default: Any, unset: str) -> None:
        self._each = Choice(choices, "")
        super().__init__(meaning, default=default, unset=unset)

    @property
    def type(self) -> str:
        """The words, as an author writes them."""
        return f"list of {self._each.type}"

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value == []:
            return ()
        return tuple(self._each.deserialize(text) for text in super()._deserialize(value, *args, **kwargs))


class Table(Schema):
    """A TOML table with a fixed set of keys.

    makes     the class that a table is converted to
    header    the table's header in the file
    noun      the kind of table in messages. The value of the key `known_by` follows it, as in "service pothole"
    """

    class Meta:
        unknown = RAISE

    makes: ClassVar[type] = dict
    header: ClassVar[str]
    noun: ClassVar[str] = ""
    known_by: ClassVar[str] = "code"

    def read(self, table: dict[str, Any]) -> Any:
        """The value of a table. Raises ValidationError with all its faults."""
        try:
            values = self._load_fast(table)
        except (KeyError, ValidationError):
            values = self.load(table)
        return self.makes(**values)

    def read_all(self, tables: list[Any]) -> tuple[Any, ...]:
        """The values of several tables. Raises ValidationError with all faults of all tables."""
        try:
            found = [self._load_fast(table) for table in tables]
        except (AttributeError, KeyError, ValidationError):
            found = self.load(tables, many=True)
        return tuple(self.makes(**each) for each in found)

    def _load_fast(self, table: dict[str, Any]) -> dict[str, Any]:
        """Load a table without faults in less than half the time of `load`.

        The time matters, because ten cities have a thousand tables. For a table with faults, this raises the first
        fault. The caller then uses `load`, which finds all faults.
        """
        found = {}
        for key in self.fields.keys() | table.keys():
            field = self.fields[key]
            found[field.attribute or key] = field.deserialize(table.get(key, missing))
        return found

    def misfit(self, value: object) -> str:
        """The message for a value that is not a table."""
        return f"must be a table ({self.header}), not {shown(value)}."

    def title(self, table: object, number: int) -> str:
        """The name of one table of a list in messages. The first table has number 1."""
        code = table.get(self.known_by) if isinstance(table, dict) else None
        return f"{self.noun} {cut(code)}" if code and isinstance(code, str) else f"{self.noun} no. {number}"


class OneTable(Key):
    """A single table."""

    kind = "a table"

    def __init__(self, table: Table, meaning: str = "", *, default: Any = missing, unset: str = "") -> None:
        super().__init__(meaning, default=default, unset=unset)
        self.table = table

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(self.table.misfit(value))
        return self.table.read(value)


class Tables(Key):
    """A list of tables. `attribute` is the name of the argument that gets the list, if it differs from the key."""

    kind = "a list of tables"

    def __init__(self, table: Table, meaning: str, *, attribute: str | None = None) -> None:
        super().__init__(meaning, default=(), unset="none")
        self.table, self.attribute = table, attribute

    def table_of(self, value: object) -> Table:  # noqa: ARG002
        """The keys of one of the tables."""
        return self.table

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError(f"must be {self.kind} ({self.table.header}), not {shown(value)}.")
        return self.table.read_all(value)


class ByCode(Key):
    """A table whose keys are the city's own codes, and whose values all have one type."""

    def __init__(self, each: Key, meaning: str) -> None:
        self.kind = "a table of strings" if isinstance(each, Text) else "a table"
        super().__init__(meaning, default=dict, unset="none")
        self.each = each

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.misfit(value)
        found: dict[str, Any] = {}
        wrong: dict[str, Any] = {}
        for code, item in value.items():
            try:
                found[code] = self.each.deserialize(item)
            except ValidationError as error:
                wrong[code] = error.messages
        if wrong:
            raise ValidationError(wrong)
        return found


def shown(value: object) -> str:
    """A TOML value for a message: the value itself, or "a table" or "a list"."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) > 10**_LONGEST:
        return "a huge number"
    return cut(repr(value) if isinstance(value, str) else str(value))


def _quotable(value: object) -> str:
    """A value that is not a string, for a message. If quotes would make it a string, the text says so."""
    return f"{shown(value)}; put it in quotes" if isinstance(value, int | float | date | time) else shown(value)


def cut(text: str) -> str:
    """The text, shortened for a message if it is long."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
