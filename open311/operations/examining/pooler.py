"""What the doctor checks of the pooler between the web processes and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

from open311.operations.examining.findings import Finding, Trouble, fault, findings, warning
from open311.settings import Settings
from open311.storage.engine import Connection, session_settings
from open311.storage.pooling import POOLED, database_identity, is_pooled, unmet_settings

SUBJECT = "pooler"
DIRECTLY = "export OPEN311_DIRECT_DATABASE_URL=…"


def unexpected() -> Iterator[Finding]:
    """The finding that a pooler answers where PostgreSQL itself should."""
    return findings(SUBJECT, "", [fault(POOLED.removesuffix("."), DIRECTLY)])


def check_pooler(pooled: Connection, identity: tuple[int, int], settings: Settings) -> Iterator[Finding]:
    """A pooler that leads to another database, or whose sessions lack what web processes need.

    pooled    a connection to DATABASE_URL, which sets nothing for its session
    identity  the identity of the database of OPEN311_DIRECT_DATABASE_URL
    """
    return findings(
        SUBJECT, "leads to the same database, with the right settings", _pooler(pooled, identity, settings)
    )


def _pooler(pooled: Connection, identity: tuple[int, int], settings: Settings) -> Iterator[Trouble]:
    if not is_pooled(pooled):
        yield warning(
            "OPEN311_DIRECT_DATABASE_URL is set, but no pooler answers at DATABASE_URL",
            "unset OPEN311_DIRECT_DATABASE_URL",
        )
    if database_identity(pooled) != identity:
        yield fault("DATABASE_URL and OPEN311_DIRECT_DATABASE_URL lead to different databases", "open311 settings")
    if settings.prepare_statements:
        yield fault(
            "OPEN311_PREPARE_STATEMENTS is true, but a pooler in transaction mode loses prepared statements",
            "export OPEN311_PREPARE_STATEMENTS=false",
        )
    wanted = session_settings(settings.statement_timeout_ms)
    for name, found in unmet_settings(pooled, wanted).items():
        level = fault if name == "timezone" else warning
        cure = f"SET {name}={wanted[name]} in connect_query of pgbouncer.ini, then RECONNECT in its console"
        yield level(f"{name} is {found or 'unknown'} behind the pooler, but must be {wanted[name]}", cure)
