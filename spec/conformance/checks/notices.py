"""Notices of a city, an extension: R1, R6 and R8."""

from __future__ import annotations

from spec.conformance.answers import Answer, Call, Record, UnmetNeedError, text_of
from spec.conformance.offers import offered, records_in
from spec.conformance.probe import Probe
from spec.conformance.registry import check

_FIELDS = (
    *("notice_id", "headline", "description", "language", "languages", "category", "severity", "state"),
    *("service_codes", "area", "boundary", "start_datetime", "end_datetime", "updated_datetime", "cap_url"),
)
_SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
_CAP = b"urn:oasis:names:tc:emergency:cap:1.2"
_ATOM = b"http://www.w3.org/2005/Atom"
_MESSAGES = ("Alert", "Update", "Cancel")


def _notices(probe: Probe) -> tuple[Answer, list[Record]]:
    """The notices in JSON. Raises UnmetNeedError if the server does not offer them."""
    answer = probe.get("notices.json")
    offered(probe, "notices", lambda: answer.succeeded and answer.body.startswith(b"["))
    return answer, records_in(answer.must_be(200))


@check("R1")
def notices(probe: Probe) -> None:
    answer, records = _notices(probe)
    for record in records:
        missing = [name for name in _FIELDS if name not in record]
        answer.must(not missing, ", ".join(_FIELDS), f"no {', '.join(missing)}")
    worst = [_SEVERITIES.index(text_of(record, "severity")) for record in records]
    answer.must(worst == sorted(worst), "the worst first", [text_of(record, "severity") for record in records])
    xml = probe.get("notices.xml").must_be(200)
    root = xml.must_be_xml()
    xml.must(root.tag == "notices", "the root notices", f"<{root.tag}>")
    ids = [child.findtext("notice_id") for child in root.findall("notice")]
    xml.must(ids == [text_of(record, "notice_id") for record in records], "the notices of the JSON list", ids)


@check("R6")
def alerts(probe: Probe) -> None:
    _, records = _notices(probe)
    if not records:
        raise UnmetNeedError("the city has no notice now")
    for record in records:
        answer = probe.client.get(Call("GET", text_of(record, "cap_url"))).must_be(200)
        root = answer.must_be_xml()
        answer.must(root.tag == "alert" and _CAP in answer.body, "an alert of CAP 1.2", f"<{root.tag}>")
        kind, sent = root.findtext("msgType"), root.findtext("sent") or ""
        answer.must(kind in _MESSAGES, " or ".join(_MESSAGES), kind)
        answer.must(sent[-6:-5] in ("+", "-"), "a time with its offset and without Z", sent)
        answer.must(root.findall("info"), "an info for each language", "none")


@check("R8")
def index_of_alerts(probe: Probe) -> None:
    _, records = _notices(probe)
    answer = probe.get("notices.atom").must_be(200)
    root = answer.must_be_xml()
    answer.must(root.tag == "feed" and _ATOM in answer.body, "an Atom feed", f"<{root.tag}>")
    links = [
        link.get("href") for link in root.iter("link") if (link.get("type") or "").startswith("application/cap+xml")
    ]
    missing = [text_of(record, "cap_url") for record in records if text_of(record, "cap_url") not in links]
    answer.must(not missing, f"links to {', '.join(missing)}", links)
