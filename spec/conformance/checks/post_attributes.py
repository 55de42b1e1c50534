"""Creating requests, attributes: C121 to C140. All checks but the last send requests for the service G."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from spec.conformance.answers import Answer, Record, UnmetNeedError, errors_in, text_of
from spec.conformance.probe import FORM, Probe, created, only, require, segment
from spec.conformance.registry import check
from spec.conformance.survey import attributes_of, definition_in

_NEEDS = "rich_service point"
_MADE_UP = "no such key"


@dataclass(frozen=True, slots=True)
class Question:
    """An attribute of a definition."""

    code: str
    datatype: str
    required: bool
    keys: tuple[str, ...]

    @property
    def is_list(self) -> bool:
        return self.datatype in ("singlevaluelist", "multivaluelist")

    def answer(self) -> tuple[str, str]:
        """A parameter with a valid answer to this question."""
        if self.datatype == "multivaluelist":
            return f"attribute[{self.code}][]", self.keys[0]
        ready = {"number": "1", "datetime": "2026-05-01T10:00:00Z"}
        return f"attribute[{self.code}]", self.keys[0] if self.keys else ready.get(self.datatype, "one")


@dataclass(frozen=True, slots=True)
class Questions:
    """The attributes of G that a report can answer."""

    all: tuple[Question, ...]

    def one(self, datatype: str, *, required: bool | None = None, keys: int = 0) -> Question:
        """A question of this datatype. Raises UnmetNeedError if the definition has no such question."""
        for question in self.all:
            fits = required is None or question.required == required
            if question.datatype == datatype and fits and len(question.keys) >= keys:
                return question
        wanted = f"{'required ' if required else ''}{datatype}"
        keyed = f" with {keys} keys" if keys > 1 else ""
        raise UnmetNeedError(f"the definition has no {wanted} attribute{keyed}")

    def required(self) -> Question:
        """A required question. Raises UnmetNeedError if there is none."""
        found = next((question for question in self.all if question.required), None)
        return found or self.one("required")

    def answers(self, *, but: str = "") -> list[tuple[str, str]]:
        """Valid answers to all required attributes, except the attribute with the code `but`."""
        return [each.answer() for each in self.all if each.required and each.code != but]


def questions(probe: Probe) -> Questions:
    """The questions in G's definition. Raises UnmetNeedError if the definition cannot be read."""
    code = require(probe.prepared.rich_service)
    answer = probe.definition(code, probe.formats[-1])
    items = [_question(item) for item in attributes_of(definition_in(answer) or {}) if item.get("variable") is True]
    if not items or any(question.is_list and not question.keys for question in items):
        raise UnmetNeedError(f"the definition of {code} could not be read (see C072 to C081)")
    return Questions(tuple(items))


def _question(attribute: Record) -> Question:
    values = attribute.get("values")
    keys = (
        [text_of(value, "key") for value in values if isinstance(value, dict)] if isinstance(values, list) else []
    )
    return Question(
        text_of(attribute, "code"),
        text_of(attribute, "datatype"),
        attribute.get("required") is True,
        tuple(keys),
    )


def _send(probe: Probe, all_questions: Questions, but: str, *extra: tuple[str, str], raw: bool = False) -> Answer:
    """Send a new request for G with all required attributes except `but`, and with `extra`.

    raw  whether the brackets are sent without percent-encoding
    """
    form = [*probe.form(require(probe.prepared.rich_service)), *all_questions.answers(but=but), *extra]
    return probe.post_body(urlencode(form, safe="[]" if raw else "").encode(), FORM)


def _stored(
    probe: Probe, answer: Answer, code: str, values: Iterable[str], *, may_be_withheld: bool = False
) -> None:
    """Check that the request was created, and has these values if the server shows attributes as an extension.

    may_be_withheld  whether the server may hide the values, because free text can name a person
    """
    request_id = text_of(created(answer), "service_request_id")
    if not request_id:
        return
    path = f"requests/{segment(request_id)}.{probe.formats[-1]}"
    shown = probe.get(path, [("extensions", "true")], fresh=True)
    attributes = only(shown).get("attributes") if shown.succeeded else None
    if isinstance(attributes, list):
        items = [item for item in attributes if isinstance(item, dict) and text_of(item, "code") == code]
        stored_values = [text_of(item, "value") for item in items]
        if stored_values or not may_be_withheld:
            shown.must(stored_values == list(values), f"{code} with {list(values)}", stored_values)


@check("C121", needs=_NEEDS, writes=True)
def required_is_missing(probe: Probe) -> None:
    all_questions = questions(probe)
    code = all_questions.required().code
    _send(probe, all_questions, code).must_be(400).must_say(code)


@check("C122", needs=_NEEDS, writes=True)
def one_value(probe: Probe) -> None:
    all_questions = questions(probe)
    one = all_questions.one("singlevaluelist")
    answer = _send(probe, all_questions, one.code, (f"attribute[{one.code}]", one.keys[0]), raw=True)
    _stored(probe, answer, one.code, one.keys[:1])


@check("C123", needs=_NEEDS, writes=True)
def encoded_brackets(probe: Probe) -> None:
    all_questions = questions(probe)
    one = all_questions.one("singlevaluelist")
    answer = _send(probe, all_questions, one.code, (f"attribute[{one.code}]", one.keys[0]))
    _stored(probe, answer, one.code, one.keys[:1])


