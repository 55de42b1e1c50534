"""Marks of erased texts, by which an import recognises a text that was erased and leaves it out.

Updates of back offices are compared with the marks too. A mark is a digest of 12 bits. On average, one of 4096
sentences has the same mark, so nobody can read a text from its mark. The price is that one of 4096 new sentences is
left out by mistake; the report of an import counts them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from typing import Any

from open311.domain.attributes import Answer

_MARK_DIGITS = 3
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?;:]+\s+|\n+")
_LEAST_WORDS = 3
"""A shorter part of a text, such as `Case closed.`, is only recognised if it is the whole text."""


def marks_of(values: Iterable[Any], salt: str) -> tuple[str, ...]:
    """The marks of texts, addresses or answers: one of each whole value, and one of each longer sentence of a text.

    salt  makes the marks of one request useless for others
    """
    return tuple(sorted({_mark(part, salt) for value in values for part in _parts(value)}))


def holds_erased(value: Any, marks: Collection[str], salt: str) -> bool:
    """Whether a value, or a part of the value, has one of these marks."""
    return any(mark in marks for mark in marks_of([value], salt))


def _parts(value: Any) -> Iterator[str]:
    if isinstance(value, tuple):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, Answer):
        yield from (f"{value.code} {_plain(text)}" for text in value.values)
    elif plain := _plain(value):
        yield plain
        yield from filter(_is_long, map(_plain, _SENTENCE_END.split(value)))


def _plain(text: str) -> str:
    """The words of a text in lower case, without the signs between them."""
    return " ".join(_WORD.findall(text.casefold()))


def _is_long(sentence: str) -> bool:
    return sentence.count(" ") + 1 >= _LEAST_WORDS


def _mark(text: str, salt: str) -> str:
    return blake2b(text.encode(), key=salt.encode()[:64]).hexdigest()[:_MARK_DIGITS]
