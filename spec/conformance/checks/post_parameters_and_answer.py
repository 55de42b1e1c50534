"""Creating requests, other parameters and the answer: C141 to C172. Nearly all checks write."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import uuid4

from spec.conformance.answers import Answer, Call, UnmetNeedError, errors_in, text_of
from spec.conformance.multipart import multipart
from spec.conformance.photographs import media_offered, photo, post_photos, shown_photo
from spec.conformance.preparation import Endpoint
from spec.conformance.probe import FORM, Probe, created, only, require, segment
from spec.conformance.registry import check

_NEEDS = "plain_service point"
_REPORTER = {
    "email": "ada.reporter@city.example",
    "device_id": "device-4711-0815",
    "first_name": "Adalmina",
    "last_name": "Vesterlund",
    "phone": "+1 555 0147 220",
}


@check("C141", needs=_NEEDS, writes=True)
def form_with_charset(probe: Probe) -> None:
    created(probe.post_body(urlencode(probe.form()).encode(), FORM))


@check("C142", needs=_NEEDS, writes=True)
def in_parts(probe: Probe) -> None:
    created(probe.post_body(*multipart(probe.form())))


@check("C143", needs=_NEEDS, writes=True)
def no_content_type(probe: Probe) -> None:
    created(probe.post_body(urlencode(probe.form()).encode(), ""))


@check("C144", needs=_NEEDS, writes=True)
def other_content_type(probe: Probe) -> None:
    probe.post_body(urlencode(probe.form()).encode(), "text/plain").must_be(400, 415)


@check("C145", needs=_NEEDS, writes=True)
def parameters_in_the_query(probe: Probe) -> None:
    created(probe.post_body(b"", FORM, query=probe.form()))


def _check_description(probe: Probe, description: str) -> None:
    answer = probe.post(probe.form(description=description))
    record = probe.read_back(created(answer))
    received = text_of(record, "description")
    shown = f"{len(received)} characters, starting with {received[:40]!r}"
    answer.must(received == description, f"{len(description)} characters as sent, when read back", shown)


@check("C146", needs=_NEEDS, writes=True)
def longest_description(probe: Probe) -> None:
    _check_description(probe, "x" * 4000)


@check("C147", needs=_NEEDS, writes=True)
def description_too_long(probe: Probe) -> None:
    probe.post(probe.form(description="x" * 4001)).must_be(400)


@check("C148", needs=_NEEDS, writes=True)
def characters_not_bytes(probe: Probe) -> None:
    _check_description(probe, "🌳" * 4000)


@check("C149", needs=_NEEDS, writes=True)
def markup_is_text(probe: Probe) -> None:
    _check_description(probe, "<b>x</b> &amp; <script>alert(1)</script>")


@check("C150", needs=_NEEDS, writes=True)
def line_breaks_are_kept(probe: Probe) -> None:
    _check_description(probe, "first\nsecond\n\nfourth")


@check("C151", needs=_NEEDS, writes=True)
def all_optional_parameters(probe: Probe) -> None:
    form = probe.form(account_id="000731", media_url="https://media.city.example/1.jpg", **_REPORTER)
    created(probe.post(form))


@check("C152", needs=_NEEDS, writes=True)
def reporter_is_never_shown(probe: Probe) -> None:
    receipt = created(probe.post(probe.form(**_REPORTER)))
    probe.read_back(receipt)
    for format in probe.formats:
        answer = probe.request(text_of(receipt, "service_request_id"), format, fresh=True)
        shown = [name for name, value in _REPORTER.items() if value in answer.text or f"<{name}>" in answer.text]
        answer.must(not shown, "nothing about the reporter", ", ".join(shown))


@check("C153", needs=_NEEDS, writes=True)
def account_id_in_the_answer(probe: Probe) -> None:
    answer = probe.post(probe.form(account_id="000731"))
    received = created(answer).get("account_id")
    if received is None and "account_id" not in probe.prepared.offered:
        raise UnmetNeedError("not offered: account_id in the answer")
    answer.must(received == "000731", '"000731"', repr(received))


@check("C154", needs=_NEEDS, writes=True)
def media_of_other_schemes(probe: Probe) -> None:
    for url in ("ftp://media.city.example/1.jpg", "javascript:alert(1)"):
        probe.post(probe.form(media_url=url)).must_be(400)


@check("C155", needs=_NEEDS, writes=True)
def several_media(probe: Probe) -> None:
    urls = [f"https://media.city.example/{number}.jpg" for number in (1, 2)]
    answer = probe.post([*probe.form(), *(("media_url", url) for url in urls)])
    received = probe.read_back(created(answer)).get("media_url")
    answer.must(received in (urls[0], None), f"{urls[0]} when read back", received)


def _receipt(probe: Probe, service: str, has: set[str]) -> None:
    """Check that a POST's answer has one item. Of `service_request_id` and `token`, it must have exactly `has`."""
    for format in probe.formats:
        answer = probe.post(probe.form(service), format)
        record = created(answer)
        received = {name for name in ("service_request_id", "token") if text_of(record, name)}
        answer.must(received == has, f"{' and '.join(has) or 'neither id nor token'}", sorted(received))


@check("C156", needs=_NEEDS, writes=True)
def realtime(probe: Probe) -> None:
    _receipt(probe, "", {"service_request_id"})


@check("C157", needs="batch_service point", writes=True)
def batch(probe: Probe) -> None:
    _receipt(probe, require(probe.prepared.batch_service), {"token"})


@check("C158", needs="blackbox_service point", writes=True)
def blackbox(probe: Probe) -> None:
    _receipt(probe, require(probe.prepared.blackbox_service), set())


