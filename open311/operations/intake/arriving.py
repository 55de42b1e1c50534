"""Recognise a request that comes from another server and was here before (decision 0031)."""

from __future__ import annotations

from open311.domain.access import Principal
from open311.domain.origins import HEADER, MOST_HOPS, Origin, id_at, unproven
from open311.domain.requests import Submission
from open311.errors import Conflict, Invalid
from open311.operations.federation.joining import join_remotes
from open311.operations.platform import Platform
from open311.plugins import Jurisdiction
from open311.storage import origins
from open311.storage.hot.transactions import Run
from schemas.texts import tell


def origin_of(
    platform: Platform, submission: Submission, city: Jurisdiction, principal: Principal
) -> Origin | None:
    """Where a submission comes from; None if its sender names no other server.

    Raises Conflict if it comes from this city, and Invalid if it has passed too many servers.
    """
    via = submission.via
    if not via:
        return None
    own = origins.federation_id(platform.database.hot.rows, city.id)
    if own and (known := id_at(via, own)):
        raise Conflict(tell("the request comes from here; it is {id} here.", id=known[:60]), HEADER)
    if len(via) > MOST_HOPS:
        fault = tell("has {count} hops; {most} are allowed.", count=len(via), most=MOST_HOPS)
        raise Invalid(fault, HEADER)
    with platform.database.reading() as connection:
        neighbours = join_remotes(platform, connection).of_city(city.id)
    is_trusted = principal.number in {one.partner_key for one in neighbours} - {0}
    return Origin(via if is_trusted else unproven(via), is_trusted=is_trusted)


def number_at(run: Run, city: Jurisdiction, origin: Origin) -> int:
    """The number of the request if it has come here before, perhaps by another server; 0 if it has not.

    Only what neighbours say counts, so that no app can make a report look like one that is known.
    """
    if not origin.is_trusted:
        return 0
    origins.lock(run, origin.via[0])
    return origins.find(run, city.id, origin.via)
