"""A server that sends text messages, for the tests of text messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.sms.towns import Town, town


@pytest.fixture
def here(make_app: Callable[..., Flask]) -> Iterator[Town]:
    with town(make_app) as found:
        yield found
