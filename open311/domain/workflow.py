"""The states and outcomes of requests, the states in which commands are legal, and mySociety's words for states.

The standard has two statuses, open and closed (A23). A state is more exact: it also says who has the request, and
how far the work is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from open311.domain.requests import RequestRecord, Status


class State(StrEnum):
    """The state of a request. A request is open in all states but CLOSED.

    RECEIVED      it is stored, and no department has it
    TRIAGE        no routing rule fitted; a person has to decide which department gets it
    ASSIGNED      a department has it, and perhaps a person
    ACKNOWLEDGED  the department has seen it
    IN_PROGRESS   somebody works on it
    SCHEDULED     a visit has a date
    ON_HOLD       the work waits for something, and the clock of its due date stands still
    CLOSED        nothing more will be done; `Outcome` says how it ended
    """

    RECEIVED = "received"
    TRIAGE = "triage"
    ASSIGNED = "assigned"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress"
    SCHEDULED = "scheduled"
    ON_HOLD = "on_hold"
    CLOSED = "closed"

    @property
    def status(self) -> Status:
        """The standard's status."""
        return Status.CLOSED if self is State.CLOSED else Status.OPEN


class Outcome(StrEnum):
    """How a closed request ended. UNKNOWN: nobody said how."""

    FIXED = "fixed"
    NOT_FOUND = "not_found"
    NO_VIOLATION = "no_violation"
    REFERRED = "referred"
    NOT_RESPONSIBLE = "not_responsible"
    DUPLICATE = "duplicate"
    NO_ACCESS = "no_access"
    CANNOT_DO = "cannot_do"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CityState:
    """A city's own name for a state, or a state that the city adds.

    state   the state that gets the name, or to which the added state belongs
    code    the code of the added state; "" to give `state` another name
    name    the name that people read
    hidden  whether the city does not use the state
    """

    state: State
    name: str = ""
    code: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenText:
    """What citizens read when staff write no text of their own.

    outcome  an outcome, or one of MOMENTS
    service  a service's code; "" for all
    text     may contain {department}, {service}, {address}, {date} and {into}
    """

    outcome: str
    text: str
    service: str = ""

    @property
    def has_address(self) -> bool:
        """Whether the text can be used only for a request with an address."""
        return "{address}" in self.text


MERGED_TEXT = "merged"
UNMERGED_TEXT = "unmerged"
REOPENED_TEXT = "reopened"
SCHEDULED_TEXT = "scheduled"
MOMENTS = (MERGED_TEXT, UNMERGED_TEXT, REOPENED_TEXT, SCHEDULED_TEXT)
"""The names of the texts that are not about an outcome, but about something else that happens to a request."""


def state_of(record: RequestRecord) -> State:
    """The state of a request. It is computed from other fields, so that it cannot contradict them."""
    has_owner = bool(record.department or record.agency_responsible)
    return state_from(record.status, record.progress, is_triage=record.is_triage, has_owner=has_owner)


def state_from(status: str, progress: str, *, is_triage: bool, has_owner: bool) -> State:
    """The state that these fields give. `has_owner`: whether the request has a department or an agency."""
    if status == Status.CLOSED:
        return State.CLOSED
    if progress:
        return State(progress)
    if is_triage:
        return State.TRIAGE
    return State.ASSIGNED if has_owner else State.RECEIVED


_OPEN = frozenset(State) - {State.CLOSED}
_DECIDED = _OPEN - {State.RECEIVED, State.TRIAGE}

