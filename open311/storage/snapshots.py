"""Long reads: everything that a search finds, as it is at one moment, in batches that fit into any memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import extensions
from psycopg2.errors import QueryCanceled, UndefinedTable

from open311.domain.search import RequestSearch
from open311.errors import Unavailable
from open311.storage.direct import DOWN, Direct, Refused
from open311.storage.search import whole_digest_query, whole_query

BATCH_ROWS = 500


class Snapshot:
    """What is public at one moment, whatever is written meanwhile. Has a connection of its own; close it.

    Rows come from a cursor on the server, which holds no more of them than the reader asked for. A reader that
    goes away closes the connection, and with it ends the query.
    """

    def __init__(self, connection: extensions.connection) -> None:
        self._connection = connection

    def digest(self, search: RequestSearch) -> tuple[int, int]:
        """How many requests a search finds, and their digests combined: changes just when one of them does."""
        if search.is_void:
            return 0, 0
        with _clear_words(), self._connection.cursor() as cursor:
            cursor.execute(*whole_digest_query(search))
            count, digest = cursor.fetchone()
            return count, digest or 0

    def batches(self, search: RequestSearch, *, with_extras: bool) -> Iterator[list[tuple[str, ...]]]:
        """All that a search finds, in its order: the JSON of each item, and its extras as fields to add."""
        if search.is_void:
            return
        cursor = self._connection.cursor("snapshot")  # ends with the connection
        with _clear_words():
            cursor.execute(*whole_query(search, with_extras=with_extras))
        while found := self._fetch(cursor):
            yield found

    def _fetch(self, cursor: extensions.cursor) -> list[tuple[str, ...]]:
        with _clear_words():
            found: list[tuple[str, ...]] = cursor.fetchmany(BATCH_ROWS)
            return found

    def close(self) -> None:
        """Give the connection back; a second time does nothing."""
        self._connection.close()


def open_snapshot(direct: Direct, *, idle_limit_s: int = 0) -> Snapshot:
    """The state of this moment. Raises Unavailable.

    idle_limit_s  after how long without a question the database hangs up, so that a reader who has fallen
                  asleep does not keep it from cleaning up; 0 for never
    """
    connection = direct.connect()
    try:
        with _clear_words():
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('idle_in_transaction_session_timeout', %s, false)", [_ms(idle_limit_s)]
                )
    except Unavailable:
        connection.close()
        raise
    return Snapshot(connection)


def _ms(seconds: int) -> str:
    return str(seconds * 1000)


@contextmanager
def _clear_words() -> Iterator[None]:
    """Unavailable for a database that is gone or too slow, Refused for all else."""
    try:
        yield
    except (psycopg2.OperationalError, psycopg2.InterfaceError, QueryCanceled, UndefinedTable) as error:
        raise Unavailable(DOWN) from error
    except psycopg2.Error as error:
        raise Refused.of(error, "a snapshot") from None
