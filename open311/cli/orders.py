"""The options of commands about requests, made from the schemas of the staff API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

import click
from marshmallow import fields

from open311.cli.staff_view import name_of
from open311.domain.commands import Command, commands
from open311.domain.workflow import state_of
from open311.errors import Invalid, Problem
from open311.operations.desk.orders import make_command
from open311.operations.desk.whole_request import WholeRequest
from open311.plugins import Jurisdiction
from schemas.parameters import FlagParameter
from schemas.staff import COMMANDS, QueueArguments

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each parameter of a queue except jurisdiction_id."""
    for name, parameter in reversed(QueueArguments().parameters.items()):
        if name != "jurisdiction_id":
            option = f"--{name.replace('_', '-')}"
            is_flag = isinstance(parameter, FlagParameter)
            about = parameter.metadata["description"]
            command = click.option(option, name, is_flag=is_flag, default=None, help=about)(command)
    return command


def read_filters(filters: Mapping[str, Any], city: Jurisdiction) -> dict[str, Any]:
    """The values of all parameters of a queue. Raises Invalid that names each faulty option."""
    given = {
        name: ["true" if value is True else str(value)] for name, value in filters.items() if value is not None
    }
    values, problems = QueueArguments(zone=city.zone).read(given)
    _refuse(problems)
    return values


def order_options(name: str) -> Decorator:
    """Add an option for each field of a command."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for field_name, field in reversed(COMMANDS[name]().fields.items()):
            command = _option(field_name, field)(command)
        return command

    return decorate


def example_of(name: str) -> str:
    """The options of an example: the required ones, a reason if the command needs one, the date of `reschedule`."""
    wanted = [(field_name, field) for field_name, field in COMMANDS[name]().fields.items() if field.required]
    if commands()[name].needs_reason:
        wanted.append(("reason", COMMANDS[name]().fields["reason"]))
    if name == "reschedule":
        wanted.append(("expected", COMMANDS[name]().fields["expected"]))
    return "".join(f" --{one.replace('_', '-')} {_example(field)}" for one, field in wanted)


def _example(field: fields.Field[Any]) -> str:
    value = str(field.metadata.get("example") or field.metadata.get("enum", ("",))[0])
    return f'"{value}"' if " " in value else value


def read_order(name: str, options: Mapping[str, Any], city: Jurisdiction) -> Command:
    """The domain's command, made from the options. Raises Invalid that names each faulty option."""
    given = {field: value for field, value in options.items() if value is not None and value is not False}
    values, problems = COMMANDS[name](zone=city.zone).read(given)
    _refuse(problems)
    return make_command(name, values)


def text_of(whole: WholeRequest, zone: tzinfo) -> str:
    """A request in one line, after a command.

    `zone`: the city's time zone, in which the time of a visit is shown.
    """
    record = whole.view.record
    assignee = whole.names.get(record.assignee, record.assignee)
    parts = (
        state_of(record),
        record.outcome,
        f"in {record.department}" if record.department else "",
        f"given to {assignee}" if assignee else "",
        f"visit {record.scheduled_at.astimezone(zone).isoformat()}" if record.scheduled_at else "",
        record.visibility,
    )
    return f"{name_of(record)} is {', '.join(filter(None, parts))} (version {record.version})."


def _option(name: str, field: fields.Field[Any]) -> Decorator:
    kinds: dict[str, Any] = {"default": None, "required": field.required, "help": field.metadata["description"]}
    if isinstance(field, fields.Boolean):
        kinds = {"is_flag": True, "help": field.metadata["description"]}
    elif isinstance(field, fields.Float):
        kinds["type"] = float
    elif choices := field.metadata.get("enum"):
        kinds["type"] = click.Choice(choices)
    option: Decorator = click.option(f"--{name.replace('_', '-')}", name, **kinds)
    return option


def _refuse(problems: list[tuple[str, str]]) -> None:
    if problems:
        raise Invalid.of(Problem(f"--{name.replace('_', '-')}", text) for name, text in problems)
