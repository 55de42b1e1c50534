"""A server that sends mail, for the tests of mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.mailing.towns import Town, town


@pytest.fixture
def here(make_app: Callable[..., Flask]) -> Iterator[Town]:
    with town(make_app) as found:
        yield found
