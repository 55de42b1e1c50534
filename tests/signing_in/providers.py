"""A real OpenID Connect provider on the loopback, and a browser that signs in there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import CITY
from tests.ports import free_port
from tests.processes import is_listening
from tests.waiting import until

SUBJECT = "subject-1"
"""The provider's own name for the person who signs in."""


@dataclass(frozen=True)
class TestProvider:
    """The provider, which knows one person."""

    __test__ = False

    address: str

    def knows(self, **claims: object) -> None:
        """Tell the provider what it says about the person."""
        requests.put(f"{self.address}/users/{SUBJECT}", json=claims, timeout=10).raise_for_status()

    def answer(self, address: str, **fields: str) -> str:
        """Sign in at an address of the provider. Returns the address to which the provider leads back."""
        answer = requests.post(address, data=fields or {"sub": SUBJECT}, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]


@contextmanager
def running_provider() -> Iterator[TestProvider]:
    """Run a provider as a process, because importing it gives a warning, and warnings are errors in tests."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: is_listening(port), "the provider listens")
        yield TestProvider(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


def begun(client: FlaskClient, city: str = CITY, query: str = "") -> str:
    """Follow the link on the sign-in page. Returns the address of the provider."""
    answer = client.get(f"/desk/sign-in/with/{city}{query}")
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def led_back(client: FlaskClient, address: str) -> TestResponse:
    """Open the address to which the provider leads back."""
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}")


def parameters(address: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(urlsplit(address).query))
