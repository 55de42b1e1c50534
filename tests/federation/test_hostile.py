"""Hostile and broken answers end in a clear error."""

from __future__ import annotations

import gzip
import json
import threading
from typing import Any

import pytest

from open311.federation.addresses import Guard, is_public
from open311.federation.client import (
    ForbiddenAddress,
    GeoReportClient,
    Limits,
    NewRequest,
    Refused,
    TooLarge,
    TooSlow,
    Unreachable,
    Unreadable,
)
from tests.federation.scripted import QUICK, Reply, as_json, as_xml, serve
from tests.ports import free_port

BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><services><service_code>&c;</service_code></services>'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def test_a_huge_body_is_not_read() -> None:
    limits = Limits(rate_per_s=0, max_body_bytes=1000)
    with (
        serve(as_json(["x" * 2000])) as script,
        script.client(limits=limits) as client,
        pytest.raises(TooLarge, match="more than 1000 bytes"),
    ):
        client.services()


def test_the_limit_counts_bytes_after_decompression() -> None:
    reply = Reply(gzip.compress(bytes(5_000_000)), headers={"Content-Encoding": "gzip"})
    limits = Limits(rate_per_s=0, max_body_bytes=1_000_000)
    with serve(reply) as script, script.client(limits=limits) as client, pytest.raises(TooLarge):
        client.services()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD + b"Content-Length: 100000\r\n\r\n", HEAD + b"\r\n"]
)
def test_an_answer_byte_by_byte_ends_at_the_deadline(head: bytes) -> None:
    is_done = threading.Event()

    def drip(out: Any) -> None:
        out.write(head)
        while not is_done.wait(0.05):
            out.write(b" ")

    limits = Limits(rate_per_s=0, timeout_s=5, deadline_s=0.4, retries=0)
    with serve(Reply(write=drip)) as script, script.client(limits=limits) as client:
        with pytest.raises(TooSlow, match=r"within 0\.4 seconds"):
            client.services()
        is_done.set()


def test_a_silent_server_ends_at_the_timeout() -> None:
    is_done = threading.Event()

    def be_silent(_: Any) -> None:
        is_done.wait(30)

    limits = Limits(rate_per_s=0, timeout_s=0.2, retries=0)
    with serve(Reply(write=be_silent)) as script, script.client(limits=limits) as client:
        with pytest.raises(TooSlow, match="silent"):
            client.services()
        is_done.set()


def test_the_deadline_also_holds_on_a_connection_that_is_used_again() -> None:
    is_done = threading.Event()

    def drip(out: Any) -> None:
        while not is_done.wait(0.05):
            out.write(b"H")

    limits = Limits(rate_per_s=0, timeout_s=5, deadline_s=0.4, retries=0)
    with serve(as_json([]), Reply(write=drip)) as script, script.client(limits=limits) as client:
        assert client.services() == []
        with pytest.raises(TooSlow):
            client.services()
        is_done.set()


@pytest.mark.parametrize("body", [HEAD + b"Content-Length: 50\r\n\r\n[", HEAD[:20], b""])
def test_a_body_that_is_cut_is_no_answer(body: bytes) -> None:
    with (
        serve(Reply(write=lambda out: out.write(body))) as script,
        script.client() as client,
        pytest.raises(Unreachable, match=r"services\.json"),
    ):
        client.services()


def test_an_entity_bomb_is_refused() -> None:
    with (
        serve(as_xml(BOMB)) as script,
        script.client(format="xml") as client,
        pytest.raises(Unreadable, match="DOCTYPE"),
    ):
        client.services()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"<html>", "text/html"), "text/html"),
        (Reply(b"GIF89a", "image/gif"), "image/gif"),
        (Reply(b"[" * 100_000), "nested"),
        (Reply(b'[{"a":1}'), "broken at line 1"),
        (Reply(b"\xff\xfe"), "not UTF-8"),
        (Reply(b"[1e999]"), "number"),
        (Reply(b"[NaN]"), "number"),
        (Reply(b"[" + b"9" * 5000 + b"]"), "number"),
        (as_xml("<a>" * 60), "levels"),
        (as_xml("<services><a></services>"), "broken"),
        (Reply(b'<?xml version="1.0" encoding="x-none"?><a/>', "text/xml"), "XML"),
        (Reply(json.dumps({"data": {"data": {"data": {"data": {"data": []}}}}}).encode()), "no list"),
    ],
)
def test_an_answer_that_cannot_be_read_says_why(reply: Reply, reason: str) -> None:
    with serve(reply) as script, script.client() as client, pytest.raises(Unreadable, match=reason):
        client.services()


