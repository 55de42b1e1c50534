"""Read the updates of back offices. Each back end is read when it is due, by one worker at a time.

A claim is committed before the back end is called. Its updates are stored in one transaction with the new cursor,
so no update is lost and none is stored twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass, replace
from datetime import timedelta

from open311.domain.case import RemoteUpdate
from open311.domain.deliveries import wait_after
from open311.domain.results import Result, Retry
from open311.errors import Misconfigured, Unavailable
from open311.observe import logger
from open311.operations.delivery.opening import open_for
from open311.operations.delivery.sending import LEASE_MARGIN_S, Clock
from open311.operations.delivery.storing import store_states, store_updates
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.plugins import BackendConfig, Jurisdiction
from open311.plugins.backends import Page, sound_page
from open311.plugins.context import CallFailed
from open311.storage import remote_updates
from open311.storage.deliveries import Place
from open311.storage.engine import Connection
from open311.storage.remote_updates import Pull

log = logger(__name__)

CASES_AT_ONCE = 100
"""In one call, a back office is asked for the updates of at most this many open requests."""
TOLD_AFTER = 3
"""After this many failures in a row, the log says that no updates come."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a back office.

    states  whether the updates are present states of cases, and not events
    """

    page: Page
    states: bool = False


def due_pulls(platform: Platform, clock: Clock) -> list[Place]:
    """The back ends whose updates are to be read now."""
    with platform.database.reading() as connection:
        join_remotes(platform, connection)
        places = [(city.id, one.name) for city in platform.registry for one in city.backends if one.pull_every_s]
        return remote_updates.due_pulls(connection, places, clock())


def pull_all(platform: Platform, clock: Clock) -> int:
    """Read the updates of all back ends that are due, and return the number of new updates."""
    return sum(pull(platform, place, clock) for place in due_pulls(platform, clock))


def never() -> bool:
    """Return False: the default of `is_stopping`, for a reading that nothing interrupts."""
    return False


def pull(platform: Platform, place: Place, clock: Clock, *, is_stopping: Callable[[], bool] = never) -> int:
    """Read the updates of one back end until there are no more, and return the number of new ones.

    is_stopping  whether the reading must end after the present page
    Raises Unavailable if the database is dead.
    """
    city = platform.registry.get(place[0])
    config = city.backend(place[1]) if city else None
    stored = 0
    while city is not None and config is not None and not is_stopping():
        new = _turn(platform, city, config, clock)
        if new is None:
            break
        stored += new
    return stored


def _turn(platform: Platform, city: Jurisdiction, config: BackendConfig, clock: Clock) -> int | None:
    """Read once. Returns the number of new updates; None if nothing is due, or another worker reads."""
    place, now = (city.id, config.name), clock()
    with platform.database.transaction() as connection:
        before = remote_updates.claim_pull(connection, place, now)
        if before is None:
            return None
        lease = now + timedelta(seconds=config.deadline_s + LEASE_MARGIN_S)
        remote_updates.save_pull(connection, place, replace(before, due_at=lease))
        cases = remote_updates.open_cases(connection, place, after=_number_in(before.cursor), rows=CASES_AT_ONCE)
    found = _ask(platform, city, config, before.cursor, cases, clock)
    try:
        if isinstance(found, Found):
            with platform.database.transaction() as connection:
                return _keep(connection, place, config, before, found, clock)
    except Unavailable:
        raise
    except Exception as error:  # such as a text that the database does not accept
        log.exception("updates of a back office were not stored", city=city.id, backend=config.name)
        found = Retry(cause=f"they could not be stored: {type(error).__name__}; the log has it")
    with platform.database.transaction() as connection:
        _put_off(connection, place, config, before, found, clock)
    return 0


def _number_in(cursor: str) -> int:
    """The number of the last request that was asked for; 0 to begin again."""
    return int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else 0


def _ask(
    platform: Platform,
    city: Jurisdiction,
    config: BackendConfig,
    cursor: str,
    cases: Sequence[tuple[int, str]],
    clock: Clock,
) -> Found | Result:
    """The answer of the back end within its deadline, or a failure."""
    caller = ThreadPoolExecutor(1, thread_name_prefix=f"updates {config.name}")
    try:
        call = caller.submit(_call, platform, city, config, cursor, cases, clock)
        found = call.result(timeout=config.deadline_s)
        return replace(found, page=sound_page(found.page))
    except TooLate:
        return Retry(cause=f"no answer within {config.deadline_s} seconds")
    except CallFailed as error:
        return error.result
    except Misconfigured as error:
        return Retry(cause=str(error))
    except Exception as error:  # a plugin may raise anything
        log.exception("back end raised an exception", city=city.id, backend=config.name)
        return Retry(cause=f"its code raised {type(error).__name__}; the log has it")
    finally:
        caller.shutdown(wait=False, cancel_futures=True)


def _call(
    platform: Platform,
    city: Jurisdiction,
    config: BackendConfig,
    cursor: str,
    cases: Sequence[tuple[int, str]],
    clock: Clock,
) -> Found:
    backend = open_for(platform, city, config, clock)
    try:
        if backend.gives_updates:
            return Found(backend.updates(cursor))
        if not backend.gives_states:
            return Found(Page((), cursor))
        states: Sequence[RemoteUpdate] = backend.states([name for _, name in cases]) if cases else ()
        is_more = len(cases) >= CASES_AT_ONCE
        return Found(Page(states, str(cases[-1][0]) if is_more else "", is_more), states=True)
    finally:
        backend.close()


def _keep(
    connection: Connection, place: Place, config: BackendConfig, before: Pull, found: Found, clock: Clock
) -> int:
    now, page = clock(), found.page
    store = store_states if found.states else store_updates
    stored = store(connection, place, page.updates, now)
    is_stuck = page.is_more and page.cursor == before.cursor
    wait_s = 0 if page.is_more and not is_stuck else config.pull_every_s
    pull = Pull(cursor=page.cursor, pulled_at=now, due_at=now + timedelta(seconds=wait_s))
    remote_updates.save_pull(connection, place, pull)
    if before.failures >= TOLD_AFTER:
        log.info("updates of a back office come again", city=place[0], backend=place[1])
    return stored


def _put_off(
    connection: Connection, place: Place, config: BackendConfig, before: Pull, result: Result, clock: Clock
) -> None:
    failures = before.failures + 1
    cause = getattr(result, "cause", "") or getattr(result, "reason", "") or type(result).__name__
    after_s = result.after_s if isinstance(result, Retry) and result.after_s else 0.0
    wait_s = max(float(config.pull_every_s), after_s, wait_after(failures, random.random()))  # noqa: S311
    due_at = clock() + timedelta(seconds=wait_s)
    remote_updates.save_pull(
        connection, place, replace(before, failures=failures, cause=cause[:500], due_at=due_at)
    )
    if failures == TOLD_AFTER:
        log.error("updates of a back office do not come", city=place[0], backend=place[1], cause=cause)
