"""An import recognises erased content by marks. Nobody can read the content from a mark."""

from __future__ import annotations

import pytest

from open311.domain.attributes import Answer
from open311.domain.erasures import holds_erased, marks_of

ERASED = [
    "Ann was called at home. Nobody answered.",
    ("https://photos.example/ann.jpg",),
    (Answer("NAME", ("Ann",)),),
]


@pytest.mark.parametrize(
    ("value", "is_erased"),
    [
        ("Ann was called at home. Nobody answered.", True),
        ("ANN was called\nat home; nobody answered", True),
        ("Filled today. ann  was called at home!", True),
        ("Nobody answered", False),  # too short to be more than a phrase
        ("The hole is filled.", False),
        (("https://photos.example/new.jpg", "https://photos.example/ann.jpg"), True),
        (("https://photos.example/new.jpg",), False),
        ((Answer("NAME", ("Ann",)),), True),
        ((Answer("OTHER", ("Ann",)),), False),
    ],
)
def test_an_erased_text_photo_or_answer_is_recognised(value: object, is_erased: bool) -> None:
    assert holds_erased(value, marks_of(ERASED, "city.example 1"), "city.example 1") is is_erased


def test_the_marks_of_one_request_say_nothing_about_another() -> None:
    assert not set(marks_of(ERASED, "city.example 1")) & set(marks_of(ERASED, "city.example 2"))


def test_a_mark_has_twelve_bits_and_empty_texts_have_none() -> None:
    assert {len(mark) for mark in marks_of(ERASED, "")} == {3}
    assert marks_of(["", " \n", ()], "") == ()
