"""Saved bodies: the suite recognises their kind, and reports a repeated deviation once."""

from __future__ import annotations

import json

import pytest

from spec.bodies import EXAMPLES, example, kind_of_example
from spec.recordings import judge

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))


@pytest.mark.parametrize("media_type", ["text/xml", "application/json"])
@pytest.mark.parametrize("name", NAMES)
def test_the_kind_of_every_example_is_recognised(name: str, media_type: str) -> None:
    judgement = judge(example(name, media_type))
    # A pending token looks like the answer to a POST, so the caller must name the kind.
    if name == "token-pending":
        judgement = judge(example(name, media_type), "token")
    assert (judgement.kind, judgement.deviations, judgement.why) == (kind_of_example(name), (), "")


def test_a_repeated_deviation_is_reported_once() -> None:
    requests = json.loads(example("requests"))
    for request in requests:
        del request["zipcode"], request["address_id"]
    (deviation,) = judge(json.dumps(requests).encode()).deviations
    assert str(deviation).startswith("requests[0] lacks address_id and zipcode: every standard field")
    assert str(deviation).endswith(" This is the first of 3 such deviations.")


def test_several_definitions_in_one_file_are_judged_separately() -> None:
    definitions = [json.loads(example(name)) for name in ("service_definition", "service_definition-empty")]
    assert judge(json.dumps(definitions).encode()).deviations == ()
    definitions[0]["attributes"][0]["order"] = "1"
    (deviation,) = judge(json.dumps(definitions).encode()).deviations
    assert "order is a whole number from 1" in str(deviation)


def test_a_broken_body_is_reported() -> None:
    assert "not well-formed XML" in judge(b"<services>").why
    assert "not JSON" in judge(b"[1,").why
