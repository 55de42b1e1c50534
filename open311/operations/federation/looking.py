"""Inspect a server before a city federates with it. No request is sent to the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from open311.domain.origins import id_by_address, is_federation_id
from open311.domain.remotes import KEYS, OWN_IDS, UPDATES, Remote, RemoteService
from open311.federation.client import GeoReportClient, GeoReportError, Limits
from open311.plugins import Secret
from schemas.values import clean_text

MOST_REQUESTS = 50
MOST_CHARACTERS = 200
"""The most characters of a name of a city, a service or a group. Longer ones are cut."""
LIMITS = Limits(timeout_s=15.0, deadline_s=60.0, retries=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The result of inspecting a server.

    is_ours  whether it is a server like this one, which knows our extensions
    lines    the result in words, for people
    """

    services: tuple[RemoteService, ...]
    title: str
    federation_id: str
    abilities: tuple[str, ...]
    lines: tuple[str, ...]
    is_ours: bool


def open_client(one: Remote, *, proxy: str) -> GeoReportClient:
    """A client of a neighbour. Raises Misconfigured if its key is missing.

    proxy  the HTTP proxy of all outgoing calls; "" for none
    """
    return GeoReportClient(
        one.url,
        one.remote_jurisdiction,
        api_key=Secret(env=one.key_env, file=one.key_file).read(),
        format="xml" if one.format == "xml" else "json",
        limits=LIMITS,
        proxy=proxy,
    )


def look_over(client: GeoReportClient) -> Look:
    """Read services, one definition, requests, updates and the server's own words about its city.

    Raises GeoReportError if the services cannot be read; other calls may fail.
    """
    services = read_services(client)
    city = own_words(client)
    named = str(city.get("federation_id") or "")
    federation_id = named if is_federation_id(named) else ""
    has_updates = _works(client, "servicerequestupdates")
    abilities = [name for name in (OWN_IDS, KEYS) if federation_id] + ([UPDATES] if has_updates else [])
    lines = [f"{len(services)} service{'s' * (len(services) != 1)}", *_definition(client), *_requests(client)]
    lines.append("request updates: yes" if has_updates else "request updates: no")
    lines.append("a server like this one: yes" if federation_id else "a server like this one: no")
    lines.append(f"dialect: {client.seen}")
    return Look(
        services=services,
        title=_line(city.get("name") or ""),
        federation_id=federation_id or id_by_address(client.base_url, client.jurisdiction_id),
        abilities=tuple(abilities),
        lines=tuple(lines),
        is_ours=bool(federation_id),
    )


def read_services(client: GeoReportClient) -> tuple[RemoteService, ...]:
    """The catalogue of a server, without duplicate codes."""
    found = {one.service_code: one for one in client.services() if one.service_code}
    return tuple(
        RemoteService(code, _line(one.service_name), _line(one.group), _line(one.type))
        for code, one in found.items()
    )


def _line(text: object) -> str:
    """A name that another server gives, as one line that is not too long."""
    return " ".join(clean_text(str(text)).split())[:MOST_CHARACTERS]


def own_words(client: GeoReportClient) -> dict[str, object]:
    """What a server like this one tells about its city (J1); empty for other servers."""
    try:
        found = client.read("jurisdictions")
    except GeoReportError:
        return {}
    cities = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    wanted = client.jurisdiction_id
    own = [one for one in cities if not wanted or one.get("jurisdiction_id") == wanted]
    return own[0] if len(own) == 1 else {}


def _definition(client: GeoReportClient) -> Iterator[str]:
    try:
        code = next((one.service_code for one in client.services() if one.metadata), "")
        if code:
            yield f"definition of {code}: {len(client.definition(code).attributes)} questions"
    except GeoReportError as error:
        yield f"definition: {error}"


def _requests(client: GeoReportClient) -> Iterator[str]:
    try:
        found = list(islice(client.requests(page_size=MOST_REQUESTS), MOST_REQUESTS))
    except GeoReportError as error:
        yield f"requests: {error}"
        return
    latest = max((one.requested_datetime for one in found if one.requested_datetime), default=None)
    yield f"requests: {len(found)} read" + (f", the latest of {latest:%Y-%m-%d}" if latest else "")


def _works(client: GeoReportClient, path: str) -> bool:
    try:
        client.read(path)
    except GeoReportError:
        return False
    return True
