"""Single requests as staff see them, and an endpoint for each command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from werkzeug.exceptions import MethodNotAllowed

from open311.domain.commands import Command, commands
from open311.errors import NotFound
from open311.formats import JSON
from open311.operations.desk.orders import make_command
from open311.operations.desk.rendering import plain_reporter, plain_request
from open311.operations.desk.whole_request import read_reporter, read_whole_request
from open311.operations.workflow.act import act
from open311.web.access import STAFF as STAFF_ONLY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Endpoint, Media, endpoint
from open311.web.staff.answers import staff_answer
from open311.web.staff.conditions import IDEMPOTENCY_KEY, IF_MATCH, repeat_key, seen_version
from open311.web.surfaces import STAFF
from schemas.staff import COMMANDS, ReporterArguments, StaffArguments, StaffReporterSchema, StaffRequestSchema

_SHARED: dict[str, Any] = {"access": STAFF_ONLY, "output": JSON, "city": City.OF_CALLER}


@endpoint(
    STAFF,
    "/requests/<code:id>",
    reads=StaffArguments,
    answers=Media("application/json", StaffRequestSchema()),
    **_SHARED,
)
def get_staff_request(call: Call, id: str) -> Answer:
    """Show one request with everything that staff may see, except its reporter.

    Send its ETag in If-Match with a command, which is then refused if somebody else has changed the request since.
    """
    try:
        whole = read_whole_request(call.platform, call.city, id, principal=call.caller)
    except NotFound:
        if "/" in id and id.rpartition("/")[2] in COMMANDS:  # an id may have a slash
            raise MethodNotAllowed(valid_methods=["POST"]) from None
        raise
    return staff_answer(plain_request(whole, call.now), tag=f"v{whole.view.record.version}")


@endpoint(
    STAFF,
    "/requests/<code:id>/reporter",
    reads=ReporterArguments,
    answers=Media("application/json", StaffReporterSchema()),
    **_SHARED,
)
def get_staff_reporter(call: Call, id: str) -> Answer:
    """Show who sent a request. The audit trail keeps who read it and why."""
    record, reporter = read_reporter(
        call.platform, call.city, id, reason=call.values["reason"], principal=call.caller, now=call.now
    )
    return staff_answer(plain_reporter(record, reporter))


def _give(call: Call, id: str, command: Command) -> Answer:
    """Carry out a command. Returns the request after it."""
    record = act(
        call.platform,
        call.city,
        id,
        [command],
        principal=call.caller,
        now=call.now,
        version=seen_version(call.request),
        repeat_key=repeat_key(call.request),
    )
    whole = read_whole_request(call.platform, call.city, record.number, principal=call.caller, is_changed=True)
    return staff_answer(plain_request(whole, call.now), tag=f"v{whole.view.record.version}")


def _command_endpoints() -> Iterator[Endpoint]:
    for name, command in commands().items():
        yield _command_endpoint(name, command)


def _command_endpoint(name: str, command: type[Command]) -> Endpoint:
    """Make the endpoint of one command. The name of its view contains the name of the command."""

    def view(call: Call, id: str) -> Answer:
        return _give(call, id, make_command(name, call.body))

    view.__name__ = f"{name}_request"
    view.__doc__ = f"{command.summary()}\n\n{_about(command)}"
    declare = endpoint(
        STAFF,
        f"/requests/<code:id>/{name}",
        reads=StaffArguments,
        answers=Media("application/json", StaffRequestSchema()),
        method="POST",
        body=COMMANDS[name],
        errors=(409,),
        headers=("ETag",),
        conditions=(IF_MATCH, IDEMPOTENCY_KEY),
        **_SHARED,
    )
    return declare(view)


def _about(command: type[Command]) -> str:
    """The sentences of the API page about the role and the reason that a command needs."""
    reason = " and a reason" if command.needs_reason else ""
    return f"Needs the role {command.role}{reason}. The answer is the request as it is then."


COMMAND_ENDPOINTS = tuple(_command_endpoints())
