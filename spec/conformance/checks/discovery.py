"""Discovery: C001 to C018."""

from __future__ import annotations

from collections.abc import Iterator

from spec.bodies import same_data
from spec.conformance.answers import Answer, Call, Record, UnmetNeedError, text_of
from spec.conformance.probe import Probe, moment_of, require
from spec.conformance.registry import check

GEOREPORT = "http://wiki.open311.org/GeoReport_v2"

_TOP = ("changeset", "contact", "key_service", "endpoints")
_ENDPOINT = ("specification", "url", "changeset", "type", "formats")


def _both(probe: Probe) -> Iterator[tuple[Answer, Record]]:
    """The discovery document in both formats: the answer and its data."""
    for format in ("xml", "json"):
        answer = probe.discovery(format)
        data = answer.data("discovery") if answer.succeeded else None
        if not isinstance(data, dict):
            raise UnmetNeedError(f"{answer.call} gave no discovery document")
        yield answer, data


def _endpoints(data: Record) -> list[Record]:
    endpoints = data.get("endpoints")
    if isinstance(endpoints, dict):
        endpoints = [endpoints]
    return [item for item in endpoints if isinstance(item, dict)] if isinstance(endpoints, list) else []


def _georeport(data: Record) -> list[Record]:
    return [item for item in _endpoints(data) if "georeport_v2" in text_of(item, "specification").lower()]


@check("C001")
def discovery_in_xml(probe: Probe) -> None:
    if not probe.discovery_base:
        answer = probe.get("discovery.xml")
        answer.fail(
            "discovery.xml in the folder of services.xml, in the parent folder, or at the root of the server",
            str(answer),
        )
    answer = probe.discovery("xml").must_be(200)
    root = answer.must_be_xml()
    answer.must(root.tag == "discovery", "the root discovery", f"<{root.tag}>")
    answer.must(not answer.document().foreign, "no namespace", answer.document().foreign)


@check("C002")
def discovery_in_json(probe: Probe) -> None:
    answer = probe.discovery("json").must_be(200)
    data = answer.must_be_json()
    answer.must(isinstance(data, dict) and "discovery" not in data, "one object without a discovery member")


@check("C003")
def top_fields(probe: Probe) -> None:
    for answer, data in _both(probe):
        blank = [name for name in _TOP if not data.get(name)]
        answer.must(not blank, f"{', '.join(_TOP)}, none blank", f"no {', '.join(blank)}")


@check("C004")
def endpoints_in_xml(probe: Probe) -> None:
    answer = probe.discovery("xml")
    endpoints = answer.document().root.findall("endpoints/endpoint")
    answer.must(endpoints, "endpoints with one or more endpoint", "none")
    for endpoint in endpoints:
        missing = [name for name in _ENDPOINT if endpoint.find(name) is None]
        answer.must(not missing, f"{', '.join(_ENDPOINT)} in every endpoint", f"no {', '.join(missing)}")


@check("C005")
def arrays_in_json(probe: Probe) -> None:
    answer = probe.discovery("json")
    data = answer.data("discovery")
    endpoints = data.get("endpoints") if isinstance(data, dict) else None
    answer.must(isinstance(endpoints, list), "endpoints as an array", type(endpoints).__name__)
    for endpoint in _endpoints(data if isinstance(data, dict) else {}):
        formats = endpoint.get("formats")
        strings = isinstance(formats, list) and all(isinstance(item, str) for item in formats)
        answer.must(strings, "formats as an array of strings", formats)


@check("C006")
def endpoint_types(probe: Probe) -> None:
    for answer, data in _both(probe):
        for endpoint in _endpoints(data):
            answer.must(endpoint.get("type") in ("production", "test"), "production or test", endpoint.get("type"))


@check("C007")
def specification(probe: Probe) -> None:
    for answer, data in _both(probe):
        specifications = [text_of(endpoint, "specification") for endpoint in _endpoints(data)]
        answer.must(GEOREPORT in specifications, f"an endpoint with the specification {GEOREPORT}", specifications)


