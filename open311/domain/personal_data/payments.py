"""Finds numbers of bank accounts (IBAN, ISO 13616) and of bank cards (ISO 7812), by their checksums."""

from __future__ import annotations

import re
from collections.abc import Iterator

from open311.domain.personal_data.kinds import DataKind, Hit

_IBAN_LENGTHS = {
    length: frozenset(countries.split())
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
}
_LENGTH_OF = {country: length for length, countries in _IBAN_LENGTHS.items() for country in countries}
_IBAN_SIGNS = " .\n-"
_IBAN_CHECK = re.compile(rf"\d(?<=[A-Za-z]{{2}}\d)\d(?=[{_IBAN_SIGNS}]?[A-Za-z0-9])")
"""The two digits behind the code of a country. A pattern that begins with a digit is quicker."""
_CARD = re.compile(
    r"\d(?<![\w.,/#-]\d)(?:\d{12,18}"
    r"|\d{3}([ .-])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|\d{3}([ .-])\d{6}\2\d{4,5})(?![\w@]|[-.,/]\d)"
)
_CARD_KINDS = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"3(?:0[0-5]|[689])"), (14,)),
    (re.compile(r"35(?:2[89]|[3-8])|6011|64[4-9]|65|62"), (16, 17, 18, 19)),
    (re.compile(r"50|5[6-9]|6[37]"), (16, 18, 19)),
)
"""The first digits of the cards of each company, and the lengths that its numbers have."""


def find_ibans(text: str) -> Iterator[Hit]:
    """The IBANs in a text whose country, length and checksum fit.

    Blanks, dots, hyphens and ends of lines may divide them. Letters may touch them: the checksum is enough proof.
    """
    for check in _IBAN_CHECK.finditer(text):
        start = check.start() - 2
        country = text[start : start + 2].upper()
        end = _end_of(text, start, _LENGTH_OF.get(country, 0))
        if end and _has_iban_checksum(text[start:end]):
            yield Hit(DataKind.IBAN, start, end)


def _end_of(text: str, start: int, length: int) -> int:
    """The place after `length` letters and digits from `start`; 0 if the text has fewer, or other signs between."""
    place, missing = start, length
    while missing and place < len(text):
        sign = text[place]
        if sign.isascii() and sign.isalnum():
            missing -= 1
        elif sign not in _IBAN_SIGNS:
            return 0
        place += 1
    return place if length and not missing else 0


def _has_iban_checksum(text: str) -> bool:
    """Whether the number modulo 97 is 1 (ISO 7064, MOD 97-10)."""
    plain = "".join(sign for sign in text.upper() if sign.isalnum())
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def find_cards(text: str) -> Iterator[Hit]:
    """The numbers of bank cards in a text whose first digits, length and checksum fit, also over two lines."""
    for found in _CARD.finditer(text.replace("\n", " ")):
        digits = "".join(sign for sign in found.group() if sign in "0123456789")
        if _is_of_a_company(digits) and _has_luhn_checksum(digits):
            yield Hit(DataKind.CARD, *found.span())


def _is_of_a_company(digits: str) -> bool:
    return any(first.match(digits) and len(digits) in lengths for first, lengths in _CARD_KINDS)


def _has_luhn_checksum(digits: str) -> bool:
    """Luhn's check (ISO 7812): every second digit from the right counts twice."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
