"""/metrics: its token and its numbers. Without a token in the settings, nothing is counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from open311.clock import utc_now
from open311.jobs.dispatching import dispatch_all
from open311.operations.access.api_keys import add_key
from open311.operations.upkeep.metering import MOST_KEYS, CallCounts
from tests import build
from tests.checked_client import platform_of
from tests.photos import Sender, jpeg, prepare_all

TOKEN = {"Authorization": "Bearer s3cret"}
BASE = "/open311/v2"


@pytest.fixture
def metered(make_app: Callable[..., Flask], tmp_path: Path) -> Flask:
    """A server that counts calls. Its plain client makes no additional calls to compare formats."""
    app = make_app(metrics_token="s3cret", data_dir=str(tmp_path))
    app.test_client_class = FlaskClient
    return app


def samples(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """The samples of /metrics, read by the official parser: name and values of the labels -> value."""
    answer = client.get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    families = list(text_string_to_metric_families(answer.text))
    return {
        (one.name, *(one.labels[name] for name in sorted(one.labels))): one.value
        for family in families
        for one in family.samples
    }


def test_metrics_are_not_public(metered: Flask, client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 404
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
        assert metered.test_client().get("/metrics", headers=headers).status_code == 403


def test_calls_are_counted_by_endpoint_status_and_key(metered: Flask) -> None:
    client, platform = metered.test_client(), platform_of(metered)
    _, secret = add_key(platform, label="FixIt app", now=utc_now())
    for path in ("requests.json", "requests.xml", "requests/none.json", "../nothing.json"):
        client.get(f"{BASE}/{path}")
    form = {
        "api_key": secret,
        "service_code": "potholes",
        "lat": "60.17",
        "long": "24.94",
        "email": "a@mail.example",
    }
    client.post(f"{BASE}/requests.json", data=form)
    found = samples(client)
    count = "open311_call_seconds_count"
    assert found[count, "", "GET", "list_requests", "200"] == 2
    assert found[count, "", "GET", "get_request", "404"] == 1
    assert found[count, "FixIt app", "POST", "create_request", "200"] == 1
    assert found["open311_call_seconds_bucket", "", "+Inf", "GET", "list_requests", "200"] == 2
    assert not any("mail.example" in label or secret in label for labels in found for label in labels)


def test_metrics_show_queue_database_and_readiness(metered: Flask) -> None:
    client, platform = metered.test_client(), platform_of(metered)
    build.submit(platform, service_code="trees")
    assert samples(client)["open311_changes", "waiting"] == 1
    dispatch_all(platform)
    found = samples(client)
    assert found["open311_changes", "waiting"] == 0
    assert found["open311_jobs", "todo"] == 1
    assert found["open311_check_ok", "database"] == 1
    assert found["open311_database_connections", "idle"] + found["open311_database_connections", "in use"] >= 1
    assert ("open311_oldest_job_seconds",) in found


def test_counts_of_other_and_ended_processes_are_added(tmp_path: Path) -> None:
    other = CallCounts(tmp_path, lambda: (7, 7))
    other.add("GET", "list_requests", 200, "", 0.2)
    other.flush()
    (file,) = tmp_path.glob("*/*.json")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    file.rename(file.with_name(f"{ended.pid}-x.json"))
    counts = CallCounts(tmp_path, lambda: (1, 2))
    counts.add("GET", "list_requests", 200, "", 0.3)
    (row,), pools = counts.read()
    assert (sum(row.buckets), round(row.seconds, 6)) == (2, 0.5)
    assert pools == (1, 2), "the pool of an ended process is closed"
    counts.clear()
    (row,), _ = counts.read()
    assert sum(row.buckets) == 1


def test_waiting_refused_and_lost_photos_are_counted(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    folder = tmp_path / "media"
    sender = Sender(make_app(metrics_token="s3cret", data_dir=str(tmp_path), media=str(folder)))
    [city] = sender.platform.registry
    waiting, held, refused = (("open311_photos", city.id, state) for state in ("waiting", "held", "refused"))
    found = samples(sender.client)
    assert (found[waiting], found[held], found[refused], found["open311_lost_photos_total",]) == (0, 0, 0, 0)
    sender.post(("media", jpeg("red")), ("media", jpeg("blue")[:200]))
    assert samples(sender.client)[waiting] == 2
    prepare_all(sender.platform)
    found = samples(sender.client)
    assert (found[waiting], found[refused]) == (0, 1)
    folder.rename(tmp_path / "elsewhere")
    folder.write_text("This file is in the way.")
    sender.post(("media", jpeg("red")))
    assert samples(sender.client)["open311_lost_photos_total",] == 1


def test_the_number_of_key_labels_is_limited(tmp_path: Path) -> None:
    counts = CallCounts(tmp_path, lambda: (0, 0))
    for number in range(MOST_KEYS + 50):
        counts.add("POST", "create_request", 200, f"app {number}", 0.1)
    rows, _ = counts.read()
    assert len(rows) == MOST_KEYS + 1
    assert {row.labels[3]: sum(row.buckets) for row in rows}["others"] == 50


def test_nothing_is_counted_without_a_token(client: FlaskClient, app: Flask) -> None:
    assert platform_of(app).process.calls is None


def test_calls_with_a_key_are_limited_by_key_in_addition_to_address(make_app: Callable[..., Flask]) -> None:
    app = make_app(key_rate="2 per hour")
    secrets = [add_key(platform_of(app), label=label, now=utc_now())[1] for label in ("one", "other")]
    statuses = [
        app.test_client()
        .post(
            f"{BASE}/requests.json",
            data={"api_key": secret, "service_code": "potholes", "lat": "60.17", "long": "24.94"},
            environ_base={"REMOTE_ADDR": f"192.0.2.{number}"},
        )
        .status_code
        for number, secret in enumerate([secrets[0]] * 3 + [secrets[1]])
    ]
    assert statuses == [200, 200, 429, 200]


def test_the_log_has_label_and_id_of_the_key(
    make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(log_level="info")
    number, secret = add_key(platform_of(app), label="FixIt app", now=utc_now())
    app.test_client().post(f"{BASE}/requests.json", data={"api_key": secret})
    said = capsys.readouterr().err
    assert f'"key":"FixIt app","key_id":{number}' in said
    assert secret not in said
