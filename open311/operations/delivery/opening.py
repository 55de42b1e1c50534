"""Open back ends, each with its context: what a back end gets from this server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from open311.clock import utc_now
from open311.federation.adapters import HttpSession, PluginMailer
from open311.observe import logger
from open311.operations.platform import Platform
from open311.outgoing import SmtpServer
from open311.plugins import BackendConfig, Jurisdiction
from open311.plugins.backends import Backend, masked, open_backend
from open311.plugins.context import Context, Mailer, check_item
from open311.settings import Settings
from open311.storage import backend_values
from open311.storage.deliveries import Place
from open311.storage.engine import Database


def open_for(
    platform: Platform, city: Jurisdiction, config: BackendConfig, clock: Callable[[], datetime]
) -> Backend:
    """Open a city's back end. Raises Misconfigured if a secret is missing, or if the code of the kind fails."""
    return open_backend(config, context_of(platform, city, config, now=clock))


def context_of(
    platform: Platform, city: Jurisdiction, config: BackendConfig, *, now: Callable[[], datetime] = utc_now
) -> Context:
    """The context of one back end of a city."""
    settings = platform.settings
    return Context(
        jurisdiction_id=city.id,
        city=city.name,
        now=now,
        zone=city.zone,
        open_http=partial(HttpSession, proxy=settings.proxy),
        store=DatabaseStore(platform.database, (city.id, config.name)),
        log=MaskedLog(city.id, config),
        mailer=_mailer(settings, config),
        public_url=settings.public_url.rstrip("/"),
        proxy=settings.proxy,
    )


def _mailer(settings: Settings, config: BackendConfig) -> Mailer | None:
    if not settings.smtp_url:
        return None
    server = SmtpServer.from_url(settings.smtp_url)
    return PluginMailer(server, settings.mail_from, deadline_s=config.deadline_s, now=utc_now)


class DatabaseStore:
    """Implements `plugins.context.Store`: the stored values of one back end. Each call has its own transaction."""

    def __init__(self, database: Database, place: Place) -> None:
        self._database, self._place = database, place

    def get(self, name: str) -> str:
        """A value; "" if there is none."""
        with self._database.reading() as connection:
            return backend_values.load(connection, self._place, name)

    def put(self, name: str, value: str) -> None:
        """Store a value; "" removes it. Raises ValueError for a name or a value that cannot be stored."""
        check_item(name, value)
        with self._database.transaction() as connection:
            backend_values.save(connection, self._place, name, value)


class MaskedLog:
    """Implements `plugins.context.Log`: log lines of one back end, without the secrets of its configuration."""

    def __init__(self, city: str, config: BackendConfig) -> None:
        self._log = logger("open311.backends").bind(city=city, backend=config.name)
        self._config = config

    def info(self, event: str, **values: Any) -> None:
        """Write a line."""
        self._log.info(masked(event, self._config), **self._masked(values))

    def warning(self, event: str, **values: Any) -> None:
        """Write a line about what a person may have to know."""
        self._log.warning(masked(event, self._config), **self._masked(values))

    def error(self, event: str, **values: Any) -> None:
        """Write a line about what a person has to know."""
        self._log.error(masked(event, self._config), **self._masked(values))

    def _masked(self, values: dict[str, Any]) -> dict[str, Any]:
        kept = (bool, int, float, type(None))
        return {
            name: value if isinstance(value, kept) else masked(str(value), self._config)
            for name, value in values.items()
        }
