"""The daily dumps: their list and their files."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import orjson
from flask import redirect, send_file
from werkzeug.wrappers import Response

from open311.errors import NotFound
from open311.formats import JSON
from open311.operations.upkeep.dumps import CHECKSUM_SUFFIX, DumpFile, dumps_folder, find_dumps, terms
from open311.web.access import ANYBODY
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.surfaces import DUMPS
from open311.web.terms import term_headers
from schemas.arguments import JurisdictionArguments, NoArguments
from schemas.bulk import DumpIndexSchema
from schemas.texts import tell

FRESH_S = 3600
LATEST = "requests-latest."


@endpoint(
    DUMPS,
    ".json",
    reads=JurisdictionArguments,
    access=ANYBODY,
    answers=Media("application/json", DumpIndexSchema()),
    output=JSON,
    is_extension=True,
    headers=("Link", "X-Attribution"),
)
def list_dumps(call: Call) -> Answer:
    """List a city's daily dumps, the newest first.

    Each dump contains all requests that were public at one moment. `requests-latest.csv.gz` redirects to the newest
    dump, and so do the same names with the other endings.
    """
    licence, attribution = terms(call.platform, call.city)
    body = orjson.dumps(
        {
            "jurisdiction_id": call.city.id,
            "licence": licence or None,
            "attribution": attribution,
            "files": list(_plain(call)),
        }
    )
    return Answer(body=body, headers=tuple(term_headers(call)))


@endpoint(
    DUMPS,
    "/<code:jurisdiction_id>/<name>",
    reads=NoArguments,
    access=ANYBODY,
    answers=Media("application/octet-stream", {"type": "string", "format": "binary"}),
    output=JSON,
    city=City.IN_PATH,
    is_extension=True,
    errors=(206,),
    headers=("Link", "X-Attribution"),
)
def get_dump(call: Call, name: str) -> Response:
    """Download one file of a daily dump, or its checksum.

    Range requests are supported, so that a client can resume an interrupted download.
    """
    if name.startswith(LATEST):
        return _redirect(call, name.removeprefix(LATEST))
    for dump in find_dumps(call.platform, call.city.id):
        for file in dump.files:
            if name in (file.name, file.name + CHECKSUM_SUFFIX):
                return _send(call, file, name)
    raise _missing(name)


def _plain(call: Call) -> Iterator[dict[str, object]]:
    for dump in find_dumps(call.platform, call.city.id):
        for file in dump.files:
            address = _address(call, file)
            yield {
                "date": dump.date,
                "format": file.format,
                "media_type": file.media_type,
                "url": address,
                "checksum_url": address + CHECKSUM_SUFFIX,
                "rows": dump.rows,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "made_at": dump.made_at,
            }


def _address(call: Call, file: DumpFile) -> str:
    return f"{call.base_url()}/dumps/{quote(call.city.id, safe='')}/{file.name}"


def _redirect(call: Call, ending: str) -> Response:
    """A redirect to the newest file with this ending."""
    for dump in find_dumps(call.platform, call.city.id):
        for file in dump.files:
            if file.name == f"requests-{dump.date}.{ending}":
                response = redirect(_address(call, file), 302)
                response.headers["Cache-Control"] = "no-cache"
                return response
    raise _missing(LATEST + ending)


def _send(call: Call, file: DumpFile, name: str) -> Response:
    is_checksum = name != file.name
    try:
        response = send_file(
            dumps_folder(call.platform, call.city.id) / name,
            mimetype="text/plain" if is_checksum else file.media_type,
            as_attachment=not is_checksum,
            download_name=f"{quote(call.city.id, safe='')}-{name}",
            etag=f"{file.sha256[:32]}-checksum" if is_checksum else file.sha256,
            max_age=FRESH_S,
        )
    except FileNotFoundError:  # deleted since the list was read
        raise _missing(name) from None
    response.headers.extend(term_headers(call))
    return response


def _missing(name: str) -> NotFound:
    return NotFound(tell("{name!r} is not a dump here; see dumps.json for all dumps.", name=name[:60]), "name")
