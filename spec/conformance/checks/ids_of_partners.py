"""Ids of partners, an extension: I1 to I5."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import uuid4

from spec.conformance.answers import UNKNOWN, Answer, Call, ids_of, text_of
from spec.conformance.offers import offered, records_in
from spec.conformance.probe import Probe, created
from spec.conformance.registry import check

_NEEDS = "plain_service point"
_NAME = "service_request_id_ext"
_NO_FILTER = "the request, because other filters are not read beside the own id"


def _search(probe: Probe, own_id: str, key: str, **more: str) -> Answer:
    city = {"jurisdiction_id": probe.target.jurisdiction_id} if probe.target.jurisdiction_id else {}
    url = f"{probe.target.base_url}/requests.json?{urlencode({_NAME: own_id, **city, **more})}"
    return probe.client.get(Call("GET", url, (("X-Api-Key", key),) if key else ()), fresh=True)


def _send(probe: Probe, **fields: str) -> Answer:
    """Send a new request. Raises UnmetNeedError if the server does not know own ids."""
    probe.json_offered()
    offered(probe, "own_ids", lambda: _search(probe, UNKNOWN, "").status == 403)
    return probe.post(probe.form(**fields))


def _found(probe: Probe, own_id: str, **more: str) -> list[str]:
    return ids_of(records_in(_search(probe, own_id, probe.target.api_key, **more).must_be(200)))


@check("I1", needs=_NEEDS, writes=True)
def kept(probe: Probe) -> None:
    for name in (_NAME, "attribute[external_id]"):
        own_id = uuid4().hex
        answer = _send(probe, **{name: own_id})
        request_id = text_of(created(answer), "service_request_id")
        answer.must(_found(probe, own_id) == [request_id], f"a request that {name} finds")
    _send(probe, **{_NAME: "7" * 201}).must_be(400)


@check("I2", needs=_NEEDS, writes=True)
def search(probe: Probe) -> None:
    own_id = uuid4().hex
    answer = _send(probe, **{_NAME: own_id})
    request_id = text_of(created(answer), "service_request_id")
    answer.must(_found(probe, own_id, status="closed") == [request_id], _NO_FILTER)
    answer.must(_found(probe, UNKNOWN) == [], "an empty list for an own id that was not sent")
    for key in ("", UNKNOWN):
        _search(probe, own_id, key).must_be(403)


@check("I3", needs=_NEEDS, writes=True)
def shown_to_its_sender(probe: Probe) -> None:
    own_id = uuid4().hex
    request_id = text_of(created(_send(probe, **{_NAME: own_id})), "service_request_id")
    answer = _search(probe, own_id, probe.target.api_key, extensions="true").must_be(200)
    members = [item.get("extended_attributes") for item in records_in(answer)]
    shown = [item.get(_NAME) for item in members if isinstance(item, dict)]
    answer.must(shown == [own_id], f"{_NAME} in extended_attributes", members)
    anybody = probe.get(f"requests/{request_id}.json", [("extensions", "true")], fresh=True).must_be(200)
    anybody.must(own_id not in anybody.text, "no own id for a caller without the key")


@check("I4", needs=_NEEDS, writes=True)
def repeated(probe: Probe) -> None:
    own_id = uuid4().hex
    first = created(_send(probe, **{_NAME: own_id}))
    answer = _send(probe, **{_NAME: own_id})
    answer.must(created(answer) == first, "the first answer")
    _send(probe, **{_NAME: own_id, "description": "Conformance test; another report."}).must_be(400).must_say(_NAME)


@check("I5", needs=_NEEDS, writes=True)
def hops(probe: Probe) -> None:
    created(_send(probe, **{_NAME: uuid4().hex}))
    created(probe.post(probe.form(), headers={"Open311-Via": "a=1, b=2%2F3"}))
    probe.post(probe.form(), headers={"Open311-Via": "no hop"}).must_be(400)
    many = ", ".join(f"city{number}=1" for number in range(9))
    probe.post(probe.form(), headers={"Open311-Via": many}).must_be(400)
