"""Single request: C236 to C244."""

from __future__ import annotations

from spec.conformance.answers import UNKNOWN, ids_of
from spec.conformance.probe import Probe, require, segment
from spec.conformance.registry import check


@check("C236", needs="open_request")
def in_xml(probe: Probe) -> None:
    answer = probe.request(require(probe.prepared.open_request), "xml").must_be(200)
    root = answer.must_be_xml()
    answer.must(root.tag == "service_requests", "the root service_requests", f"<{root.tag}>")
    answer.must([child.tag for child in root] == ["request"], "one request", [child.tag for child in root])


@check("C237", needs="open_request")
def in_json(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.request(require(probe.prepared.open_request), "json").must_be(200)
    data = answer.must_be_json()
    answer.must(isinstance(data, list) and len(data) == 1, "an array of one")


@check("C238", needs="old_request")
def older_than_the_window(probe: Probe) -> None:
    for each in (probe.prepared.old_request, probe.prepared.ancient_request):
        if each:
            for format in probe.readings():
                probe.request(each, format).must_be(200)


@check("C239")
def unknown_id(probe: Probe) -> None:
    for answer in probe.both(f"requests/{UNKNOWN}"):
        answer.must_be(404)


@check("C240", needs="open_request old_request")
def several_ids(probe: Probe) -> None:
    ids = [require(probe.prepared.open_request), require(probe.prepared.old_request)]
    for format in probe.readings():
        path = f"requests/{segment(ids[0])},{segment(ids[1])}.{format}"
        answer = probe.get(path).must_be(200)
        received = ids_of(answer.records("requests"))
        answer.must(sorted(received) == sorted(ids), ", ".join(ids), received)


@check("C241", needs="open_request")
def without_suffix(probe: Probe) -> None:
    path = f"requests/{segment(require(probe.prepared.open_request))}"
    xml = probe.get(path).must_be(200)
    xml.must("xml" in xml.content_type, "XML", xml.content_type)
    if "json" in probe.formats:
        json = probe.get(path, headers={"Accept": "application/json"}).must_be(200)
        json.must("json" in json.content_type, "JSON", json.content_type)


@check("C242")
def no_id(probe: Probe) -> None:
    for answer in probe.both("requests/"):
        answer.must_be(400)


@check("C243", needs="open_request")
def arguments_of_the_list(probe: Probe) -> None:
    for answer in probe.both(f"requests/{segment(require(probe.prepared.open_request))}", [("status", "bogus")]):
        answer.must_be(200)


@check("C244", needs="odd_request_id")
def odd_characters(probe: Probe) -> None:
    request_id = require(probe.prepared.odd_request_id)
    for format in probe.formats:
        answer = probe.request(request_id, format).must_be(200)
        answer.must(ids_of(answer.records("requests")) == [request_id], request_id)
