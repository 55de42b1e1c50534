"""Two lists: the texts for citizens, with links to change them, and the neighbours, which the shell manages."""

from __future__ import annotations

from open311.domain.access import Role
from open311.operations.access.staff import require_role
from open311.operations.desk.catalogue import texts_of
from open311.operations.federation.neighbours import list_neighbours
from open311.operations.overriding.editing import may_edit
from open311.web.calls import Answer, Call
from open311.web.endpoints import endpoint
from open311.web.portal.staff import words
from open311.web.portal.staff.frames import desk_page
from open311.web.portal.staff.requests import ON_PAGE
from open311.web.surfaces import DESK
from schemas.portal import PageArguments


@endpoint(DESK, "/<jurisdiction_id>/texts", reads=PageArguments, **ON_PAGE)
def texts_page(call: Call) -> Answer:
    """The texts that citizens read if staff write none, by language, outcome and service."""
    names = {one.code: one.name for one in call.city.services}
    editing = may_edit(call.city, call.caller)
    return desk_page(call, "texts.html", texts=texts_of(call.city), services=names, may_edit=editing, words=words)


@endpoint(DESK, "/<jurisdiction_id>/neighbours", reads=PageArguments, **ON_PAGE)
def neighbours_page(call: Call) -> Answer:
    """The neighbours of the city, what is sent to them, and what waits. Needs at least the role dispatcher."""
    require_role(call.caller, Role.DISPATCHER)
    found = list_neighbours(call.platform, call.city.id)
    names = {one.code: one.name for one in call.city.services}
    return desk_page(call, "neighbours.html", neighbours=found, services=names, words=words)
