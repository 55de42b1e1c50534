"""Send deliveries. A delivery is claimed, sent and settled.

A claim is committed before the back end is called, and the result is committed afterwards. If the worker dies in
between, the lease of the claim ends, and the delivery counts as sent without an answer. It is then sent again only
if the back office can be asked first, or ignores a repeated call; otherwise, a person decides. No transaction is
open while a back end is called.

New deliveries are claimed and settled together, if the back office can be asked or ignores a repeated call, and if
it works. All other deliveries are claimed alone, so that a lost answer leaves only one uncertain delivery.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event

from open311.clock import utc_now
from open311.domain.case import Case, CaseUpdate
from open311.domain.deliveries import (
    ELSEWHERE,
    LOST,
    Circuit,
    Delivery,
    DeliveryState,
    Subject,
    parked,
    settled,
)
from open311.domain.remotes import PULL_EVERY
from open311.domain.requests import RequestRecord
from open311.domain.results import Accepted, Defer, Failed, Partial, Rejected, Result, Retry, Skip, sound
from open311.errors import Misconfigured, Unavailable
from open311.observe import logger
from open311.operations.delivery.cases import Ways, load_case, load_update
from open311.operations.delivery.linking import link_cases
from open311.operations.delivery.opening import open_for
from open311.operations.delivery.planning import KEPT_HERE, wanted_by
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.operations.publishing import Names, names_for
from open311.plugins import BackendConfig, Jurisdiction
from open311.plugins.backends import Backend, masked
from open311.plugins.context import CallFailed
from open311.storage import deliveries, external_ids, remote_updates, remotes, requests
from open311.storage.deliveries import Place
from open311.storage.engine import Connection, undeadlocked

log = logger(__name__)

LEASE_MARGIN_S = 60
"""The lease of a delivery is this much longer than the deadline: the database may be slow, and other deliveries
that were claimed together with it are sent first."""
AT_ONCE = 20
"""The most deliveries that are claimed together."""
FAST_S, LONGEST_S = 0.2, 0.5
"""Time limits for deliveries that were claimed together. If they took less than FAST_S, twice as many are claimed
next, otherwise half as many. After LONGEST_S, the deliveries that are not sent yet become free again. So a slow
back office gets few calls at a time, and a request that is hidden meanwhile is not sent."""
SUCCESS_NOTED_S = 10
"""The time of a success is stored only if the stored time is older than this, so that few deliveries write it."""

COUNTED_S = 10
"""How often the number of deliveries that have arrived is stored, so that few deliveries write it."""

KEPT_FOR = timedelta(days=1)
"""How long a delivery waits if others may not see its request now. Then the delivery is tried again."""
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this worker may send.

    before       the delivery before the claim
    lease        when the claim ends. It is also the `due_at` of the stored delivery as long as the claim holds
    can_recover  whether the back office can be asked about a lost answer, or ignores a repeated call
    is_lost      whether the worker before this one has died while it was sending
    """

    before: Delivery
    lease: datetime
    can_recover: bool
    is_lost: bool


