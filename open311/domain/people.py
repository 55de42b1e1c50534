"""People who ask a city for their data: the values by which a person's data are found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

import phonenumbers

from open311.domain.text import clean_text
from open311.errors import Invalid, Problem
from schemas.texts import Message, tell

MOST_CHARACTERS = 500
"""No stored value has more characters than this."""
LEAST_DIGITS = 5
"""A phone number with fewer digits than this would fit people by accident."""
_NO_DIGITS = re.compile(r"[^0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What names a person. Data belong to the person if one of these values fits; "" fits nothing.

    email      compared without regard to case
    phone      compared in each way to write it, see `phone_spellings`
    device_id  compared letter for letter
    account_id  compared letter for letter
    phone_region  the country (ISO 3166) whose phone numbers are written without `+`; "" for none. It names nobody
    """

    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    device_id: str = field(default="", repr=False)
    account_id: str = field(default="", repr=False)
    phone_region: str = ""

    @property
    def phones(self) -> tuple[str, ...]:
        """The digits of the phone number in each way to write it."""
        return phone_spellings(self.phone, self.phone_region)

    @property
    def named_by(self) -> tuple[str, ...]:
        """The names of the fields that have a value."""
        return tuple(name for name in IDENTIFYING_FIELDS if getattr(self, name))

    def is_in(self, text: str) -> bool:
        """Whether a text has one of the values, so that it tells who the person is. Short ids do not count."""
        low, digits = text.casefold(), phone_digits(text)
        values = [getattr(self, name).casefold() for name in self.named_by if name != "phone"]
        named = any(value in low for value in values if len(value) >= LEAST_DIGITS)
        return named or bool(self.phone and any(phone in digits for phone in self.phones))


IDENTIFYING_FIELDS = tuple(item.name for item in fields(Person) if item.name != "phone_region")


def phone_digits(phone: str) -> str:
    """The digits of a phone number, without zeros in front."""
    return _NO_DIGITS.sub("", phone).lstrip("0")


def phone_spellings(phone: str, region: str) -> tuple[str, ...]:
    """The digits of a phone number as people write it, each without zeros in front.

    A number of the region is given with and without the code of its country: `+358 40 1234567`, `040 1234567` and
    `+358 (0)40 1234567` are the same in FI. Other numbers always need their code: `+1 555 0100` is `001-555-0100`.
    region  the country (ISO 3166) whose numbers are written without `+`; "" for none
    """
    digits = phone_digits(phone)
    try:
        number = phonenumbers.parse(phone, region or None)
    except phonenumbers.NumberParseException:
        return (digits,)
    if not phonenumbers.is_possible_number(number):
        return (digits,)
    code = str(number.country_code)
    national = _NO_DIGITS.sub("", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL))
    found = [digits, code + phonenumbers.national_significant_number(number), code + national]
    if number.country_code == phonenumbers.country_code_for_region(region):
        found.append(national.lstrip("0"))
    return tuple(dict.fromkeys(found))


_NEVER_TOLD = frozenset(
    {
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.TOLL_FREE,
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.UAN,
        phonenumbers.PhoneNumberType.PAGER,
        phonenumbers.PhoneNumberType.VOICEMAIL,
    }
)
"""Kinds of numbers that take no text messages, or with which somebody earns money."""


_PARTS = {"GB": ("GG", "JE", "IM")}
"""A region -> the regions that the library phonenumbers keeps apart, but whose numbers count as its own."""


def number_for_sms(phone: str, region: str, *, abroad: bool = False) -> str:
    """The phone number in the form +16175550142; "" if no text message can or should be sent to it.

    region  the country (ISO 3166) whose numbers are written without `+`
    abroad  whether numbers of other countries count too. Countries may share a code, as Jamaica and the US do
    """
    try:
        number = phonenumbers.parse(phone, region or None)
    except phonenumbers.NumberParseException:
        return ""
    own = {region, *_PARTS.get(region, ())}
    is_near = bool(region) and phonenumbers.region_code_for_number(number) in own
    if number.extension or not (is_near or abroad) or not phonenumbers.is_valid_number(number):
        return ""
    if phonenumbers.number_type(number) in _NEVER_TOLD:
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def read_person(values: Mapping[str, str], *, phone_region: str = "") -> Person:
    """The person whom these values name. Raises Invalid with all faults, and if no value is given.

    values        fields of `Person`; a field may be missing, but one that is there must have a value
    phone_region  the country (ISO 3166) whose phone numbers are written without `+` in the city; "" for none
    """
    given = {name: clean_text(values[name]).strip() for name in IDENTIFYING_FIELDS if name in values}
    if not given:
        known = ", ".join(IDENTIFYING_FIELDS)
        raise Invalid(tell("is missing; send at least one of {names}.", names=known), "email")
    faults = [Problem(name, fault) for name, value in given.items() for fault in _faults(name, value)]
    if faults:
        raise Invalid.of(faults)
    return Person(**given, phone_region=phone_region)


def nothing_found() -> Message:
    """The message for those who look for a person and find nothing."""
    return tell(
        "Nothing of this person was found. Try the person's other e-mail addresses and phone numbers, a phone"
        " number with the code of its country, such as +358 40 1234567, and the ids of the device and the account."
    )


def _faults(name: str, value: str) -> Iterator[Message]:
    if not value:
        yield tell("is empty, which would fit everybody without one; send a value, or leave it out.")
    elif len(value) > MOST_CHARACTERS:
        lengths = {"count": len(value), "most": MOST_CHARACTERS}
        yield tell("has {count} characters; {most} are allowed.", **lengths)
    elif name == "phone" and len(phone_digits(value)) < LEAST_DIGITS:
        yield tell("has fewer than {least} digits; send the whole number.", least=LEAST_DIGITS)
