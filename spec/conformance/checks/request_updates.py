"""mySociety's request updates: C278 to C285, U1, U2, U4, U5 and U7 to U9. They are skipped if not offered."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import uuid4

from spec.conformance.answers import UNKNOWN, Answer, Call, UnmetNeedError, text_of
from spec.conformance.preparation import EXTENSIONS
from spec.conformance.probe import FORM, Probe, created, moment_of
from spec.conformance.registry import check

_FIELDS = ("update_id", "service_request_id", "status", "updated_datetime", "description")
_NEEDS = "plain_service point"


def _window(probe: Probe) -> list[tuple[str, str]]:
    return [("start_date", probe.ago(30)), ("end_date", probe.ago(0))]


def _updates(probe: Probe, format: str) -> Answer:
    answer = probe.get(f"servicerequestupdates.{format}", _window(probe))
    if "updates" not in probe.prepared.offered and not answer.succeeded:
        raise UnmetNeedError(f"not offered: {EXTENSIONS['updates']}")
    return answer.must_be(200)


@check("C278")
def in_xml(probe: Probe) -> None:
    answer = _updates(probe, "xml")
    root = answer.must_be_xml()
    answer.must(root.tag == "service_request_updates", "the root service_request_updates", f"<{root.tag}>")
    for update in root:
        missing = [name for name in _FIELDS if update.find(name) is None]
        answer.must(update.tag == "request_update" and not missing, f"request_update with {', '.join(_FIELDS)}")


@check("C279")
def within_the_window(probe: Probe) -> None:
    answer = _updates(probe, "xml")
    first, last = (moment_of(value) for _, value in _window(probe))
    for update in answer.document().root:
        text = update.findtext("updated_datetime") or ""
        moment = moment_of(text)
        answer.must(moment and first and last and first <= moment <= last, "updates within the window", text)


@check("C280")
def in_json(probe: Probe) -> None:
    probe.json_offered()
    answer = _updates(probe, "json")
    answer.must(isinstance(answer.must_be_json(), list), "a bare array")


def _request(probe: Probe) -> str:
    """Send a new request that a check can comment on. Returns its id."""
    _updates(probe, "xml")
    request_id = text_of(created(probe.post(probe.form())), "service_request_id")
    if not request_id:
        raise UnmetNeedError("the answer to the POST has no id")
    return request_id


def _update(probe: Probe, *, without: str = "", repeat_key: str = "", **fields: str) -> Answer:
    complete = {
        "api_key": probe.target.api_key,
        "update_id": uuid4().hex,
        "status": "OPEN",
        "updated_datetime": probe.ago(0),
        "description": "Conformance test; please ignore.",
    }
    if probe.target.jurisdiction_id:
        complete["jurisdiction_id"] = probe.target.jurisdiction_id
    form = [(name, value) for name, value in (complete | fields).items() if name != without]
    url = f"{probe.target.base_url}/servicerequestupdates.{probe.formats[-1]}"
    headers = [("Content-Type", FORM), *([("Idempotency-Key", repeat_key)] if repeat_key else [])]
    return probe.client.send(Call("POST", url, tuple(headers), urlencode(form).encode()))


def _ids(answer: Answer) -> list[str]:
    data: object = answer.json() if answer.format == "json" else answer.document().plain
    items = data if isinstance(data, list) else [data]
    return [text_of(item, "update_id") for item in items if isinstance(item, dict)]


@check("C281", needs=_NEEDS, writes=True)
def posting(probe: Probe) -> None:
    update_id = uuid4().hex
    answer = _update(probe, service_request_id=_request(probe), update_id=update_id).must_be(200)
    answer.must(_ids(answer) == [update_id], f"update_id {update_id}")


@check("C282", needs=_NEEDS, writes=True)
def missing_field(probe: Probe) -> None:
    request_id = _request(probe)
    for name in ("update_id", "status", "updated_datetime", "description", "service_request_id"):
        _update(probe, without=name, service_request_id=request_id).must_be(400).must_say(name)


@check("C283", needs=_NEEDS, writes=True)
def repeated_update(probe: Probe) -> None:
    request_id, update_id = _request(probe), uuid4().hex
    _update(probe, service_request_id=request_id, update_id=update_id).must_be(200)
    _update(probe, service_request_id=request_id, update_id=update_id).must_be(400)


@check("C284", needs=_NEEDS, writes=True)
def unknown_request(probe: Probe) -> None:
    _request(probe)
    _update(probe, service_request_id=UNKNOWN).must_be(404)


@check("C285", needs=_NEEDS, writes=True)
def bad_key(probe: Probe) -> None:
    _update(probe, service_request_id=_request(probe), api_key=UNKNOWN).must_be(403)


WORDS = (
    *("open", "closed", "fixed", "in_progress", "planned", "action_scheduled", "investigating", "duplicate"),
    *("not_councils_responsibility", "no_further_action", "internal_referral", "cancelled", "for_triage"),
)


@check("U1")
def oldest_first(probe: Probe) -> None:
    answer = _updates(probe, "xml")
    moments = [moment_of(update.findtext("updated_datetime") or "") for update in answer.document().root]
    answer.must(moments == sorted(moments, key=str), "updates in the order of their time, oldest first")


@check("U2")
def about_public_requests(probe: Probe) -> None:
    answer = _updates(probe, "xml")
    for update in list(answer.document().root)[:3]:
        name = update.findtext("service_request_id") or ""
        probe.get(f"requests/{name}.xml").must_be(200)


@check("U4")
def known_words(probe: Probe) -> None:
    answer = _updates(probe, "xml")
    for update in answer.document().root:
        word = update.findtext("status") or ""
        answer.must(word in WORDS, f"one of {', '.join(WORDS)}", word)


@check("U5")
def stable_ids(probe: Probe) -> None:
    first = [update.findtext("update_id") for update in _updates(probe, "xml").document().root]
    answer = _updates(probe, "json")
    again = [text_of(update, "update_id") for update in answer.json()]
    answer.must(again[: len(first)] == first, "the same update_ids again")
    answer.must(len(set(again)) == len(again), "update_ids that are unique")


@check("U7", needs=_NEEDS, writes=True)
def lower_case_status(probe: Probe) -> None:
    answer = _update(probe, service_request_id=_request(probe), status="open", email="test@example.org")
    answer.must_be(200)
    answer.must(b"test@example.org" not in answer.body, "no email address in the answer")


@check("U8", needs=_NEEDS, writes=True)
def comment_changes_no_status(probe: Probe) -> None:
    request_id = _request(probe)
    answer = _update(probe, service_request_id=request_id, status="FIXED").must_be(200)
    shown = probe.get(f"requests/{request_id}.xml").must_be(200).document().root
    is_open = shown.findtext("request/status") == "open"
    answer.must(
        not is_open or "status" in answer.headers.get("warning", ""), "a Warning that the status has no effect"
    )


@check("U9", needs=_NEEDS, writes=True)
def repeated_with_its_key(probe: Probe) -> None:
    fields = {"service_request_id": _request(probe), "update_id": uuid4().hex, "updated_datetime": probe.ago(0)}
    first, again = (_update(probe, repeat_key="once", **fields) for _ in range(2))
    first.must_be(200)
    again.must_be(200)
    again.must(_ids(again) == _ids(first), "the first answer again")
    _update(probe, **fields).must_be(400).must_say("update_id")
