"""Offers and forms, an extension: O1 to O10 without O5."""

from __future__ import annotations

from spec.conformance.answers import Answer, Record, errors_in, text_of
from spec.conformance.offers import at, offered, place
from spec.conformance.preparation import Form, Offers
from spec.conformance.probe import Probe, created, only, require, segment
from spec.conformance.registry import check
from spec.conformance.survey import attributes_of, definition_in

_RULES = {"automated", "required_if_asked", "defaults", "conditions", "asset_layer"}
_NO_SERVICE = "no-such-service"
_KEPT_BACK = "an answer that stays inside"


def _offers(probe: Probe) -> Offers:
    """The prepared services. Raises UnmetNeedError if the server does not offer the extension."""
    offers = require(probe.prepared.offers)
    offered(probe, "offers", lambda: probe.definition(offers.private, probe.formats[-1]).succeeded)
    return offers


def _extended(probe: Probe) -> tuple[Form, Answer, list[Record]]:
    """The prepared form, and the attributes of its definition with extensions=true."""
    probe.json_offered()
    form = require(probe.prepared.form)
    answer = probe.get(f"services/{segment(form.service_code)}.json", [("extensions", "true")])
    offered(probe, "forms", lambda: answer.succeeded and b'"conditions"' in answer.body)
    return form, answer, attributes_of(definition_in(answer.must_be(200)) or {})


def _filled(form: Form, key: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [(f"attribute[{code}]", value) for code, value in ((form.deciding, key), *more)]


def _says(answer: Answer, *words: str) -> None:
    """Check that one Warning has all of these words."""
    warning = answer.headers.get("warning", "")
    answer.must(all(word in warning for word in words), f"a Warning with {' and '.join(words)}", warning)


def _text(answer: Answer, code: str) -> str:
    """The text of an error without the code of the service."""
    return " ".join(text_of(error, "description") for error in errors_in(answer)).replace(code, "")


@check("O1", needs="offers")
def unlisted_services(probe: Probe) -> None:
    offers = _offers(probe)
    for format in probe.formats:
        answer = probe.services(format)
        codes = {text_of(record, "service_code") for record in answer.records("services")}
        listed = codes & {offers.private, offers.staff, offers.ended, offers.replaced}
        answer.must(not listed, "only what everybody can report", sorted(listed))


@check("O2", needs="offers", writes=True)
def private_service(probe: Probe) -> None:
    code = _offers(probe).private
    for format in probe.formats:
        probe.definition(code, format).must_be(200)
    created(probe.post(probe.form(code)))


@check("O3", needs="offers open_request", writes=True)
def service_for_staff(probe: Probe) -> None:
    code = _offers(probe).staff
    for format in probe.formats:
        probe.definition(code, format).must_be(404)
        probe.get(f"requests/nearby.{format}", [("service_code", code), *at(*place(probe))]).must_be(404)
    probe.post(probe.form(code)).must_be(403).must_say(code)


@check("O4", needs="offers", writes=True)
def ended_service(probe: Probe) -> None:
    code = _offers(probe).ended
    for format in probe.formats:
        probe.definition(code, format).must_be(404).must_say(code)
    unknown = _text(probe.post(probe.form(_NO_SERVICE)), _NO_SERVICE)
    answer = probe.post(probe.form(code)).must_be(404).must_say(code)
    answer.must(_text(answer, code) != unknown, "another text than for an unknown code", unknown)


@check("O6", needs="offers", writes=True)
def replaced_service(probe: Probe) -> None:
    offers = _offers(probe)
    definition = definition_in(probe.definition(offers.replaced, probe.formats[-1]).must_be(200)) or {}
    answer = probe.post([*probe.form(offers.replaced), *offers.answers])
    stored = probe.read_back(created(answer))
    answer.must(text_of(definition, "service_code") == offers.successor, offers.successor, definition)
    answer.must(text_of(stored, "service_code") == offers.successor, offers.successor, stored)
    _says(answer, offers.replaced, offers.successor)


@check("O7", needs="form")
def plain_definition(probe: Probe) -> None:
    form, _, _ = _extended(probe)
    for format in probe.formats:
        answer = probe.definition(form.service_code, format).must_be(200)
        plain = {text_of(item, "code"): item for item in attributes_of(definition_in(answer) or {})}
        answer.must(form.hidden not in plain, f"no {form.hidden}", sorted(plain))
        answer.must(form.dependent in plain, form.dependent, sorted(plain))
        answer.must(plain[form.dependent].get("required") is False, "required: false", plain[form.dependent])


@check("O8", needs="form")
def rules_of_attributes(probe: Probe) -> None:
    form, answer, attributes = _extended(probe)
    rules = {text_of(item, "code"): item.get("extended_attributes") for item in attributes}
    for code, found in rules.items():
        is_whole = isinstance(found, dict) and found.keys() == _RULES
        answer.must(is_whole, f"{', '.join(sorted(_RULES))} of {code}", found)
    dependent, hidden = rules.get(form.dependent), rules.get(form.hidden)
    condition = {"attribute": form.deciding, "values": [form.met]}
    expected = {"required_if_asked": True, "conditions": [condition]}
    has_rules = isinstance(dependent, dict) and dependent | expected == dependent
    answer.must(has_rules, f"{form.dependent} with {expected}", dependent)
    is_hidden = isinstance(hidden, dict) and hidden["automated"] == "hidden_field"
    answer.must(is_hidden, f"{form.hidden} as hidden_field", hidden)


@check("O9", needs="form", writes=True)
def question_that_is_not_asked(probe: Probe) -> None:
    form, _, _ = _extended(probe)
    start = probe.form(form.service_code)
    created(probe.post([*start, *_filled(form, form.unmet)]))
    answer = probe.post([*start, *_filled(form, form.unmet, (form.dependent, "unasked"))])
    created(answer)
    _says(answer, form.dependent)
    probe.post([*start, *_filled(form, form.met)]).must_be(400).must_say(form.dependent)
    created(probe.post([*start, *_filled(form, form.met, (form.dependent, "asked"))]))


@check("O10", needs="form", writes=True)
def hidden_answers(probe: Probe) -> None:
    form, _, _ = _extended(probe)
    answers = _filled(form, form.unmet, (form.hidden, _KEPT_BACK))
    receipt = created(probe.post([*probe.form(form.service_code), *answers]))
    path = f"requests/{segment(text_of(receipt, 'service_request_id'))}"
    for format in probe.formats:
        shown = probe.get(f"{path}.{format}", [("extensions", "true")]).must_be(200)
        only(shown)
        shown.must(_KEPT_BACK.encode() not in shown.body, "no hidden answer", "it is shown")