@dataclass(frozen=True, slots=True)
class Load:
    """A claimed delivery, with what must be sent.

    before        the delivery before the claim
    update        None if the case itself is sent
    obstacle      the result, if nothing can be sent, for example because the request is hidden; None to send
    unless_found  the result if the request may not be sent now and the back office does not have it already; None
                  to send
    """

    before: Delivery
    case: Case | None = None
    update: CaseUpdate | None = None
    obstacle: Result | None = None
    unless_found: Defer | Skip | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a try. `pause_s`: the next try begins this many seconds later at the earliest."""

    result: Result
    pause_s: float = 0.0


class Line:
    """One connection to a back office. It sends one delivery after the other; use it in one thread only."""

    def __init__(self, platform: Platform, city: Jurisdiction, config: BackendConfig) -> None:
        self._platform, self._city, self._config = platform, city, config
        self._place: Place = (city.id, config.name)
        self._backend: Backend | None = None
        self._at_once = 1
        self._arrived, self._counted_at = 0, time.monotonic()
        self._caller = ThreadPoolExecutor(1, thread_name_prefix=f"backend {config.name}")

    def close(self) -> None:
        """End the connection."""
        try:
            self._count_arrived()
        except Unavailable:  # the count is only for /metrics
            log.warning("deliveries were not counted", backend=self._config.name, deliveries=self._arrived)
        self._caller.shutdown(wait=False, cancel_futures=True)
        if self._backend is not None:
            self._close(self._backend)

    def deliver(self, clock: Clock) -> int:
        """Send the next deliveries that are due, and return how many were tried.

        Returns 0 if none is due, or if the back office rests.

        clock  tells the time before and after the calls
        Raises Unavailable if the database is dead.
        """
        self._try_to_open()
        with self._platform.database.transaction() as connection:
            claims = self._claim(connection, clock())
        if not claims:
            return 0
        tries = self._try(claims, clock())
        self._arrived += undeadlocked(lambda: self._store(claims, tries, clock()))
        if time.monotonic() - self._counted_at > COUNTED_S:
            self._count_arrived()
        return len(tries)

    def _count_arrived(self) -> None:
        """Store how many deliveries have arrived. A worker that dies loses the count of its last seconds."""
        if self._arrived:
            with self._platform.database.transaction() as connection:
                deliveries.add_delivered(connection, self._place, self._arrived)
            self._arrived = 0
        self._counted_at = time.monotonic()

    # --- Claiming

    def _claim(self, connection: Connection, now: datetime) -> list[Claim]:
        lease = now + timedelta(seconds=self._config.deadline_s + LEASE_MARGIN_S)
        circuit = deliveries.load_circuit(connection, self._place, is_locked=False)
        if circuit.rests_until is not None:
            circuit = deliveries.load_circuit(connection, self._place)
        if circuit.rests_until is not None and circuit.rests_until > now:
            return []
        rows = 1 if circuit.failures or circuit.rests_until is not None else self._at_once
        found = self._together(deliveries.all_due(connection, self._place, now, rows=rows))
        if not found:
            return []
        if circuit.rests_until is not None:  # one delivery at a time tries whether the back office works again
            deliveries.save_circuit(connection, self._place, replace(circuit, rests_until=lease))
        claims = [self._claim_of(one, lease) for one in found]
        sending = [replace(one.before, state=DeliveryState.SENDING, due_at=lease) for one in claims]
        deliveries.save_all(connection, sending)
        return claims

    def _claim_of(self, found: Delivery, lease: datetime) -> Claim:
        is_lost = found.state is DeliveryState.SENDING and not found.token
        before = replace(found, is_uncertain=found.is_uncertain or is_lost)
        return Claim(before, lease, can_recover=self._can_recover(found), is_lost=is_lost)

    def _together(self, found: Sequence[Delivery]) -> Sequence[Delivery]:
        """The deliveries to claim now: those that are new and can be sent again without harm, or only the first."""
        plain = [one for one in found if _is_new(one) and self._can_recover(one)]
        return plain if plain and plain[0] is found[0] else found[:1]

    # --- Reading

    def _loads(self, claims: Sequence[Claim], now: datetime) -> list[Load]:
        """Read what must be sent.

        If this fails for several deliveries, each is read alone. The result of a delivery that cannot be read is a
        Retry, and the others are sent.
        """
        before = [claim.before for claim in claims]
        try:
            with self._platform.database.snapshot() as connection:
                return list(self._loaded(connection, before, now))
        except Unavailable:
            raise
        except Exception as error:  # such as an event of a newer release, or a hook of the city
            if len(claims) > 1:
                return [load for claim in claims for load in self._loads([claim], now)]
            what = {"city": self._city.id, "backend": self._config.name, "delivery": before[0].id}
            log.exception("a delivery cannot be read", **what)
            cause = f"the request cannot be read: {type(error).__name__}; the log has it"
            return [Load(before[0], obstacle=Retry(cause=cause, is_down=False))]

    def _loaded(self, connection: Connection, found: Sequence[Delivery], now: datetime) -> Iterator[Load]:
        numbers = [one.number for one in found]
        records = requests.load_numbers(connection, self._city.id, numbers)
        names = names_for(connection, self._city)
        ways = Ways.load(connection, self._city.id, numbers)
        for before in found:
            # A foreign key keeps the request.
            yield self._load(connection, before, records[before.number], names, ways, now=now)

    def _load(
        self,
        connection: Connection,
        before: Delivery,
        record: RequestRecord,
        names: Names,
        ways: Ways,
        *,
        now: datetime,
    ) -> Load:
        is_begun = before.is_uncertain or bool(before.token) or bool(before.missing)
        is_case = before.subject is Subject.CASE
        kept = self._kept_back(record, now) if is_case else None
        if kept is not None and not is_begun:
            return Load(before, obstacle=kept)
        key = before.key if is_case else deliveries.delivered_key(connection, self._place, before.number)
        if not key:
            return Load(before, obstacle=Skip("the back office does not have the request"))
        case = load_case(connection, record, names, self._config, key=key, ways=ways)
        if is_case:
            return Load(before, case, unless_found=kept)
        remote_id = external_ids.ids_of(connection, self._city.id, before.number).get(self._config.name, "")
        update = load_update(connection, case, self._city, self._config, delivery=before, remote_id=remote_id)
        return Load(before, case, update)

    def _kept_back(self, record: RequestRecord, now: datetime) -> Defer | Skip | None:
        """Why the request may not be sent to this back office now; None if it may."""
        if record.visibility in KEPT_HERE:
            return Defer(now + KEPT_FOR, "the request is not for others to see now")
        return None if self._config.name in wanted_by(self._city, record) else Skip(ELSEWHERE)

    # --- Calling

    def _try(self, claims: Sequence[Claim], now: datetime) -> list[Tried]:
        """Try the deliveries one after the other, and return the results.

        After a failure, or after LONGEST_S, the deliveries that follow are not sent.
        """
        if claims[0].is_lost and not claims[0].can_recover:
            return [Tried(LOST)]
        tries: list[Tried] = []
        begun_at, spent_s = time.monotonic(), 0.0
        for load in self._loads(claims, now):
            tries.append(Tried(load.obstacle) if load.obstacle is not None else self._called(load))
            spent_s = time.monotonic() - begun_at
            if isinstance(tries[-1].result, Retry | Failed) or spent_s > LONGEST_S:
                break
        self._at_once = min(2 * self._at_once, AT_ONCE) if spent_s < FAST_S else max(1, self._at_once // 2)
        return tries

    def _called(self, load: Load) -> Tried:
        """The answer of the back end within its deadline; `Retry` if there is none."""
        try:
            backend = self._backend = self._backend or self._open()
        except Misconfigured as error:
            return Tried(Retry(cause=str(error)))
        is_given_up, deadline_s = Event(), self._config.deadline_s
        call = self._caller.submit(_call, backend, load, is_given_up)
        try:
            return Tried(self._masked(sound(call.result(timeout=deadline_s))))
        except TooLate:
            is_given_up.set()
            self._abandon(backend, call)
            # A call that is under way now may still reach the back office. It ends before the next try.
            return Tried(Retry(cause=f"no answer within {deadline_s} seconds", is_uncertain=True), deadline_s)
        except Exception as error:  # a plugin may raise anything
            log.exception("back end raised an exception", city=self._city.id, backend=self._config.name)
            self._abandon(backend, call)
            cause = f"its code raised {type(error).__name__}; the log has it"
            return Tried(Retry(cause=cause, is_uncertain=True, is_down=False))

    def _masked(self, result: Result) -> Result:
        """The result without secrets, which the other side may have quoted."""
        match result:
            case Retry(cause=text) | Failed(cause=text):
                return replace(result, cause=masked(text, self._config))
            case Rejected(reason=text) | Skip(reason=text) | Defer(reason=text):
                return replace(result, reason=masked(text, self._config))
        return result

    def _try_to_open(self) -> None:
        try:
            self._backend = self._backend or self._open()
        except Misconfigured:
            self._backend = None  # the try names the cause

    def _open(self) -> Backend:
        return open_for(self._platform, self._city, self._config, utc_now)

    def _abandon(self, backend: Backend, call: Future[Result]) -> None:
        """Give up a back end that hangs or is broken, and close it when its call has ended.

        The next delivery opens a new one.
        """
        self._caller.shutdown(wait=False, cancel_futures=True)
        self._caller = ThreadPoolExecutor(1, thread_name_prefix=f"backend {self._config.name}")
        self._backend = None
        call.add_done_callback(lambda _: self._close(backend))

    def _close(self, backend: Backend) -> None:
        try:
            backend.close()
        except Exception:  # a plugin may raise anything
            log.exception("back end cannot be closed", city=self._city.id, backend=self._config.name)

    def _can_recover(self, delivery: Delivery) -> bool:
        """Whether the back office can be asked about a lost answer, or can get a delivery twice without harm."""
        if self._backend is None:
            return True  # nothing can be sent, so the delivery waits until the back end can be opened
        if delivery.subject is Subject.UPDATE:
            return self._backend.repeats_updates
        return self._backend.can_look_up or self._backend.honours_keys

    # --- Settling

    def _store(self, claims: Sequence[Claim], tries: Sequence[Tried], now: datetime) -> int:
        """Settle the deliveries that were tried, and free the others.

        A delivery that somebody else has claimed or settled meanwhile is left as it is.

        Returns how many deliveries have arrived.
        """
        with self._platform.database.transaction() as connection:
            ids = [claim.before.id for claim in claims]
            stored = deliveries.lock_all(connection, self._city.id, ids)
            held = {claim.before.id for claim in claims if _is_held(claim, stored.get(claim.before.id))}
            untried = [claim.before for claim in claims[len(tries) :] if claim.before.id in held]
            # Take only state and due_at from the delivery before the claim. An erasure may have blanked the stored
            # cause since then.
            free = [replace(stored[one.id], state=one.state, due_at=one.due_at) for one in untried]
            deliveries.save_all(connection, free)
            done = list(zip(claims, tries, strict=False))
            for claim, tried in done:
                if claim.before.id not in held:
                    self._tell_of_drop(claim, tried)
            return self._settle(connection, [each for each in done if each[0].before.id in held], now)

    def _tell_of_drop(self, claim: Claim, tried: Tried) -> None:
        what = {"city": self._city.id, "backend": self._config.name, "delivery": claim.before.id}
        result = type(tried.result).__name__
        log.warning("a try ended after its lease; its result is dropped", result=result, **what)

    def _settle(self, connection: Connection, done: Sequence[tuple[Claim, Tried]], now: datetime) -> int:
        if not done:
            return 0
        circuit = self._circuit_after(connection, [tried.result for _, tried in done], now)
        faults = self._link(connection, done, now)
        ended = [self._after(claim, tried, circuit, faults.get(claim.before.id, ""), now) for claim, tried in done]
        deliveries.save_all(connection, ended)
        for after, (_, tried) in zip(ended, done, strict=True):
            self._tell(after, tried.result, circuit)
        return sum(after.state is DeliveryState.DONE for after in ended)

    def _after(self, claim: Claim, tried: Tried, circuit: Circuit, fault: str, now: datetime) -> Delivery:
        """A delivery after its try. `fault`: why its new id cannot be stored; "" if there is no fault."""
        if fault:
            return replace(parked(claim.before, fault), is_uncertain=True)
        after = settled(
            claim.before,
            tried.result,
            now,
            can_recover=claim.can_recover,
            is_resting=circuit.is_resting,
            chance=random.random(),  # noqa: S311  # it spreads waits
        )
        if after.state is not DeliveryState.WAITING:
            return after
        return replace(after, due_at=max(after.due_at, now + timedelta(seconds=tried.pause_s)))

    def _circuit_after(self, connection: Connection, results: Sequence[Result], now: datetime) -> Circuit:
        """The circuit after the results. Its row is locked only if it changes, so that lines do not wait."""
        before = deliveries.load_circuit(connection, self._place, is_locked=False)
        after = _after_all(before, results, now)
        is_known = before.failures == after.failures == 0 and before.succeeded_at is not None
        if not is_known or (now - (before.succeeded_at or now)).total_seconds() > SUCCESS_NOTED_S:
            before = deliveries.load_circuit(connection, self._place)
            after = _after_all(before, results, now)
            deliveries.save_circuit(connection, self._place, after)
            if after.succeeded_at == now:
                self._end_pauses(connection, now)
        if before.is_resting != after.is_resting:
            self._tell_of_rest(after, before.failing_since)
        return after

    def _end_pauses(self, connection: Connection, now: datetime) -> None:
        """End the pauses that failed readings of updates have caused, because the back office works again.

        The next reading still waits for the usual time between two readings.
        """
        lease_s = self._config.deadline_s + LEASE_MARGIN_S
        until = now + timedelta(seconds=max(self._config.pull_every_s, lease_s))
        remote_updates.end_pause(connection, self._place, until)
        remotes.end_pause(connection, self._place, now + PULL_EVERY)

    def _tell_of_rest(self, circuit: Circuit, failing_since: datetime | None) -> None:
        what = {"city": self._city.id, "backend": self._config.name}
        if circuit.is_resting:
            log.error("a back office is down; its deliveries wait", cause=circuit.cause, **what)
        else:
            log.info("a back office works again", was_down_since=failing_since, **what)

    def _link(self, connection: Connection, done: Sequence[tuple[Claim, Tried]], now: datetime) -> dict[int, str]:
        """Store the back office's ids of requests. Returns, by delivery, a fault if another request has the id."""
        given = {
            claim.before.id: (tried.result.service_request_id, claim.before.number)
            for claim, tried in done
            if isinstance(tried.result, Accepted | Partial) and tried.result.service_request_id
        }
        linked = link_cases(connection, self._place, list(given.values()), now)
        fault = "the back office has given its id {name} to another request before"
        return {id: fault.format(name=one[0][:60]) for id, one in given.items() if one not in linked}

    def _tell(self, after: Delivery, result: Result, circuit: Circuit) -> None:
        """Log the new state of a delivery. While the back office rests, its failures are not logged again."""
        what = {"city": self._city.id, "backend": self._config.name, "delivery": after.id, "cause": after.cause}
        if after.state in (DeliveryState.PARKED, DeliveryState.UNCERTAIN):
            log.error("a delivery waits for a person", state=after.state.value, **what)
        elif after.state is DeliveryState.DONE:
            log.info("a delivery arrived", what=after.subject.value, **what)
        elif isinstance(result, Defer):
            log.info("a delivery is put off", until=after.due_at, **what)
        elif after.cause and after.state is DeliveryState.WAITING and not circuit.is_resting:
            log.warning("a delivery failed and is tried again", attempts=after.attempts, **what)