TRANSITIONS: dict[str, frozenset[State]] = {
    "assign": _OPEN,
    "transfer": _OPEN,
    "prioritise": _OPEN,
    "acknowledge": frozenset({State.ASSIGNED}),
    "start": _DECIDED - {State.IN_PROGRESS},
    "schedule": _DECIDED - {State.SCHEDULED},
    "reschedule": _OPEN,
    "hold": _DECIDED - {State.ON_HOLD},
    "close": _OPEN,
    "reopen": frozenset({State.CLOSED}),
    "note": frozenset(State),
    "ask_reporter": _OPEN,
    "merge": _OPEN,
    "unmerge": frozenset(State),
    "change_service": _OPEN,
    "hide": frozenset(State),
    "show": frozenset(State),
    "release": frozenset(State),
    "correct": frozenset(State),
    "unmask": frozenset(State),
    "mask": frozenset(State),
}
"""For each command, the states in which it is legal."""

LEADS_TO = {
    "acknowledge": State.ACKNOWLEDGED,
    "start": State.IN_PROGRESS,
    "schedule": State.SCHEDULED,
    "hold": State.ON_HOLD,
}
"""For each command that says how far the work is, the state of the request after the command."""

OF_MERGED = frozenset({"note", "unmerge", "hide", "show", "release", "correct", "unmask", "mask"})
"""The commands that are legal for a merged request. Give all others to the request into which it was merged."""

NOT_OF_TESTS = frozenset({"assign", "transfer", "merge"})
"""The commands that are refused for requests of test keys.

They would give a test request to a person or a department, or join it to another request.
"""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The state that one of mySociety's words asks for. `outcome`: None unless the state is CLOSED."""

    state: State
    outcome: Outcome | None = None


MEANINGS: dict[str, Meaning | None] = {
    "open": Meaning(State.ASSIGNED),
    "reopen": Meaning(State.ASSIGNED),
    "for_triage": Meaning(State.TRIAGE),
    "investigating": Meaning(State.ACKNOWLEDGED),
    "in_progress": Meaning(State.IN_PROGRESS),
    "action_scheduled": Meaning(State.SCHEDULED),
    "planned": Meaning(State.ON_HOLD),
    "closed": Meaning(State.CLOSED, Outcome.UNKNOWN),
    "fixed": Meaning(State.CLOSED, Outcome.FIXED),
    "duplicate": Meaning(State.CLOSED, Outcome.DUPLICATE),
    "not_councils_responsibility": Meaning(State.CLOSED, Outcome.NOT_RESPONSIBLE),
    "no_further_action": Meaning(State.CLOSED, Outcome.CANNOT_DO),
    "internal_referral": Meaning(State.CLOSED, Outcome.REFERRED),
    "cancelled": Meaning(State.CLOSED, Outcome.WITHDRAWN),
    "unchanged": None,
}
"""The meaning of each word in mySociety's request updates; None if the word changes nothing."""

_WORDS = {
    State.RECEIVED: "open",
    State.TRIAGE: "for_triage",
    State.ASSIGNED: "open",
    State.ACKNOWLEDGED: "investigating",
    State.IN_PROGRESS: "in_progress",
    State.SCHEDULED: "action_scheduled",
    State.ON_HOLD: "planned",
}
_WORDS_OF_OUTCOMES = {
    Outcome.FIXED: "fixed",
    Outcome.NOT_FOUND: "no_further_action",
    Outcome.NO_VIOLATION: "no_further_action",
    Outcome.REFERRED: "internal_referral",
    Outcome.NOT_RESPONSIBLE: "not_councils_responsibility",
    Outcome.DUPLICATE: "duplicate",
    Outcome.NO_ACCESS: "no_further_action",
    Outcome.CANNOT_DO: "no_further_action",
    Outcome.WITHDRAWN: "cancelled",
    Outcome.UNKNOWN: "closed",
}


def word_for(state: State, outcome: Outcome = Outcome.UNKNOWN) -> str:
    """mySociety's word for a state. For CLOSED, the outcome decides."""
    return _WORDS_OF_OUTCOMES[outcome] if state is State.CLOSED else _WORDS[state]


def word_of(record: RequestRecord) -> str:
    """mySociety's word for the state of a request."""
    return word_for(state_of(record), Outcome(record.outcome or Outcome.UNKNOWN))
