"""Notices for the users of an app, and keys that are suspended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from open311.clock import utc_now
from open311.domain.access import SHELL
from open311.errors import Invalid
from open311.operations.access.api_keys import add_key, resume_key, set_notice, suspend_key
from open311.operations.platform import Platform
from tests import build
from tests.checked_client import platform_of

BASE = "/open311/v2"
FORM = {"service_code": "potholes", "lat": "60.1718", "long": "24.9414"}


@pytest.fixture
def app_key(platform: Platform) -> tuple[int, str]:
    return add_key(platform, label="old app", now=utc_now())


def send(client: FlaskClient, key: str, **headers: str) -> Any:
    return client.post(f"{BASE}/requests.json", data=FORM | {"api_key": key}, headers=headers)


def test_the_users_of_a_key_get_the_keys_notice(
    client: FlaskClient, platform: Platform, app_key: tuple[int, str], key: str
) -> None:
    number, secret = app_key
    assert set_notice(platform, number, " Please update the app. ", principal=SHELL, now=utc_now())
    answer = send(client, secret)
    assert answer.json[0]["service_notice"].endswith("Please update the app.")
    assert "to the users of this app: Please update the app." in answer.headers["Warning"]
    assert "update" not in send(client, key).text
    assert set_notice(platform, number, "", principal=SHELL, now=utc_now())
    assert "update" not in send(client, secret).text


@pytest.mark.parametrize("notice", ['Say "hello" \\ now', "Bitte ändern", "アプリを更新してください", "x" * 300])
def test_a_notice_may_have_any_characters_of_one_line(
    client: FlaskClient, platform: Platform, app_key: tuple[int, str], notice: str
) -> None:
    number, secret = app_key
    set_notice(platform, number, notice, principal=SHELL, now=utc_now())
    answer = send(client, secret)
    assert answer.status_code == 200
    assert notice in answer.json[0]["service_notice"]
    assert answer.headers["Warning"].isascii() or "ä" in answer.headers["Warning"]


@pytest.mark.parametrize("notice", ["two\nlines", "x" * 301, "bell\a"])
def test_a_notice_that_is_not_one_short_line_is_refused(
    platform: Platform, app_key: tuple[int, str], notice: str
) -> None:
    with pytest.raises(Invalid, match="one line"):
        set_notice(platform, app_key[0], notice, principal=SHELL, now=utc_now())


def test_a_suspended_key_gets_403_with_the_reason_until_it_is_resumed(
    client: FlaskClient, platform: Platform, app_key: tuple[int, str], key: str
) -> None:
    number, secret = app_key
    assert suspend_key(platform, number, "Sends each report twice.", principal=SHELL, now=utc_now())
    refused = send(client, secret)
    assert refused.status_code == 403
    assert refused.json[0]["description"] == "api_key: is suspended: Sends each report twice."
    assert send(client, key).status_code == 200
    assert resume_key(platform, number, principal=SHELL, now=utc_now())
    assert send(client, secret).status_code == 200


def test_a_suspension_works_at_once_in_other_processes(make_app: Callable[..., Flask]) -> None:
    one, other = make_app(build.city()), make_app(build.city())
    number, secret = add_key(platform_of(one), label="app", now=utc_now())
    assert send(other.test_client(), secret).status_code == 200
    suspend_key(platform_of(one), number, "Stop.", principal=SHELL, now=utc_now())
    assert send(other.test_client(), secret).status_code == 403


def test_unknown_and_revoked_keys_cannot_be_changed(platform: Platform) -> None:
    for number in (0, -1, 10**6, 2**63, 10**30):
        assert not set_notice(platform, number, "x", principal=SHELL, now=utc_now())
        assert not suspend_key(platform, number, "x", principal=SHELL, now=utc_now())
        assert not resume_key(platform, number, principal=SHELL, now=utc_now())
