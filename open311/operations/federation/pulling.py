"""Pull the public requests of neighbours, to show them in our lists (decision 0031).

They are stored like imported requests, with the source `remote` and the ids `NAME-ID`. They have no department and
are never delivered. When the neighbour changes or withdraws a request, our copy is changed or withdrawn. A request
that was here before, or that has come from another neighbour, is not stored again. The only exception is a
neighbour's own request, which replaces the copy of another neighbour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from open311.domain.events import VisibilityChanged
from open311.domain.imports import REMOTE_SOURCE, Refusal, SourceRow
from open311.domain.origins import Origin, hop, id_at, read
from open311.domain.remotes import OWN_IDS, PULL_EVERY, PullState, Remote
from open311.domain.requests import Visibility
from open311.errors import Invalid, Open311Error, Unavailable
from open311.federation.client import GeoReportClient, GeoReportError, Refused, ServiceRequest
from open311.observe import logger
from open311.operations.delivery.planning import actor_of
from open311.operations.delivery.sending import Clock
from open311.operations.federation.joining import join_remotes
from open311.operations.federation.looking import open_client
from open311.operations.importing.matching import MatchedRow, Matcher
from open311.operations.importing.storing import BatchWriter
from open311.operations.platform import Platform
from open311.operations.publishing import names_for, publish_requests
from open311.operations.workflow.apply import change_requests, load_request
from open311.plugins import Jurisdiction
from open311.storage import external_ids, history, origins, remotes, requests
from open311.storage.engine import Connection, undeadlocked
from open311.storage.hot.transactions import within
from open311.storage.remotes import Key
from schemas.values import format_instant

log = logger(__name__)

WINDOW = timedelta(days=90)
"""A pull of all requests reads those of this time. A pull of changes also reads older ones that have changed."""
OVERLAP = timedelta(minutes=10)
WHOLE_EVERY = timedelta(hours=6)
LEASE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=6)
BATCH_ROWS = 500
MOST_REQUESTS = 50_000
MOST_ASKED = 200
"""How many requests that are missing in the neighbour's list one pull asks for, one by one."""
_FEED_ROWS = 1_000
_MOST_CAUSES = 5
FORESEEN = (GeoReportError, Open311Error)


class _Stopped(Exception):
    """The worker ends, so the pull ends before its time."""


@dataclass
class Pulled:
    """The result of a pull.

    refused  requests that cannot be read or stored, with the reasons. Those that cannot be read have no id
    is_cut   whether the neighbour has too many requests, so that the oldest were left out
    cause    why the pull failed; "" if it did not
    """

    new: int = 0
    changed: int = 0
    withdrawn: int = 0
    known: int = 0
    refused: tuple[Refusal, ...] = ()
    is_cut: bool = False
    cause: str = ""

    def left_out(self) -> Counter[str]:
        """How many requests were left out, by the cause. A cause has no value of a request."""
        return Counter(_cause_of(refusal) for refusal in self.refused)


def _cause_of(refusal: Refusal) -> str:
    """Why a request is left out: the field that cannot be used, or what cannot be read."""
    field, _, rest = refusal.reason.partition(": ")
    return f"{field} cannot be used" if rest else field


def due_neighbours(platform: Platform, now: datetime) -> list[Key]:
    """The neighbours whose requests must be read now."""
    with platform.database.reading() as connection:
        join_remotes(platform, connection)
        return remotes.due_pulls(connection, now)


def pull_all(platform: Platform, clock: Clock) -> Iterator[Pulled]:
    """Pull from all neighbours that are due."""
    for key in due_neighbours(platform, clock()):
        if (result := pull_due(platform, key, clock)) is not None:
            yield result


def never() -> bool:
    """Return False: the default of `is_stopping`, for a pull that nothing interrupts."""
    return False