def _is_held(claim: Claim, stored: Delivery | None) -> bool:
    """Whether the claim still holds. If not, its lease has ended, and the delivery was claimed or settled again."""
    return stored is not None and (stored.state, stored.due_at) == (DeliveryState.SENDING, claim.lease)


def _is_new(delivery: Delivery) -> bool:
    """Whether nothing of the delivery can be in the back office, so that no look-up is needed before it is sent."""
    is_begun = delivery.is_uncertain or delivery.token or delivery.missing
    return delivery.state is DeliveryState.WAITING and not is_begun


def _after_all(circuit: Circuit, results: Sequence[Result], now: datetime) -> Circuit:
    for result in results:
        circuit = circuit.after(result, now, chance=random.random())  # noqa: S311  # it spreads waits
    return circuit


def _call(backend: Backend, load: Load, is_given_up: Event) -> Result:
    """Call the back end: ask about the delivery, complete it, or send it.

    is_given_up  set when nobody waits for the result any more: then nothing is sent
    """
    delivery, case, kept = load.before, load.case, load.unless_found
    assert case is not None
    try:
        if delivery.token:
            return backend.resolve(delivery.token)
        if load.update is not None:
            return _updated(backend, load.update, delivery.key)
        may_be_there = delivery.is_uncertain or bool(delivery.missing)
        if delivery.is_uncertain and not delivery.missing and backend.can_look_up:
            found = backend.look_up(case, delivery.key)
            if found is not None:
                return found
            may_be_there = False
        if isinstance(kept, Defer) or (kept is not None and not may_be_there):
            return kept
        if is_given_up.is_set():
            return Retry(cause="it was given up", is_uncertain=True)
        if delivery.missing:
            return backend.complete(case, delivery.remote_id, delivery.missing, delivery.key)
        return backend.send(case, delivery.key)
    except CallFailed as error:
        return error.result


def _updated(backend: Backend, update: CaseUpdate, key: str) -> Result:
    """The back end's result for a change of a case."""
    if not backend.takes_updates:
        return Skip("this back office accepts no changes of requests")
    return backend.send_update(update, key)


def due_places(platform: Platform, now: datetime) -> list[Place]:
    """The back ends that have a delivery to send now."""
    with platform.database.reading() as connection:
        join_remotes(platform, connection)
        places = [(city.id, config.name) for city in platform.registry for config in city.backends]
        return deliveries.due_places(connection, places, now)


def deliver_all(platform: Platform, clock: Clock) -> int:
    """Send all deliveries that are due, and return the number of tries."""
    tried = 0
    for jurisdiction_id, name in due_places(platform, clock()):
        city = platform.registry.find(jurisdiction_id)
        config = city.backend(name)
        assert config is not None
        line = Line(platform, city, config)
        try:
            while count := line.deliver(clock):
                tried += count
        finally:
            line.close()
    return tried
