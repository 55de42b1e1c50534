"""Queries compiled once: SQLAlchemy takes longer to put a statement together than PostgreSQL to answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

from sqlalchemy.dialects.postgresql import psycopg2 as dialect
from sqlalchemy.sql import ClauseElement

_DIALECT = dialect.dialect()  # type: ignore[no-untyped-call]
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled query with named parameters.

    text      with `%(name)s` for each parameter, as psycopg2 wants it
    numbered  with `$1`, `$2`, … instead, as PostgreSQL wants it
    names     of the parameters, in the order of their numbers
    name      of the prepared statement, a hash of the text because PostgreSQL cuts names off after 63 bytes; empty
              where the best plan depends on the values
    """

    text: str
    name: bytes
    numbered: bytes
    names: tuple[str, ...]

    @classmethod
    def of(cls, query: ClauseElement, *, is_prepared: bool = False) -> Self:
        """Compile a query; its values are given when it is run.

        is_prepared  whether each connection prepares it once and PostgreSQL may keep its plan
        """
        text = str(query.compile(dialect=_DIALECT))
        numbers: dict[str, str] = {}
        for parameter in _PLACEHOLDER.findall(text):
            numbers.setdefault(parameter, f"${len(numbers) + 1}")
        numbered = _PLACEHOLDER.sub(lambda match: numbers[match[1]], text).replace("%%", "%")
        name = blake2b(text.encode(), digest_size=16).hexdigest() if is_prepared else ""
        return cls(text, name.encode(), numbered.encode(), tuple(numbers))
