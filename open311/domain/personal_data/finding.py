"""Finds all kinds of personal data in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from open311.domain.personal_data.emails import AT_WORDS, find_emails
from open311.domain.personal_data.folding import Folded, fold
from open311.domain.personal_data.kinds import DataKind, Hit
from open311.domain.personal_data.payments import find_cards, find_ibans
from open311.domain.personal_data.phones import LEAST_DIGITS, find_phones

FINDERS_VERSION = 2
"""Increase it when the finders find more or less than before: then all publications are rendered again."""
_OTHERS = bytes(set(range(256)) - set(b"0123456789"))
_DIGIT = re.compile(r"\d")
_KINDS = bytes(ord("0") if chr(sign).isdecimal() else ord("a") if chr(sign).isalpha() else 0 for sign in range(128))
_KIND_OF = _KINDS + bytes(128)
"""For each sign of ASCII, `0` for a digit, `a` for a letter, and NUL for all others."""
_BETWEEN = b" \t\n\v\f\r\x1c\x1d\x1e\x1f()+./-"
"""What can divide the digits of a phone number or a card."""
_ROW = b"0" * LEAST_DIGITS
_IBAN = b"aa00"
"""How an IBAN begins: the code of a country, and two digits."""


def may_hold_any(texts: Iterable[str]) -> bool:
    """A cheap look at several texts at once. If it is False, no text has personal data, except perhaps plates.

    A control character divides the texts, and no finder looks across it.
    """
    text = "\0".join(texts)
    return _may_hold_any(text if text.isascii() else unicodedata.normalize("NFKC", text))


def _may_hold_any(text: str) -> bool:
    """A cheap first look: whether a text may have an e-mail address, or enough digits for another kind.

    The digits of an address, such as 448 E 839 STREET, are not in a row. Folding removes some signs between digits,
    so only texts that need no folding are looked at closer.
    """
    if "@" in text:
        return True
    if _count_digits(text) >= LEAST_DIGITS:
        if not text.isascii() or "\r" in text:
            return True
        signs = text.encode()  # translating all signs takes a fifth of the time of a search with a pattern
        if _ROW in signs.translate(_KIND_OF, _BETWEEN) or _IBAN in signs.translate(_KIND_OF):
            return True
    return ("(" in text or "[" in text) and any(word in text.casefold() for word in AT_WORDS)


def _count_digits(text: str) -> int:
    try:
        return len(text.encode("latin-1").translate(None, _OTHERS))
    except UnicodeEncodeError:
        return len(_DIGIT.findall(text))  # other scripts have digits of their own


def find_personal_data(text: str, *, region: str = "", plates: str = "") -> list[Hit]:
    """The personal data in a text, in their order. No two overlap.

    region  the country whose phone numbers are written without `+`, such as `US`; "" for none
    plates  a regular expression of licence plates; "" not to look for plates
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    if not plates and not _may_hold_any(plain):
        return []
    folded = fold(text)
    found: list[Hit] = []
    rest = folded.text
    for finder in _finders(rest, region, plates):
        if hits := list(finder(rest)):
            hits = _without_overlaps(hits)
            rest = _blanked(rest, hits)
            found += hits
    if not found:
        return []
    return list(_in_original(folded, sorted(found, key=lambda hit: hit.start)))


def _in_original(folded: Folded, hits: Iterable[Hit]) -> Iterator[Hit]:
    """The hits in the text as it was typed. One sign, such as `⒈`, can end one hit and begin the next one."""
    place = 0
    for hit in hits:
        start, end = folded.span(hit.start, hit.end)
        if end > place:
            yield Hit(hit.kind, max(start, place), end)
            place = end


def _finders(text: str, region: str, plates: str) -> Iterator[Callable[[str], Iterable[Hit]]]:
    """The finders that this text needs. A finder does not see what the finders before it have found."""
    if _may_hold_any(text):
        yield find_emails
        yield find_ibans
        yield find_cards
        yield lambda rest: find_phones(rest, region)
    if plates:
        yield lambda rest: (Hit(DataKind.PLATE, *found.span()) for found in _plates(plates).finditer(rest))


@cache
def _plates(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])")


def _without_overlaps(hits: Iterable[Hit]) -> list[Hit]:
    """The hits in their order. Of those that overlap, the first and longest stays."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
    return kept


def _blanked(text: str, hits: Iterable[Hit]) -> str:
    for hit in hits:
        text = text[: hit.start] + "|" * (hit.end - hit.start) + text[hit.end :]
    return text
