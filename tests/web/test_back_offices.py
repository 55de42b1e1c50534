"""What health checks and metrics say about back offices."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from open311.cli import main
from open311.clock import utc_now
from open311.domain.deliveries import Circuit, DeliveryState
from open311.domain.requests import Reporter
from open311.observe import configure_logs, logger
from open311.operations.delivery import sending
from open311.operations.dispatch.dispatcher import dispatch
from open311.operations.platform import Platform
from open311.storage import deliveries
from tests import build, world
from tests.delivering import Clock, run, stored
from tests.plugins.test_backend_faults import CITY
from tests.web.test_metrics import samples
from tests.web.test_staff_deliveries import app, parked, platform

__all__ = ["app", "platform"]
PLACE = ("test.example", "works")


def checks(app: Flask) -> tuple[str, dict[str, dict[str, object]]]:
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    return answer.json["status"], answer.json["checks"]


def down(platform: Platform, neighbour: world.Neighbour) -> Clock:
    """The back office is down for an hour, and five requests wait."""
    neighbour.down()
    clock = Clock(utc_now() - timedelta(hours=1))
    for minute in range(5):
        build.submit(platform, now=clock())
        for _ in range(3):
            run(platform, clock)
            clock.later(seconds=60 + minute)
    return clock


def test_readyz_is_ready_if_all_deliveries_are_done(app: Flask, platform: Platform) -> None:
    build.submit(platform)
    run(platform)
    status, found = checks(app)
    assert status == "ready"
    assert found["back_offices"] == {"ok": True, "detail": "1 in order"}
    assert found["deliveries"] == {"ok": True, "detail": "0 on their way"}


def test_readyz_is_degraded_while_a_back_office_is_down_and_names_no_address(
    app: Flask, platform: Platform, neighbour: world.Neighbour
) -> None:
    down(platform, neighbour)
    status, found = checks(app)
    assert status == "degraded"
    assert "works of test.example is down since 20" in str(found["back_offices"]["detail"])
    assert found["deliveries"] == {"ok": True, "detail": "5 on their way"}
    assert "127.0.0.1" not in app.test_client().get("/readyz").text


def test_readyz_is_degraded_while_a_delivery_waits_for_a_person(
    app: Flask, platform: Platform, neighbour: world.Neighbour
) -> None:
    parked(platform, neighbour)
    status, found = checks(app)
    assert status == "degraded"
    assert found["back_offices"]["detail"] == "works of test.example has 1 parked; see `open311 deliveries list`"


def test_readyz_is_degraded_without_a_worker(app: Flask, platform: Platform) -> None:
    build.submit(platform)
    dispatch(platform, utc_now() - timedelta(minutes=6))
    status, found = checks(app)
    assert status == "degraded"
    assert "works of test.example; is `open311 worker` running?" in str(found["deliveries"]["detail"])


def test_a_delivery_that_waits_for_a_parked_one_is_not_late(
    app: Flask, platform: Platform, neighbour: world.Neighbour
) -> None:
    request_id = build.submit(platform).service_request_id
    run(platform)
    build.change(platform, request_id, note="Seen.")
    build.change(platform, request_id, note="Seen again.")
    neighbour.down()
    run(platform)
    first = stored(platform)[1]
    with platform.database.transaction() as connection:
        deliveries.save(connection, replace(first, state=DeliveryState.PARKED))
        deliveries.save_circuit(connection, PLACE, Circuit(succeeded_at=build.NOON))
    assert checks(app)[1]["deliveries"]["ok"]


def test_worker_check_names_a_back_office_with_a_parked_delivery_and_exits_with_0(
    app: Flask,
    platform: Platform,
    neighbour: world.Neighbour,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    parked(platform, neighbour)
    folder = tmp_path / "testville"
    folder.mkdir()
    (folder / "jurisdiction.toml").write_text(CITY.replace("my.example", "test.example"))
    monkeypatch.setenv("OPEN311_JURISDICTIONS", str(folder))
    monkeypatch.setenv("DATABASE_URL", platform.settings.database_url)
    result = CliRunner().invoke(main, ["worker", "--check"])
    assert result.exit_code == 0, result.output
    assert "back_offices: works of test.example has 1 parked" in result.output


def test_metrics_count_deliveries_by_back_end(
    make_app: Callable[..., Flask], app: Flask, platform: Platform, neighbour: world.Neighbour
) -> None:
    clock = down(platform, neighbour)
    (city,) = platform.registry
    metered = make_app(city, metrics_token="s3cret")
    metered.test_client_class = FlaskClient
    found = samples(metered.test_client())
    assert found["open311_deliveries", "works", "test.example", "waiting"] == 5
    assert found["open311_deliveries", "works", "test.example", "parked"] == 0
    assert found["open311_back_office_down", "works", "test.example"] == 1
    assert 3_500 < found["open311_oldest_delivery_seconds", "works", "test.example"] < 3_900
    assert found["open311_quarantined_updates", "works", "test.example"] == 0
    neighbour.up()
    for _ in range(5):
        clock.later(hours=1)
        run(platform, clock)
    after = samples(metered.test_client())
    assert found["open311_delivered_total", "works", "test.example"] == 0
    assert after["open311_delivered_total", "works", "test.example"] == 5
    assert after["open311_deliveries", "works", "test.example", "waiting"] == 0
    assert after["open311_back_office_down", "works", "test.example"] == 0
    assert after["open311_oldest_delivery_seconds", "works", "test.example"] == 0


def test_accepted_deliveries_are_logged_without_personal_data(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info")
    monkeypatch.setattr(sending, "log", logger("sending"))  # the logger of earlier tests keeps their level
    for _ in range(3):
        build.submit(platform, description="My name is Ann", reporter=Reporter(email="ann@example.org"))
    run(platform)
    build.submit(platform)
    run(platform)
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    arrived = [line for line in logged if line["event"] == "a delivery arrived"]
    assert [line["delivery"] for line in arrived] == [one.id for one in stored(platform)]
    assert "Ann" not in str(logged)
    assert "ann@" not in str(logged)
