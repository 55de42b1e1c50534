"""Make commands from the fields that a caller has sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from open311.domain.commands import Command, commands
from open311.domain.requests import Priority
from open311.domain.workflow import Outcome

_KINDS = {"outcome": Outcome, "priority": Priority}
_NAMES = ("account", "department", "into", "service_code")


def make_command(name: str, values: Mapping[str, Any]) -> Command:
    """The command of this name. `values`: the fields that the schema of the command has read."""
    read = {field: _KINDS[field](value) if field in _KINDS else value for field, value in values.items()}
    return commands()[name](**{field: value.strip() if field in _NAMES else value for field, value in read.items()})
