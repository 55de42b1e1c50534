"""Prepares our server for every check of the suite, with real processes, real HTTP and real databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from flask import Flask

from open311.app import create_app
from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.domain.city_notices import NoticeText
from open311.jobs.repeating import repeating
from open311.operations.access.api_keys import add_key
from open311.operations.notices.managing import NoticeOrder, add_notice
from open311.operations.platform import Platform
from open311.operations.upkeep.sync_catalogues import sync_catalogues
from open311.plugins import Jurisdiction
from open311.settings import Settings
from spec.conformance.preparation import EXTENSIONS, Endpoint, Gauge, Preparation, Several, Throttle
from tests import build
from tests.checked_client import platform_of
from tests.conformance.connected_city import DOWN_FILE, jurisdiction, with_renamed_service
from tests.conformance.past import Past, age, crowd, member, small_city
from tests.conformance.servers import REPOSITORY, serve_process, serve_thread
from tests.photos import prepare_waiting
from tests.working import work

BASE = "/open311/v2"
PUBLIC = "https://311.city.example"
LICENCE = "https://creativecommons.org/publicdomain/zero/1.0/"
CALLS = 5
PLUGIN = "conformance"
NOT_OFFERED = frozenset({"discovery_page"})
OFFERED = frozenset(EXTENSIONS) - NOT_OFFERED


@dataclass(frozen=True, kw_only=True)
class Served:
    """The server under test, and functions that change its state.

    prepared  the preparation of its own city; the fixture `prepared` is the whole `Preparation`
    """

    origin: str
    platform: Platform
    api_key: str
    log: Path
    prepared: Preparation
    down_file: Path

    @property
    def base_url(self) -> str:
        """The URL of services.xml without /services.xml."""
        return self.origin + BASE

    def rename(self) -> None:
        """Deploy a catalogue in which a service has another name, while the server runs."""
        renewed = build.platform(
            self.platform.settings, with_renamed_service(jurisdiction, "potholes", "Hole in the road")
        )
        sync_catalogues(renewed, utc_now())
        work(renewed)
        renewed.close()

    @contextmanager
    def back_office_down(self) -> Iterator[None]:
        """Makes every call of the plugin to its back office fail during the block."""
        self.down_file.touch()
        yield
        self.down_file.unlink()


@pytest.fixture(scope="session")
def served(make_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with Demoville as its only city, started as an operator starts it."""
    with serving(make_database("conformance"), tmp_path_factory.mktemp("served"), {}) as found:
        yield found


@contextmanager
def serving(url: str, folder: Path, more: Mapping[str, str]) -> Iterator[Served]:
    """Serve Demoville from a process.

    url   the database, without a pooler
    more  other variables of the process
    """
    settings = Settings(database_url=url, log_level="error", data_dir=str(folder / "data"), licence=LICENCE)
    platform = build.platform(settings, jurisdiction)
    sync_catalogues(platform, utc_now())
    prepared = Past(platform, utc_now()).make_requests()
    _tell(platform)
    environment = {
        "DATABASE_URL": settings.database_url,
        "OPEN311_JURISDICTIONS": PLUGIN,
        "OPEN311_POST_RATE": "",
        "OPEN311_OTHER_ENDPOINT": "https://test.city.example/open311/v2",
        "OPEN311_DATA_DIR": settings.data_dir,
        "OPEN311_LICENCE": settings.licence,
        "PYTHONPATH": f"{_installed(folder)}:{REPOSITORY}",
        DOWN_FILE: str(folder / "down"),
        **more,
    }
    with (
        serve_process(environment, folder / "log") as origin,
        repeating("photos", partial(prepare_waiting, platform), poll_s=0.2),
    ):
        yield Served(
            origin=origin,
            platform=platform,
            api_key=_key(platform),
            log=folder / "log",
            prepared=replace(prepared, test_key=_key(platform, is_test=True)),
            down_file=folder / "down",
        )
    platform.close()


