from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from open311.domain.attributes import Answer, AnswerPolicy, check_answers
from open311.domain.services import Attribute, Datatype, Service, Value

SURFACES = (Value("brick", "Brick"), Value("metal", "Metal sheet"))
TAGS = tuple(Value(key, key.upper()) for key in ("a", "b", "x,y"))
GRAFFITI = Service(
    code="graffiti",
    name="Graffiti",
    attributes=(
        Attribute(
            code="SURFACE", description="?", datatype=Datatype.SINGLEVALUELIST, values=SURFACES, required=True
        ),
        Attribute(code="TAGS", description="?", datatype=Datatype.MULTIVALUELIST, values=TAGS),
        Attribute(code="HEIGHT", description="?", datatype=Datatype.NUMBER),
        Attribute(code="SEEN", description="?", datatype=Datatype.DATETIME),
        Attribute(code="NOTE", description="?", datatype=Datatype.TEXT),
        Attribute(code="PLATE", description="?", datatype=Datatype.STRING),
        Attribute(code="INFO", description="!", variable=False, required=True),
    ),
)
LENIENT = AnswerPolicy(zone=ZoneInfo("UTC"), refuse_unknown=False, accept_labels=False)


def check(policy: AnswerPolicy = LENIENT, /, **sent: list[str]) -> tuple[object, list[str]]:
    answers, problems = check_answers(GRAFFITI, {"SURFACE": ["brick"]} | sent, policy)
    return {answer.code: answer.values for answer in answers if answer.code in sent}, list(map(str, problems))


@pytest.mark.parametrize(
    ("code", "sent", "stored"),
    [
        ("SURFACE", [" metal "], ("metal",)),
        ("TAGS", ["b", "a", "b"], ("b", "a")),
        ("TAGS", ["x,y"], ("x,y",)),
        ("TAGS", ["", "a", " "], ("a",)),
        ("HEIGHT", ["1.5"], ("1.5",)),
        ("HEIGHT", ["-.5"], ("-.5",)),
        ("HEIGHT", ["+3."], ("+3.",)),
        ("SEEN", ["2024-05-01"], ("2024-05-01",)),
        ("SEEN", ["2024-05-01T10:00:00 02:00"], ("2024-05-01T10:00:00 02:00",)),
        ("NOTE", ["first\r\nsecond"], ("first\nsecond",)),
        ("NOTE", ["a\x10b"], ("ab",)),
        ("PLATE", ["  ABC 123 "], ("ABC 123",)),
    ],
)
def test_valid_answers_are_stored(code: str, sent: list[str], stored: tuple[str, ...]) -> None:
    assert check(LENIENT, **{code: sent}) == ({code: stored}, [])


@pytest.mark.requirement("C138")
@pytest.mark.parametrize(
    ("code", "sent", "sentence"),
    [
        ("SURFACE", [""], "SURFACE required; answer it as attribute[SURFACE]."),
        ("SURFACE", ["wood"], "SURFACE has no key 'wood'; send one of: brick, metal."),
        ("SURFACE", ["Brick"], "SURFACE has no key 'Brick'; send one of: brick, metal."),
        ("SURFACE", ["brick", "metal"], "SURFACE takes one value, but 2 were sent."),
        ("TAGS", ["a,b"], "TAGS has no key 'a,b'; send one of: a, b, x,y."),
        ("HEIGHT", ["1,5"], "HEIGHT '1,5' is not a number; send digits with a decimal point, such as 1.5."),
        ("HEIGHT", ["NaN"], "HEIGHT 'NaN' is not a number; send digits with a decimal point, such as 1.5."),
        ("HEIGHT", ["1", "2"], "HEIGHT takes one value, but 2 were sent."),
        ("PLATE", ["a\nb"], "PLATE must be a single line; send the text without line breaks."),
        ("PLATE", ["a\rb"], "PLATE must be a single line; send the text without line breaks."),
        ("NOTE", ["x" * 4001], "NOTE is longer than 4000 characters; shorten it."),
    ],
)
def test_an_invalid_answer_is_reported_in_a_sentence_with_its_code_first(
    code: str, sent: list[str], sentence: str
) -> None:
    assert check(LENIENT, **{code: sent}) == ({}, [sentence])


def test_each_unknown_key_of_a_list_is_a_separate_problem() -> None:
    _, problems = check(TAGS=["a", "nope", "never"])
    assert [problem.partition(";")[0] for problem in problems] == [
        "TAGS has no key 'nope'",
        "TAGS has no key 'never'",
    ]


def test_the_error_for_a_bad_datetime_shows_the_expected_form() -> None:
    _, (problem,) = check(SEEN=["yesterday"])
    assert problem.startswith("SEEN 'yesterday' is not a date and time; send it as 2026-")


@pytest.mark.requirement("C135")
def test_an_attribute_that_only_informs_is_neither_required_nor_stored() -> None:
    assert check() == ({}, [])
    assert check(INFO=["I read it"]) == ({}, [])


@pytest.mark.requirement("C136")
def test_the_setting_decides_whether_an_unknown_code_is_ignored_or_refused() -> None:
    assert check(NOPE=["1"]) == ({}, [])
    assert check(replace(LENIENT, refuse_unknown=True), NOPE=["1"]) == (
        {},
        ["NOPE is not an attribute of graffiti; leave it out."],
    )


def test_the_name_of_a_value_is_read_as_its_key_if_the_setting_allows_it() -> None:
    assert check(replace(LENIENT, accept_labels=True), SURFACE=["Metal sheet"]) == ({"SURFACE": ("metal",)}, [])
    assert check(replace(LENIENT, accept_labels=True), TAGS=["A", "a", "B"]) == ({"TAGS": ("a", "b")}, [])


def test_answers_have_the_order_of_the_definition() -> None:
    policy = AnswerPolicy(zone=ZoneInfo("UTC"))
    answers, _ = check_answers(GRAFFITI, {"PLATE": ["1"], "HEIGHT": ["2"], "SURFACE": ["brick"]}, policy)
    assert answers == (Answer("SURFACE", ("brick",)), Answer("HEIGHT", ("2",)), Answer("PLATE", ("1",)))