@check("C159", needs=_NEEDS, writes=True)
def answer_in_xml(probe: Probe) -> None:
    answer = probe.post(probe.form(), "xml")
    answer.must(answer.succeeded, "the request to be created")
    root = answer.must_be_xml()
    answer.must(root.tag == "service_requests", "the root service_requests", f"<{root.tag}>")
    answer.must([child.tag for child in root] == ["request"], "one request element", [child.tag for child in root])


@check("C160", needs=_NEEDS, writes=True)
def answer_in_json(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.post(probe.form(), "json")
    answer.must(answer.succeeded, "the request to be created")
    data = answer.must_be_json()
    answer.must(isinstance(data, list) and len(data) == 1, "an array of one")


@check("C161", needs=_NEEDS, writes=True)
def status_of_success(probe: Probe) -> None:
    answer = probe.post(probe.form()).must_be(200, 201)
    answer.must(answer.body, "a body", "none")


@check("C162", needs="notice_service point", writes=True)
def notice(probe: Probe) -> None:
    answer = probe.post(probe.form(require(probe.prepared.notice_service)))
    record = created(answer)
    answer.must(text_of(record, "service_notice"), "a service_notice", record.get("service_notice"))


@check("C163", needs=_NEEDS, writes=True)
def ids_are_strings(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.post(probe.form(), "json")
    record = created(answer)
    wrong = [
        record[name]
        for name in ("service_request_id", "token", "account_id")
        if not isinstance(record.get(name), str | None)
    ]
    answer.must(not wrong, "identifiers as strings", repr(wrong[:1]))


@check("C164", needs=_NEEDS, writes=True)
def readable_immediately(probe: Probe) -> None:
    for format in probe.formats:
        record = created(probe.post(probe.form(), format))
        request_id = text_of(record, "service_request_id")
        if not request_id:
            raise UnmetNeedError("the answer to the POST has no id")
        probe.request(request_id, format, fresh=True).must_be(200)


@check("C165", needs=_NEEDS, writes=True)
def retry(probe: Probe) -> None:
    headers, form = {"Idempotency-Key": uuid4().hex}, probe.form()
    first, second = (probe.post(form, headers=headers) for _ in range(2))
    ids = [text_of(created(answer), "service_request_id") for answer in (first, second)]
    if ids[0] != ids[1] and "idempotency" not in probe.prepared.offered:
        raise UnmetNeedError("not offered: Idempotency-Key")
    second.must(ids[0] == ids[1], f"the same id again, {ids[0]}", ids[1])


@check("C166", needs=f"{_NEEDS} max_body_bytes", writes=True)
def body_too_large(probe: Probe) -> None:
    form = urlencode(probe.form()) + "&padding="
    body = form.encode().ljust(require(probe.prepared.max_body_bytes) + 1, b"x")
    for format in probe.formats:
        answer = probe.post_body(body, FORM, format)
        short = Call("POST", answer.call.url, answer.call.headers)
        Answer(short, answer.status, answer.headers, answer.body).must_be(413)
        answer.must(errors_in(answer), "an errors body")


@check("C167", needs="throttle", disturbs=True)
def too_many_calls(probe: Probe) -> None:
    throttle = require(probe.prepared.throttle)
    at = Endpoint(throttle.base_url, throttle.jurisdiction_id)
    for format in probe.formats:
        call = probe.call("GET", f"services.{format}", at=at)
        answers = [probe.client.send(call, patient=False) for _ in range(throttle.calls + 1)]
        last = answers[-1].must_be(429)
        last.must(last.headers.get("retry-after"), "Retry-After", "none")
        last.must(errors_in(last), "an errors body")


@check("C168", needs=_NEEDS, writes=True)
def one_photo(probe: Probe) -> None:
    answer = post_photos(probe, photo("media"))
    media_offered(probe, shown=answer.succeeded)
    received = shown_photo(probe, created(answer))
    media_offered(probe, shown=received)
    answer.must(received, "a media_url when read back", "none")


@check("C169", needs=_NEEDS, writes=True)
def two_photos(probe: Probe) -> None:
    answer = post_photos(probe, photo("media[]"), photo("media[]"))
    media_offered(probe, shown=answer.succeeded)
    receipt = created(answer)
    media_offered(probe, shown=shown_photo(probe, receipt))
    path = f"requests/{segment(text_of(receipt, 'service_request_id'))}.{probe.formats[-1]}"
    shown = probe.get(path, [("extensions", "true")], fresh=True)
    extended = only(shown).get("extended_attributes")
    urls = extended.get("media_urls") if isinstance(extended, dict) else None
    shown.must(isinstance(urls, list) and len(urls) == 2, "two media_urls in extended_attributes", urls)


@check("C170", needs=_NEEDS, writes=True)
def file_that_is_no_image(probe: Probe) -> None:
    answer = post_photos(probe, photo("media", b"not an image at all"))
    told = answer.succeeded and text_of(created(answer), "service_notice") + answer.headers.get("warning", "")
    is_told = "photo" in str(told).lower()
    media_offered(probe, shown=is_told or not answer.succeeded)
    answer.must(is_told or answer.status == 400, "400, or a word that the file is no photo", answer.status)


@check("C171", needs=f"{_NEEDS} back_office_down", writes=True)
def back_office_down(probe: Probe) -> None:
    with require(probe.prepared.back_office_down)():
        answer = probe.post(probe.form())
    answer.must(answer.succeeded or answer.status == 400, "an accepted report, or 400")


@check("C172", needs="crashing")
def unexpected_fault(probe: Probe) -> None:
    for format in probe.formats:
        answer = probe.get(f"services.{format}", at=require(probe.prepared.crashing)).must_be(500)
        answer.must(errors_in(answer), "an errors body")
        answer.must(
            "traceback" not in answer.text.lower() and ".py" not in answer.text,
            "an errors body without a traceback",
        )
