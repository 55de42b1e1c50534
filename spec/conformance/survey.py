"""The survey finds the formats and the discovery of the server, and the data that the checks can use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from spec.conformance.answers import (
    Answer,
    Call,
    DeviationError,
    Format,
    Record,
    UnmetNeedError,
    errors_in,
    number_of,
    text_of,
)
from spec.conformance.preparation import Point, Preparation
from spec.conformance.probe import Probe, created, moment_of, origin_of

_DEFINITIONS_READ = 8
_POLLS_S = (0.0, 0.25, 0.5, 1.0, 1.0)
"""The pauses before the calls for the token of the survey's own request."""


class JurisdictionNeededError(Exception):
    """The endpoint serves several jurisdictions, and the run names none. The text is from the server."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The results of the survey. The probe's preparation has the data that checks can use."""

    probe: Probe
    services: tuple[Record, ...]
    requests: tuple[Record, ...]


def survey_server(probe: Probe, *, sends_batch: bool = False) -> Survey:
    """Read discovery, services, some definitions and the lists of requests.

    sends_batch  whether to send a batch request if no token is given and the run may write
    Raises UnreachableError if the server does not answer, JurisdictionNeededError if it needs a jurisdiction_id.
    """
    formats = _formats(probe)
    _require_jurisdiction(probe)
    probe = replace(probe, formats=formats, discovery_base=_discovery_base(probe), several=_is_shared(probe))
    services = _records(probe, "services")
    definitions = dict(_definitions(probe, services))
    recent = _records(probe, "requests")
    old = _records(probe, "requests", ("start_date", probe.ago(185)), ("end_date", probe.ago(105)))
    prepared = _prepared(probe, services, definitions, recent, old)
    probe = replace(probe, prepared=probe.prepared.completed_with(prepared), definitions=definitions)
    token = _new_token(probe) if sends_batch and probe.target.writes else None
    probe = replace(probe, prepared=probe.prepared.completed_with(Preparation(resolved_token=token)))
    return Survey(probe, tuple(services), tuple(recent))


def _formats(probe: Probe) -> tuple[Format, ...]:
    """XML, which the standard demands, and JSON if the server offers it."""
    probe.services("xml")
    answer = probe.services("json")
    return ("xml", "json") if answer.status != 404 and "json" in answer.content_type else ("xml",)


def _require_jurisdiction(probe: Probe) -> None:
    """Raise JurisdictionNeededError if the endpoint needs a jurisdiction and the run names none."""
    answer = probe.services("xml")
    if not probe.target.jurisdiction_id and answer.status == 400 and "jurisdiction" in answer.text.lower():
        texts = (text_of(error, "description") for error in errors_in(answer))
        raise JurisdictionNeededError(next(texts, "jurisdiction_id is missing."))


def _is_shared(probe: Probe) -> bool:
    """Whether the endpoint serves several jurisdictions: such an endpoint refuses an empty jurisdiction_id."""
    if not probe.target.jurisdiction_id:
        return False
    return probe.get("services.xml", [("jurisdiction_id", "")]).status == 400


def _discovery_base(probe: Probe) -> str:
    """The address of the folder with discovery.xml; "" if it is not found.

    It is the address that the target gives. Without one, `base_url`, the folder above it and the root are tried.
    """
    target = probe.target
    if target.discovery_url:
        return target.discovery_url.rstrip("/")
    parent = target.base_url.rpartition("/")[0]
    candidates = [target.base_url, parent, origin_of(target.base_url)]
    for base in dict.fromkeys(base for base in candidates if urlsplit(base).netloc):
        answer = probe.client.get(Call("GET", f"{base}/discovery.xml"))
        if answer.succeeded and b"<endpoint" in answer.content:
            return base
    return ""


def _records(probe: Probe, name: Literal["services", "requests"], *params: tuple[str, str]) -> list[Record]:
    """A list, preferably from XML, because JSON may have codes as numbers; empty if no format can be read."""
    for format in probe.formats:
        try:
            return probe.get(f"{name}.{format}", params).records(name)
        except UnmetNeedError:
            continue
    return []


def _definitions(probe: Probe, services: Iterable[Record]) -> Iterator[tuple[str, Record]]:
    """Definitions of services: first some with `metadata` true, then up to two others."""
    with_attributes = [text_of(service, "service_code") for service in services if service.get("metadata") is True]
    without_attributes = [
        text_of(service, "service_code") for service in services if service.get("metadata") is not True
    ]
    for code in [*with_attributes[:_DEFINITIONS_READ], *without_attributes[:2]]:
        answers = (probe.definition(code, format) for format in probe.formats)
        readable = (definition for answer in answers if (definition := definition_in(answer)) is not None)
        if definition := next(readable, None):
            yield code, definition


