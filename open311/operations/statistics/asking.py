"""The consumer that keeps whether reporters were asked after a closing, and what they have answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from open311.domain.events import Event, FeedbackGiven, StatusChanged
from open311.domain.requests import Status
from open311.operations.dispatch.changes import Changes
from open311.operations.mailing.rules import mails_reporters
from open311.operations.platform import Platform
from open311.storage import feedback
from open311.storage.engine import Connection


@dataclass(slots=True)
class _News:
    """What the changes of a request say: whether its status changed, whether it is closed now, the last answer."""

    is_changed: bool = False
    is_closed: bool = False
    answer: str = ""

    def add(self, event: Event) -> None:
        if isinstance(event, StatusChanged):
            self.is_changed, self.is_closed, self.answer = True, event.new == Status.CLOSED, ""
        elif isinstance(event, FeedbackGiven):
            self.answer = event.answer


class Asking:
    """Keeps questions and answers. It comes before `CountingStatistics`, which counts them."""

    name = "feedback"

    def consume(
        self,
        platform: Platform,
        connection: Connection,
        changes: Changes,
        now: datetime,  # noqa: ARG002
    ) -> None:
        """A closing asks the reporter anew. An answer before the last change of the status does not count."""
        for jurisdiction_id, _ in changes.numbers():
            news: dict[int, _News] = {}
            for change in changes:
                for event in change.events if change.jurisdiction_id == jurisdiction_id else ():
                    if isinstance(event, (StatusChanged, FeedbackGiven)):
                        news.setdefault(change.number, _News()).add(event)
            if changed := [number for number, one in news.items() if one.is_changed]:
                feedback.forget(connection, jurisdiction_id, changed)
            city = platform.registry.get(jurisdiction_id)
            closed = [number for number, one in news.items() if one.is_closed]
            if closed and city is not None and city.mail.feedback and mails_reporters(platform.settings, city):
                feedback.ask(connection, jurisdiction_id, closed)
            if answers := {number: one.answer for number, one in news.items() if one.answer}:
                feedback.answer(connection, jurisdiction_id, answers)
