"""Compiled statements.

A statement is compiled only once, because the compilation by SQLAlchemy takes longer than the run in PostgreSQL.
"""

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

    text      the SQL with `%(name)s` for each parameter, for psycopg2
    numbered  the SQL with `$1`, `$2`, … for the parameters, for PostgreSQL
    names     the parameters' names, in the order of their numbers
    name      the name of the prepared statement: a hash of the text, because PostgreSQL cuts names after 63 bytes.
              Empty if the best plan depends on the values, because such a statement must not be prepared
    """

    text: str
    name: bytes
    numbered: bytes
    names: tuple[str, ...]

    @classmethod
    def of(cls, query: ClauseElement, *, is_prepared: bool = False) -> Self:
        """Compile a query without values for its parameters.

        is_prepared  whether each connection prepares the statement, so that PostgreSQL can use a generic plan
        """
        text = str(query.compile(dialect=_DIALECT))
        numbers: dict[str, str] = {}
        for parameter in _PLACEHOLDER.findall(text):
            numbers.setdefault(parameter, f"${len(numbers) + 1}")
        numbered = _PLACEHOLDER.sub(lambda match: numbers[match[1]], text).replace("%%", "%")
        name = blake2b(text.encode(), digest_size=16).hexdigest() if is_prepared else ""
        return cls(text, name.encode(), numbered.encode(), tuple(numbers))