def _check_announced(probe: Probe, media_type: str) -> None:
    for answer, data in _both(probe):
        for endpoint in _georeport(data):
            formats = endpoint.get("formats")
            answer.must(isinstance(formats, list) and media_type in formats, f"{media_type} in formats", formats)


@check("C008")
def announces_xml(probe: Probe) -> None:
    _check_announced(probe, "text/xml")


@check("C009")
def announces_json(probe: Probe) -> None:
    probe.json_offered()
    _check_announced(probe, "application/json")


@check("C010")
def production_address_works(probe: Probe) -> None:
    for _, data in _both(probe):
        for endpoint in _georeport(data):
            if endpoint.get("type") == "production":
                url = text_of(endpoint, "url").rstrip("/")
                jurisdiction = probe.target.jurisdiction_id
                query = f"?jurisdiction_id={jurisdiction}" if jurisdiction else ""
                probe.client.get(Call("GET", f"{url}/services.xml{query}")).must_be(200)


@check("C011")
def address_form(probe: Probe) -> None:
    secure = probe.target.base_url.startswith("https:")
    for answer, data in _both(probe):
        for endpoint in _georeport(data):
            url = text_of(endpoint, "url")
            answer.must(not url.endswith("/"), "an address without a slash at its end", url)
            answer.must(url.startswith("https:") or not secure, "an https address", url)


@check("C012")
def changesets_are_times(probe: Probe) -> None:
    for answer, data in _both(probe):
        for record in (data, *_endpoints(data)):
            changeset = text_of(record, "changeset")
            moment = moment_of(changeset)
            answer.must(moment is not None, "a time with a zone as changeset", changeset)
            answer.must(
                moment is None or moment.timestamp() < probe.now.timestamp() + 300,
                "a changeset that is not in the future",
                changeset,
            )


@check("C013", needs="rename_service", disturbs=True)
def changeset_moves(probe: Probe) -> None:
    before = probe.discovery("json", fresh=True)
    require(probe.prepared.rename_service)()
    after = probe.discovery("json", fresh=True)
    old, new = (_changeset(answer) for answer in (before, after))
    after.must(new > old, f"a changeset greater than {old}", new)


@check("C014")
def changeset_stays(probe: Probe) -> None:
    """A later answer has the same changeset. Some servers wrongly write the current time as changeset."""
    before, after = probe.discovery("xml"), probe.discovery("xml", fresh=True)
    after.must(_changeset(before) == _changeset(after), f"the changeset {_changeset(before)}", _changeset(after))


def _changeset(answer: Answer) -> str:
    data = answer.data("discovery")
    endpoints = _georeport(data) if isinstance(data, dict) else []
    if not endpoints:
        raise UnmetNeedError(f"{answer.call} lists no GeoReport endpoint")
    return text_of(endpoints[0], "changeset")


@check("C015")
def formats_agree(probe: Probe) -> None:
    xml, json = (answer for answer, _ in _both(probe))
    differences = same_data(xml.body, json.body, "discovery")
    json.must(not differences, "the same data in XML and JSON", " ".join(differences))


@check("C016")
def suffix_wins(probe: Probe) -> None:
    url = probe.discovery("json").call.url
    answer = probe.client.get(Call("GET", url, (("Accept", "text/xml"),)))
    answer.must("json" in answer.content_type, "JSON, because of the suffix")


@check("C017", needs="serves_test")
def test_endpoint_is_listed(probe: Probe) -> None:
    if not probe.prepared.serves_test:
        raise UnmetNeedError("the server runs no test endpoint in addition to the production endpoint")
    for answer, data in _both(probe):
        types = {text_of(endpoint, "type") for endpoint in _georeport(data)}
        answer.must(types == {"production", "test"}, "a production and a test endpoint", sorted(types))


@check("C018")
def page_for_people(probe: Probe) -> None:
    probe.discovery("xml")
    answer = probe.client.get(Call("GET", f"{probe.discovery_base}/discovery", (("Accept", "text/html"),)))
    is_page = answer.succeeded and "text/html" in answer.content_type
    if "discovery_page" not in probe.prepared.offered and not is_page:
        raise UnmetNeedError("not offered: discovery as a page")
    answer.must_be(200).must("text/html" in answer.content_type, "a page in HTML")
