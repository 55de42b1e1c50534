"""What clients send, beyond the letter of the standard: C299 to C305."""

from __future__ import annotations

import gzip
from urllib.parse import urlencode

from spec.conformance.answers import ids_of, text_of
from spec.conformance.multipart import PIXEL, multipart
from spec.conformance.probe import FORM, Probe, created
from spec.conformance.registry import check

_NEEDS = "plain_service point"
_PICTURES = ("https://media.city.example/1.jpg", "https://media.city.example/2.jpg")


@check("C299", needs=_NEEDS, writes=True)
def boundary_with_equals_signs(probe: Probe) -> None:
    created(probe.post_body(*multipart(probe.form(), boundary="===1700000000===")))


@check("C300", needs=_NEEDS, writes=True)
def no_parts(probe: Probe) -> None:
    probe.post_body(b"--x--\r\n", "multipart/form-data; boundary=x", query=probe.form()).must_be(400)


@check("C301", needs=_NEEDS, writes=True)
def photo_is_stored_or_mentioned(probe: Probe) -> None:
    answer = probe.post_body(*multipart(probe.form(), [("media", "photo.png", "image/png", PIXEL)]))
    receipt = created(answer)
    is_mentioned = "photo" in (text_of(receipt, "service_notice") + answer.headers.get("warning", "")).lower()
    shown = is_mentioned or text_of(probe.read_back(receipt), "media_url")
    answer.must(shown, "a media_url when read back, or a word that the photo was not kept", "neither")


@check("C302", needs=_NEEDS, writes=True)
def gzip_body(probe: Probe) -> None:
    body = gzip.compress(urlencode(probe.form()).encode())
    answer = probe.post_body(body, FORM, headers={"Content-Encoding": "gzip"})
    is_named = answer.status == 415 and "content-encoding" in answer.text.lower()
    answer.must(answer.succeeded or is_named, "the request created, or 415 that names Content-Encoding")


@check("C303", needs=_NEEDS, writes=True)
def near_misses(probe: Probe) -> None:
    spellings = (
        [("media_url[]", url) for url in _PICTURES],
        [(f"media_url[{index}]", url) for index, url in enumerate(_PICTURES)],
        [("media_url", ",".join(_PICTURES))],
    )
    for pairs in spellings:
        answer = probe.post([*probe.form(), *pairs])
        came = probe.read_back(created(answer)).get("media_url")
        answer.must(came in (_PICTURES[0], None), f"{_PICTURES[0]} when read back", came)
    form = {"lng": dict(probe.form())["long"], "address": "5 Mill Lane"}
    answer = probe.post([*probe.form(without=["long"]), *form.items()])
    came = probe.read_back(created(answer)).get("address")
    answer.must(came == "5 Mill Lane", "5 Mill Lane when read back", came)


@check("C304")
def lists_with_brackets(probe: Probe) -> None:
    for format in probe.readings():
        for spelt, plain in (("status[]", "status"), ("status[0]", "status")):
            answer = probe.get(f"requests.{format}", [(spelt, "closed")]).must_be(200)
            expected = ids_of(probe.get(f"requests.{format}", [(plain, "closed")]).records("requests"))
            came = ids_of(answer.records("requests"))
            answer.must(came == expected, f"the closed requests, {', '.join(expected[:5])}", came)


@check("C305")
def point_without_radius(probe: Probe) -> None:
    for format in probe.readings():
        plain = ids_of(probe.get(f"requests.{format}").records("requests"))
        answer = probe.get(f"requests.{format}", [("lat", "-48.87"), ("long", "-123.39")]).must_be(200)
        came = ids_of(answer.records("requests"))
        answer.must(came == plain, "the same list as without the point", came)
