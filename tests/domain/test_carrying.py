"""Answers that are carried to another service. Each answer is carried or kept for staff."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from open311.domain.attributes import Answer, AnswerPolicy, check_answers
from open311.domain.carrying import carry_answers, carry_sent
from open311.domain.forms import FormFiller
from open311.domain.places import Place
from open311.domain.services import Attribute, Condition, Datatype, Move, Service, Value
from tests.build import NOON

KEYS = tuple(Value(key, key.upper()) for key in "abc")
ONE, MANY = Datatype.SINGLEVALUELIST, Datatype.MULTIVALUELIST
OLD = Service(
    code="old",
    name="Old",
    attributes=(
        Attribute(code="KIND", description="?", datatype=ONE, values=KEYS),
        Attribute(code="TAGS", description="?", datatype=MANY, values=KEYS),
        Attribute(code="NOTE", description="?", datatype=Datatype.TEXT),
        Attribute(code="SIZE", description="?"),
        Attribute(code="GONE", description="?"),
    ),
    moves=(
        Move(to="new", attributes={"KIND": "WHAT", "TAGS": "WORDS"}, values={"KIND": {"a": "x", "b": "y"}}),
        Move(to="elsewhere", attributes={"KIND": "NOTHING"}),
    ),
)
NEW = Service(
    code="new",
    name="New",
    attributes=(
        Attribute(code="NOTE", description="?"),
        Attribute(code="WHAT", description="?", datatype=ONE, values=(Value("x", "X"), Value("y", "Y"))),
        Attribute(code="WORDS", description="?"),
        Attribute(code="SIZE", description="?", datatype=Datatype.NUMBER, only_if=(Condition("WHAT", ("x",)),)),
    ),
)


def carried(**answers: tuple[str, ...]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The kept answers and the dropped answers. Each is a code, followed by its values."""
    sent = [Answer(code, values) for code, values in answers.items()]
    kept, dropped = carry_answers(OLD, NEW, sent)
    assert all(each.is_asked for each in kept)
    assert not any(each.is_asked for each in dropped)
    return tuple([(each.code, *each.values) for each in part] for part in (kept, dropped))  # type: ignore[return-value]


def test_codes_and_keys_are_mapped_and_answers_have_the_new_order() -> None:
    assert carried(KIND=("a",), NOTE=("hi",)) == ([("NOTE", "hi"), ("WHAT", "x")], [])


def test_an_answer_without_a_matching_question_is_dropped_under_its_old_code() -> None:
    assert carried(GONE=("1",), KIND=("c",)) == ([], [("GONE", "1"), ("KIND", "c")])


def test_a_value_that_does_not_fit_the_new_datatype_is_dropped() -> None:
    kept, dropped = carried(KIND=("a",), SIZE=("large",), NOTE=("two\nlines",))
    assert kept == [("WHAT", "x")]
    assert dropped == [("SIZE", "large"), ("NOTE", "two\nlines")]


def test_the_names_of_keys_become_a_text() -> None:
    assert carried(TAGS=("c", "a")) == ([("WORDS", "C; A")], [])


def test_an_answer_to_a_question_that_the_new_form_does_not_ask_is_dropped() -> None:
    assert carried(KIND=("b",), SIZE=("3",)) == ([("WHAT", "y")], [("SIZE", "3")])
    assert carried(KIND=("a",), SIZE=("3",)) == ([("WHAT", "x"), ("SIZE", "3")], [])


def test_a_single_value_list_keeps_the_first_known_key_and_drops_the_others() -> None:
    target = Service(
        code="t", name="T", attributes=(Attribute(code="TAGS", description="?", datatype=ONE, values=KEYS[:2]),)
    )
    found = carry_answers(OLD, target, [Answer("TAGS", ("c", "b", "a"))])
    assert found == ((Answer("TAGS", ("b",)),), (Answer("TAGS", ("c", "a"), is_asked=False),))


def test_two_answers_for_one_question_are_not_merged() -> None:
    old = replace(OLD, moves=(Move(to="new", attributes={"GONE": "NOTE"}),))
    found = carry_answers(old, NEW, [Answer("NOTE", ("one",)), Answer("GONE", ("two",))])
    assert found == ((Answer("NOTE", ("one",)),), (Answer("GONE", ("two",), is_asked=False),))


def test_the_server_gives_no_answer_for_another_service() -> None:
    target = Service(code="t", name="T", attributes=(Attribute(code="NOTE", description="?", set_to="x"),))
    assert carry_answers(OLD, target, [Answer("NOTE", ("hi",))]) == ((), (Answer("NOTE", ("hi",), is_asked=False),))


VALUES = st.lists(st.sampled_from(["a", "b", "c", "3", "two\nlines"]), min_size=1, max_size=3, unique=True)
CODES = st.sampled_from([*(attribute.code for attribute in OLD.attributes), "STRAY"])
ANSWERS = st.dictionaries(CODES, VALUES.map(tuple))


@given(ANSWERS)
def test_every_value_is_carried_or_dropped_and_carried_answers_are_valid(sent: dict[str, tuple[str, ...]]) -> None:
    kept, dropped = carry_answers(OLD, NEW, [Answer(code, values) for code, values in sent.items()])
    lost = {(answer.code, value) for answer in dropped for value in answer.values}
    there = {"WHAT": "KIND", "WORDS": "TAGS"}
    for code, values in sent.items():
        rest = [value for value in values if (code, value) not in lost]
        (held,) = [answer.values for answer in kept if there.get(answer.code, answer.code) == code] or [()]
        assert len("; ".join(held).split("; ")) >= len(rest)
        assert bool(held) == bool(rest)
    _, problems = check_answers(NEW, {answer.code: answer.values for answer in kept}, AnswerPolicy(zone=UTC))
    assert problems == []


def test_an_answer_that_is_kept_for_staff_stays_kept_for_staff() -> None:
    kept = Answer("NOTE", ("hi",), is_asked=False)
    assert carry_answers(OLD, NEW, [kept]) == ((), (kept,))


# --- What an app sends for a replaced service


def sent(values: dict[str, list[str]], *, keeps: bool = False) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """The carried answers, the remarks for the caller, and the answers that are kept for staff."""
    filler = FormFiller(place=Place(), received=NOON, layers={}, areas=lambda _: (), keeps=keeps)
    carried = dict(carry_sent(OLD, NEW, values, filler))
    return carried, [f"{remark.code} {remark.text}" for remark in filler.remarks], filler.kept


def test_answers_of_an_app_get_the_new_codes_and_are_not_checked() -> None:
    carried, remarks, kept = sent({"KIND": ["a"], "SIZE": ["large"], "STRAY": ["1"]})
    assert carried == {"WHAT": ("x",), "SIZE": ("large",), "STRAY": ("1",)}
    assert (remarks, kept) == ([], {})


def test_an_answer_that_the_successor_does_not_ask_for_gets_a_remark() -> None:
    assert sent({"GONE": ["1"]}) == ({}, ["GONE is ignored; new does not ask it"], {})
    assert sent({"GONE": [" "]}) == ({}, [], {})


def test_a_city_can_keep_answers_that_the_successor_does_not_ask_for() -> None:
    assert sent({"GONE": ["1 "]}, keeps=True) == (
        {},
        ["GONE is kept for staff only; new does not ask it"],
        {"GONE": ("1",)},
    )
