"""Finds phone numbers of three kinds.

These are the numbers of the city's region, those with the code of a country, and any number after a word such as
`Tel.`.

Google's rules (the library phonenumbers) say which numbers exist. They do not say whether `6175550123` is a phone
number or the id of a case. The words before a number decide that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import phonenumbers

from open311.domain.personal_data.kinds import DataKind, Hit
from open311.domain.personal_data.words import meaning_before

LEAST_DIGITS = 6
"""A phone number with fewer digits than this is not personal, such as 311 or the short number of an office."""
_LEAST_DIGITS_ALONE = 9
"""A number without `+` or 00, and without a word before it such as `Tel.`, must have at least this many digits."""
_MOST_DIGITS = 15
_MOST_PARTS = 30
"""A row of more numbers than this is a table and has no phone number. This limits the time for a hostile text."""
_LOOK_BACK = 45
"""How many characters before a number may say what the number is."""

_BLANK = r"[ \t]"
_SIGNS = "-\u2010\u2011\u2012\u2013./"
_BETWEEN = rf"(?:{_BLANK}?[{_SIGNS}]{_BLANK}?|{_BLANK}{{1,4}}|(?<=\))|(?=\())"
_GROUP = r"(?:\(\+?\d+\)|\d+)"
_ROW = re.compile(rf"\d(?:[\s(){_SIGNS}]{{0,4}}\d){{{LEAST_DIGITS - 1}}}")
_FIRST = r"[\d(+](?<![^\W_].)(?<![/#@&=+-].)(?:(?<!\..)|(?<=[^\W\d_]\..))"
"""The first sign of a number. A full stop before it belongs to a word, as in `tel.0171`, and not to a number."""
_NUMBER = re.compile(
    rf"{_FIRST}(?:(?<=\+){_BLANK}?{_GROUP}|(?<=\()\+?\d+\)|(?<=\d)\d*)"
    rf"(?:{_BETWEEN}{_GROUP})*(?![^\W_]|@|[-/.]\d|,\d{{1,3}}(?!\d))"
)
_BREAK = re.compile(
    rf"(?<=[\d)]){_BLANK}{{0,4}}[{_SIGNS}]?{_BLANK}{{0,4}}\n{_BLANK}{{0,4}}(?=[\d(])(?!\d\d?[.)]\s)"
)
"""The end of a line between digits. The second line is not the next point of a list, such as `2. `."""
# Most of these patterns begin with a digit or a fixed text, because Python then finds places for a match quickly.
_NO_PHONES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:https?://|www\.)\S+",
        # dates
        r"\d(?<![\d./-]\d)(?:\d{3}[-/.]\d{1,2}[-/.]\d{1,2}|\d?[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))(?![./-]?\d)",
        r"\d(?<![\d.]\d)\d?[:hH]\d{2}(?::\d{2})?(?!\d)",  # times
        # coordinates, and numbers with a thousands separator
        r"\d(?<![\d.,]\d)(?:\d{0,2}[.,]\d{4,}|(?:\d?(?:[.,]\d{3})+|\d\d[.,]\d{3})(?:[.,]\d{1,2})?)(?![.,]?\d)",
        # amounts of money
        r"(?:[€$£]|\b(?:EUR|Eur|USD|CHF|Fr\.))\s?\d[\d.,' ]{0,20}",
        r"\d[\d.,' \u00a0\u202f]{0,20}(?:€|\$|\b(?:EUR|[Ee]uros?|USD|dollars?|pesos|francs|Franken)\b)",
    )
)
"""What has digits and is never a phone number."""


def find_phones(text: str, region: str) -> Iterator[Hit]:
    """The phone numbers in a text. `region`: the country (ISO 3166) of numbers without `+`; "" for none."""
    if not _ROW.search(text):
        return
    plain = _without_others(text)
    if not _ROW.search(plain):
        return
    for hit in _over_two_lines(plain, region) if "\n" in plain else ():
        yield hit
        plain = plain[: hit.start] + "|" * (hit.end - hit.start) + plain[hit.end :]
    for found in _NUMBER.finditer(plain):
        if sum(map(str.isdecimal, found.group())) >= LEAST_DIGITS:
            yield from _phones_in(plain, *found.span(), region)


def _without_others(text: str) -> str:
    """The text with bars in place of what is never a phone number."""
    for shape in _NO_PHONES:
        text = shape.sub(lambda found: "|" * len(found.group()), text)
    return text


def _over_two_lines(text: str, region: str) -> Iterator[Hit]:
    """The phone numbers that the end of a line divides. Both parts together are valid, and neither is alone."""
    for found in _BREAK.finditer(text):
        begin, stop = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
        *_, before = [None, *_NUMBER.finditer(text, begin, found.start())]
        behind = _NUMBER.match(text, found.end(), stop if stop >= 0 else len(text))
        if before is None or behind is None or before.end() != found.start():
            continue
        start, end = before.start(), behind.end()
        alone = (before.group(), behind.group())
        is_whole = _exists(text[start:end], region) and not any(_exists(part, region) for part in alone)
        if is_whole and meaning_before(text[max(0, start - _LOOK_BACK) : start]) != "id":
            yield Hit(DataKind.PHONE, start, end)


def _exists(text: str, region: str) -> bool:
    """Whether a text is a valid number.

    With `+`, it is not enough here that the number is possible: its last digits may be on the next line.
    """
    if "+" in text[:2]:
        return _is_valid(f"+{_digits(text)}", None)
    return _is_phone(text, region, says_phone=False)


def _digits(text: str) -> str:
    """The digits of a number, without the zero of `+49 (0)171`, which nobody dials behind the code of a country."""
    if text[:1] in "+0(":
        text = text.replace("(0)", "", 1)
    return "".join(filter(str.isdecimal, text))


def _phones_in(text: str, start: int, end: int, region: str) -> Iterator[Hit]:
    """The phone numbers in a row of numbers. House numbers or times may stand between them."""
    meaning = meaning_before(text[max(0, start - _LOOK_BACK) : start])
    parts = [(found.start() + start, found.end() + start) for found in re.finditer(r"[^\s/]+", text[start:end])]
    if meaning == "id" or len(parts) > _MOST_PARTS:
        return
    first = 0
    while first < len(parts):
        says_phone = meaning == "phone" and first == 0
        for last in range(min(len(parts), first + _MOST_DIGITS) - 1, first - 1, -1):
            begin, stop = parts[first][0], parts[last][1]
            if _is_phone(text[begin:stop], region, says_phone=says_phone):
                yield Hit(DataKind.PHONE, *_trimmed(text, begin, stop))
                first = last
                break
        first += 1


def _trimmed(text: str, begin: int, stop: int) -> tuple[int, int]:
    """The span without signs at its ends."""
    while text[begin] in _SIGNS:
        begin += 1
    while text[stop - 1] in _SIGNS:
        stop -= 1
    return begin, stop


def _is_phone(text: str, region: str, *, says_phone: bool) -> bool:
    digits = _digits(text)
    if not LEAST_DIGITS <= len(digits) <= _MOST_DIGITS:
        return False
    if "+" in text[:2]:
        return says_phone or _has_country(f"+{digits}")
    if digits.startswith("00"):
        return says_phone or _is_valid(f"+{digits[2:]}", None)
    if says_phone:
        return True
    if not region or len(digits) < _LEAST_DIGITS_ALONE:
        return False
    return _has_national_form(text, digits, region) and _is_valid(digits, region)


def _has_national_form(text: str, digits: str, region: str) -> bool:
    """Whether a number is written as in its region: it begins with 0, or has a bracket.

    True for every number if the numbers of the region do not begin with 0.
    """
    return digits.startswith("0") or not _begins_with_zero(region) or "(" in text


@cache
def _begins_with_zero(region: str) -> bool:
    return phonenumbers.ndd_prefix_for_region(region, True) == "0"


def _has_country(number: str) -> bool:
    """Whether a number with `+` begins with the code of a country and is not too short.

    No id is written with `+`, so the number need not be valid: an older form of it is personal too.
    """
    try:
        reason = phonenumbers.is_possible_number_with_reason(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
    return reason != phonenumbers.ValidationResult.TOO_SHORT


def _is_valid(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def is_region(region: str) -> bool:
    """Whether phone numbers of a country (ISO 3166, such as `US`) are known."""
    return region in phonenumbers.SUPPORTED_REGIONS
