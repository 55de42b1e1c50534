"""The form of a command: which fields it has, what they may hold, and the command that a sent form means."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from open311.domain.commands import Command, commands
from open311.domain.workflow import LEADS_TO
from open311.errors import Invalid, Problem
from open311.operations.access.assignees import list_assignees
from open311.operations.desk.orders import make_command
from open311.plugins import Jurisdiction
from open311.web.calls import Call
from open311.web.portal.staff import words
from open311.web.portal.wording import for_staff
from schemas import staff as wire
from schemas.texts import Message, tell

MOST_ACCOUNTS = 200
_FORM_ID_BYTES = 16
_FORM_ID = re.compile(r"[\w-]{22}", re.ASCII)
_LONG = ("text", "note", "description")
REPORT_FIELDS = ("description", "address", "lat", "long")
"""The parts of a report that `correct` changes."""
GONE = tell("This command cannot be given any more.")


@dataclass(frozen=True)
class FormField:
    """One field of a form.

    kind     text, area, choice, flag, instant or degrees
    options  the options of a choice: pairs of a value and its text
    value    what the field holds; for a flag, any text means yes
    """

    name: str
    kind: str
    label: Message
    hint: Message | None = None
    is_needed: bool = False
    options: Sequence[tuple[str, str]] = ()
    value: str = ""
    fault: Message | None = None


@dataclass(frozen=True)
class CommandForm:
    """The form of a command.

    is_open  whether the form is shown without a click, because something in it is wrong
    faults   what is wrong, except for faults of a field in `fields`
    """

    name: str
    title: Message
    fields: Sequence[FormField]
    is_open: bool = False
    faults: Sequence[Message] = ()


@dataclass(frozen=True)
class Sent:
    """A form as it was sent.

    values    what each field holds
    problems  what is wrong with them
    """

    command: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()

    @classmethod
    def of(cls, call: Call, problems: Sequence[Problem] = ()) -> Sent:
        """What the form of a call holds. Browsers send the end of a line as two characters."""
        names = [name for body in wire.COMMANDS.values() for name in body().fields]
        values = {name: call.values[name].replace("\r\n", "\n") for name in names}
        return cls(call.values["do"], values, problems)


class CommandForms:
    """Makes the forms of commands for the pages of a call.

    report  the parts of the report with which the form of `correct` is filled in; none for several requests
    """

    def __init__(self, call: Call, report: Mapping[str, str] | None = None) -> None:
        self._call = call
        self._city: Jurisdiction = call.city
        self._report = dict(report or {})
        self._accounts: list[tuple[str, str]] | None = None

    def form(self, name: str, sent: Sent) -> CommandForm:
        """The form of a command, with what was sent for it."""
        is_sent = sent.command == name
        body = wire.COMMANDS[name]()
        found = [
            self._field(name, one, needed=body.fields[one].required, sent=sent if is_sent else Sent())
            for one in _ordered(body.fields)
            if one != "detail" or self._details(name)
        ]
        known = {one.name for one in found}
        faults = [for_staff(one.message) for one in sent.problems if one.field not in known] if is_sent else []
        return CommandForm(name, words.COMMANDS[name], found, is_open=is_sent, faults=faults)

    def _field(self, command: str, name: str, *, needed: bool, sent: Sent) -> FormField:
        fault = next((for_staff(one.message) for one in sent.problems if one.field == name), None)
        is_reason = name == "reason"
        kept = self._report.get(name, "") if command == "correct" else ""
        return FormField(
            name,
            self._kind(name),
            words.FIELDS[name],
            hint=words.QUESTION_HINT if command == "ask_reporter" and name == "text" else words.HINTS.get(name),
            is_needed=needed or (is_reason and commands()[command].needs_reason),
            options=self._options(command, name),
            value=sent.values.get(name, "") if sent.command else kept,
            fault=fault,
        )

    @staticmethod
    def _kind(name: str) -> str:
        kinds = {"public": "flag", "visit": "instant", "expected": "instant", "lat": "degrees", "long": "degrees"}
        if name in ("account", "department", "priority", "detail", "outcome", "service_code"):
            return "choice"
        return "area" if name in _LONG else kinds.get(name, "text")

    def _options(self, command: str, name: str) -> Sequence[tuple[str, str]]:
        city = self._city
        if name == "account":
            return self._assignees()
        if name == "department":
            return [(one.code, one.name) for one in city.departments]
        if name == "service_code":
            return [(one.code, one.name) for one in city.services if one.active]
        if name == "detail":
            return self._details(command)
        return list({"priority": words.PRIORITIES, "outcome": words.OUTCOMES}.get(name, {}).items())

    def _assignees(self) -> list[tuple[str, str]]:
        if self._accounts is None:
            call = self._call
            page = list_assignees(call.platform, call.city, principal=call.caller, after="", most=MOST_ACCOUNTS)
            self._accounts = [(one.name, one.name) for one in page.accounts]
        return self._accounts

    def _details(self, command: str) -> list[tuple[str, str]]:
        """The city's own, finer states of the state to which the command leads: code and name."""
        state = LEADS_TO.get(command)
        return [(one.code, one.name) for one in self._city.states if one.state is state and one.code]


def read_command(sent: Sent, zone: tzinfo, report: Mapping[str, str] | None = None) -> Command:
    """The command that a form means. Raises Invalid that names each faulty field.

    report  the parts of the report as they are: `correct` leaves out those that the form has not changed
    """
    body = wire.COMMANDS.get(sent.command)
    if body is None:
        raise Invalid(GONE)
    schema, given = body(zone=zone), dict[str, Any]()
    for name, declared in schema.fields.items():
        text = sent.values.get(name, "")
        if isinstance(declared, wire.JsonFlag):
            given[name] = bool(text)
        elif isinstance(declared, wire.JsonName) or (text and text != (report or {}).get(name)):
            given[name] = _number_or_text(text) if isinstance(declared, wire.JsonDegrees) else text
    values, problems = schema.read(given)
    if problems:
        raise Invalid.of(Problem(name, text) for name, text in problems)
    return make_command(sent.command, values)


def _number_or_text(text: str) -> float | str:
    """The number of degrees in a text, which may have a decimal comma.

    A text that is no number is returned unchanged, so that the schema refuses it.
    """
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return text


def new_form_id() -> str:
    """An id for a new form."""
    return secrets.token_urlsafe(_FORM_ID_BYTES)


def repeat_key_of(call: Call) -> str:
    """The Idempotency-Key that the id of a sent form means; "" without an id that this server can have made."""
    found: str = call.values["form_id"]
    return f"form:{found}" if _FORM_ID.fullmatch(found) else ""


def _ordered(names: Iterable[str]) -> list[str]:
    """The fields of a command, the reason last."""
    return sorted(names, key=lambda name: name == "reason")
