"""Arguments common to all: C040 to C053."""

from __future__ import annotations

from collections.abc import Callable

from spec.conformance.answers import UNKNOWN, Answer, UnmetNeedError, ids_of, text_of
from spec.conformance.preparation import Endpoint, Member, Several
from spec.conformance.probe import Probe, require, segment
from spec.conformance.registry import check

NOWHERE = "nowhere.example"
"""A jurisdiction that no server serves."""

Ask = Callable[[str | None], Answer]


def _only_jurisdiction(probe: Probe) -> str:
    """The jurisdiction of a server that serves only one; "" if the run does not name it."""
    if probe.several:
        raise UnmetNeedError("the endpoint serves several jurisdictions")
    return probe.target.jurisdiction_id


@check("C040")
def single_without_id(probe: Probe) -> None:
    _only_jurisdiction(probe)
    probe.get("services.xml", at=Endpoint(probe.target.base_url)).must_be(200)


@check("C041")
def single_with_its_id(probe: Probe) -> None:
    if not _only_jurisdiction(probe):
        raise UnmetNeedError("the check needs the jurisdiction's id; give it with --jurisdiction")
    plain = probe.get("services.xml", at=Endpoint(probe.target.base_url))
    named = probe.services("xml").must_be(200)
    named.must(named.body == plain.body, "the same as without jurisdiction_id")


@check("C042")
def single_with_a_wrong_id(probe: Probe) -> None:
    _only_jurisdiction(probe)
    probe.get("services.xml", [("jurisdiction_id", NOWHERE)]).must_be(404)


def _several(probe: Probe) -> Endpoint:
    """An endpoint with several jurisdictions, and one jurisdiction of it, from the preparation or the target."""
    several = probe.prepared.several
    if several:
        return Endpoint(several.base_url, several.first.jurisdiction_id)
    if probe.several:
        return probe.here
    raise UnmetNeedError("the check needs an endpoint with two jurisdictions")


def _services_of(probe: Probe, jurisdiction: str | None) -> Answer:
    params = [] if jurisdiction is None else [("jurisdiction_id", jurisdiction)]
    return probe.get("services.xml", params, at=Endpoint(_several(probe).base_url))


@check("C043")
def several_without_id(probe: Probe) -> None:
    _services_of(probe, None).must_be(400).must_say("jurisdiction_id")


@check("C044")
def several_with_an_empty_id(probe: Probe) -> None:
    _services_of(probe, "").must_be(400).must_say("jurisdiction_id")


@check("C045")
def several_with_an_unknown_id(probe: Probe) -> None:
    _services_of(probe, NOWHERE).must_be(404).must_say("jurisdiction_id")


@check("C046")
def several_with_its_id(probe: Probe) -> None:
    first = _services_of(probe, _several(probe).jurisdiction_id).must_be(200)
    codes = {text_of(service, "service_code") for service in first.records("services")}
    first.must(codes, "the services of that jurisdiction", "none")
    if probe.prepared.several:
        own = probe.prepared.several.first.service_code
        other = probe.prepared.several.second.service_code
        first.must(own in codes and other not in codes, f"{own!r} and not {other!r}", sorted(codes))


@check("C047")
def jurisdiction_is_forgiving(probe: Probe) -> None:
    name = _several(probe).jurisdiction_id
    plain = _services_of(probe, name)
    variant = f"www.{name.removeprefix('www.').title()}"
    answer = _services_of(probe, variant).must_be(200)
    answer.must(answer.body == plain.body, f"the same as for {name}")


@check("C048", needs="several")
def several_everywhere(probe: Probe) -> None:
    several = require(probe.prepared.several)
    for path in _paths(several.first):
        for format in probe.readings():
            _four_cases(_get_call(probe, several, f"{path}.{format}"), several)
    if probe.target.writes:
        _four_cases(_post_call(probe, several), several)


def _paths(member: Member) -> list[str]:
    token = [f"tokens/{segment(member.token)}"] if member.token else []
    return [
        f"services/{segment(member.service_code)}",
        *token,
        "requests",
        f"requests/{segment(member.request_id)}",
    ]


def _get_call(probe: Probe, several: Several, path: str) -> Ask:
    def ask(jurisdiction: str | None) -> Answer:
        params = [] if jurisdiction is None else [("jurisdiction_id", jurisdiction)]
        return probe.get(path, params, at=Endpoint(several.base_url))

    return ask


def _post_call(probe: Probe, several: Several) -> Ask:
    member = several.first

    def ask(jurisdiction: str | None) -> Answer:
        jurisdiction_field = [] if jurisdiction is None else [("jurisdiction_id", jurisdiction)]
        form = [
            ("api_key", member.api_key),
            ("service_code", member.service_code),
            ("lat", str(member.point.lat)),
            ("long", str(member.point.long)),
        ]
        return probe.post([*jurisdiction_field, *form], base_url=several.base_url)

    return ask


def _four_cases(ask: Ask, several: Several) -> None:
    """Call with a missing, an empty, an unknown and a right jurisdiction_id, and check the four answers."""
    ask(None).must_be(400).must_say("jurisdiction_id")
    ask("").must_be(400).must_say("jurisdiction_id")
    ask(NOWHERE).must_be(404).must_say("jurisdiction_id")
    answer = ask(several.first.jurisdiction_id)
    answer.must(answer.succeeded, "success")
    if answer.call.url.partition("?")[0].rpartition("/")[2].startswith("requests."):
        foreign = several.second.request_id
        answer.must(foreign not in ids_of(answer.records("requests")), f"no {foreign}", "it is listed")


def _same_list(probe: Probe, *params: tuple[str, str]) -> None:
    """The list of requests is the same with and without `params`. New requests are ignored."""
    for format in probe.readings():
        plain, answer = probe.get(f"requests.{format}"), probe.get(f"requests.{format}", params).must_be(200)
        if ids_of(plain.records("requests")) == ids_of(answer.records("requests")):
            continue
        plain = probe.get(f"requests.{format}", fresh=True)
        answer = probe.get(f"requests.{format}", params, fresh=True)
        expected, received = (ids_of(each.records("requests")) for each in (plain, answer))
        answer.must(
            expected == received, f"the same {len(expected)} requests as without", f"{len(received)} requests"
        )


@check("C049")
def empty_arguments(probe: Probe) -> None:
    _same_list(probe, ("status", ""), ("service_code", ""), ("start_date", ""))


@check("C050")
def unknown_arguments(probe: Probe) -> None:
    _same_list(probe, ("nonsense", "1"))


@check("C051")
def wrong_key_on_get(probe: Probe) -> None:
    probe.get(f"services.{probe.formats[-1]}", [("api_key", UNKNOWN)]).must_be(200)
    probe.get(f"requests.{probe.formats[-1]}", [("api_key", UNKNOWN)]).must_be(200)


@check("C052")
def reading_needs_no_key(probe: Probe) -> None:
    prepared, format = probe.prepared, probe.formats[-1]
    answers = [probe.services(format), probe.get(f"requests.{format}")]
    if prepared.rich_service:
        answers.append(probe.definition(prepared.rich_service, format))
    if prepared.open_request:
        answers.append(probe.request(prepared.open_request, format))
    if prepared.resolved_token:
        answers.append(probe.token(prepared.resolved_token, format))
    for answer in answers:
        answer.must(answer.status not in (401, 403), "an answer without api_key")


@check("C053", needs="locale")
def content_language(probe: Probe) -> None:
    answer = probe.services(probe.formats[-1])
    answer.must(answer.headers.get("content-language"), "Content-Language", "none")
