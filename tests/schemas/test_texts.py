"""Texts for callers: English sentences that also have their template and their values."""

from __future__ import annotations

import pickle

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.texts import Message, tell, tell_count
from schemas.values import NotAnInstant


def test_a_text_for_callers_is_a_str_with_the_english_sentence() -> None:
    text = tell("{name} is {count:g} metres; send {{}}.", name="radius", count=5.0)
    assert text == "radius is 5 metres; send {}."
    assert f"{text}" == text[:] == "radius is 5 metres; send {}."
    assert orjson.dumps([text]) == b'["radius is 5 metres; send {}."]'


@given(st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert tell("{value} is unknown", value=value) == f"{value} is unknown"
    assert tell("{value!r} is unknown", value=value) == f"{value!r} is unknown"


@pytest.mark.parametrize(
    ("count", "sentence"), [(0, "0 are ignored"), (1, "1 is ignored"), (2, "2 are ignored"), (11, "11 are ignored")]
)
def test_a_text_can_depend_on_a_number(count: int, sentence: str) -> None:
    assert tell_count("{count} is ignored", "{count} are ignored", count=count) == sentence


def test_a_value_may_be_a_text() -> None:
    inner = tell("send {example}", example="41.8")
    outer = tell("is no number; {how}.", how=inner)
    assert outer == "is no number; send 41.8."
    assert outer.values["how"] is inner


def test_an_error_keeps_its_text() -> None:
    text = tell("is {what}", what="wrong {0}")
    for error in (ValueError(text), NotAnInstant("x"), ValidationError(text)):
        found = error.messages[0] if isinstance(error, ValidationError) else str(error)
        assert isinstance(found, Message)
    assert text.format(input=1) is text


def test_a_text_can_be_sent_to_another_process() -> None:
    text = tell_count("{count} is {why}", "{count} are {why}", count=2, why=tell("late"))
    copy = pickle.loads(pickle.dumps(text))
    assert (copy, copy.template, copy.plural, copy.values) == (text, text.template, text.plural, text.values)
    assert isinstance(copy.values["why"], Message)
