"""Texts for callers: written in English, shown in the caller's language.

Code that refuses a call writes `tell("{name} must be a number.", name=name)`. The result is a `str` with the
English sentence, which tests, logs and commands use. The result also has the template and the values. From these,
the web layer makes the sentence in the caller's language (`open311/translations`).

The first argument of `tell` is always a literal, because `make texts` collects the templates from the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any


class Message(str):
    """An English sentence, with the template and the values from which it was made.

    template  the sentence with placeholders for str.format; for `tell_count`, the sentence for the count 1
    plural    the template for all other counts; "" if the sentence does not depend on a count
    values    the values of the placeholders; a value may be a message itself
    """

    __slots__ = ("plural", "template", "values")

    template: str
    plural: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any], plural: str = "") -> Message:
        english = plural if plural and values["count"] != 1 else template
        message = super().__new__(cls, english.format(**values))
        message.template, message.plural, message.values = template, plural, values
        return message

    def __str__(self) -> str:
        """The message itself, so that `str(error)` of an error with a message returns the message."""
        return self

    def __reduce__(self) -> tuple[type[Message], tuple[Any, ...]]:
        return Message, (self.template, self.values, self.plural)

    def format(self, *_: object, **__: object) -> Message:
        """The message itself. Libraries call this method to fill in values, which a message has already."""
        return self


def tell(template: str, /, **values: Any) -> Message:
    """A sentence for callers. Write `{{` for a brace."""
    return Message(template, values)


def joined(names: Iterable[str]) -> str:
    """Names with "and" between them. There must be at least one."""
    return reduce(lambda first, last: tell("{first} and {last}", first=first, last=last), names)


def tell_count(one: str, several: str, /, *, count: int, **values: Any) -> Message:
    """A sentence that depends on a number: `one` if `count` is 1, else `several`. Both may have `{count}`."""
    return Message(one, values | {"count": count}, several)
