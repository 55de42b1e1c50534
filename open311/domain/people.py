"""People who ask a city for their data: how a person is named, and what belongs to the person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from open311.domain.text import clean_text
from open311.errors import Invalid, Problem
from schemas.texts import Message, tell

MOST_CHARACTERS = 500
"""No stored value is longer."""
LEAST_DIGITS = 5
"""A shorter phone number would fit people by accident."""
_NO_DIGITS = re.compile(r"[^0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What names a person. Data belong to the person if one of these values fits; "" fits nothing.

    email      compared without regard to case
    phone      only its digits are compared, without zeros in front: `+1 555 0100` and `001-555-0100` are the same
    device_id, account_id  compared letter for letter
    """

    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    device_id: str = field(default="", repr=False)
    account_id: str = field(default="", repr=False)

    @property
    def named_by(self) -> tuple[str, ...]:
        """The names of the fields that have a value."""
        return tuple(name for name in IDENTIFYING_FIELDS if getattr(self, name))

    def is_in(self, text: str) -> bool:
        """Whether a text has one of the values, so that it tells who the person is. Short ids do not count."""
        low, digits = text.casefold(), phone_digits(text)
        values = [getattr(self, name).casefold() for name in self.named_by if name != "phone"]
        named = any(value in low for value in values if len(value) >= LEAST_DIGITS)
        return named or bool(self.phone and phone_digits(self.phone) in digits)


IDENTIFYING_FIELDS = tuple(item.name for item in fields(Person))


def phone_digits(phone: str) -> str:
    """The digits of a phone number, without zeros in front."""
    return _NO_DIGITS.sub("", phone).lstrip("0")


def read_person(values: Mapping[str, str]) -> Person:
    """The person whom these values name. Raises Invalid with all faults, and if no value is given.

    values  fields of `Person`; a field may be missing, but one that is there must have a value
    """
    given = {name: clean_text(values[name]).strip() for name in IDENTIFYING_FIELDS if name in values}
    if not given:
        known = ", ".join(IDENTIFYING_FIELDS)
        raise Invalid(tell("is missing; send at least one of {names}.", names=known), "email")
    faults = [Problem(name, fault) for name, value in given.items() for fault in _faults(name, value)]
    if faults:
        raise Invalid.of(faults)
    return Person(**given)


def _faults(name: str, value: str) -> Iterator[Message]:
    if not value:
        yield tell("is empty, which would fit everybody without one; send a value, or leave it out.")
    elif len(value) > MOST_CHARACTERS:
        lengths = {"count": len(value), "most": MOST_CHARACTERS}
        yield tell("has {count} characters; {most} are allowed.", **lengths)
    elif name == "phone" and len(phone_digits(value)) < LEAST_DIGITS:
        yield tell("has fewer than {least} digits; send the whole number.", least=LEAST_DIGITS)
