"""Carry answers from one service to another, when staff move a request or when the service is replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC

from open311.domain.attributes import Answer, AnswerPolicy, tidy, value_fault
from open311.domain.forms import FormFiller, first_unmet
from open311.domain.services import Attribute, Datatype, Move, Service
from schemas.texts import tell

_POLICY = AnswerPolicy(zone=UTC)

Answers = tuple[Answer, ...]


def carry_answers(old: Service, new: Service, answers: Iterable[Answer]) -> tuple[Answers, Answers]:
    """Split answers into answers to questions of the new service, and answers that only staff see.

    The `Move` from `old` to `new` gives the codes and keys of the new service. Without it, codes and keys stay.
    The first result has the order of the new form. The second result has the old codes and the old values
    (`is_asked` is False). An answer is in both results if the new service accepts only some of its values.
    """
    carried: dict[str, Answer] = {}
    origins: dict[str, Answer] = {}
    dropped: list[Answer] = []
    for answer in answers:
        code, values = _moved(old, new, answer.code, answer.values)
        attribute = None if code in carried or not answer.is_asked else new.attribute(code)
        accepted, places = _accepted(attribute, values) if attribute else ((), ())
        if accepted:
            carried[code] = Answer(code, accepted)
            origins[code] = _unasked(answer.code, tuple(answer.values[place] for place in places))
        if lost := tuple(value for place, value in enumerate(answer.values) if place not in places):
            dropped.append(_unasked(answer.code, lost))
    asked = _asked(new, carried)
    dropped += (origins[code] for code in carried if code not in asked)
    return tuple(asked.values()), tuple(dropped)


def _unasked(code: str, values: tuple[str, ...]) -> Answer:
    return Answer(code, values, is_asked=False)


def carry_sent(
    old: Service, new: Service, sent: Mapping[str, Sequence[str]], filler: FormFiller
) -> dict[str, Sequence[str]]:
    """Give the answers that an app sent for a replaced service the codes and keys of its successor.

    filler  gets the answers to questions that the successor does not ask, or that are answered already
    The answers are not checked yet. A code that the old service does not have stays the same.
    """
    carried: dict[str, Sequence[str]] = {}
    for code, values in sent.items():
        new_code, new_values = _moved(old, new, code, tuple(values))
        is_known = old.attribute(code) is not None
        if is_known and (new_code in carried or new.attribute(new_code) is None):
            texts = tuple(text for text in map(tidy, values) if text)
            filler.put_aside(code, texts, tell("{code} does not ask it", code=new.code))
        else:
            carried[new_code] = new_values
    return carried


def _moved(old: Service, new: Service, code: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The code and the values of an answer in the new service. In a free text, names replace keys."""
    move = next((move for move in old.moves if move.to == new.code), Move(to=new.code))
    new_code, keys = move.attributes.get(code, code), dict(move.values.get(code, {}))
    before, after = old.attribute(code), new.attribute(new_code)
    if before is not None and after is not None and not after.datatype.is_list:
        keys = {choice.key: choice.name for choice in before.values} | keys
    return new_code, tuple(keys.get(value, value) for value in values)


def _accepted(attribute: Attribute, values: tuple[str, ...]) -> tuple[tuple[str, ...], Sequence[int]]:
    """The values that an attribute accepts, and the positions in `values` from which they come."""
    if attribute.set_to or not attribute.variable:
        return (), ()
    if attribute.datatype.is_list:
        keys = {choice.key for choice in attribute.values}
        places = [place for place, value in enumerate(values) if value in keys]
        if attribute.datatype is Datatype.SINGLEVALUELIST:
            del places[1:]
        return tuple(dict.fromkeys(values[place] for place in places)), places
    text = "; ".join(values)
    return ((), ()) if value_fault(attribute, text, _POLICY) else ((text,), range(len(values)))


def _asked(service: Service, carried: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers to questions that the service asks, in the order of its form."""
    asked: dict[str, Answer] = {}
    for attribute in service.attributes:
        answered = {code: answer.values for code, answer in asked.items()}
        if attribute.code in carried and first_unmet(attribute.only_if, answered) is None:
            asked[attribute.code] = carried[attribute.code]
    return asked
