"""What operators see about text messages: in `open311 doctor`, in /readyz, and in `open311 sms`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from open311.cli import main
from open311.clock import utc_now
from open311.operations.examining.findings import Level
from open311.operations.examining.working import check_sms
from open311.operations.sms.watching import allow_number, stop_number, try_sms
from tests import world
from tests.sms.towns import ANN, ANN_INTERNATIONAL, Town, city, settings_for, town

Make = Callable[..., Flask]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sms_url": "", "sms_secret": ""}, "OPEN311_SMS_URL is not set"),
        ({"public_url": ""}, "OPEN311_PUBLIC_URL is not set"),
        ({"sms_secret": ""}, "OPEN311_SMS_SECRET: must be set"),
        ({"sms_secret": "short"}, "OPEN311_SMS_SECRET: "),
        ({"sms_private": False}, "OPEN311_SMS_URL: must be https, unless OPEN311_SMS_PRIVATE is true"),
        ({"kind": "pigeon"}, "kind 'pigeon' is not installed; use one of webhook"),
    ],
)
def test_the_doctor_names_what_is_missing(make_app: Make, changes: dict[str, Any], told: str) -> None:
    rules = {name: value for name, value in changes.items() if name == "kind"}
    with world.receiver() as gateway:
        settings = settings_for(gateway) | {name: value for name, value in changes.items() if name not in rules}
        here = Town(make_app(city(**rules), **settings), gateway)
        with here.platform.database.reading() as connection:
            [one] = check_sms(connection, here.platform, utc_now())
        assert (one.level, one.cure) == (Level.FAULT, "open311 sms status")
        assert told in one.what
        assert "test.example: [sms] has no effect" in one.what


def test_a_gateway_that_is_down_is_a_fault_for_the_doctor_and_in_readiness(make_app: Make) -> None:
    with town(make_app) as here:
        here.report()
        here.gateway.down()
        here.send()
        with here.platform.database.reading() as connection:
            [one] = check_sms(connection, here.platform, here.now())
        assert one.what == "the gateway for text messages is down"
        check = here.client.get("/readyz").json["checks"]["sms"]
        assert check == {
            "ok": False,
            "detail": "the gateway for text messages is down; `open311 sms status` says more",
        }


def test_the_check_of_a_worker_exits_with_0_and_names_a_gateway_that_is_down(
    make_app: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with town(make_app) as here:
        here.report()
        here.gateway.down()
        here.send()
        monkeypatch.setenv("DATABASE_URL", here.platform.settings.database_url)
        told = CliRunner().invoke(main, ["worker", "--check"])
        assert told.exit_code == 0, told.output
        assert "sms: the gateway for text messages is down" in told.output
        with here.platform.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE destination SET failures = 0")
            connection.exec_driver_sql("UPDATE sms SET due_at = due_at - interval '1 day'")
        told = CliRunner().invoke(main, ["worker", "--check"])
        assert told.exit_code == 1, told.output
        assert "sms: text messages wait" in told.output


def test_an_operator_can_try_stop_and_allow_a_number(here: Town) -> None:
    assert try_sms(here.platform, here.city, ANN, now=utc_now()) == ""
    assert [one["to"] for one in here.arrived()] == [ANN_INTERNATIONAL]
    assert stop_number(here.platform, here.city, ANN, now=utc_now())
    here.report()
    assert here.send() == []
    assert allow_number(here.platform, here.city, ANN_INTERNATIONAL)
    assert not allow_number(here.platform, here.city, ANN_INTERNATIONAL)
    here.report()
    assert len(here.send()) == 1


@pytest.mark.parametrize("status", [0, 401])
def test_the_test_of_the_gateway_names_the_settings_and_no_secret(make_app: Make, status: int) -> None:
    with town(make_app, *([world.fault("status", status=status)] if status else [])) as here:
        if not status:
            here.gateway.down()
        told = try_sms(here.platform, here.city, ANN, now=utc_now())
    host = here.gateway.url.split("/")[2]
    assert f"; check OPEN311_SMS_URL, which names {host}, OPEN311_SMS_PRIVATE and OPEN311_SMS_SECRET," in told
    assert world.SECRET not in told


def test_the_command_shows_counts_and_causes_and_no_number(make_app: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with town(make_app, world.fault("status", status=422)) as here:
        here.report()
        here.send()
        here.answer("STOP")
        monkeypatch.setenv("DATABASE_URL", here.platform.settings.database_url)
        told = CliRunner().invoke(main, ["sms", "status"])
        assert told.exit_code == 0, told.output
        assert "1 message: the gateway answered 422" in told.output
        assert "their owners want none: 1" in told.output
        assert "555" not in told.output
        assert CliRunner().invoke(main, ["sms", "retry"]).output == "0 messages will be tried now.\n"
