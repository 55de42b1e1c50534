"""Suggestions, an extension: X1, X2 and X4 to X7."""

from __future__ import annotations

from typing import Any

from spec.conformance.answers import Answer, UnmetNeedError, text_of
from spec.conformance.offers import NO_WORD, NOWHERE, at, offered
from spec.conformance.preparation import EXTENSIONS
from spec.conformance.probe import Probe, created, require
from spec.conformance.registry import check

_MOST = 3
_LONGEST = 500

Pair = tuple[str, str]


def _ask(probe: Probe, *params: Pair, suffix: str = "json") -> Answer:
    """The suggestions for a call. Raises UnmetNeedError if the server does not offer them."""
    probe.json_offered()
    known = probe.get("services/suggest.json", [("q", "hole")])
    offered(probe, "suggestions", lambda: known.succeeded and b'"emergency_notice"' in known.body)
    return probe.get(f"services/suggest.{suffix}", params)


def _found(answer: Answer) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The object of an answer, and its services. Raises DeviationError if the body is anything else."""
    body = answer.must_be(200).must_be_json()
    services = body.get("services") if isinstance(body, dict) else None
    is_sound = isinstance(services, list) and all(isinstance(each, dict) for each in services)
    answer.must(is_sound, "an object with a list of services")
    return body, services or []


def _first_services(probe: Probe) -> list[dict[str, Any]]:
    """The first ten services of the list."""
    return [dict(each) for each in probe.get("services.json").records("services")][:10]


@check("X1")
def at_most_three(probe: Probe) -> None:
    listed = {text_of(each, "service_name") for each in probe.get("services.json").records("services")}
    for service in _first_services(probe):
        answer = _ask(probe, ("q", text_of(service, "service_name")))
        _, services = _found(answer)
        answer.must(len(services) <= _MOST, f"at most {_MOST} services", len(services))
        others = {text_of(each, "service_name") for each in services} - listed
        answer.must(not others, "services of the list", others)
        answer.must(services, "a service, because these words are the name of one", "none")
    answer = _ask(probe, ("q", NO_WORD))
    _, services = _found(answer)
    answer.must(not services, "no service for a word that no service has", len(services))
    xml = _ask(probe, ("q", NO_WORD), suffix="xml").must_be(200)
    root = xml.must_be_xml().tag
    xml.must(root == "suggestions", "the root suggestions", root)


@check("X2")
def a_sentence_is_needed(probe: Probe) -> None:
    for params in ((), (("q", " "),)):
        _ask(probe, *params).must_be(400)
    _found(_ask(probe, ("q", "hole " * _LONGEST)))


@check("X4")
def only_with_its_suffix(probe: Probe) -> None:
    _ask(probe, ("q", "hole"))
    answer = probe.get("services/suggest", [("q", "hole")])
    answer.must(b"emergency_notice" not in answer.body, "no suggestions without a suffix", "suggestions")


@check("X5", needs="point")
def at_a_point(probe: Probe) -> None:
    point = require(probe.prepared.point)
    away = probe.get("services.json", at(*NOWHERE)).records("services")
    if away:
        raise UnmetNeedError(f"not offered: {EXTENSIONS['place_services']}, or the city has no boundary")
    for service in _first_services(probe):
        words = ("q", text_of(service, "service_name"))
        _, near = _found(_ask(probe, words, *at(point.lat, point.long)))
        answer = _ask(probe, words, *at(*NOWHERE))
        _, far = _found(answer)
        answer.must(not far, "no service outside of the city", len(far))
        if near:
            return


@check("X6", needs="plain_service point", writes=True)
def choices(probe: Probe) -> None:
    _ask(probe, ("q", "hole"))
    code = require(probe.prepared.plain_service)
    answer = probe.post(probe.form(suggestion=f"{NO_WORD},{code}"))
    created(answer)
    warning = answer.headers.get("warning", "")
    answer.must(NO_WORD in warning, f"a Warning that names {NO_WORD}", warning or "no Warning")
    answer.must(code not in warning.replace(NO_WORD, ""), f"no Warning about {code}", warning)


@check("X7")
def not_kept(probe: Probe) -> None:
    answer = _ask(probe, ("q", "hole"))
    kept = answer.headers.get("cache-control", "none")
    answer.must("no-store" in kept, "Cache-Control: no-store", kept)
