"""A run ends with a report for any answers of a server; no answer makes the suite itself fail."""

from __future__ import annotations

import json

import pytest

from spec.conformance.client import Manners
from spec.conformance.runner import UNREADABLE, run
from spec.requirements import requirements
from tests.spec.stub_server import ClientInMemory, StubServer, session_to
from tests.spec.test_conformance import ORIGIN, TARGET

UNEXPECTED_VALUES = [{"a": 1}, ["b"], 7, True, None, "x"]
FIELDS = (
    *("service_code", "service_name", "description", "metadata", "type", "keywords", "group", "attributes", "code"),
    *("datatype", "required", "order", "variable", "values", "service_request_id", "status", "requested_datetime"),
    *("updated_datetime", "lat", "long", "zipcode", "media_url", "token", "endpoints", "formats", "specification"),
    *("url", "changeset", "errors", "features", "geometry", "update_id", "id", "expiration"),
    *("boundary", "name", "extended_attributes", "notes", "attributes", "distance", "withdrawn", "files", "date"),
    *("rows", "sha256", "checksum_url", "made_at", "media_type", "jurisdiction_id"),
)


class GarbageServer(StubServer):
    """Gives the same body to every call, with the media type of the suffix."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        media_type = "application/json" if ".json" in target else "text/xml"
        return 200, {"Content-Type": media_type, "X-Cursor": "x", "ETag": "x", "Link": "<x>; rel=next"}, self.body


def _json_bodies() -> list[bytes]:
    plain: list[object] = [None, [], {}, 7, "x", [1], [None], [[]], [{}], {"services": None}]
    records = [dict.fromkeys(FIELDS, odd) for odd in UNEXPECTED_VALUES]
    return [json.dumps(body).encode() for body in [*plain, *records, *([record] for record in records)]]


def _xml_bodies() -> list[bytes]:
    members = "".join(f"<{name}/>" for name in FIELDS)
    nested = "".join(f"<{name}><{name}>x</{name}><b/></{name}>" for name in FIELDS)
    roots = ("services", "service_requests", "discovery", "service_definition", "errors", "html")
    bodies = [f"<{root}>{inner}</{root}>" for root in roots for inner in ("", "x", f"<i>{members}</i>", nested)]
    return [body.encode() for body in bodies]


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"<html><br>", *_json_bodies(), *_xml_bodies()])
def test_no_answer_breaks_a_run(body: bytes) -> None:
    stub = GarbageServer(body)
    prepared = StubServer().preparation(ORIGIN)
    client = ClientInMemory(Manners(rate_per_s=0), session_to(stub), pause=lambda _: None)
    report = run(TARGET, prepared, client=client)
    assert len(report.findings) == len(requirements())
    assert not report.conforms
    assert [finding for finding in report.findings if finding.reason.startswith(UNREADABLE)] == []
