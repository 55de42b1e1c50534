"""The result of a statement. Values stay in PostgreSQL's binary form until a method decodes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

from psycopg.abc import Transformer
from psycopg.pq import Format
from psycopg.pq.abc import PGresult

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL's binary form of a timestamptz is a bigint: microseconds since this instant."""


class Result:
    """The rows of a result. They can be read by column or as tuples.

    The binary form of a text is UTF-8. The binary form of a bigint is eight bytes, the most significant first. Most
    texts are sent to clients as the same bytes, so they are never decoded.
    """

    __slots__ = ("_found", "_transformer")

    def __init__(self, found: PGresult, transformer: Transformer) -> None:
        """`transformer` is the transformer of the connection. It decodes bytes into Python values."""
        self._found = found
        self._transformer = transformer

    def __len__(self) -> int:
        return self._found.ntuples

    def texts(self, column: int) -> list[bytes]:
        """The values of a text column without NULLs, as UTF-8."""
        return list(self._bytes(column))

    def binaries(self, column: int) -> list[bytes]:
        """The values of a column without NULLs, in PostgreSQL's binary form."""
        return list(self._bytes(column))

    def combined(self, column: int) -> int:
        """The bitwise XOR of a bigint column without NULLs, like PostgreSQL's bit_xor; 0 for no rows.

        All values are joined to one long number. Its upper half is XORed with its lower half, repeatedly, until
        eight bytes are left. This takes half as long as a loop over the values.
        """
        folded, count = int.from_bytes(b"".join(self._bytes(column))), len(self)
        while count > 1:
            count = (count + 1) // 2
            folded = (folded >> 64 * count) ^ (folded & ((1 << 64 * count) - 1))
        return folded - (folded >> 63 << 64)

    def number(self, column: int, row: int) -> int:
        """One value of a bigint column."""
        return int.from_bytes(self._found.get_value(row, column) or b"", "big", signed=True)

    def instant(self, column: int, row: int) -> datetime:
        """One value of a timestamptz column that is not infinite."""
        return _EPOCH + timedelta(microseconds=self.number(column, row))

    def values(self, column: int) -> list[Any]:
        """The values of a column, decoded."""
        load = self._transformer.get_loader(self._found.ftype(column), Format.BINARY).load
        return [None if value is None else load(value) for value in self._bytes(column)]

    def rows(self) -> list[tuple[Any, ...]]:
        """All rows as Python values."""
        self._transformer.set_pgresult(self._found)
        rows = self._transformer.load_rows(0, len(self), tuple)
        self._transformer.set_pgresult(None)  # otherwise the transformer would keep the result in memory
        return rows

    def _bytes(self, column: int) -> Iterator[Any]:
        # `map` loops in C. For a thousand rows, a loop in Python would take most of the time.
        return map(self._found.get_value, range(len(self)), repeat(column))
