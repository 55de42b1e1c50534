"""Long reads. They fetch all requests of a search in batches from one snapshot of the database."""

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
    """All publications in one snapshot of the database. It has its own connection, which the caller must close.

    A server-side cursor returns the rows in batches. Closing the connection ends the query.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def digest(self, search: RequestSearch) -> tuple[int, int]:
        """The number of requests that a search finds, and their combined digest."""
        if search.is_void:
            return 0, 0
        [(count, digest)] = self._session.run(*whole_digest_query(search)).rows()
        return count, digest or 0

    def items(self, search: RequestSearch) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """All requests of a search, in order, in batches: the JSON of each item, and its extras."""
        for found in self._batches(search, as_bulk_csv=False):
            yield found.texts(0), found.texts(1)

    def bulk_csv_lines(self, search: RequestSearch) -> Iterator[list[bytes]]:
        """All requests of a search, in order, in batches: the line of each item in GeoReport Bulk's CSV."""
        for found in self._batches(search, as_bulk_csv=True):
            yield found.texts(0)

    def _batches(self, search: RequestSearch, *, as_bulk_csv: bool) -> Iterator[Result]:
        if search.is_void:
            return
        self._session.run(*whole_query(search, as_bulk_csv=as_bulk_csv), before=_CURSOR)
        while found := self._session.command(_NEXT):
            yield found

    def close(self) -> None:
        """Close the connection. Calling it twice is harmless."""
        self._session.close()


def open_snapshot(hot: HotConnections, *, idle_limit_s: int = 0) -> Snapshot:
    """Take a snapshot of the database. Raises Unavailable.

    idle_limit_s  after this time without a query, the database closes the connection; 0 for no limit. A limit is
                  useful because an open snapshot prevents VACUUM from removing dead rows
    """
    session = hot.session()
    try:
        session.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.command(f"SET LOCAL idle_in_transaction_session_timeout = {idle_limit_s * 1000}")
    except BaseException:
        session.close()
        raise
    return Snapshot(session)