def pull_due(
    platform: Platform, key: Key, clock: Clock, *, is_stopping: Callable[[], bool] = never
) -> Pulled | None:
    """Pull from a neighbour. Returns None if it is not due, or if another process reads it.

    is_stopping  whether the pull must end after its present call. The next pull begins again
    """
    return _pull(platform, key, clock, is_due=True, is_whole=False, is_stopping=is_stopping)


def pull(platform: Platform, key: Key, clock: Clock, *, is_whole: bool = False) -> Pulled | None:
    """Pull from a neighbour now. Returns None if its requests are not pulled, or if another process reads them.

    is_whole  whether all requests of the window are compared, and not only those that have changed
    """
    return _pull(platform, key, clock, is_due=False, is_whole=is_whole, is_stopping=never)


def _pull(
    platform: Platform,
    key: Key,
    clock: Clock,
    *,
    is_due: bool,
    is_whole: bool,
    is_stopping: Callable[[], bool],
) -> Pulled | None:
    """Read the neighbour's requests, and store what has changed. After a failure, a later pull tries again."""
    now, result = clock(), Pulled()
    with platform.database.transaction() as connection:
        state = remotes.claim_pull(connection, key, now, until=now + LEASE, is_due=is_due)
        one = remotes.load(connection, key) if state else None
    if state is None or one is None:
        return None
    city = platform.registry.get(key[0])
    if city is None:
        _note(platform, key, replace(state, due_at=now + LONGEST_PAUSE))
        return None
    try:
        with open_client(one, proxy=platform.settings.proxy) as client:
            pulling = _Pull(platform, city, one, client, clock, result, is_stopping)
            asked = pulling.run(state, is_whole=is_whole)
            result.refused += tuple(Refusal(0, "", each.reason) for each in client.unread)
    except _Stopped:
        _note(platform, key, replace(state, due_at=now))
        return result
    except Unavailable:
        raise
    except Exception as error:  # such as a request that cannot be stored
        result.cause = _cause(error)
        failures = state.failures + 1
        pause = min(PULL_EVERY * 2 ** min(failures, 10), LONGEST_PAUSE)
        _note(platform, key, replace(state, failures=failures, cause=result.cause, due_at=clock() + pause))
        what = {"city": key[0], "neighbour": key[1], "cause": result.cause}
        log.warning("a neighbour cannot be read", exc_info=not isinstance(error, FORESEEN), **what)
        return result
    _log_left_out(key, result)
    cause = _faults(key, result) or ("" if pulling.was_whole or state.failures else state.cause)
    _note(platform, key, PullState(until=now, at=now, due_at=now + PULL_EVERY, asked=asked, cause=cause))
    return result


def _log_left_out(key: Key, result: Pulled) -> None:
    for cause, count in result.left_out().most_common():
        log.warning(
            "requests of a neighbour are left out", city=key[0], neighbour=key[1], cause=cause, requests=count
        )


def _faults(key: Key, result: Pulled) -> str:
    """What a finished pull has left out, as a sentence; "" if all is shown."""
    faults = [f"more than {MOST_REQUESTS} requests; the oldest are left out"] if result.is_cut else []
    if result.refused:
        count = f"{len(result.refused)} {'request is' if len(result.refused) == 1 else 'requests are'} left out"
        causes = ", ".join(f"{cause} ({each})" for cause, each in result.left_out().most_common(_MOST_CAUSES))
        faults.append(f"{count}: {causes}; `open311 federate sync {key[1]}` shows each")
    return ". ".join(faults)


def _cause(error: Exception) -> str:
    """Why a pull failed, for the operator. The text of an unforeseen error stays in the log."""
    return str(error)[:300] if isinstance(error, FORESEEN) else f"{type(error).__name__}; the log has it"


def _note(platform: Platform, key: Key, state: PullState) -> None:
    with platform.database.transaction() as connection:
        remotes.save_pull(connection, key, state)