def test_an_error_page_in_html_is_a_refusal() -> None:
    with serve(Reply(b"<html>", "text/html", 502)) as script, script.client() as client:
        with pytest.raises(Refused, match="answered 502") as caught:
            client.services()
        assert caught.value.problems == ()


# --- Where a call may go


def test_a_redirect_to_a_private_host_is_not_followed() -> None:
    with serve(as_json([])) as inner, serve(Reply(status=302, headers={"Location": inner.origin})) as script:
        with script.client() as client, pytest.raises(ForbiddenAddress, match="not public"):
            client.services()
        assert inner.asked == []


def test_a_redirect_to_a_trusted_host_is_followed() -> None:
    with serve(as_json([])) as inner:
        moved = Reply(status=301, headers={"Location": f"{inner.origin}/new/services.json"})
        with serve(moved) as script, script.client(trusted=[inner.origin]) as client:
            assert client.services() == []
        assert inner.asked[0].path == "/new/services.json"


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://a.example/", "http://[", "http://u:p@127.0.0.1/"]
)
def test_a_redirect_to_another_kind_of_address_is_not_followed(target: str) -> None:
    with (
        serve(Reply(status=302, headers={"Location": target})) as script,
        script.client() as client,
        pytest.raises(ForbiddenAddress),
    ):
        client.services()


def test_the_body_of_a_redirect_is_not_read() -> None:
    is_done = threading.Event()

    def drip(out: Any) -> None:
        out.write(b"HTTP/1.1 302 Found\r\nLocation: /v2/other\r\n\r\n")
        is_done.wait(30)

    with serve(Reply(write=drip), as_json([])) as script, script.client() as client:
        assert client.services() == []
        is_done.set()


def test_the_number_of_redirects_is_limited() -> None:
    with serve(Reply(status=302, headers={"Location": "/v2/services.json"})) as script, script.client() as client:
        with pytest.raises(TooLarge, match="redirected"):
            client.services()
        assert len(script.asked) == 6


def test_a_post_follows_no_redirect() -> None:
    with serve(Reply(status=307, headers={"Location": "/other"})) as script, script.client() as client:
        with pytest.raises(Refused, match="redirects"):
            client.post_request(NewRequest(service_code="x"))
        assert len(script.asked) == 1


def test_a_picture_at_a_private_host_is_not_read() -> None:
    with serve(as_json([])) as inner, serve(as_json([])) as script, script.client() as client:
        with pytest.raises(ForbiddenAddress):
            client.media(f"{inner.origin}/photo.jpg")
        assert inner.asked == []


def test_a_discovery_document_leads_to_no_private_host() -> None:
    with serve(as_json([])) as inner:
        named = {"specification": "http://wiki.open311.org/GeoReport_v2", "url": inner.origin, "type": "production"}
        with (
            serve(as_json({"endpoints": [named]})) as script,
            GeoReportClient.discovered(f"{script.origin}/discovery.json", limits=QUICK) as client,
            pytest.raises(ForbiddenAddress),
        ):
            client.services()
        assert inner.asked == []


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "::", "ff02::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "fec0::1"),
    ],
)
def test_addresses_that_are_not_public_are_recognised(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_that_are_public_are_recognised(address: str) -> None:
    assert is_public(address)


def test_a_trusted_host_is_trusted_at_its_port_only() -> None:
    guard = Guard(frozenset({("localhost", 80)}))
    assert guard.addresses("localhost", 80)
    with pytest.raises(ForbiddenAddress):
        guard.addresses("localhost", 5432)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with GeoReportClient(f"http://127.0.0.1:{free_port()}", limits=QUICK, api_key="k") as client:
        with pytest.raises(Unreachable) as caught:
            client.post_request(NewRequest(service_code="x"))
        assert not caught.value.is_uncertain
