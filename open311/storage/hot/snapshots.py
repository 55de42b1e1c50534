"""Long reads: everything that a search finds, as it is at one moment, in batches of a fixed size."""

from __future__ import annotations

from collections.abc import Iterator

from open311.domain.search import RequestSearch
from open311.storage.hot.connections import HotConnections
from open311.storage.hot.results import Result
from open311.storage.hot.searching import whole_digest_query, whole_query
from open311.storage.hot.sessions import Session

FETCH_ROWS = 500
_CURSOR = "DECLARE snapshot NO SCROLL CURSOR FOR "
_NEXT = f"FETCH {FETCH_ROWS} FROM snapshot"


class Snapshot:
    """What is public at one moment, whatever is written later. It has its own connection; close it.

    Rows come from a cursor on the server, a batch at a time. Closing the connection ends the query.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def digest(self, search: RequestSearch) -> tuple[int, int]:
        """How many requests a search finds, and their digests combined, which change when any of them does."""
        if search.is_void:
            return 0, 0
        [(count, digest)] = self._session.run(*whole_digest_query(search)).rows()
        return count, digest or 0

    def items(self, search: RequestSearch) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Everything that a search finds, in its order: the JSON of each item, and its extras as fields to add."""
        for found in self._batches(search, as_bulk_csv=False):
            yield found.texts(0), found.texts(1)

    def bulk_csv_lines(self, search: RequestSearch) -> Iterator[list[bytes]]:
        """The same as lines of GeoReport Bulk."""
        for found in self._batches(search, as_bulk_csv=True):
            yield found.texts(0)

    def _batches(self, search: RequestSearch, *, as_bulk_csv: bool) -> Iterator[Result]:
        if search.is_void:
            return
        self._session.run(*whole_query(search, as_bulk_csv=as_bulk_csv), before=_CURSOR)
        while found := self._session.command(_NEXT):
            yield found

    def close(self) -> None:
        """Give the connection back; a second time does nothing."""
        self._session.close()


def open_snapshot(hot: HotConnections, *, idle_limit_s: int = 0) -> Snapshot:
    """A snapshot of the present. Raises Unavailable.

    idle_limit_s  the database closes the connection after this time without a query, because an open snapshot keeps
                  it from removing dead rows; 0 for never
    """
    session = hot.session()
    try:
        session.command(f"SET idle_in_transaction_session_timeout = {idle_limit_s * 1000}")
        session.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    except BaseException:
        session.close()
        raise
    return Snapshot(session)
