"""The daily dumps: which there are, and the files themselves."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import orjson
from flask import Response, redirect, send_file
from flask_smorest import Api

from open311.errors import NotFound
from open311.operations.upkeep.dumps import CHECKSUM_SUFFIX, DumpFile, dumps_folder, find_dumps, terms
from open311.plugins import Jurisdiction
from open311.web.answers import validator_of
from open311.web.context import platform, request
from open311.web.documentation import DescribedBlueprint
from open311.web.extensions import FILE, PROBLEM, PROBLEM_TYPE, documented
from open311.web.georeport.blueprint import BASE
from open311.web.georeport.discovery import base_url
from open311.web.parsing import read_query
from open311.web.terms import add_terms
from schemas import DumpIndexSchema, JurisdictionArguments

FRESH_S = 3600
LATEST = "requests-latest."
_ARGUMENTS = JurisdictionArguments()


def list_dumps() -> Response:
    """List a city's daily dumps, the newest first.

    Each holds all public requests of one moment. `requests-latest.csv.gz` and its like lead to the newest.
    """
    values = read_query(_ARGUMENTS)
    jurisdiction = platform().registry.find(values["jurisdiction_id"])
    licence, attribution = terms(platform(), jurisdiction)
    body = orjson.dumps(
        {
            "jurisdiction_id": jurisdiction.id,
            "licence": licence or None,
            "attribution": attribution,
            "files": list(_plain(jurisdiction)),
        }
    )
    response = Response(body, content_type="application/json; charset=utf-8")
    response.set_etag(validator_of(body))
    response.headers["Cache-Control"] = "no-cache"
    add_terms(response, jurisdiction)
    response.make_conditional(request)
    return response


def get_dump(jurisdiction_id: str, name: str) -> Response:
    """Download one file of a daily dump, or its checksum.

    Answers Range requests, so that a broken download can go on.
    """
    jurisdiction = platform().registry.find(jurisdiction_id)
    if name.startswith(LATEST):
        return _redirect(jurisdiction, name.removeprefix(LATEST))
    for dump in find_dumps(platform(), jurisdiction.id):
        for file in dump.files:
            if name in (file.name, file.name + CHECKSUM_SUFFIX):
                return _send(jurisdiction, file, name)
    raise _missing(name)


def register_dumps(api: Api) -> None:
    """Serve the daily dumps."""
    dumps = DescribedBlueprint("dumps", __name__, description="Daily dumps (an extension)")
    listing = documented(
        list_dumps,
        takes=JurisdictionArguments,
        answers={200: ("application/json", DumpIndexSchema())},
        errors=(400, 404),
        error_type=PROBLEM_TYPE,
        error_body=PROBLEM,
    )
    file = documented(
        get_dump,
        takes=None,
        answers={200: ("application/octet-stream", FILE), 206: ("application/octet-stream", FILE)},
        errors=(404,),
        error_type=PROBLEM_TYPE,
        error_body=PROBLEM,
    )
    dumps.add_url_rule("/dumps.json", view_func=listing)
    dumps.add_url_rule("/dumps/<code:jurisdiction_id>/<name>", view_func=file)
    api.register_blueprint(dumps, url_prefix=BASE)


def _plain(jurisdiction: Jurisdiction) -> Iterator[dict[str, object]]:
    for dump in find_dumps(platform(), jurisdiction.id):
        for file in dump.files:
            address = _address(jurisdiction, file)
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


def _address(jurisdiction: Jurisdiction, file: DumpFile) -> str:
    return f"{base_url()}/dumps/{quote(jurisdiction.id, safe='')}/{file.name}"


def _redirect(jurisdiction: Jurisdiction, ending: str) -> Response:
    """To the newest file of a kind."""
    for dump in find_dumps(platform(), jurisdiction.id):
        for file in dump.files:
            if file.name == f"requests-{dump.date}.{ending}":
                response = redirect(_address(jurisdiction, file), 302, Response)
                response.headers["Cache-Control"] = "no-cache"
                return response  # type: ignore[return-value]
    raise _missing(LATEST + ending)


def _send(jurisdiction: Jurisdiction, file: DumpFile, name: str) -> Response:
    is_checksum = name != file.name
    try:
        response = send_file(
            dumps_folder(platform(), jurisdiction.id) / name,
            mimetype="text/plain" if is_checksum else file.media_type,
            as_attachment=not is_checksum,
            download_name=f"{quote(jurisdiction.id, safe='')}-{name}",
            etag=f"{file.sha256[:32]}-checksum" if is_checksum else file.sha256,
            max_age=FRESH_S,
        )
    except FileNotFoundError:  # dropped meanwhile
        raise _missing(name) from None
    add_terms(response, jurisdiction)
    return response


def _missing(name: str) -> NotFound:
    return NotFound(f"{name[:60]!r} is not a dump here; see dumps.json for those there are.", "name")
