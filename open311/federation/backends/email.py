"""The kind `email`: a department gets each case and each change as a mail that a person reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from typing import Any

from marshmallow import ValidationError

from open311.domain.case import Case, CaseUpdate
from open311.domain.results import Accepted, Result
from open311.errors import Misconfigured
from open311.plugins.backends import Backend, BackendConfig
from open311.plugins.context import CallFailed, Context, Letter
from open311.plugins.declared.backends import BackendTable, Mailboxes, is_url
from open311.plugins.declared.keys import Flag, MailAddress, Number, Text, cut
from open311.plugins.documents import case_url

USUAL_DEADLINE_S = 120
_WIDTH = 14
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")
"""An id of another form comes from the time when the back end had another kind."""


@dataclass(frozen=True, kw_only=True)
class EmailConfig(BackendConfig):
    """The configuration of this kind.

    to             who gets the mails
    reply_to       where answers go; "" for the sender
    map_url        the address of a map with {lat} and {long}; "" for none
    how_to_answer  what the department should do when the work is done
    may_repeat     whether a mail is sent again if the answer to it was lost
    """

    deadline_s: int = USUAL_DEADLINE_S
    to: tuple[str, ...]
    reply_to: str = ""
    map_url: str = ""
    how_to_answer: str = ""
    may_repeat: bool = False


class MapUrl(Text):
    """The address of a map with the places of two coordinates."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The address, if only {lat} and {long} are in it."""
        url = super().deserialize(value, attr, data, **kwargs)
        if url and not _is_map(url):
            raise ValidationError(
                "must be like https://maps.example/?lat={lat}&lon={long},"
                f" and have these braces only, not {cut(url)}."
            )
        return url


class EmailTable(BackendTable):
    """The keys of this kind."""

    makes = EmailConfig
    header = '[[backends]] with kind = "email"'

    deadline_s = Number("Longest time of one mail in seconds", least=10, most=600, default=USUAL_DEADLINE_S)
    to = Mailboxes("The mail addresses that get each mail; they see each other")
    reply_to = MailAddress("The mail address to which answers go; without it, the sender's", default="")
    map_url = MapUrl(
        "The address of a map with `{lat}` and `{long}`, which is shown as a link; without it, no map is shown",
        default="",
    )
    how_to_answer = Text("The end of each mail: what the department should do when the work is done", default="")
    may_repeat = Flag(
        "Whether a mail is sent again if the mail server's answer was lost; the department may get it twice",
        default=False,
    )


class EmailBackend(Backend):
    """Sends mails. The id of a case is the Message-ID of its first mail, so that its changes are one thread."""

    table = EmailTable
    takes_updates = True
    tried = "a login at the mail server; no recipient is tried"

    def __init__(self, config: EmailConfig, context: Context) -> None:
        super().__init__(config, context)
        self.honours_keys = self.repeats_updates = config.may_repeat
        if context.mailer is None:
            raise Misconfigured("OPEN311_SMTP_URL: must be set, because a back end of kind email sends mail.")
        self._mailer = context.mailer

    def send(self, case: Case, key: str) -> Result:
        """Mail the case."""
        return self._send(case, key, "\n".join(self._new(case)))

    def send_update(self, update: CaseUpdate, key: str) -> Result:
        """Mail the change, as an answer to the mail of the case."""
        first = update.remote_id if _MESSAGE_ID.fullmatch(update.remote_id) else ""
        result = self._send(update.case, key, "\n".join(self._changed(update)), first)
        return Accepted() if isinstance(result, Accepted) else result

    def check(self) -> Result:
        """Log in at the mail server."""
        try:
            self._mailer.check()
        except CallFailed as error:
            return error.result
        return Accepted()

    def _send(self, case: Case, key: str, text: str, answered: str = "") -> Result:
        letter = Letter(
            to=self.config.to,
            subject=f"{'Re: ' if answered else ''}{_number(case)}: {case.service_name}",
            text=f"{text}\n",
            id=key,
            answer=answered,
            reply_to=self.config.reply_to,
        )
        try:
            return Accepted(self._mailer.send(letter))
        except CallFailed as error:
            return error.result

    def _new(self, case: Case) -> Iterator[str]:
        yield f"{self.context.city} has a new request for {case.agency or case.department}."
        yield ""
        yield from self._facts(case)
        yield from _block("Answers", _answers(case))
        yield from _block("Description", [case.description] if case.description else [])
        yield from _block("Photos", case.media_urls)
        yield from _block("Reported by", _reporter(case))
        yield from self._end()

    def _changed(self, update: CaseUpdate) -> Iterator[str]:
        case = update.case
        yield f"Request {_number(case)} ({case.service_name}) has changed."
        yield ""
        yield _line("Status", update.status)
        yield _line("Changed", self._time(update.at))
        yield from self._facts(case)
        yield from _block("What was written", [update.description] if update.description else [])
        yield from self._end()

    def _facts(self, case: Case) -> Iterator[str]:
        place = case.place
        facts = {
            "Number": _number(case),
            "Service": case.service_name,
            "Received": self._time(case.requested_at),
            "Due": self._time(case.expected_at) if case.expected_at else "",
            "Priority": case.priority if case.priority != "normal" else "",
            "Address": ", ".join(filter(None, (place.address, place.zipcode))),
            "Address id": place.address_id,
            "Place": f"{place.lat:.6f}, {place.long:.6f} (latitude, longitude)" if place.has_point else "",
            "Map": self._map(case),
            "Public data": case_url(case, self.context.public_url),
        }
        yield from (_line(name, text) for name, text in facts.items() if text)

    def _map(self, case: Case) -> str:
        place = case.place
        if not self.config.map_url or place.lat is None or place.long is None:
            return ""
        filled: str = self.config.map_url.format(lat=f"{place.lat:.6f}", long=f"{place.long:.6f}")
        return filled

    def _end(self) -> Iterator[str]:
        yield from _block("How to answer", [self.config.how_to_answer] if self.config.how_to_answer else [])

    def _time(self, at: datetime) -> str:
        return f"{at.astimezone(self.context.zone):%Y-%m-%d %H:%M %Z}"


def _number(case: Case) -> str:
    return case.service_request_id or case.reference


def _line(name: str, text: str) -> str:
    return f"{name + ':':<{_WIDTH}}{text}"


def _block(title: str, lines: list[str] | tuple[str, ...]) -> Iterator[str]:
    """A part with its title; nothing if it has no lines."""
    if lines:
        yield from ("", title, *lines)


def _answers(case: Case) -> list[str]:
    """The questions, each with its answers."""
    found: dict[str, list[str]] = {}
    for one in case.answers:
        found.setdefault(one.label or one.code, []).append(one.name or one.value)
    return [f"- {label} {', '.join(names)}" for label, names in found.items()]


def _reporter(case: Case) -> list[str]:
    """The facts about the person who sent the case, as far as they may be sent."""
    reporter = case.reporter
    facts = {
        "Name": f"{reporter.first_name} {reporter.last_name}".strip(),
        "Mail": reporter.email,
        "Phone": reporter.phone,
        "Device": reporter.device_id,
        "Account": reporter.account_id,
    }
    return [_line(name, text) for name, text in facts.items() if text]


def _is_map(url: str) -> bool:
    try:
        names = {
            name for _, name, form, conversion in Formatter().parse(url) if name is not None or form or conversion
        }
        return names == {"lat", "long"} and is_url(url.format(lat="1.5", long="1.5").partition("#")[0])
    except (ValueError, KeyError, IndexError, AttributeError):
        return False
