"""All checks of the doctor, in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from open311.errors import Misconfigured, Unavailable
from open311.operations.examining import machine, pooler, stored, working
from open311.operations.examining.findings import Finding, Level, fault, findings
from open311.operations.examining.machine import Room
from open311.operations.examining.replica import check_replica
from open311.operations.examining.stored import Bloat
from open311.operations.federation.joining import config_of
from open311.operations.platform import Platform, open_platform
from open311.operations.upkeep.readiness import LATE_S
from open311.plugins.backends import Secret
from open311.settings import Settings
from open311.storage import health, migrations, remotes
from open311.storage.engine import Connection, open_database
from open311.storage.failures import Refused, why_down
from open311.storage.migrations import Fit, SchemaState
from open311.storage.pooling import database_identity, is_pooled

STATEMENT_TIMEOUT_MS = 30_000
POOL_SIZE = 3
DatabaseCheck = Callable[[Connection], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits; what is beyond one of them is a finding.

    held_back_s  how long a transaction may hold back the change feed
    """

    room: Room = field(default_factory=Room)
    bloat: Bloat = field(default_factory=Bloat)
    held_back_s: float = LATE_S


USUAL = Limits()


def examine(
    environment: Mapping[str, str],
    now: Callable[[], datetime],
    *,
    asks_address: bool = False,
    limits: Limits = USUAL,
) -> Iterator[Finding]:
    """Check everything. Writes nothing, and raises nothing that an operator can correct.

    now           the clock of this machine
    asks_address  whether to connect to the public address, to see its certificate
    """
    settings, wrong = _read_settings()
    yield from machine.check_settings(environment, settings, wrong)
    yield from machine.check_versions()
    if settings is None:
        return
    yield from machine.check_disks(settings, limits.room)
    if asks_address:
        yield from machine.check_address(settings, now())
    try:
        platform = open_platform(_gently(settings.past_pooler))
    except Misconfigured as error:
        yield from findings("database", "", [fault(str(error).removesuffix("."), "open311 settings")])
        return
    try:
        yield from _examine_platform(platform, settings, environment, now, limits)
    finally:
        platform.close()


def _read_settings() -> tuple[Settings | None, str]:
    try:
        return Settings.from_environ(), ""
    except Misconfigured as error:
        return None, str(error)


def _gently(settings: Settings) -> Settings:
    return replace(settings, statement_timeout_ms=STATEMENT_TIMEOUT_MS, pool_size=POOL_SIZE, metrics_token="")


def _examine_platform(
    platform: Platform,
    settings: Settings,
    environment: Mapping[str, str],
    now: Callable[[], datetime],
    limits: Limits,
) -> Iterator[Finding]:
    answers = _ask(platform, "database", _database)
    yield from answers
    if settings.direct_database_url and answers[0].level is Level.OK:
        yield from _pooler(platform, settings)
    state = _schema_of(platform) if answers[0].level is Level.OK or "read-only" in answers[0].what else None
    is_current = state is not None and state.fit is Fit.EXACT
    yield from check_replica(platform.replica)
    yield from _cities(platform)
    yield from machine.check_secrets(environment, platform.registry, _keys(platform) if is_current else {})
    yield from machine.check_certificates(settings, platform.registry, now())
    if state is None:
        return
    checks: list[tuple[str, DatabaseCheck]] = [
        ("PostgreSQL", stored.check_database_versions),
        ("schema", lambda _: stored.check_schema(state)),
        ("clock", partial(stored.check_clock, now=now)),
        ("connections", partial(stored.check_connections, settings=settings)),
        ("change feed", partial(stored.check_feed, older_than_s=limits.held_back_s)),
    ]
    if is_current:
        checks += [
            ("indexes", stored.check_indexes),
            ("tables", partial(stored.check_tables, limits=limits.bloat)),
            ("queue", working.check_queue),
            ("back offices", partial(working.check_back_offices, platform=platform, now=now())),
            ("webhooks", partial(working.check_receivers, now=now())),
            ("mail", partial(working.check_mail, platform=platform, now=now())),
            ("sms", partial(working.check_sms, platform=platform, now=now())),
            ("media", partial(working.check_media, platform)),
            ("neighbours", partial(working.check_neighbours, platform=platform, now=now())),
        ]
    for subject, check in checks:
        yield from _ask(platform, subject, check)


def _database(connection: Connection) -> Iterator[Finding]:
    if is_pooled(connection):  # other clients would get the session with what a check has set
        yield from pooler.unexpected()
        return
    yield from stored.check_writes(health.use_read_only(connection), connection)


def _pooler(platform: Platform, settings: Settings) -> list[Finding]:
    """What is wrong between the web processes and the database. Sets nothing for the sessions of the pooler."""
    database = open_database(settings.sqlalchemy_url, is_pooled=True)
    try:
        with platform.database.reading() as direct:
            identity = database_identity(direct)
        with database.reading() as pooled:
            return list(pooler.check_pooler(pooled, identity, settings))
    except Unavailable as error:
        trouble = f"web processes cannot use the database through the pooler: {why_down(error) or error}"
        return [
            Finding(Level.FAULT, pooler.SUBJECT, trouble.removesuffix("."), "psql \"$DATABASE_URL\" -c 'SELECT 1'")
        ]
    except Refused:
        return [_unreadable(pooler.SUBJECT)]
    finally:
        database.close()


def _schema_of(platform: Platform) -> SchemaState | None:
    try:
        with platform.database.reading() as connection:
            return migrations.schema_state(connection)
    except Unavailable:  # the database has just ended; None skips the other checks, which would all report that
        return None


def _ask(platform: Platform, subject: str, check: DatabaseCheck) -> list[Finding]:
    """Run a check on a connection that takes no writes. A database that does not answer it is a finding too."""
    try:
        with platform.database.reading() as connection:
            if check is not _database:
                health.use_read_only(connection)
            return list(check(connection))
    except Unavailable as error:
        why = why_down(error) or str(error)
        trouble = f"the database cannot be used: {why}"
        return [Finding(Level.FAULT, subject, trouble.removesuffix("."), "open311 db status")]
    except Refused:
        return [_unreadable(subject)]


def _unreadable(subject: str) -> Finding:
    return Finding(
        Level.WARNING,
        subject,
        "the role of DATABASE_URL may not read what this check needs",
        'psql "$ADMIN_URL" -c "GRANT pg_monitor TO open311"',
    )


def _cities(platform: Platform) -> Iterator[Finding]:
    """Cities that are not served, and files of cities that are left out."""
    registry = platform.registry
    check = "open311 jurisdictions check"
    troubles = [
        fault(f"{one.name} is not served: {one.public_why.removesuffix('.')}", check) for one in registry.faults
    ]
    troubles += [fault(f"{city.id}: {why}", check) for city in registry for why in city.left_out]
    if not registry.jurisdictions and not troubles:
        troubles.append(fault("no city is served", check))
    return findings("cities", f"{len(registry.jurisdictions)} served", troubles)


def _keys(platform: Platform) -> dict[str, Secret]:
    """The keys that neighbours gave to our cities."""
    try:
        with platform.database.reading() as connection:
            found = remotes.load_all(connection)
    except Unavailable:
        return {}
    return {
        f"the key of the neighbour {one.name} of {one.jurisdiction_id}": secret
        for one in found
        if (secret := config_of(one).api_key)
    }
