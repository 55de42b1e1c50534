"""Languages of texts, extensions: L1 and L2."""

from __future__ import annotations

from spec.conformance.answers import UNKNOWN, Answer, errors_in, text_of
from spec.conformance.offers import offered
from spec.conformance.probe import Probe, created, require
from spec.conformance.registry import check


def _language(probe: Probe) -> str:
    """The language to ask for: the prepared one, or else Spanish, a common language."""
    return probe.prepared.locale or "es"


def _names(answer: Answer, language: str) -> bool:
    """Whether Content-Language names this language."""
    tags = answer.headers.get("content-language", "").lower().split(",")
    return any(tag.strip().partition("-")[0] == language.lower().partition("-")[0] for tag in tags)


def _descriptions(answer: Answer) -> str:
    return " ".join(text_of(record, "description") for record in errors_in(answer))


@check("L1")
def errors_in_the_callers_language(probe: Probe) -> None:
    """If the server does not have the language, the error must have the server's default language."""
    language = _language(probe)
    for format in probe.formats:
        path = f"requests/{UNKNOWN}.{format}"
        plain, answer = probe.get(path), probe.get(path, headers={"Accept-Language": language})
        default, text = (_descriptions(each) for each in (plain, answer))
        answer.must(answer.status == plain.status, f"status {plain.status}, as without Accept-Language")
        if not _names(answer, language):
            answer.must(
                text == default, "the default text, because Content-Language does not name another language", text
            )
        offered(probe, "languages", lambda: _names(answer, language))  # noqa: B023 - called at once
        answer.must(text != default, f"a text in the language {language}", text)
        vary = answer.headers.get("vary", "")
        answer.must("accept-language" in vary.lower(), "Vary: Accept-Language", vary or "none")


@check("L2", needs="notice_service point", writes=True)
def notice_in_the_callers_language(probe: Probe) -> None:
    language, form = _language(probe), probe.form(require(probe.prepared.notice_service))
    plain, answer = probe.post(form), probe.post(form, headers={"Accept-Language": language})
    default, text = (text_of(created(each), "service_notice") for each in (plain, answer))
    offered(probe, "languages", lambda: _names(answer, language))
    answer.must(text and text != default, f"a service_notice in the language {language}", text or "none")
