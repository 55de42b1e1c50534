"""Subscriptions, an extension: W1 to W3. The other rules need a receiver that the server may call."""

from __future__ import annotations

from urllib.parse import urlencode

from spec.conformance.answers import UNKNOWN, Answer
from spec.conformance.offers import offered, records_in
from spec.conformance.probe import FORM, Probe
from spec.conformance.registry import check

_RECEIVER = "https://receiver.invalid/hook"


def _get(probe: Probe, path: str, *, key: bool = True) -> Answer:
    headers = {"X-Api-Key": probe.target.api_key} if key else {}
    return probe.get(path, headers=headers, fresh=True)


def _list(probe: Probe) -> Answer:
    """The subscriptions of the key. Raises UnmetNeedError if the server does not know subscriptions."""
    probe.json_offered()
    answer = _get(probe, "subscriptions.json")
    offered(probe, "subscriptions", lambda: answer.succeeded)
    return answer.must_be(200)


def _refused(probe: Probe, field: str, **fields: str) -> None:
    """Ask for a subscription that is wrong. The answer must be 400 and name the field."""
    form = {"api_key": probe.target.api_key, "url": _RECEIVER} | fields
    headers = {"Content-Type": FORM}
    call = probe.call("POST", "subscriptions.json", headers=headers, body=urlencode(form).encode())
    answer = probe.client.send(call).must_be(400)
    answer.must(field in answer.text, f"an error that names {field}")


@check("W1", writes=True)
def filters(probe: Probe) -> None:
    _list(probe)
    _refused(probe, "service_code", service_code=UNKNOWN)
    _refused(probe, "bbox", bbox="24.9,61,25,60")


@check("W2")
def own_only(probe: Probe) -> None:
    answer = _list(probe)
    shown = [item for item in records_in(answer) if "secret" in item]
    answer.must(not shown, "no secret in the list", shown)
    _get(probe, "subscriptions.json", key=False).must_be(403)
    _get(probe, f"subscriptions/{UNKNOWN}.json").must_be(404)


@check("W3", writes=True)
def addresses(probe: Probe) -> None:
    _list(probe)
    for url in (
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://169.254.169.254/",
        "ftp://receiver.invalid/",
    ):
        _refused(probe, "url", url=url)
