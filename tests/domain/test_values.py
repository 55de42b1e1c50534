"""Values of `quick_dataclass` behave like frozen dataclasses, but nothing stops an assignment at run time."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from open311.domain.places import Place
from open311.domain.values import quick_dataclass


def test_quick_values_are_compared_hashed_copied_and_pickled_by_their_fields() -> None:
    one = Place(lat=60.1, long=24.9, address="5 Mill Lane")
    other = replace(one, address="6 Mill Lane")
    assert one == Place(lat=60.1, long=24.9, address="5 Mill Lane") != other
    assert {one: 1}[Place(lat=60.1, long=24.9, address="5 Mill Lane")] == 1
    assert pickle.loads(pickle.dumps(other)) == other


def test_a_quick_class_must_say_that_it_is_frozen() -> None:
    with pytest.raises(TypeError, match="may change"):
        quick_dataclass(frozen=False)