def _new_token(probe: Probe) -> str | None:
    """Send a batch request. Returns its token if the server resolves it within a few calls, otherwise None."""
    prepared = probe.prepared
    if prepared.resolved_token or not prepared.batch_service or not prepared.point:
        return None
    try:
        token = text_of(created(probe.post(probe.form(prepared.batch_service))), "token")
    except (DeviationError, UnmetNeedError):
        return None
    return token if token and any(_is_resolved(probe, token, wait_s) for wait_s in _POLLS_S) else None


def _is_resolved(probe: Probe, token: str, wait_s: float) -> bool:
    probe.client.pause(wait_s)
    try:
        records = probe.token(token, probe.formats[-1], fresh=True).records("token")
    except UnmetNeedError:
        return False
    return any(text_of(record, "service_request_id") for record in records)


def _prepared(
    probe: Probe,
    services: list[Record],
    definitions: dict[str, Record],
    recent: list[Record],
    old: list[Record],
) -> Preparation:
    rich = max(definitions, key=lambda code: _variety(definitions[code]), default="")
    prepared = probe.prepared.completed_with(
        Preparation(
            plain_service=_service(services, lambda s: s.get("type") == "realtime" and s.get("metadata") is False),
            rich_service=rich if rich and attributes_of(definitions[rich]) else None,
            batch_service=_service(services, lambda s: s.get("type") == "batch" and s.get("metadata") is False),
            blackbox_service=_service(
                services, lambda s: s.get("type") == "blackbox" and s.get("metadata") is False
            ),
            unicode_service=_service(services, lambda s: not text_of(s, "service_name").isascii()),
            ungrouped_service=_service(
                services, lambda s: not any(text_of(s, name) for name in ("group", "keywords", "description"))
            ),
            optional_service=next((code for code, data in definitions.items() if _all_optional(data)), None),
            point=next((point for request in recent if (point := point_of(request))), None),
        )
    )
    return prepared.completed_with(_prepared_requests(probe, recent, old))


def _prepared_requests(probe: Probe, recent: list[Record], old: list[Record]) -> Preparation:
    fresh = [request for request in recent if text_of(request, "requested_datetime")[:10] > probe.ago(80)[:10]]
    opened = next((r for r in fresh if r.get("status") == "open" and point_of(r)), None)
    closed = next(
        (
            r
            for r in fresh
            if r.get("status") == "closed" and (opened is None or r.get("service_code") != opened["service_code"])
        ),
        None,
    )
    return Preparation(
        open_request=_id(opened),
        closed_request=_id(closed),
        old_request=_id(next((r for r in old if _is_between(probe, r, 190, 100)), None)),
        zipcode_request=_id(next((r for r in recent if text_of(r, "zipcode").startswith("0")), None)),
        pointless_request=_id(next((r for r in recent if r.get("address") and r.get("lat") is None), None)),
        odd_request_id=_id(next((r for r in recent if not _is_plain(text_of(r, "service_request_id"))), None)),
    )


def definition_in(answer: Answer) -> Record | None:
    """The definition in an answer, even if it is in an array; None if there is none."""
    try:
        data = answer.data("service_definition") if answer.succeeded else None
    except UnmetNeedError:
        return None
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return data if isinstance(data, dict) else None


def attributes_of(definition: Record) -> list[Record]:
    attributes = definition.get("attributes")
    return [item for item in attributes if isinstance(item, dict)] if isinstance(attributes, list) else []


def _variety(definition: Record) -> int:
    """The number of different kinds of question in a definition."""
    names = ("datatype", "required", "variable")
    return len({tuple(text_of(attribute, name) for name in names) for attribute in attributes_of(definition)})


def _all_optional(definition: Record) -> bool:
    attributes = attributes_of(definition)
    return bool(attributes) and not any(attribute.get("required") for attribute in attributes)


def _service(services: list[Record], fits: Callable[[Record], bool]) -> str | None:
    match = next((service for service in services if fits(service)), None)
    return text_of(match, "service_code") or None if match else None


def _id(request: Record | None) -> str | None:
    return text_of(request, "service_request_id") or None if request else None


def _is_plain(request_id: str) -> bool:
    return request_id.replace("-", "").replace("_", "").isalnum()


def _is_between(probe: Probe, request: Record, older_days: float, newer_days: float) -> bool:
    moment = moment_of(text_of(request, "requested_datetime"))
    return moment is not None and older_days > (probe.now - moment).total_seconds() / 86_400 > newer_days


def point_of(request: Record) -> Point | None:
    """The point of a request. None if the request has no point, which some servers write as 0, 0."""
    lat, long = number_of(request, "lat"), number_of(request, "long")
    if lat is None or long is None or (lat, long) == (0, 0):
        return None
    return Point(lat, long) if abs(lat) <= 90 and abs(long) <= 180 else None
