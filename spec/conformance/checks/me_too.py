"""Me too, an extension: Z1, Z2 and Z4 to Z6."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import uuid4

from spec.conformance.answers import UNKNOWN, Answer, text_of
from spec.conformance.offers import offered, records_in
from spec.conformance.probe import FORM, Probe, created, only, segment
from spec.conformance.registry import check

_NEEDS = "plain_service point"


def _send(probe: Probe) -> str:
    """Send a new request. Returns its id."""
    probe.json_offered()
    return text_of(created(probe.post(probe.form())), "service_request_id")


def _say(probe: Probe, request_id: str, path: str = "support", *, key: bool = True, **fields: str) -> Answer:
    form = ({"api_key": probe.target.api_key} if key else {}) | fields
    address = f"requests/{segment(request_id)}/{path}.json"
    call = probe.call("POST", address, headers={"Content-Type": FORM}, body=urlencode(form).encode())
    return probe.client.send(call)


def _supported(probe: Probe, request_id: str = "") -> tuple[str, str, Answer]:
    """A request, a new person who supports it, and the answer. Raises UnmetNeedError if that is not offered.

    request_id  "" for a new request
    """
    request_id, person = request_id or _send(probe), uuid4().hex
    answer = _say(probe, request_id, account_id=person)
    offered(probe, "me_too", lambda: answer.succeeded and b'"supporters"' in answer.body)
    return request_id, person, answer


def _must_count(answer: Answer, people: int, *, supported: bool) -> None:
    answer.must_be(200)
    [item] = records_in(answer) or [{}]
    is_right = item.get("supporters") == people and item.get("supported") is supported
    answer.must(is_right, f"supporters {people} and supported {str(supported).lower()}", item)


def _read(probe: Probe, request_id: str) -> Answer:
    address = f"requests/{segment(request_id)}.json"
    return probe.get(address, [("extensions", "true")], fresh=True).must_be(200)


def _number(probe: Probe, request_id: str) -> tuple[Answer, object]:
    """The answer with a request, and the number of its supporters; None if the request has no such member."""
    shown = _read(probe, request_id)
    extended = only(shown).get("extended_attributes")
    return shown, extended.get("supporters") if isinstance(extended, dict) else None


@check("Z1", needs=_NEEDS, writes=True)
def counted_once(probe: Probe) -> None:
    request_id, person, answer = _supported(probe)
    _must_count(answer, 1, supported=True)
    _must_count(_say(probe, request_id, account_id=person), 1, supported=True)
    _must_count(_say(probe, request_id, account_id=uuid4().hex), 2, supported=True)
    _say(probe, request_id).must_be(400)
    _say(probe, request_id, key=False, account_id=person).must_be(403)


@check("Z2", needs=_NEEDS, writes=True)
def taken_back(probe: Probe) -> None:
    request_id, person, _ = _supported(probe)
    for _ in range(2):
        _must_count(_say(probe, request_id, "support/remove", account_id=person), 0, supported=False)


@check("Z4", needs=_NEEDS, writes=True)
def unknown_request(probe: Probe) -> None:
    _supported(probe)
    _say(probe, UNKNOWN, account_id="1").must_be(404)


@check("Z5", needs=_NEEDS, writes=True)
def public_number(probe: Probe) -> None:
    request_id, person, _ = _supported(probe)
    shown, number = _number(probe, request_id)
    shown.must(number == 1, "supporters 1 in extended_attributes", number)
    shown.must(person not in shown.text, "nothing about the person")
    _say(probe, request_id, "support/remove", account_id=person)
    shown, number = _number(probe, request_id)
    shown.must(number is None, "no member supporters, because nobody supports the request", number)


@check("Z6", needs=_NEEDS, writes=True)
def nothing_else_changes(probe: Probe) -> None:
    request_id = _send(probe)
    before = only(_read(probe, request_id))
    _supported(probe, request_id)
    _say(probe, request_id, account_id=uuid4().hex)
    query = [("api_key", probe.target.api_key), ("account_id", uuid4().hex)]
    probe.get(f"requests/{segment(request_id)}/support.json", query, fresh=True)
    shown, number = _number(probe, request_id)
    shown.must(number == 2, "supporters 2, because a GET counts nobody", number)
    same = text_of(only(shown), "updated_datetime") == text_of(before, "updated_datetime")
    shown.must(same, "the same updated_datetime", only(shown))
