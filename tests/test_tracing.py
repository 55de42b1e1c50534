"""Spans for OpenTelemetry arrive at a real receiver of OTLP over HTTP, and have no personal data."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from open311.app import create_app
from open311.clock import utc_now
from open311.federation.addresses import Guard
from open311.federation.calls import Call, Limits
from open311.federation.transport import Transport
from open311.federation.webhooks import trusted_hosts
from open311.observe import configure_logs
from open311.operations.access.api_keys import add_key
from open311.operations.platform import open_platform
from open311.settings import Settings
from open311.storage.queue import Task
from open311.tracing import begin_tracing, end_tracing, is_wanted, serving, shown_statement
from tests import world
from tests.checked_client import platform_of
from tests.ports import free_port
from tests.working import work

BASE = "/open311/v2"
PERSONAL = {
    "first_name": "Philippa",
    "last_name": "Plantsky",
    "email": "philippa@mail.example",
    "phone": "+358401234567",
    "device_id": "device-of-philippa",
    "account_id": "account-of-philippa",
    "description": "Planted words of Philippa.",
    "address_string": "7 Planted Lane",
}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=Philippa"}


@dataclass
class Collector:
    """A receiver of OTLP over HTTP. `raw` has the bodies as they came."""

    url: str
    raw: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for body in self.raw
            for about in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in about.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def names(self) -> set[str]:
        return {span.name for span in self.spans}


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            got.raw.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        got = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield got
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


@contextmanager
def traced_app(settings: Settings, **changes: Any) -> Iterator[Flask]:
    """An app that sends spans during the block; at its end, all spans have been sent."""
    with closing(open_platform(replace(settings, **changes))) as platform:
        begin_tracing()
        try:
            yield create_app(platform.settings, platform)
        finally:
            end_tracing()


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


def test_a_call_has_a_span_with_its_route_and_status_and_spans_of_its_statements(
    settings: Settings, collector: Collector
) -> None:
    with traced_app(settings) as app:
        client = FlaskClient(app)
        assert client.get(f"{BASE}/requests.json?status=open&q=Philippa", headers=CALLER).status_code == 200
        assert client.get(f"{BASE}/requests/unknown-of-philippa.json").status_code == 404
        assert client.get("/nowhere/philippa").status_code == 404
        assert client.get("/healthz").status_code == 200
    (read,) = collector.named(f"GET {BASE}/requests")
    assert read.kind == Span.SPAN_KIND_SERVER
    assert attributes(read) == {
        "http.request.method": "GET",
        "http.route": f"{BASE}/requests",
        "http.response.status_code": 200,
    }
    assert (read.trace_id.hex(), read.parent_span_id.hex()) == (TRACE, PARENT)
    (missing,) = collector.named(f"GET {BASE}/requests/<code:service_request_id>")
    assert attributes(missing)["http.response.status_code"] == 404
    assert missing.status.code != Status.STATUS_CODE_ERROR
    (unknown,) = collector.named("GET")
    assert attributes(unknown) == {"http.request.method": "GET", "http.response.status_code": 404}
    statements = [span for span in collector.spans if span.parent_span_id == read.span_id]
    assert statements
    assert {span.name for span in statements} <= {"SELECT", "WITH"}
    assert all(attributes(span)["db.system.name"] == "postgresql" for span in statements)
    assert b"open311-server" in collector.raw[0]


def test_spans_have_no_personal_data(settings: Settings, collector: Collector) -> None:
    with traced_app(settings) as app:
        client, platform = FlaskClient(app), platform_of(app)
        secret = add_key(platform, label="FixIt", now=utc_now())[1]
        form = PERSONAL | {"api_key": secret, "service_code": "potholes", "lat": "60.1718", "long": "24.9414"}
        first = client.post(f"{BASE}/requests.json", data=form, headers=CALLER)
        assert first.status_code == 200
        assert client.post(f"{BASE}/requests.json", data=form | {"email": "Philippa"}).status_code == 200
        assert client.post(f"{BASE}/requests.json", data=form | {"lat": "Philippa"}).status_code == 400
        assert client.get(f"{BASE}/requests.json?q=Philippa%27s&account_id=philippa").status_code == 400
        work(platform)
    said = b"".join(collector.raw)
    assert f"POST {BASE}/requests" in collector.names()
    assert "INSERT" in " ".join(attributes(span).get("db.query.text", "") for span in collector.spans)
    planted = [*PERSONAL.values(), "Philippa", "philippa", secret, "60.1718", "24.9414", "127.0.0.1"]
    assert [value for value in planted if value.encode() in said] == []


def test_a_job_goes_on_with_the_trace_of_the_call_that_stored_it(settings: Settings, collector: Collector) -> None:
    with traced_app(settings) as app:
        platform = platform_of(app)
        with serving("POST", CALLER["traceparent"]), platform.database.transaction() as connection:
            platform.queue.defer(connection, Task.DELETE_PHOTOS, jurisdiction_id="city.example")
        work(platform)
    (job,) = collector.named("job delete_photos")
    assert job.kind == Span.SPAN_KIND_CONSUMER
    assert job.trace_id.hex() == TRACE
    assert attributes(job) == {"open311.task": "delete_photos"}
    assert any(span.parent_span_id == job.span_id for span in collector.spans), "the job's statements"


def test_a_call_to_another_server_has_its_trace_and_no_tracestate(
    collector: Collector,
) -> None:
    with world.receiver(secrets=()) as office:
        begin_tracing()
        transport = Transport(Limits(), Guard(trusted_hosts([office.url.removeprefix("http://").split("/")[0]])))
        with closing(transport):
            transport.send(Call("POST", office.url, body=b"{}"))
        end_tracing()
        (hook,) = office.hooks
    (span,) = collector.named("POST")
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert attributes(span) == {"http.request.method": "POST", "http.response.status_code": 200}
    assert hook.header("traceparent").startswith(f"00-{span.trace_id.hex()}-{span.span_id.hex()}-")
    assert hook.header("tracestate") == ""


@pytest.mark.parametrize(
    "traceparent", ["", "nonsense", "00-0-0-00", "00-" + "f" * 10_000, "\x00", f"ff-{TRACE}-{PARENT}-01"]
)
def test_a_traceparent_that_is_wrong_is_ignored(settings: Settings, collector: Collector, traceparent: str) -> None:
    with traced_app(settings) as app:
        answer = FlaskClient(app).get(f"{BASE}/services.json", environ_overrides={"HTTP_TRACEPARENT": traceparent})
        assert answer.status_code == 200
    (span,) = collector.named(f"GET {BASE}/services")
    assert span.parent_span_id == b""


def test_a_failed_call_shows_the_kind_of_its_error_only(settings: Settings, collector: Collector) -> None:
    with traced_app(settings, database_url="postgresql://nobody@127.0.0.1:1/none") as app:
        assert FlaskClient(app).get(f"{BASE}/requests.json").status_code == 503
    (span,) = collector.named(f"GET {BASE}/requests")
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert span.status.message == ""
    assert not span.events
    assert attributes(span)["error.type"] == "503"


def test_no_call_fails_if_the_receiver_is_dead(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    with traced_app(settings) as app:
        client = FlaskClient(app)
        assert {client.get(f"{BASE}/services.json").status_code for _ in range(50)} == {200}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_without_the_variable_nothing_of_opentelemetry_is_imported(
    settings: Settings, variables: dict[str, str]
) -> None:
    program = """
import sys
from open311.app import create_app
from open311.settings import Settings
from open311.storage.queue import Task
from open311.tracing import begin_tracing, end_tracing
begin_tracing()
app = create_app(Settings.from_environ())
assert app.test_client().get("/open311/v2/services.json").status_code == 200
end_tracing()
print(sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""
    environment = os.environ | {
        "DATABASE_URL": settings.database_url,
        "OPEN311_JURISDICTIONS": "demo",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_the_operator_is_told_that_the_extra_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("warning")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr("open311.tracing.find_spec", lambda _: None)
    assert not is_wanted()
    begin_tracing()
    assert "no traces are sent: install open311-server[otel]" in capsys.readouterr().err


def test_a_shown_statement_has_no_text_in_quotes() -> None:
    assert shown_statement("SELECT * FROM t WHERE a = 'it''s Jane' AND b = $1 AND c = $$Jane$$") == (
        "SELECT * FROM t WHERE a = ? AND b = $1 AND c = ?",
        "SELECT",
    )
    assert shown_statement("  /* */ ") == ("  /* */ ", "SQL")
