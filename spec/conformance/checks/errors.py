"""Errors: C245 to C256. These checks are about the form of errors; other modules check the texts."""

from __future__ import annotations

from collections.abc import Iterator

from spec.conformance.answers import UNKNOWN, Answer, Record, UnmetNeedError, errors_in, text_of
from spec.conformance.probe import Probe
from spec.conformance.registry import check

_PATHS = (f"services/{UNKNOWN}", f"requests/{UNKNOWN}", f"tokens/{UNKNOWN}", UNKNOWN)


def _errors(probe: Probe, format: str) -> list[Answer]:
    """The error answers to calls that must fail on any server. Other answers are left out."""
    answers = [probe.get(f"{path}.{format}") for path in _PATHS]
    return [answer for answer in answers if answer.status >= 400]


def _readable_errors(probe: Probe) -> Iterator[tuple[Answer, Record]]:
    """Every error that can be read, even if its wrapper is wrong."""
    for format in probe.formats:
        for answer in _errors(probe, format):
            yield from ((answer, record) for record in errors_in(answer))


@check("C245")
def xml_structure(probe: Probe) -> None:
    for answer in _errors(probe, "xml"):
        is_xml = answer.body.lstrip().startswith(b"<") and "html" not in answer.content_type
        answer.must(is_xml, "an errors body in XML")
        root = answer.must_be_xml()
        answer.must(root.tag == "errors", "the root errors", f"<{root.tag}>")
        is_valid = len(root) and all(_is_error(child) for child in root)
        answer.must(is_valid, "error elements with code and description")


def _is_error(element: object) -> bool:
    tags = {child.tag for child in element}  # type: ignore[attr-defined]  # lxml publishes no types
    return getattr(element, "tag", "") == "error" and {"code", "description"} <= tags


@check("C246")
def json_structure(probe: Probe) -> None:
    probe.json_offered()
    for answer in _errors(probe, "json"):
        data = answer.must_be_json()
        listed = isinstance(data, list) and data and all(isinstance(item, dict) for item in data)
        answer.must(listed, "a non-empty array of objects")
        answer.must(all({"code", "description"} <= set(item) for item in data), "code and description in each")


@check("C247")
def status_is_an_error(probe: Probe) -> None:
    """No answer to a GET that the client still has in its cache is an errors body with a status of success."""
    list(_readable_errors(probe))
    for answer in probe.client.answers:
        if answer.succeeded and _looks_like_errors(answer.body.lstrip()):
            answer.fail("4xx or 5xx", str(answer.status))


def _looks_like_errors(body: bytes) -> bool:
    if body.startswith(b"<"):
        return b"<errors>" in body[:100]
    start = body[:300]
    other_names = (b'"service_code"', b'"datatype"', b'"service_request_id"')
    is_list = body.startswith(b"[") and b'"code"' in start and b'"description"' in start
    return is_list and not any(name in start for name in other_names)


@check("C248")
def code_is_the_status(probe: Probe) -> None:
    for answer, record in _readable_errors(probe):
        code = record.get("code")
        is_valid = isinstance(code, int) and not isinstance(code, bool) and code == answer.status
        answer.must(is_valid, f"the code {answer.status}, a number", repr(code))


@check("C249")
def description_is_not_blank(probe: Probe) -> None:
    for answer, record in _readable_errors(probe):
        answer.must(text_of(record, "description").strip(), "a description", "none")


@check("C250")
def content_type(probe: Probe) -> None:
    for format in probe.formats:
        expected = probe.services(format).content_type
        for answer in _errors(probe, format):
            answer.must(answer.content_type == expected, expected, answer.content_type)


@check("C251", writes=True)
def unknown_method(probe: Probe) -> None:
    """Runs only if the run may write, because an unknown server may do anything on PUT."""
    for format in probe.formats:
        answer = probe.client.send(probe.call("PUT", f"requests.{format}", body=b"")).must_be(405)
        answer.must(answer.headers.get("allow"), "Allow", "none")
        answer.must(errors_in(answer), "an errors body")


@check("C252", writes=True)
def deleting_services(probe: Probe) -> None:
    """Runs only if the run may write, because an unknown server may do anything on DELETE."""
    for format in probe.formats:
        probe.client.send(probe.call("DELETE", f"services.{format}")).must_be(405)


@check("C253")
def unknown_path_in_json(probe: Probe) -> None:
    probe.json_offered()
    answer = probe.get(f"{UNKNOWN}.json").must_be(404)
    answer.must(answer.body.lstrip().startswith(b"["), "an errors body in JSON")


@check("C254")
def unknown_path_without_suffix(probe: Probe) -> None:
    answer = probe.get(UNKNOWN).must_be(404)
    is_xml = "xml" in answer.content_type and b"<errors" in answer.body
    answer.must(is_xml, "an errors body in XML")


@check("C255")
def statuses(probe: Probe) -> None:
    """No answer to a GET that the client still has in its cache has 401 or 422."""
    list(_readable_errors(probe))
    for answer in probe.client.answers:
        answer.must(answer.status not in (401, 422), "400, 403 or 404", answer.status)


@check("C256")
def markup_in_texts(probe: Probe) -> None:
    answer = probe.get("services/%3Cb%3E.xml")
    if answer.status < 400 or not answer.body.lstrip().startswith(b"<"):
        raise UnmetNeedError("no answer was an error in XML (see C245)")
    try:
        answer.document()
    except UnmetNeedError:
        answer.fail("well-formed XML with escaped text", str(answer))
    answer.must(b"<b>" not in answer.body, "the text escaped")
