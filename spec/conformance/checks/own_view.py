"""The reporter's own view, an extension: V1 to V6."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from spec.conformance.answers import UNKNOWN, Answer, Call, text_of
from spec.conformance.multipart import multipart
from spec.conformance.offers import offered, records_in
from spec.conformance.photographs import media_offered, photo
from spec.conformance.probe import Probe, created
from spec.conformance.registry import check

_NEEDS = "plain_service point"
_NAME = "status_url"
_PHOTO_STATES = ("preparing", "shown", "not_shown", "refused")


def _link_of(answer: Answer) -> str:
    """The link in the answer to a POST; "" if there is none."""
    added = created(answer).get("extended_attributes")
    return str(added.get(_NAME) or "") if isinstance(added, dict) else ""


def _send(probe: Probe, *, headers: dict[str, str] | None = None, **fields: str) -> tuple[Answer, str]:
    """Send a new request. Returns the answer and its link. Raises UnmetNeedError if the server gives no links."""
    probe.json_offered()
    answer = probe.post(probe.form(extensions="true", **fields), headers=headers)
    offered(probe, "own_view", lambda: _link_of(answer))
    return answer, _link_of(answer)


def _read(probe: Probe, link: str) -> Answer:
    return probe.client.get(Call("GET", link, ()), fresh=True)


def _in_xml(link: str) -> str:
    parts = urlsplit(link)
    return urlunsplit(parts._replace(path=f"{parts.path.removesuffix('.json')}.xml"))


@check("V1", needs=_NEEDS, writes=True)
def link_in_the_answer(probe: Probe) -> None:
    answer, link = _send(probe)
    answer.must(link.startswith(("http://", "https://")), f"{_NAME} in extended_attributes", link)
    plain = probe.post(probe.form())
    plain.must("extended_attributes" not in created(plain), "nothing more without extensions")


@check("V2", needs=_NEEDS, writes=True)
def own_request(probe: Probe) -> None:
    person = f"{uuid4().hex}@mail.example"
    answer, link = _send(probe, email=person)
    request_id = text_of(created(answer), "service_request_id")
    for address in (link, _in_xml(link)):
        shown = _read(probe, address).must_be(200)
        shown.must(request_id in shown.text, "the request of the answer")
        shown.must(person not in shown.text, "nothing about the reporter")
    shown = _read(probe, link)
    shown.must([text_of(one, "service_request_id") for one in records_in(shown)] == [request_id], "one request")


@check("V3", needs=_NEEDS, writes=True)
def secrecy(probe: Probe) -> None:
    _, link = _send(probe)
    shown = _read(probe, link).must_be(200)
    kept = shown.headers.get("cache-control", "")
    shown.must("no-store" in kept and "private" in kept, "Cache-Control: private, no-store", kept)
    referrer = shown.headers.get("referrer-policy", "")
    shown.must(referrer == "no-referrer", "Referrer-Policy: no-referrer", referrer)
    parts = urlsplit(link)
    wrong = urlunsplit(parts._replace(path=f"{parts.path.rpartition('/')[0]}/{UNKNOWN}.json"))
    refused = _read(probe, wrong).must_be(404)
    refused.must(UNKNOWN not in refused.text, "an error that does not repeat the secret")


@check("V4", needs=_NEEDS, writes=True)
def repeated_calls(probe: Probe) -> None:
    repeat = {"Idempotency-Key": uuid4().hex}
    first, link = _send(probe, headers=repeat)
    second, other = _send(probe, headers=repeat)
    request_id = text_of(created(first), "service_request_id")
    if text_of(created(second), "service_request_id") == request_id:
        for address in (link, other):
            shown = _read(probe, address).must_be(200)
            shown.must(request_id in shown.text, "the request of the first answer")


@check("V5", needs=_NEEDS, writes=True)
def lists_by_account(probe: Probe) -> None:
    _send(probe, account_id="000731")
    for answer in probe.both("requests", [("account_id", "000731")]):
        answer.must_be(400).must_say("account_id")


@check("V6", needs=_NEEDS, writes=True)
def own_photos(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.post_body(*multipart(probe.form(extensions="true"), [photo("media")]))
    offered(probe, "own_view", lambda: _link_of(answer))
    link = _link_of(answer)
    shown = _read(probe, f"{link}{'&' if '?' in link else '?'}extensions=true").must_be(200)
    [own] = records_in(shown)
    media_offered(probe, shown=own.get("photos"))
    photos = own.get("photos")
    one = photos[0] if isinstance(photos, list) and len(photos) == 1 else None
    shown.must(isinstance(one, dict), "one photo in photos", photos)
    state = one.get("state") if isinstance(one, dict) else None
    shown.must(state in _PHOTO_STATES, f"a state among {', '.join(_PHOTO_STATES)}", state)
    [plain] = records_in(_read(probe, link).must_be(200))
    shown.must("photos" not in plain, "no photos without extensions", "photos")
