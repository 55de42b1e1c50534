"""Turn the status words of updates into commands, for updates of partners and of back offices."""

from __future__ import annotations

from collections.abc import Sequence

from open311.domain import commands
from open311.domain.commands import Command
from open311.domain.requests import RequestRecord
from open311.domain.standing import Standing, moved, standing_of
from open311.domain.workflow import TRANSITIONS, Meaning, Outcome, State
from open311.operations.workflow.act import unused_states
from open311.plugins import Jurisdiction
from schemas.texts import Message, tell


def commands_for_word(
    record: RequestRecord, word: str, meaning: Meaning | None, jurisdiction: Jurisdiction, *, text: str, reason: str
) -> tuple[list[Command], tuple[Message, ...]]:
    """The commands that a status word and a text ask for, and messages about what has no effect.

    word    the word as it was sent, for the messages
    text    a text for the public; "" for none
    reason  the reason of the commands, for staff
    """
    ignored: tuple[Message, ...] = ()
    before = standing_of(record)
    after = before if record.merged_into else moved(before, meaning, unused_states(jurisdiction))
    orders = commands_to(before, after, text=text, reason=reason)
    if record.merged_into and meaning is not None and not _says(meaning, before):
        why = tell("status {status} has no effect, because the request is merged into another one", status=word)
        ignored = (why,)
    elif meaning is not None and not orders and meaning.state is not State.ASSIGNED and not _says(meaning, before):
        why = tell("status {status} has no effect on a request that is {state}", status=word, state=before.state)
        ignored = (why,)
    if text and not publishes_text(orders):
        orders.append(commands.Note(text=text, public=True))
    return orders, ignored


def _says(meaning: Meaning, standing: Standing) -> bool:
    """Whether the request already has the state and the outcome that the word means."""
    return meaning.state is standing.state and meaning.outcome in (None, standing.outcome, Outcome.UNKNOWN)


def publishes_text(orders: Sequence[Command]) -> bool:
    """Whether one of the commands publishes a text."""
    return any(isinstance(order, commands.Close | commands.Reopen) for order in orders)


def commands_to(before: Standing, after: Standing, *, text: str, reason: str) -> list[Command]:
    """The commands that lead from one standing to another one.

    Some steps back are legal only after a reopening. For these, the request is closed and opened again.
    """
    if (before.state, before.outcome) == (after.state, after.outcome):
        return []
    reopen: list[Command] = [commands.Reopen(note=text, reason=reason)] if before.state is State.CLOSED else []
    if after.state is State.CLOSED:
        return [*reopen, commands.Close(outcome=after.outcome, note=text, reason=reason)]
    begun = before.base if reopen else before.state
    if after.state is begun:
        return reopen
    step = _step(after.state, reason)
    if step is not None and begun in TRANSITIONS[step.name]:
        return [*reopen, step]
    again = [
        commands.Close(outcome=Outcome.UNKNOWN, note=text, reason=reason),
        commands.Reopen(note=text, reason=reason),
    ]
    return [*reopen, *again, *([step] if step is not None else [])]


def _step(state: State, reason: str) -> Command | None:
    """The command that leads to this state; None for a state in which work has not begun."""
    steps: dict[State, Command] = {
        State.ACKNOWLEDGED: commands.Acknowledge(),
        State.IN_PROGRESS: commands.Start(),
        State.SCHEDULED: commands.Schedule(),
        State.ON_HOLD: commands.Hold(reason=reason),
    }
    return steps.get(state)
