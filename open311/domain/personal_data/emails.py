"""Finds e-mail addresses, also those written with `(at)` or with blanks around the sign."""

from __future__ import annotations

import re
from collections.abc import Iterator

from open311.domain.personal_data.kinds import DataKind, Hit

AT_WORDS = ("(at)", "[at]", "(arroba)", "[arroba]")
"""Words in brackets that stand for the sign, in lower case."""

_LOCAL = r"(?<![\w.+%'-])[\w+%'-]+(?:\.[\w+%'-]+)*"
_ANY_LOCAL = r"(?:(?<![\w.+%'-])[\w.+%'-]+|\"[^\"@\n]{1,64}\")"
"""The part before the sign, also with dots where none may be, and in quotation marks (RFC 5321)."""
_DOT = r"(?:\.|\s?[\[(](?:dot|punkt|punto|point|ponto)[\])]\s?)"
_END = r"[^\W\d_]{2,24}[\w-]*"
"""The last part of a domain, also if a word follows without a blank, and in Punycode."""
_PLAIN = re.compile(rf"{_ANY_LOCAL}@(?:(?:[\w-]+\.)+{_END}|\[[\w:.]{{3,45}}\])")
_BRACKETS = re.compile(rf"{_LOCAL}\s?[\[(](?:at|arroba)[\])]\s?(?:[\w-]+{_DOT})+{_END}", re.IGNORECASE)
# Blanks may stand around the sign, so a sentence without a blank after its full stop can look like an address.
# Therefore only common endings and those of two letters count.
_BLANKS = re.compile(rf"{_LOCAL}\s?@\s?(?:[\w-]+\.)+(?:com|net|org|edu|info|[a-z]{{2}})(?![\w-])")


_MOST_BEFORE, _MOST_BEHIND = 70, 260
"""The greatest lengths of the two parts of an address, with some room (RFC 5321)."""


def find_emails(text: str) -> Iterator[Hit]:
    """The e-mail addresses in a text."""
    if "@" in text:
        start, end = max(0, text.index("@") - _MOST_BEFORE), text.rindex("@") + _MOST_BEHIND
        for shape in (_PLAIN, _BLANKS):
            yield from (Hit(DataKind.EMAIL, *found.span()) for found in shape.finditer(text, start, end))
    folded = text.casefold()
    if any(word in folded for word in AT_WORDS):
        yield from (Hit(DataKind.EMAIL, *found.span()) for found in _BRACKETS.finditer(text))
