"""Receive updates that a back office sends by itself. They are stored before the back office gets an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from open311.errors import Misconfigured, NotFound, TooMuch, Unauthenticated, Unavailable
from open311.observe import logger
from open311.operations.delivery.opening import open_for
from open311.operations.delivery.storing import store_updates
from open311.operations.platform import Platform
from open311.plugins import BackendConfig, Jurisdiction
from open311.plugins.backends import Backend, BadCall, RawCall
from schemas.texts import Message, tell

log = logger(__name__)

MOST_UPDATES = 1_000
"""The most updates of one call."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of a call: how many of its updates are new, and how many were stored before."""

    stored: int
    known: int


def receive_call(platform: Platform, city: Jurisdiction, name: str, call: RawCall, *, now: datetime) -> Taken:
    """Check a call of a back office and store its updates, which the worker applies.

    Raises NotFound for a back end that does not exist or receives no calls, Unauthenticated for a call that the
    back office has not made, TooMuch for too many updates, and Unavailable for a fault of this server: then the
    back office should call again.
    """
    config = city.backend(name)
    if config is None:
        raise _unknown(name)
    backend = _opened(platform, city, config, now)
    try:
        if not backend.receives:
            raise _unknown(name)
        updates = list(backend.receive(call))
    except BadCall as error:
        log.warning("a call of a back office was refused", city=city.id, backend=name, cause=str(error))
        raise Unauthenticated(tell("the signature of this call is missing, wrong or too old.")) from None
    except NotFound:
        raise
    except Exception as error:  # a plugin may raise anything
        log.exception("back end raised an exception", city=city.id, backend=name)
        raise Unavailable(_later()) from error
    finally:
        backend.close()
    if len(updates) > MOST_UPDATES:
        log.error("a call of a back office has too many updates", city=city.id, backend=name, count=len(updates))
        fault = tell("has {count} updates; send at most {most} in one call.", count=len(updates), most=MOST_UPDATES)
        raise TooMuch(fault)
    with platform.database.transaction() as connection:
        stored = store_updates(connection, (city.id, name), updates, now)
    return Taken(stored, len(updates) - stored)


def _opened(platform: Platform, city: Jurisdiction, config: BackendConfig, now: datetime) -> Backend:
    try:
        return open_for(platform, city, config, lambda: now)
    except Misconfigured as error:
        log.error("a back end cannot be opened", city=city.id, backend=config.name, cause=str(error))
        raise Unavailable(_later()) from error


def _unknown(name: str) -> NotFound:
    return NotFound(tell("{name!r} is no back office here that sends updates.", name=name[:60]))


def _later() -> Message:
    return tell("Updates cannot be accepted at present; send them again later.")
