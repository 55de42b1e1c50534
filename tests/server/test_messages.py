"""How a request's head is read, and which heads are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.server.messages import END, Malformed, Message, read_message

HOST = b"\r\nHost: city.example"


def read(head: bytes) -> Message:
    return read_message(head + END, {})


def test_the_head_of_a_request_becomes_a_wsgi_environment() -> None:
    head = b"GET /a%2Fb%20c?q=%C3%A9&x HTTP/1.1\r\nHost: city.example:80"
    head += b"\r\nX-Api-Key:  mine \r\nAccept: a\r\nAccept: b"
    message = read_message(head + END, {"SERVER_NAME": "127.0.0.1"})
    assert message.environ == {
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/a%2Fb%20c?q=%C3%A9&x",
        "PATH_INFO": "/a/b c",
        "QUERY_STRING": "q=%C3%A9&x",
        "HTTP_HOST": "city.example:80",
        "HTTP_X_API_KEY": "mine",
        "HTTP_ACCEPT": "a,b",
    }
    assert (message.length, message.is_kept, message.is_awaited) == (0, True, False)


def test_the_bytes_of_a_path_are_decoded_as_latin_1() -> None:
    assert read(b"GET /%C3%A9 HTTP/1.1" + HOST).environ["PATH_INFO"] == "/é".encode().decode("latin-1")


def test_a_target_without_percent_encoding_is_read_like_an_encoded_one() -> None:
    environ = read("GET /Straße?q=é HTTP/1.1".encode() + HOST).environ
    assert environ["PATH_INFO"] == "/Straße".encode().decode("latin-1")
    assert environ["QUERY_STRING"] == "q=%C3%A9"


def test_a_complete_url_as_target_gives_host_and_path() -> None:
    environ = read(b"GET http://311.example/x?y HTTP/1.1" + HOST).environ
    assert (environ["HTTP_HOST"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("311.example", "/x", "y")
    assert read(b"GET http://311.example?y HTTP/1.1").environ["PATH_INFO"] == "/"


def test_a_header_with_an_underscore_is_not_read_as_one_with_a_hyphen() -> None:
    environ = read(b"GET / HTTP/1.1" + HOST + b"\r\nX_Forwarded_For: 1.2.3.4\r\nX_Forwarded_For: 5").environ
    assert [name for name in environ if "FORWARDED" in name or name.startswith("open311")] == []


@pytest.mark.parametrize(
    ("head", "is_kept"),
    [
        (b"GET / HTTP/1.1\r\nHost: a", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close", False),
        (b"GET / HTTP/1.0", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", True),
    ],
)
def test_the_head_says_whether_the_connection_stays_open(head: bytes, is_kept: bool) -> None:
    assert read(head).is_kept is is_kept


@pytest.mark.parametrize(
    ("fields", "length"),
    [(b"Content-Length: 12", 12), (b"Content-Length: 0", 0), (b"Transfer-Encoding: Chunked", None)],
)
def test_the_head_gives_the_length_of_the_body(fields: bytes, length: int | None) -> None:
    message = read(b"POST / HTTP/1.1" + HOST + b"\r\nExpect: 100-continue\r\n" + fields)
    assert message.length == length
    assert message.is_awaited is (length != 0)


def test_an_upgrade_header_is_ignored() -> None:
    offer = b"\r\nConnection: Upgrade\r\nUpgrade: h2c"
    message = read(b"POST /a HTTP/1.1" + HOST + offer + b"\r\nContent-Length: 3")
    assert (message.environ["PATH_INFO"], message.length, message.is_kept) == ("/a", 3, True)
    assert read(b"POST /a HTTP/1.1" + HOST + offer + b"\r\nTransfer-Encoding: chunked").length is None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /",
        b"GET / HTTP/2.0" + HOST,
        b"GET / HTTP/0.9" + HOST,
        b"GET / RTSP/1.0" + HOST,
        b"SOURCE / ICE/1.0" + HOST,
        b"PRI * HTTP/2.0",
        b"GET  / HTTP/1.1" + HOST,
        b"GET / HTTP/1.1 " + HOST,
        b"G\xc3\x89T / HTTP/1.1" + HOST,
        b"get / HTTP/1.1" + HOST,
        b"BREW / HTTP/1.1" + HOST,
        b"CONNECT city.example:443 HTTP/1.1" + HOST,
        b"GET /#part HTTP/1.1" + HOST,
        b"GET path HTTP/1.1" + HOST,
        b"GET * HTTP/1.1" + HOST,
        b"GET / HTTP/1.1\r\n" + HOST,
        b"GET / HTTP/1.1\r\nHost : a",
        b"GET / HTTP/1.1\r\n Host: a",
        b"GET / HTTP/1.1" + HOST + b"\r\nA: b\r\n c",
        b"GET / HTTP/1.1" + HOST + b"\r\nA: b\nC: d",
        b"GET / HTTP/1.1" + HOST + b"\r\nA: b\rC: d",
        b"GET / HTTP/1.1" + HOST + b"\r\nA: \x00",
        b"GET / HTTP/1.1" + HOST + b"\r\nA",
        b"GET / HTTP/1.1" + HOST + b"\r\n: a",
    ],
)
def test_an_ambiguous_or_malformed_head_gets_400(head: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read(head)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"", 400),
        (b"Host: a\r\nHost: a", 400),
        (b"Host: a b", 400),
        (b"Host: a/b", 400),
        (b"Host: a\r\nContent-Length: 1\r\nContent-Length: 1", 400),
        (b"Host: a\r\nContent-Length: +1", 400),
        (b"Host: a\r\nContent-Length: 1, 1", 400),
        (b"Host: a\r\nContent-Length: ", 400),
        (b"Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        (b"Host: a\r\nTransfer-Encoding: gzip, chunked", 501),
    ],
)
def test_headers_with_an_ambiguous_host_or_body_are_refused(fields: bytes, status: int) -> None:
    with pytest.raises(Malformed) as refused:
        read(b"POST / HTTP/1.1" + (b"\r\n" + fields if fields else b""))
    assert refused.value.status == status


@pytest.mark.parametrize("line", [b"Host:", b"Host: ", b"Host: :80", b"Host: a%20b", b"Host: a,b"])
def test_a_host_that_http_allows_is_left_to_the_application(line: bytes) -> None:
    host = read(b"GET / HTTP/1.1\r\n" + line).environ["HTTP_HOST"]
    assert host == line.removeprefix(b"Host:").strip().decode()


def test_chunks_are_refused_in_http_1_0() -> None:
    with pytest.raises(Malformed):
        read(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    for head in (noise, b"GET / HTTP/1.1\r\nHost: a\r\n" + noise, b"GET /" + noise + b" HTTP/1.1\r\nHost: a"):
        try:
            environ = read(head).environ
        except Malformed:
            continue
        assert all(
            isinstance(value, str) and "\n" not in value for name, value in environ.items() if name != "PATH_INFO"
        )
