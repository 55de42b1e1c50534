"""The standing of a request after one of mySociety's words.

All functions are pure: updates can be replayed in order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from open311.domain.requests import RequestRecord
from open311.domain.workflow import TRANSITIONS, Meaning, Outcome, State, state_from, state_of

STEPS = {
    State.ACKNOWLEDGED: "acknowledge",
    State.IN_PROGRESS: "start",
    State.SCHEDULED: "schedule",
    State.ON_HOLD: "hold",
}
"""The command that leads to each state in which a department has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The standing of a request: its state, its outcome and its last public text.

    base     the state of the request before any work: the state of an open request without progress
    outcome  how the request ended; UNKNOWN if it is open
    text     the newest public text; None for the city's text about how the request ended
    """

    state: State
    base: State
    outcome: Outcome = Outcome.UNKNOWN
    text: str | None = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What one update says: a word's meaning, None for none, and a text, "" for none."""

    meaning: Meaning | None
    text: str = ""


def standing_of(record: RequestRecord) -> Standing:
    """The present standing of a request."""
    has_owner = bool(record.department or record.agency_responsible)
    return Standing(
        state=state_of(record),
        base=state_from("open", "", is_triage=record.is_triage, has_owner=has_owner),
        outcome=Outcome(record.outcome or Outcome.UNKNOWN),
        text=record.status_notes,
    )


def moved(standing: Standing, meaning: Meaning | None, hidden: Collection[State]) -> Standing:
    """The standing after a word, which is one of mySociety's.

    A word with an outcome closes the request. Any other word with a meaning opens a closed request again, in its
    base state. Then the state of the word becomes the state of the request, unless TRANSITIONS does not allow this
    or the city does not use the state.

    meaning  the meaning of the word; None for a word that changes nothing
    hidden   the states that the city does not use
    """
    is_closed = standing.state is State.CLOSED
    if meaning is None:
        return standing
    if meaning.outcome is not None:
        is_same = is_closed and meaning.outcome in (standing.outcome, Outcome.UNKNOWN)
        return standing if is_same else replace(standing, state=State.CLOSED, outcome=meaning.outcome)
    begun = standing.base if is_closed else standing.state
    step = STEPS.get(meaning.state)
    is_legal = step is not None and begun in TRANSITIONS[step] and meaning.state not in hidden
    return replace(standing, state=meaning.state if is_legal else begun, outcome=Outcome.UNKNOWN)


def after_all(standing: Standing, said: Iterable[Said], hidden: Collection[State]) -> Standing:
    """The standing after several updates, one after the other."""
    for one in said:
        after = moved(standing, one.meaning, hidden)
        was_closed, is_closed = (each.state is State.CLOSED for each in (standing, after))
        is_announced = was_closed != is_closed or (is_closed and after.outcome != standing.outcome)
        text = one.text or (None if is_announced else standing.text)
        standing = replace(after, text=text)
    return standing
