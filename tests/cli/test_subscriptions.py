"""Commands about subscriptions."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient

from open311.cli import main
from tests.checked_client import platform_of
from tests.subscribing import shown, subscribe

URL = "http://127.0.0.1:9/secret/path"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["subscriptions", *arguments], prog_name="open311")


@pytest.fixture
def name(shell: None, app: Flask, client: FlaskClient, key: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a subscription."""
    monkeypatch.setitem(platform_of(app).settings.__dict__, "webhook_hosts", ("127.0.0.1:9",))
    found: str = subscribe(client, key, URL)["subscription_id"]
    return found


def test_an_operator_sees_subscriptions_without_the_secret_parts_of_their_addresses(name: str) -> None:
    output = run("list").output
    assert name in output
    assert "http://127.0.0.1:9" in output
    assert "secret" not in output


def test_the_list_has_pages(name: str, client: FlaskClient, key: str) -> None:
    second = subscribe(client, key, URL)["subscription_id"]
    first_page = run("list", "--most", "1").output
    assert name in first_page
    assert second not in first_page
    assert f"--after {name} shows the next page." in first_page
    next_page = run("list", "--most", "1", "--after", name).output
    assert second in next_page
    assert "next page" not in next_page
    unknown = run("list", "--after", "sub_x")
    assert (unknown.exit_code, "here. See `open311 subscriptions list`." in unknown.output) == (1, True)


def test_an_operator_stops_resumes_and_deletes_a_subscription(name: str, client: FlaskClient, key: str) -> None:
    assert run("disable", name, "--reason", "It is too slow.").output == f"Subscription {name} is disabled.\n"
    assert shown(client, key, name)["state"] == "disabled"
    assert run("resume", name, "--reason", "It is fast now.").exit_code == 0
    assert run("delete", name, "--reason", "The app is gone.").exit_code == 0
    assert run("delete", name, "--reason", "Again.").exit_code == 1
    assert "is no subscription here" in run("resume", name, "--reason", "Again.").output
    audited = CliRunner().invoke(main, ["staff", "audit"], prog_name="open311").output
    assert "subscription.delete" in audited
