"""Bodies that arrive in pieces. The places of the cuts have no effect."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open311.server.bodies import MOST_BETWEEN_CHUNKS, MOST_IN_MEMORY, Body, ChunkedBody, SizedBody
from open311.server.messages import Malformed

MOST = 1_000_000


def fed(body: Body, data: bytes, *cuts: int) -> bytes | None:
    """Feed a body with data that is cut at these places. Returns the data after the body; None if incomplete."""
    begin, rest = 0, None
    for cut in (*sorted(cuts), len(data)):
        assert rest is None
        rest = body.take(data[begin:cut])
        if rest is not None:
            return rest + data[cut:]
        begin = cut
    return rest


def content_of(body: Body) -> bytes:
    content = body.file().read()
    body.close()
    return content


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=5), st.sets(st.integers(0, 150), max_size=6))
def test_a_chunked_body_is_read_wherever_the_data_is_cut(chunks: list[bytes], cuts: set[int]) -> None:
    wire = b"".join(b"%X;note=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    wire += b"0\r\nX-Trailer: a\r\n\r\n"
    body = ChunkedBody(most=MOST)
    assert fed(body, wire + b"GET", *(cut for cut in cuts if cut < len(wire))) == b"GET"
    assert content_of(body) == b"".join(chunks)


NOISE = st.lists(st.sampled_from((b"\r", b"\n", b"\r\n", b"0", b"3", b"abc", b";", b":", b"\x00")), max_size=20)


@given(NOISE, st.sets(st.integers(1, 40), max_size=6))
def test_any_bytes_have_the_same_result_wherever_they_are_cut(noise: list[bytes], cuts: set[int]) -> None:
    wire = b"3\r\nabc\r\n" + b"".join(noise)
    whole, in_pieces = outcome(wire), outcome(wire, *(cut for cut in cuts if cut < len(wire)))
    assert whole == in_pieces


def outcome(wire: bytes, *cuts: int) -> tuple[bytes | None, bytes] | int:
    """The data after the body and the content of the body; or the status, if the body is refused."""
    with closing(ChunkedBody(most=5)) as body:
        try:
            return fed(body, wire, *cuts), body.file().read()
        except Malformed as refused:
            return refused.status


@given(st.binary(min_size=1, max_size=50), st.sets(st.integers(0, 49), max_size=4))
def test_a_body_with_a_content_length_ends_after_this_length(content: bytes, cuts: set[int]) -> None:
    body = SizedBody(len(content), most=MOST)
    assert fed(body, content + b"GET", *(cut for cut in cuts if cut < len(content))) == b"GET"
    assert content_of(body) == content


def test_a_large_body_is_read_completely() -> None:
    content = bytes(range(256)) * (MOST_IN_MEMORY // 128)
    body = SizedBody(len(content), most=len(content))
    assert fed(body, content, 10, MOST_IN_MEMORY + 5) == b""
    assert content_of(body) == content


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\n",
        b"-1\r\n",
        b"1 1\r\n",
        b"\r\n",
        b"5\r\nhello!\r\n",
        b"5\r\nhello6\r\n",
        b"1\na\r\n0\r\n\r\n",
        b"0x1\r\na\r\n",
    ],
)
def test_chunks_with_wrong_sizes_get_400(wire: bytes) -> None:
    with closing(ChunkedBody(most=MOST)) as body, pytest.raises(Malformed) as refused:
        fed(body, wire + b"0\r\n\r\n")
    assert refused.value.status == 400


@pytest.mark.parametrize("line", [b"a" * (MOST_BETWEEN_CHUNKS + 1), b"X: y\r\n" * 2_000])
def test_a_trailer_without_end_gets_400(line: bytes) -> None:
    with closing(ChunkedBody(most=MOST)) as body, pytest.raises(Malformed) as refused:
        fed(body, b"0\r\n" + line)
    assert refused.value.status == 400


def test_a_chunked_body_over_the_limit_gets_413() -> None:
    with closing(ChunkedBody(most=10)) as body, pytest.raises(Malformed) as refused:
        fed(body, b"6\r\nabcdef\r\n5\r\nabcde\r\n0\r\n\r\n")
    assert refused.value.status == 413
