"""The objects that commands need: a platform with the right schema, a jurisdiction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from open311.cli.environment import settings_with_database
from open311.domain.access import ALL_JURISDICTIONS
from open311.errors import Misconfigured
from open311.observe import configure_logs
from open311.operations.platform import Platform, open_platform
from open311.plugins import Jurisdiction
from open311.storage.migrations import schema_state
from open311.storage.pooling import refuse_pooler


@contextmanager
def command_platform() -> Iterator[Platform]:
    """A platform for a short command, without statement timeout. Only warnings and errors are logged.

    Opening the platform writes nothing. Raises Misconfigured if the settings name no database, and whatever
    `require_schema` raises.
    """
    settings = settings_with_database()
    configure_logs("warning")
    platform = open_platform(replace(settings, statement_timeout_ms=0))
    try:
        require_schema(platform)
        yield platform
    finally:
        platform.close()


def require_schema(platform: Platform) -> None:
    """Raise Misconfigured if this release does not work with the schema, and Unavailable without a database.

    Also raises Misconfigured if a pooler answers instead of PostgreSQL itself.
    """
    with platform.database.reading() as connection:
        refuse_pooler(connection)
        state = schema_state(connection)
    if not state.is_served:
        raise Misconfigured(f"the schema of {platform.database.place} is {state}.")


def find_jurisdiction(platform: Platform, jurisdiction_id: str) -> Jurisdiction:
    """The jurisdiction that --jurisdiction names. Without the option, the only jurisdiction that is served."""
    return platform.registry.find(jurisdiction_id)


def chosen_cities(platform: Platform, jurisdiction_id: str | None) -> list[Jurisdiction]:
    """The city that --jurisdiction names; all cities that are served if the option is None, so not given.

    Raises Invalid for "" if several cities are served. A shell passes "" for a variable that is not set.
    """
    return list(platform.registry) if jurisdiction_id is None else [find_jurisdiction(platform, jurisdiction_id)]


def find_account_city(platform: Platform, jurisdiction_id: str) -> str:
    """The id of the city that --jurisdiction names, or ALL_JURISDICTIONS, for what can belong to all cities."""
    if jurisdiction_id == ALL_JURISDICTIONS:
        return ALL_JURISDICTIONS
    return find_jurisdiction(platform, jurisdiction_id).id