def _many(probe: Probe, first: str, second: str, *, raw: bool = False) -> None:
    """Send two values of a multivaluelist. `first` and `second` are the ends of the parameters' names."""
    all_questions = questions(probe)
    many = all_questions.one("multivaluelist", keys=2)
    names = [f"attribute[{many.code}]{suffix}" for suffix in (first, second)]
    pairs = zip(names, many.keys[:2], strict=True)
    _stored(probe, _send(probe, all_questions, many.code, *pairs, raw=raw), many.code, many.keys[:2])


@check("C124", needs=_NEEDS, writes=True)
def empty_brackets_repeated(probe: Probe) -> None:
    _many(probe, "[]", "[]", raw=True)


@check("C125", needs=_NEEDS, writes=True)
def name_repeated(probe: Probe) -> None:
    _many(probe, "", "")


@check("C126", needs=_NEEDS, writes=True)
def numbered_brackets(probe: Probe) -> None:
    _many(probe, "[0]", "[1]")


@check("C127", needs=_NEEDS, writes=True)
def one_of_many(probe: Probe) -> None:
    all_questions = questions(probe)
    many = all_questions.one("multivaluelist")
    answer = _send(probe, all_questions, many.code, (f"attribute[{many.code}]", many.keys[0]))
    _stored(probe, answer, many.code, many.keys[:1])


@check("C128", needs=_NEEDS, writes=True)
def comma_in_a_key(probe: Probe) -> None:
    all_questions = questions(probe)
    lists = [question for question in all_questions.all if question.datatype == "multivaluelist"]
    code, key = next(((many.code, key) for many in lists for key in many.keys if "," in key), ("", ""))
    if not key:
        raise UnmetNeedError("no multivaluelist has a key with a comma")
    answer = _send(probe, all_questions, code, (f"attribute[{code}][]", key))
    _stored(probe, answer, code, [key])


@check("C129", needs=_NEEDS, writes=True)
def no_such_key(probe: Probe) -> None:
    all_questions = questions(probe)
    one = all_questions.one("singlevaluelist")
    _send(probe, all_questions, one.code, (f"attribute[{one.code}]", _MADE_UP)).must_be(400).must_say(one.code)


@check("C130", needs=_NEEDS, writes=True)
def two_values_for_one(probe: Probe) -> None:
    all_questions = questions(probe)
    one = all_questions.one("singlevaluelist", keys=2)
    name = f"attribute[{one.code}]"
    _send(probe, all_questions, one.code, (name, one.keys[0]), (name, one.keys[1])).must_be(400)


def _of_datatype(probe: Probe, datatype: str, *, good: str = "", bad: str = "") -> None:
    """Check that the server accepts a good value and refuses a bad value."""
    all_questions = questions(probe)
    one = all_questions.one(datatype)
    name = f"attribute[{one.code}]"
    if good:
        created(_send(probe, all_questions, one.code, (name, good)))
    if bad:
        _send(probe, all_questions, one.code, (name, bad)).must_be(400)


@check("C131", needs=_NEEDS, writes=True)
def numbers(probe: Probe) -> None:
    _of_datatype(probe, "number", good="1.5", bad="abc")


@check("C132", needs=_NEEDS, writes=True)
def datetimes(probe: Probe) -> None:
    _of_datatype(probe, "datetime", good="2024-05-01T10:00:00Z", bad="yesterday")


@check("C133", needs=_NEEDS, writes=True)
def text_with_line_breaks(probe: Probe) -> None:
    all_questions = questions(probe)
    one = all_questions.one("text")
    value = "first line\nsecond line"
    answer = _send(probe, all_questions, one.code, (f"attribute[{one.code}]", value))
    _stored(probe, answer, one.code, [value], may_be_withheld=True)


@check("C134", needs=_NEEDS, writes=True)
def string_with_a_line_break(probe: Probe) -> None:
    _of_datatype(probe, "string", bad="first line\nsecond line")


@check("C135", needs=_NEEDS, writes=True)
def informing_is_never_required(probe: Probe) -> None:
    """A request for G needs no answer to an attribute that only informs."""
    definition = probe.definitions.get(require(probe.prepared.rich_service), {})
    if all(item.get("variable") is True for item in attributes_of(definition)):
        raise UnmetNeedError("the definition has no attribute with variable false")
    created(_send(probe, questions(probe), ""))


@check("C136", needs=_NEEDS, writes=True)
def unknown_attribute(probe: Probe) -> None:
    created(_send(probe, questions(probe), "", ("attribute[NO_SUCH_ATTRIBUTE]", "1")))


@check("C137", needs=_NEEDS, writes=True)
def two_problems(probe: Probe) -> None:
    all_questions = questions(probe)
    code = all_questions.required().code
    number = all_questions.one("number").code
    answer = _send(probe, all_questions, code, (f"attribute[{number}]", "abc")).must_be(400)
    answer.must(len(_problems(answer)) >= 2, "two errors", _problems(answer))


@check("C138", needs=_NEEDS, writes=True)
def text_starts_with_the_code(probe: Probe) -> None:
    all_questions = questions(probe)
    code = all_questions.required().code
    answer = _send(probe, all_questions, code).must_be(400)
    starts = any(problem.startswith(code) for problem in _problems(answer))
    answer.must(starts, f"a description that starts with {code}", _problems(answer))


def _problems(answer: Answer) -> list[str]:
    return [text_of(item, "description") for item in errors_in(answer)]


@check("C139", needs=_NEEDS, writes=True)
def blank_is_missing(probe: Probe) -> None:
    all_questions = questions(probe)
    code = all_questions.required().code
    _send(probe, all_questions, code, (f"attribute[{code}]", " ")).must_be(400)


@check("C140", needs="plain_service point", writes=True)
def service_without_attributes(probe: Probe) -> None:
    created(probe.post(probe.form()))
