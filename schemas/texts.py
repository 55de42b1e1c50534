"""Texts for callers: written in English, shown in the caller's language.

Whoever refuses a call writes `tell("{name} must be a number.", name=name)`. The result is a `str`, the English
sentence, so tests, logs and commands need not know more. It also remembers its template and its values. From these,
the web layer makes the sentence again in the caller's language (`open311/translations`).

The first argument of `tell` is always a literal, because `make texts` collects the templates from the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any


class Message(str):
    """An English sentence that remembers how it was made.

    template  the sentence with its placeholders, as str.format reads them; for `tell_count`, the sentence for one
    plural    the template for other counts than one; "" if the sentence counts nothing
    values    what the placeholders stand for; a value may be a message itself
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
        """The message itself. So `str(error)` of an error with a message is that message."""
        return self

    def __reduce__(self) -> tuple[type[Message], tuple[Any, ...]]:
        return Message, (self.template, self.values, self.plural)

    def format(self, *_: object, **__: object) -> Message:
        """The message itself. Libraries call this to fill in values of their own."""
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
