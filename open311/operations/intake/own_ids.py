"""A partner's own id of a request, by which the partner can find the request while it is public (decision 0030)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

from open311.domain.access import Principal
from open311.domain.requests import RequestRecord, Submission
from open311.domain.text import stripped
from open311.errors import Invalid, Problem
from open311.plugins import Jurisdiction
from open311.storage import external_ids
from open311.storage.hot.transactions import Run
from schemas.texts import tell

MAX_OWN_ID_CHARACTERS = 200
ATTRIBUTE = "external_id"
PARAMETER = "service_request_id_ext"


@dataclass(frozen=True, slots=True)
class OwnId:
    """A partner's own id of the request that it sends.

    system  the principal of the partner's key
    digest  a digest of the report and its photos, without the ids that the partner sends. It shows whether the
            partner uses the own id again for another report
    """

    system: str
    name: str
    digest: bytes

    def claim(self, run: Run, city: Jurisdiction, record: RequestRecord) -> bool:
        """Store the own id for a request that the same transaction has stored. Returns False if the id is taken."""
        number, at = record.number, record.requested_at
        return external_ids.claim(run, city.id, self.system, self.name, number=number, digest=self.digest, at=at)


def with_own_id(submission: Submission, city: Jurisdiction) -> Submission:
    """The submission with its own id, which may be in `attribute[external_id]`.

    An attribute of this name that the service asks for is an answer like any other, because citizens give it.
    """
    sent = dict(submission.attributes).get(ATTRIBUTE)
    service = city.service(submission.service_code)
    if sent is None or (service and any(one.code == ATTRIBUTE for one in service.attributes)):
        return submission
    named = [stripped(value) for value in sent]
    if len(named) != 1 or not named[0] or any(own_id_problems(named[0])):
        return submission
    rest = tuple(one for one in submission.attributes if one[0] != ATTRIBUTE)
    return replace(submission, attributes=rest, external_id=submission.external_id or named[0])


def own_id_problems(name: str) -> Iterator[Problem]:
    """What is wrong with an own id."""
    if len(name) > MAX_OWN_ID_CHARACTERS:
        fault = tell("has {count} characters; {most} are allowed.", count=len(name), most=MAX_OWN_ID_CHARACTERS)
        yield Problem(PARAMETER, fault)


def own_id_of(submission: Submission, principal: Principal) -> OwnId | None:
    """The own id of a submission; None if it has none."""
    if not submission.external_id:
        return None
    report = replace(submission, external_id="", client_request_id="", via=(), photos=(), own_address="")
    digest = hashlib.sha256(orjson.dumps(report, option=orjson.OPT_SORT_KEYS))
    for photo in submission.photos:
        digest.update(photo.content_hash)
    return OwnId(str(principal), submission.external_id, digest.digest())


def number_under(run: Run, city: Jurisdiction, own: OwnId) -> int:
    """The number of the request that the partner has sent under this id before; 0 if there is none.

    Raises Invalid if that was another report.
    """
    number, digest = external_ids.sent_as(run, city.id, own.system, own.name)
    if number and digest is not None and digest != own.digest:
        fault = tell(
            "{name!r} is your id of another report; send a new id, or a request update if the report has changed.",
            name=own.name[:60],
        )
        raise Invalid(fault, PARAMETER)
    return number
