"""The submission that a POST contains (A07, A16, A17)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from open311.domain.requests import Receipt, Reporter, Submission
from open311.domain.text import clean_text, stripped
from open311.web.calls import Call
from schemas.arguments import as_sent, for_header

FILES_NOTICE = "Photos are not kept here yet: send the address of a photo in media_url."


def submission_of(call: Call) -> Submission:
    """The fields of a POST, stripped. A field that could not be parsed is empty; `call.problems` says why."""
    values = call.values
    field = {name: stripped(value) for name, value in values.items() if isinstance(value, str)}
    repeat_key = clean_text(call.request.headers.get("Idempotency-Key", "")).strip()
    return Submission(
        service_code=field["service_code"],
        lat=field["lat"],
        long=field["long"],
        address_string=field["address_string"],
        address_id=field["address_id"],
        description=field["description"],
        media_urls=tuple(url for url in map(stripped, values["media_url"]) if url),
        attributes=values["attributes"],
        reporter=Reporter(
            email=field["email"],
            first_name=field["first_name"],
            last_name=field["last_name"],
            phone=field["phone"],
            device_id=field["device_id"],
            account_id=field["account_id"],
        ),
        client_request_id=repeat_key or field["client_request_id"],
    )


def with_files_notice(receipt: Receipt, call: Call) -> Receipt:
    """The receipt. If the call had files, its notice says that they were not stored."""
    if not call.files:
        return receipt
    return replace(receipt, service_notice=" ".join(filter(None, (receipt.service_notice, FILES_NOTICE))))


def submission_warnings(receipt: Receipt, call: Call) -> Iterator[str]:
    """A sentence for each thing in a POST that is not kept as it was sent."""
    if receipt.replaced_service:
        old, new = as_sent(receipt.replaced_service), as_sent(receipt.stored_service)
        yield f"service_code {old} is replaced; the request is stored under {new}"
    for name in dict.fromkeys(call.files):
        yield f"the file in {as_sent(name)} is not kept; send the address of a photo in media_url"
    for code in receipt.unknown_attributes:
        yield f"attribute[{as_sent(code)}] is ignored; the service has no such attribute"
    for code in receipt.kept_attributes:
        yield f"attribute[{as_sent(code)}] is kept for staff only; the service has no such attribute"
    for remark in receipt.remarks:
        yield f"attribute[{as_sent(remark.code)}] {for_header(remark.text)}"