class _Pull:
    """One pull from one neighbour.

    was_whole  whether `run` has compared all requests of the window
    """

    def __init__(
        self,
        platform: Platform,
        city: Jurisdiction,
        one: Remote,
        client: GeoReportClient,
        clock: Clock,
        result: Pulled,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._platform, self._city, self._one, self._client = platform, city, one, client
        self._clock, self._result, self._is_stopping = clock, result, is_stopping
        self._now = self._leased_at = clock()
        self._matcher = Matcher(city, source=REMOTE_SOURCE)
        self._key, self._actor = (city.id, one.name), actor_of(one.name)
        self.was_whole = False

    def run(self, state: PullState, *, is_whole: bool) -> str:
        """Read the neighbour's requests and store the changes. Returns the next `PullState.asked`.

        Raises GeoReportError if the neighbour cannot be read.
        """
        lists_changes = OWN_IDS in self._one.abilities
        is_whole = is_whole or not lists_changes or state.until is None or _is_new_turn(state.until, self._now)
        if state.until is not None and lists_changes:
            since = state.until - OVERLAP
            is_whole = not self._withdraw_by_feed(since) or is_whole
        filters = {"extensions": "true"} if lists_changes else {}
        self.was_whole = is_whole
        if is_whole:
            start = self._now - WINDOW
            seen = self._store_all(self._client.requests(start_date=start, end_date=self._now, filters=filters))
            return self._withdraw_missing(seen, start, state.asked)
        assert state.until is not None
        filters["updated_after"] = format_instant(state.until - OVERLAP)
        self._store_all(self._client.requests(filters=filters))
        return state.asked

    def _go_on(self) -> None:
        """End the pull if the worker ends; otherwise keep the lease. Called for each request that is read."""
        if self._is_stopping():
            raise _Stopped
        now = self._clock()
        if now - self._leased_at > LEASE / 3:
            self._leased_at = now
            with self._platform.database.transaction() as connection:
                remotes.extend_lease(connection, self._key, now + LEASE)

    def _store_all(self, found: Iterable[ServiceRequest]) -> set[str]:
        """Store requests in batches. Returns the ids of all that were read."""
        seen: set[str] = set()
        batch: list[ServiceRequest] = []
        for one in found:
            self._go_on()
            if not one.service_request_id or one.service_request_id in seen:
                continue
            seen.add(one.service_request_id)
            batch.append(one)
            if len(batch) >= BATCH_ROWS:
                self._store(batch)
                batch = []
            if len(seen) >= MOST_REQUESTS:
                self._result.is_cut = True
                log.warning("a neighbour has too many requests; the oldest are left out", neighbour=self._one.name)
                break
        self._store(batch)
        return seen

    def _store(self, found: Sequence[ServiceRequest]) -> None:
        known, refused = self._result.known, self._result.refused

        def store() -> BatchWriter:
            self._result.known, self._result.refused = known, refused
            return self._write(found)

        writer = undeadlocked(store)
        self._result.new += writer.new
        self._result.changed += writer.changed
        self._result.refused += tuple(writer.refusals)

    def _write(self, found: Sequence[ServiceRequest]) -> BatchWriter:
        """Store requests in one transaction. Returns the writer, which has the results."""
        rows: list[MatchedRow] = []
        ways: dict[str, tuple[ServiceRequest, Origin]] = {}
        with self._platform.database.transaction() as connection:
            for one in found:
                origin = self._origin(connection, one)
                if origin is None:
                    self._result.known += 1
                elif (row := self._matched(one)) is not None:
                    rows.append(row)
                    ways[row.id] = (one, origin)
            writer = BatchWriter(
                self._platform, connection, self._matcher.areas, origin=f"neighbour {self._one.name}", now=self._now
            )
            writer.write(rows)
            self._link(connection, ways)
        return writer

    def _matched(self, one: ServiceRequest) -> MatchedRow | None:
        try:
            return self._matcher.match(source_row(one, self._one), self._now)
        except Invalid as error:
            refusal = Refusal(0, self._one.id_here(one.service_request_id), str(error), 0)
            self._result.refused += (refusal,)
            return None

    def _origin(self, connection: Connection, one: ServiceRequest) -> Origin | None:
        """Where a request of the neighbour comes from; None if the request is already here by another way."""
        run, remote_id = within(connection), one.service_request_id
        via = via_of(one)
        if id_at(via, origins.federation_id(run, self._city.id)):
            return None
        way = (*via, hop(self._one.federation_id, remote_id))
        origins.lock(run, way[0])
        linked = external_ids.number_of(connection, self._city.id, self._one.name, remote_id)
        if linked:
            record = requests.load_record(connection, self._city.id, number=linked, is_locked=False)
            if record is None or record.source != REMOTE_SOURCE:
                return None
        if origins.find(run, self._city.id, way) or not self._is_first_hand(connection, way, linked):
            self._withdraw_double(connection, linked)
            return None
        return Origin(way, f"{self._one.url}/requests/{remote_id}.json{self._query()}")

    def _is_first_hand(self, connection: Connection, way: tuple[str, ...], linked: int) -> bool:
        """Whether the request is shown as this neighbour has it. If so, withdraw the copies of other neighbours.

        A neighbour may name any request of others in its `via`. So a copy that says that it was at this neighbour
        gives way to the neighbour's own request, unless this neighbour in turn says that it was at the other one.
        If a person here has withdrawn a copy, that decision stays: the neighbour's own request is not shown either.

        way     the hops of the request; the last is that of this neighbour
        linked  the number of the request here; 0 if it is new
        """
        run = within(connection)
        copies = origins.find_copies(run, self._city.id, way)
        copies.pop(linked, None)
        if not all(way[-1] in hops[:-1] and hops[-1] not in way for hops in copies.values()):
            return False
        records = requests.load_numbers(connection, self._city.id, sorted(copies))
        hidden = {number for number, record in records.items() if record.visibility is not Visibility.PUBLIC}
        if hidden - set(self._withdrawn_by_neighbours(connection, sorted(hidden))):
            return False
        for number in records.keys() - hidden:
            self._show(connection, number, Visibility.WITHDRAWN)
        return True

    def _query(self) -> str:
        name = self._one.remote_jurisdiction
        return f"?jurisdiction_id={name}" if name else ""

    def _link(self, connection: Connection, ways: dict[str, tuple[ServiceRequest, Origin]]) -> None:
        """Store both ids and the origin of each new request, and render it with its origin."""
        stored = requests.load_records(connection, self._city.id, sorted(ways))
        known = origins.load(connection, self._city.id, [record.number for record in stored.values()])
        new = [record for record in stored.values() if record.number not in known]
        for record in new:
            one, origin = ways[record.service_request_id]
            origins.add(within(connection), self._city.id, record.number, origin)
            external_ids.add(connection, *self._key, one.service_request_id, number=record.number, at=self._now)
        publish_requests(connection, new, names_for(connection, self._city))
        hidden = [record.number for record in stored.values() if record.visibility is Visibility.WITHDRAWN]
        for number, actor in self._withdrawn_by(connection, hidden):
            if actor == self._actor:  # the neighbour shows it again
                self._show(connection, number, Visibility.PUBLIC)

    def _withdrawn_by_neighbours(self, connection: Connection, numbers: Sequence[int]) -> Iterator[int]:
        """The numbers of the given requests that are hidden because a neighbour has withdrawn them."""
        neighbours = actor_of("")
        return (number for number, actor in self._withdrawn_by(connection, numbers) if actor.startswith(neighbours))

    def _withdrawn_by(self, connection: Connection, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Those of the requests whose visibility has changed, with the actor of the last change."""
        for number, events in history.load_histories(connection, self._city.id, numbers).items():
            changes = [event for event in events if isinstance(event, VisibilityChanged)]
            if changes:
                yield number, changes[-1].actor

    # --- Withdrawing

    def _withdraw_by_feed(self, since: datetime) -> bool:
        """Withdraw the requests that are withdrawn in the neighbour's change feed.

        Returns False if the feed is too long to be read whole.
        """
        query = {"since": format_instant(since), "page_size": str(_FEED_ROWS)}
        feed = self._client.read("changes", query)
        items = [one for one in feed if isinstance(one, dict)] if isinstance(feed, list) else []
        gone = {str(one.get("service_request_id")) for one in items if one.get("withdrawn") in (True, "true")}
        with self._platform.database.transaction() as connection:
            known = remotes.copies(connection, self._key) if gone else {}
            for remote_id in gone & known.keys():
                self._show(connection, known[remote_id], Visibility.WITHDRAWN)
        return len(items) < _FEED_ROWS

    def _withdraw_missing(self, seen: set[str], since: datetime, asked: str) -> str:
        """Withdraw the requests that the neighbour does not have any more, after asking for each of them.

        asked  begin after this id, because the last pull has asked for the ids up to it
        Returns the id at which the next pull continues; "" if this pull has asked for all.
        """
        with self._platform.database.reading() as connection:
            known = remotes.copies(connection, self._key, since=since)
        missing = sorted(known.keys() - seen)
        wanted = sorted(missing, key=lambda remote_id: remote_id <= asked)[:MOST_ASKED]
        for remote_id in wanted:
            self._go_on()
            if self._is_gone(remote_id):
                with self._platform.database.transaction() as connection:
                    self._show(connection, known[remote_id], Visibility.WITHDRAWN)
        return wanted[-1] if len(missing) > len(wanted) else ""

    def _is_gone(self, remote_id: str) -> bool:
        """Whether the neighbour says that it has no such request.

        Raises GeoReportError if the neighbour as a whole does not answer. Another refusal is about this id only.
        """
        try:
            self._client.request(remote_id)
        except Refused as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise
            return error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        return False

    def _withdraw_double(self, connection: Connection, number: int) -> None:
        """Withdraw our copy of a request that has meanwhile come here by another way."""
        if number:
            self._show(connection, number, Visibility.WITHDRAWN)

    def _show(self, connection: Connection, number: int, wanted: Visibility) -> None:
        record = load_request(connection, self._city, number)
        if record.visibility is wanted or record.source != REMOTE_SOURCE:
            return
        event = VisibilityChanged(at=self._now, actor=self._actor, old=record.visibility, new=wanted.value)
        change_requests(connection, [(record, [event])], names_for(connection, self._city))
        self._result.withdrawn += wanted is Visibility.WITHDRAWN


def via_of(one: ServiceRequest) -> tuple[str, ...]:
    """The hops of a request as the neighbour shows them; empty if they cannot be read."""
    extended: Any = one.extra.get("extended_attributes")
    text = extended.get("via") if isinstance(extended, dict) else None
    try:
        return read(text) if isinstance(text, str) else ()
    except ValueError:
        return ()


def source_row(one: ServiceRequest, remote: Remote) -> SourceRow:
    """A neighbour's request as a row of an import, with our id and our service code."""
    return SourceRow(
        position=0,
        service_request_id=remote.id_here(one.service_request_id),
        service_codes=(remote.code_here(one.service_code),) if one.service_code else (),
        service_name=one.service_name,
        status=one.status,
        status_notes=one.status_notes,
        description=one.description,
        agency=one.agency_responsible or remote.title,
        requested=_text(one.requested_datetime),
        updated=_text(one.updated_datetime),
        expected=_text(one.expected_datetime),
        address=one.address,
        address_id=one.address_id,
        zipcode=one.zipcode,
        lat="" if one.lat is None else repr(one.lat),
        long="" if one.long is None else repr(one.long),
        media=one.media_url,
    )


def _text(moment: datetime | None) -> str:
    return format_instant(moment) if moment else ""


def _is_new_turn(before: datetime, now: datetime) -> bool:
    """Whether it is time to compare all requests: the clock has passed a multiple of WHOLE_EVERY."""
    return before.timestamp() // WHOLE_EVERY.total_seconds() != now.timestamp() // WHOLE_EVERY.total_seconds()
