"""The check whether this server can serve calls now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from open311.domain.notices import MAIL_SERVER, SMS_GATEWAY, commands_for
from open311.domain.photos import PhotoState
from open311.errors import Unavailable
from open311.operations.access.rates import Rates
from open311.operations.delivery.watching import Watched, watch_backends
from open311.operations.mailing.watching import MailState, mail_fault, read_state
from open311.operations.media.files import CHECK_EVERY_S, store_fault
from open311.operations.platform import Platform
from open311.operations.replica import View
from open311.operations.sms.watching import SmsState, sms_fault
from open311.operations.sms.watching import read_state as read_sms_state
from open311.storage import deliveries, media, migrations
from open311.storage.deliveries import Place
from open311.storage.engine import Connection, has_room, takes_writes
from open311.storage.outbox import Backlog, backlog
from open311.storage.queue import MOST_COUNTED, JobCounts, count_jobs
from schemas.values import format_instant

LATE_S = 300
"""How long a change may wait for the dispatcher, or a due job for a worker, before the check fails."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. Only a vital check that fails makes the server not ready.

    is_outside  whether the cause is outside this server, so that restarting the worker would not help
    """

    name: str
    is_ok: bool
    detail: str
    is_vital: bool = True
    is_outside: bool = False


def check_readiness(platform: Platform, now: datetime) -> list[Check]:
    """Check what this server needs. Never raises.

    The server needs the database and the work in it, the replica, the media store, the store of the rate limits,
    and plugins.
    """
    checks = [*_ending(platform), *_database(platform, now)]
    if platform.replica is not None:
        checks = [*_with_replica(checks, platform.replica.view), _replica(platform.replica.view)]
    return [*checks, _media(platform, now), *_rates(platform, now), _plugins(platform)]


def _ending(platform: Platform) -> Iterator[Check]:
    """A check that fails while this process takes its last calls, so that a load balancer sends no more."""
    if platform.process.is_ending.is_set():
        yield Check("ending", False, "this server stops soon; send calls to another")


def _with_replica(checks: list[Check], view: View) -> Iterator[Check]:
    """The checks of the database. If the replica answers reads alone, the server is still ready: balancers must not
    remove it, because no other web server can do more."""
    for check in checks:
        if check.name == "database" and not check.is_ok and view.answers_alone:
            detail = f"{check.detail}; the replica answers reads, and nothing can be sent"
            yield replace(check, detail=detail, is_vital=False)
        else:
            yield check


def _replica(view: View) -> Check:
    """Check that the replica answers reads. This is not vital, because the primary answers them otherwise."""
    lag = "" if view.lag_s is None else f", {view.lag_s:.1f} s behind"
    return Check("replica", view.may_answer, view.fault or f"answers reads{lag}", is_vital=False)


def _database(platform: Platform, now: datetime) -> Iterator[Check]:
    try:
        with platform.database.reading() as connection:
            state = migrations.schema_state(connection)
            yield Check("database", True, "answers")
            yield Check("schema", state.is_served, str(state))
            yield _writes(connection)
            if state.is_served:
                yield _jobs(connection)
                yield from _deliveries(watch_backends(connection, platform, now))
                yield _mail(platform, connection, now)
                yield _sms(platform, connection, now)
    except Unavailable:
        yield Check("database", False, "does not answer")


def _media(platform: Platform, now: datetime) -> Check:
    """Check that photos can be stored. This is not vital: reports are accepted without their photos."""
    fault = store_fault(platform, now)
    return Check("media", not fault, fault or "answers", is_vital=False, is_outside=True)


def _rates(platform: Platform, now: datetime) -> Iterator[Check]:
    """Check the store of the rate limits, if it is not in memory. Calls are served without it.

    Each process asks the store at most once in `CHECK_EVERY_S` seconds.
    """
    rates = platform.process.rates
    if rates.is_shared:
        answers = platform.process.cached(_rates_answer, most=2)(rates, int(now.timestamp()) // CHECK_EVERY_S)
        detail = "answers" if answers else "OPEN311_RATE_STORAGE does not answer; each process counts by itself"
        yield Check("rates", answers, detail, is_vital=False)


def _rates_answer(rates: Rates, period: int) -> bool:  # noqa: ARG001  # a new period is a new key of the cache
    return rates.answers()


def _mail(platform: Platform, connection: Connection, now: datetime) -> Check:
    """Check that mail to people is sent in time. This is not vital: mails wait, and nothing is lost."""
    fault = mail_fault(connection, platform.settings, now)
    return Check(
        "mail", not fault, fault or "in order", is_vital=False, is_outside=_is_down(connection, MAIL_SERVER)
    )


def _sms(platform: Platform, connection: Connection, now: datetime) -> Check:
    """Check that text messages are sent in time. This is not vital: they wait for up to five days."""
    fault = sms_fault(connection, platform, now)
    return Check(
        "sms", not fault, fault or "in order", is_vital=False, is_outside=_is_down(connection, SMS_GATEWAY)
    )


def _is_down(connection: Connection, place: Place) -> bool:
    return deliveries.load_circuit(connection, place, is_locked=False).is_resting


def _writes(connection: Connection) -> Check:
    """Check that the database accepts writes. This is not vital, because calls that only read are served."""
    if not takes_writes(connection):
        return Check("writes", False, "the database is read-only", is_vital=False)
    if not has_room(connection):
        return Check("writes", False, "the disk of the database is full; free space on it", is_vital=False)
    return Check("writes", True, "accepted", is_vital=False)


@dataclass(frozen=True, slots=True)
class Background:
    """How much background work waits, and the state of back offices, mail and text messages.

    photos  the number of photos by city and state, for the states WAITING, HELD and REFUSED
    """

    jobs: JobCounts
    changes: Backlog
    backends: tuple[Watched, ...]
    photos: Mapping[tuple[str, PhotoState], int]
    mail: MailState
    sms: SmsState


def read_background(platform: Platform, now: datetime) -> Background:
    """The background work that waits. Raises Unavailable."""
    with platform.database.reading() as connection:
        watched = tuple(watch_backends(connection, platform, now))
        cities = [city.id for city in platform.registry]
        photos = media.count_unshown(connection, cities, MOST_COUNTED)
        mail, sms = read_state(connection, now), read_sms_state(connection, now)
        return Background(count_jobs(connection, LATE_S), backlog(connection), watched, photos, mail, sms)


def check_background(platform: Platform, now: datetime) -> list[Check]:
    """Check that a worker does the background work in time.

    Check also that back offices, mail, text messages and the media store need no person. Raises Unavailable.
    """
    with platform.database.reading() as connection:
        checks = [_jobs(connection), *_deliveries(watch_backends(connection, platform, now))]
        checks += [_mail(platform, connection, now), _sms(platform, connection, now)]
    return [*checks, _media(platform, now)]


def _jobs(connection: Connection) -> Check:
    """Check that no job and no change has waited too long, and that no job fails for ever.

    This is not vital. Reads and POSTs work without a worker, so a load balancer must not remove this server.
    """
    jobs, waiting = count_jobs(connection, LATE_S), backlog(connection)
    todo, held, changes = map(_number, (jobs.todo, waiting.held, waiting.waiting + waiting.held))
    counted = f"{todo} todo, {jobs.doing} doing, {jobs.failed} failed, {jobs.late} stuck, {jobs.failing} failing"
    dispatched = f"{changes} changes to dispatch ({held} to try again)"
    detail = f"{counted}; {dispatched}, the oldest for {waiting.oldest_s:.0f} s"
    is_late = bool(jobs.late) or waiting.oldest_s >= LATE_S
    if is_late:
        detail += "; is `open311 worker` running? Its log says more"
    if jobs.failing:
        detail += f"; {', '.join(jobs.failing_tasks)} fails again and again, see the worker's log"
    return Check("jobs", not is_late and not jobs.failing, detail, is_vital=False)


def _deliveries(watched: Sequence[Watched]) -> Iterator[Check]:
    """Check that deliveries are tried in time, and that no back office is down or waits for a person.

    Neither check is vital. The texts are public, so they have no address and no cause.
    """
    late = [_name(one) for one in watched if one.is_late]
    waiting = sum(one.moving for one in watched if not one.is_gone)
    detail = f"{_number(waiting)} on their way"
    if late:
        detail += f"; not tried for minutes: {', '.join(late)}; is `open311 worker` running? Its log says more"
    yield Check("deliveries", not late, detail, is_vital=False)
    troubles = [trouble for one in watched for trouble in _troubles(one)]
    summary = "; ".join(troubles) or f"{len(watched)} in order"
    yield Check("back_offices", not troubles, summary, is_vital=False, is_outside=True)


def _troubles(one: Watched) -> Iterator[str]:
    """What a person should know about a back office."""
    circuit = one.circuit
    if circuit.is_resting and circuit.failing_since is not None:
        yield f"{_name(one)} is down since {format_instant(circuit.failing_since)}"
    if one.is_gone and one.moving:
        yield (
            f"{_number(one.moving)} deliveries wait for {_name(one)}, which is not a back end any more;"
            " skip them by `open311 deliveries skip`"
        )
    if one.stopped:
        counts = ", ".join(f"{_number(count)} {kind}" for kind, count in one.stopped.items())
        yield f"{_name(one)} has {counts}; see {' and '.join(commands_for(one.stopped))}"


def _name(one: Watched) -> str:
    return f"{one.place[1]} of {one.place[0]}"


def _number(counted: int) -> str:
    """A number for people. The database counts no further than `MOST_COUNTED`."""
    return str(counted) if counted < MOST_COUNTED else f"at least {MOST_COUNTED}"


def _plugins(platform: Platform) -> Check:
    served = len(platform.registry.jurisdictions)
    broken = "; ".join(f"{fault.name}: {fault.public_why}" for fault in platform.registry.faults)
    left_out = [f"{city.id}: {fault}" for city in platform.registry for fault in city.left_out]
    detail = f"{served} served" + (f"; not served: {broken}" if broken else "")
    if left_out:
        more = f" (and {len(left_out) - 1} more faults)" if len(left_out) > 1 else ""
        detail += f"; left out: {left_out[0]}{more}"
    return Check("plugins", served > 0 and not broken and not left_out, detail, is_vital=served == 0)
