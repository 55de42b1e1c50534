"""An extension: observations that things send by themselves (SN1 to SN4)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from spec.conformance.answers import UNKNOWN, Answer, Call
from spec.conformance.preparation import Gauge
from spec.conformance.probe import FORM, Probe, require
from spec.conformance.registry import check

_MANY = "CreateObservations"


def _gauge(probe: Probe) -> Gauge:
    return require(probe.prepared.gauge)


def _send(probe: Probe, body: Any, *, key: str | None = None, many: bool = False) -> Answer:
    gauge = _gauge(probe)
    url = f"{gauge.url.rpartition('/')[0]}/{_MANY}" if many else gauge.url
    given = gauge.api_key if key is None else key
    headers = {"Content-Type": "application/json", "Accept": "application/json"} | (
        {"X-Api-Key": given} if given else {}
    )
    return probe.client.send(Call("POST", url, tuple(headers.items()), json.dumps(body).encode()))


def _time(probe: Probe, minutes: int) -> str:
    """A time before the run, with a fraction of a second, so that no earlier run has sent it."""
    return (probe.now - timedelta(minutes=minutes)).isoformat()


def _observation(probe: Probe, *, minutes: int = 0, **more: Any) -> dict[str, Any]:
    link = {"@iot.id": _gauge(probe).datastream}
    return {"result": 0, "phenomenonTime": _time(probe, minutes), "Datastream": link} | more


def _field(answer: Answer, name: str) -> Any:
    found = answer.json()
    return found.get(name) if isinstance(found, dict) else None


@check("SN1", needs="gauge", writes=True)
def one(probe: Probe) -> None:
    body = _observation(probe, minutes=3)
    answer = _send(probe, body).must_be(201)
    link = _field(answer, "@iot.selfLink")
    answer.must(
        answer.headers.get("location") == link and bool(link), "its address in Location and @iot.selfLink", link
    )
    again = _send(probe, body).must_be(201)
    same = _field(again, "@iot.id") == _field(answer, "@iot.id")
    again.must(same, "the same id for the same observation", _field(again, "@iot.id"))


@check("SN2", needs="gauge", writes=True)
def refusals(probe: Probe) -> None:
    faults: dict[str, dict[str, Any]] = {
        "result": {"result": "much"},
        "phenomenonTime": {"phenomenonTime": "noon"},
        "Datastream": {"Datastream": {"@iot.id": UNKNOWN}},
    }
    for field, change in faults.items():
        answer = _send(probe, _observation(probe) | change).must_be(400)
        answer.must(field in answer.text, f"an error that names {field}")


@check("SN3", needs="gauge", writes=True)
def many(probe: Probe) -> None:
    array = {
        "Datastream": {"@iot.id": _gauge(probe).datastream},
        "components": ["phenomenonTime", "result"],
        "dataArray@iot.count": 2,
        "dataArray": [[_time(probe, 2), 0], ["noon", 0]],
    }
    answer = _send(probe, [array], many=True).must_be(201)
    items = answer.json()
    is_list = isinstance(items, list) and len(items) == 2 and all(isinstance(item, str) for item in items)
    answer.must(is_list, "a text for each observation", items)
    answer.must(
        not items[0].startswith("error") and items[1].startswith("error"), "an address, and an error", items
    )


@check("SN4", needs="gauge", writes=True)
def keys(probe: Probe) -> None:
    _send(probe, _observation(probe), key="").must_be(403)
    if probe.target.api_key:
        _send(probe, _observation(probe), key=probe.target.api_key).must_be(403)
    form = f"api_key={_gauge(probe).api_key}&service_code={UNKNOWN}&lat=0&long=0".encode()
    call = probe.call("POST", "requests.json", headers={"Content-Type": FORM}, body=form)
    refusal = probe.client.send(call)
    refusal.must(refusal.status in (400, 401, 403), "a refusal of the key of a thing", refusal.status)
    body = _observation(probe)
    sent = _send(probe, body).must_be(201)
    headers = (("X-Api-Key", _gauge(probe).api_key), ("Accept", "application/json"))
    answer = probe.client.get(Call("GET", _gauge(probe).url, headers), fresh=True).must_be(200)
    ids = [item.get("@iot.id") for item in _field(answer, "value") or ()]
    answer.must(_field(sent, "@iot.id") in ids, "the newest observation", ids)
