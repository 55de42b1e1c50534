"""The tables about personal data that people type into public texts."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError

from open311.domain.personal_data import Privacy, Treatment, Treatments, is_region
from open311.plugins.declared.keys import Choice, Table, Text, Texts, shown

_MOST_CHARACTERS = 300
_AS_CITY = "the city's"


class Country(Text):
    """A country whose phone numbers are known, as a code of ISO 3166, or "" for none."""

    kind = "the code of a country"

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The code."""
        code = super().deserialize(value, attr, data, **kwargs)
        if code and not is_region(code):
            raise ValidationError(f'must be the code of a country in capitals, such as "US", not {shown(code)}.')
        return code


class Pattern(Text):
    """A regular expression that matches no empty text, or "" for none."""

    kind = "a regular expression"

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The expression. One that matches the empty text would put markers where nothing is written."""
        pattern = super().deserialize(value, attr, data, **kwargs)
        if len(pattern) > _MOST_CHARACTERS:
            raise ValidationError(f"is longer than {_MOST_CHARACTERS} characters; shorten it.")
        try:
            found = re.compile(pattern)
        except re.error as error:
            raise ValidationError(f"is no regular expression: {error}.") from None
        if pattern and found.match(""):
            raise ValidationError("matches an empty text; make a part of it necessary.")
        return pattern


class PrivacyTable(Table):
    """What happens to personal data that people type into texts that become public."""

    makes, header = Privacy, "[privacy]"

    email = Choice(Treatment, "E-mail addresses", default=Treatment.MASK)
    phone = Choice(Treatment, "Phone numbers", default=Treatment.MASK)
    iban = Choice(Treatment, "Numbers of bank accounts (IBAN)", default=Treatment.MASK)
    card = Choice(Treatment, "Numbers of bank cards", default=Treatment.MASK)
    plate = Choice(Treatment, "Licence plates; only with a `plate_pattern`", default=Treatment.MASK)
    phone_region = Country(
        'The country whose phone numbers are written without `+`, as a code of ISO 3166 such as `US`; with `""`,'
        " only numbers with `+` or after a word such as `Tel.` are found",
        default="",
    )
    plate_pattern = Pattern(
        r"A regular expression of the licence plates, such as `'[A-Z]{3} ?\d{4}'`", default="", unset="none"
    )
    own = Texts(
        "Addresses and numbers of the city itself, which are never masked; `@city.example` means all addresses of"
        " the domain. Those in this file, such as in `contact`, `notice` and `[[texts]]`, need not be repeated",
        default=(),
    )


class ServicePrivacyTable(Table):
    """What happens to personal data in the requests of one service."""

    makes, header = Treatments, "[services.privacy]"

    email = Choice(Treatment, "E-mail addresses", default=None, unset=_AS_CITY)
    phone = Choice(Treatment, "Phone numbers", default=None, unset=_AS_CITY)
    iban = Choice(Treatment, "Numbers of bank accounts (IBAN)", default=None, unset=_AS_CITY)
    card = Choice(Treatment, "Numbers of bank cards", default=None, unset=_AS_CITY)
    plate = Choice(Treatment, "Licence plates", default=None, unset=_AS_CITY)
