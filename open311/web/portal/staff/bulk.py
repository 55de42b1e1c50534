"""One command for several requests that were chosen in the queue: its fields, then a trial, then the act."""

from __future__ import annotations

import re
from collections.abc import Sequence

from open311.domain.access import Principal
from open311.domain.commands import commands
from open311.errors import Invalid, Unavailable
from open311.operations.desk.bulk import REFUSED, UNCHANGED, BulkResult, Selected, act_on_all
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.portal.staff import words
from open311.web.portal.staff.command_forms import CommandForms, Sent, new_form_id, read_command, repeat_key_of
from open311.web.portal.staff.frames import desk_page
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.portal.wording import for_staff
from open311.web.staff.bulk import bulk_lane
from open311.web.surfaces import DESK
from schemas.desk import BulkPageArguments
from schemas.texts import Message, tell

_OF_ONE = ("correct", "mask", "unmask", "unmerge")
"""Commands that fit only one request."""
_PICK = re.compile(r"(?P<number>[1-9]\d{0,17}):(?P<version>[1-9]\d{0,17})", re.ASCII)


def bulk_commands(principal: Principal) -> list[tuple[str, Message]]:
    """The commands that an account may give for several requests: name and title."""
    return [
        (name, words.COMMANDS[name])
        for name, command in commands().items()
        if name not in _OF_ONE and principal.role.includes(command.role)
    ]


@endpoint(DESK, "/<jurisdiction_id>/bulk", reads=BulkPageArguments, method="POST", **ON_PAGE)
def bulk_page(call: Call) -> Answer:
    """Ask for the fields of a command, tell what it would change, or carry it out."""
    chosen = _chosen(call)
    name, go = call.values["do"], call.values["go"]
    if name not in dict(bulk_commands(call.caller)):
        raise Invalid(tell("Please choose a command."))
    if not chosen:
        raise Invalid(tell("Please choose at least one request."))
    if go not in ("try", "do"):
        return _shown(call, Sent(command=name))
    is_dry = go == "try"
    try:
        command = read_command(Sent.of(call), call.city.zone)
        with bulk_lane(call.platform):
            results = act_on_all(
                call.platform,
                call.city,
                chosen,
                command,
                principal=call.caller,
                now=call.now,
                is_dry=is_dry,
                repeat_key="" if is_dry else repeat_key_of(call),
                sent={"ids": [[one.name, one.version] for one in chosen]},
            )
    except Invalid as error:
        return _shown(call, Sent.of(call, error.problems), status=400)
    except Unavailable as error:
        return _shown(call, Sent.of(call, error.problems), status=503)
    return _shown(call, Sent.of(call), results=results, is_dry=is_dry)


def _chosen(call: Call) -> list[Selected]:
    """The requests that the member of staff has chosen, with the versions that the queue has shown."""
    found = [_PICK.fullmatch(one) for one in call.values["pick"]]
    return [Selected(int(one["number"]), int(one["version"])) for one in found if one]


def _shown(
    call: Call, sent: Sent, *, status: int = 200, results: Sequence[BulkResult] = (), is_dry: bool = True
) -> Answer:
    refused = [one for one in results if one.result == REFUSED]
    return desk_page(
        call,
        "bulk.html",
        status=status,
        form=CommandForms(call).form(sent.command, sent),
        picks=call.values["pick"],
        form_id=call.values["form_id"] or new_form_id(),
        results=[(one, [for_staff(problem.message) for problem in one.problems]) for one in results],
        refused=len(refused),
        changed=sum(one.result not in (REFUSED, UNCHANGED) for one in results),
        is_dry=is_dry,
        words=words,
    )
