"""New requests that wait until a person has reviewed and released them."""

from __future__ import annotations

from dataclasses import replace

from open311.domain.requests import RequestRecord, Visibility
from open311.domain.services import Service, ServiceType
from open311.operations.masking import must_be_held
from open311.plugins import Jurisdiction


def held_for_review(record: RequestRecord, service: Service, city: Jurisdiction) -> RequestRecord:
    """The record as it is stored: held if the city wants to review it before the public sees it.

    Requests that no list shows stay as they are: those of test keys, of blackbox services, and those for staff.
    """
    if record.visibility is not Visibility.PUBLIC or service.type is ServiceType.BLACKBOX:
        return record
    is_held = service.review or _has_reviewed_answer(record, service) or must_be_held(record, city)
    return replace(record, visibility=Visibility.HELD) if is_held else record


def _has_reviewed_answer(record: RequestRecord, service: Service) -> bool:
    reviewed = {attribute.code for attribute in service.attributes if attribute.review}
    return any(answer.is_asked and answer.code in reviewed for answer in record.answers)
