"""A browser of this machine, and the pages that it opens. Tests that import this are skipped without Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.serving import ThreadedWSGIServer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed; run `make browser`")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe is not installed; run `make browser`"
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

CITY = "/c/city.example/"
NEAR_MAP = "/map/city.example#at=15/60.175/24.95"
"""The map so near that it shows single reports."""
PHONE, DESKTOP, NARROW = (
    {"width": 390, "height": 844},
    {"width": 1280, "height": 900},
    {"width": 320, "height": 640},
)
"""NARROW is a window of 1280 pixels at a zoom of 400 %."""
QUIET = (
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
POINT = {"latitude": 60.1718, "longitude": 24.9414}
THREADS = 16
"""A browser opens up to six connections to a site, and some of them only in advance."""
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser of this machine; nothing is downloaded."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class FewThreads(ThreadedWSGIServer):
    """A server with a fixed number of threads, because each thread keeps its own connection to the database."""

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__("127.0.0.1", 0, app)
        self._pool = ThreadPoolExecutor(THREADS)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._pool.submit(self.process_request_thread, request, client_address)

    def server_close(self) -> None:
        super().server_close()
        self._pool.shutdown()


@contextmanager
def serving(app: WSGIApplication) -> Iterator[str]:
    """Serve an application on a free port. Yields its address."""
    server = FewThreads(app)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The address of a server with the demo city."""
    with serving(app) as found:
        yield found


@pytest.fixture
def opened(chromium: Any, address: str) -> Iterator[Open]:
    """Opens a page: opened(path, viewport, ...). At the end, checks that no page has asked other hosts for files.

    script  runs before the scripts of the page
    """
    contexts: list[Any] = []
    asked: list[str] = []

    def open_page(
        path: str = CITY, viewport: dict[str, int] | None = None, script: str = "", **options: Any
    ) -> Any:
        context = chromium.new_context(base_url=address, viewport=viewport or PHONE, **options)
        if script:
            context.add_init_script(script)
        context.on("request", lambda request: asked.append(request.url))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked
    own = {urlsplit(one).netloc for one in asked if not one.startswith(("data:", "blob:"))}
    assert own == {urlsplit(address).netloc}


def follow(link: Any) -> None:
    """Click a link and wait until the next page has its pictures and has run its scripts."""
    with link.page.expect_event("load"):
        link.click()


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state()


def reported(page: Any, photo: Path | None = None) -> str:
    """Report a pothole by the map. Returns the number of the report."""
    follow(page.get_by_role("link", name="Pothole", exact=True))
    page.get_by_label("Description").fill("Deep hole before the school")
    press(page, "Continue: the place")
    page.locator("input[type=image]").click(position={"x": 150, "y": 120})
    page.locator("input[type=image]").click(position={"x": 140, "y": 150})
    sync_api.expect(page.locator("#chosen")).to_contain_text("The pin marks the place.")
    press(page, "Continue: check and send")
    if photo is not None:
        page.get_by_label("Photos").set_input_files(str(photo))
    page.get_by_label("E-mail address").fill("maria@mail.example")
    press(page, "Send the report")
    return number_on(page)


def number_on(page: Any) -> str:
    """The number of the report on the page after sending."""
    return str(page.locator("main p > strong").first.inner_text())