def _tell(platform: Platform) -> None:
    """Add a notice of the city."""
    text = NoticeText(language=jurisdiction.languages[0], headline="Water is off", description="A pipe has burst.")
    order = NoticeOrder(texts=[text], ends_at=utc_now() + timedelta(days=1), area="Harbour")
    add_notice(platform, jurisdiction, order, principal=SHELL, now=utc_now())


def _key(platform: Platform, *, is_test: bool = False) -> str:
    return add_key(platform, label="conformance", is_test=is_test, now=utc_now())[1]


def _installed(folder: Path) -> Path:
    """Make a folder with the entry point of the plugin, as `pip install` does."""
    info = folder / "site" / f"{PLUGIN}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PLUGIN}\nVersion: 1\n")
    entry = f"{PLUGIN} = tests.conformance.connected_city:jurisdiction"
    (info / "entry_points.txt").write_text(f"[open311.jurisdictions]\n{entry}\n")
    return info.parent


@pytest.fixture(scope="session")
def prepared(served: Served, make_database: Callable[[str], str]) -> Iterator[Preparation]:
    """The preparation, with the needs of all checks."""
    settings = Settings(database_url=make_database("conformance_side"), post_rate="", log_level="error")
    with preparing(served, settings) as found:
        yield found


@contextmanager
def preparing(served: Served, settings: Settings) -> Iterator[Preparation]:
    """Prepare everything for a server. `settings` are those of the additional small servers."""
    with ExitStack() as stack:
        side = _SideServers(settings, stack)
        several = side.several()
        yield replace(
            served.prepared,
            several=several,
            empty=Endpoint(several.base_url, "empty.example"),
            crowded=Endpoint(several.base_url, "crowded.example"),
            crashing=Endpoint(side.crashing()),
            https_only=Endpoint(side.start(public_url=PUBLIC, trusted_proxies=1)),
            jsonp=Endpoint(side.start(jsonp=True)),
            throttle=Throttle(side.start(get_rate=f"{CALLS} per hour"), CALLS),
            max_body_bytes=Settings().max_body_bytes,
            serves_test=True,
            rename_service=served.rename,
            advance_clock=lambda seconds: age(served.platform, seconds),
            back_office_down=served.back_office_down,
            access_log=served.log.read_text,
            locale="es",
            bulk_url=f"{served.origin}/open311/bulk/v1/requests",
            inquiry_url=f"{served.origin}/inquiry/v1",
            gauge=_gauge(served),
            offered=OFFERED,
        )


def _gauge(served: Served) -> Gauge:
    """The gauge of the demo city, with a key of its own."""
    things = ["elm-underpass"]
    key = add_key(served.platform, label="gauge", jurisdiction_id=jurisdiction.id, things=things, now=utc_now())[1]
    return Gauge(f"{served.origin}/sensors/v1/observations", "elm-underpass-water", key)


class _SideServers:
    """Small servers with one database, each with its own settings; `stack` stops them."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings, self.stack = settings, stack

    def start(self, *cities: Jurisdiction, **changes: object) -> str:
        """Start a server; returns its base URL."""
        return self._serve(self._app(*(cities or (build.city(),)), **changes))

    def several(self) -> Several:
        """One server with four cities: two ordinary cities, an empty city, and a city with over 1000 requests."""
        cities = [small_city("a"), small_city("b"), small_city("empty", services=()), small_city("crowded")]
        app = self._app(*cities)
        key = _key(platform_of(app))
        crowd(self.settings, cities[3], utc_now())
        first, second = (member(self.settings, city, key) for city in cities[:2])
        work(platform_of(app))
        return Several(self._serve(app), first, second)

    def crashing(self) -> str:
        """A server whose service list fails."""
        city = build.city()
        app = self._app(city)
        object.__setattr__(city, "services", None)  # so each use of the services raises an unexpected exception
        return self._serve(app)

    def _app(self, *cities: Jurisdiction, **changes: object) -> Flask:
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        app = create_app(settings, build.platform(settings, *cities))
        self.stack.callback(platform_of(app).close)
        return app

    def _serve(self, app: Flask) -> str:
        return self.stack.enter_context(serve_thread(app)) + BASE
