"""tipg and pygeoapi, general servers of PostGIS tables, which are measured if they are installed.

Both serve OGC API Features from the same rows. Their bodies have about the same content as ours, in another form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from tests.benchmarks.contestants import WORKERS, Contestant
from tests.benchmarks.load import HOST

_ITEMS = "/collections/{table}/items"
_NEWEST = "sortby=-requested_datetime"


def _targets(table: str) -> dict[str, str]:
    items = _ITEMS.format(table=table)
    return {
        "page": f"{items}?limit=1000&{_NEWEST}&f={{json}}",
        "small": f"{items}?limit=50&{_NEWEST}&f={{json}}",
        "one": f"{items}/{{number}}?f={{json}}",
    }


def _in(targets: dict[str, str], json: str) -> dict[str, str]:
    return {name: target.replace("{json}", json) for name, target in targets.items()}


TIPG = Contestant(
    name="tipg",
    title="tipg (uvicorn)",
    command=(
        *("{python}", "-m", "uvicorn", "tipg.main:app", "--host", HOST, "--port", "{port}"),
        *("--workers", str(WORKERS), "--no-access-log", "--log-level", "warning"),
    ),
    environment={
        "DATABASE_URL": "$TIPG_URL",
        "TIPG_DB_SCHEMAS": '["rival"]',
        "DB_MIN_CONN_SIZE": "2",
        "DB_MAX_CONN_SIZE": "4",
    },
    needs=("tipg", "uvicorn"),
    probe=f"{_ITEMS.format(table='rival.request')}?limit=1&f=geojson",
    targets=_in(_targets("rival.request"), "geojson"),
)
PYGEOAPI = Contestant(
    name="pygeoapi",
    title="pygeoapi (granian)",
    command=(
        *("{python}", "-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", "{port}"),
        *("--workers", str(WORKERS), "--blocking-threads", "2", "--log-level", "warning"),
        "pygeoapi.flask_app:APP",
    ),
    needs=("pygeoapi",),
    probe=f"{_ITEMS.format(table='request')}?limit=1&f=json",
    targets=_in(_targets("request"), "json"),
)


def environment(folder: Path, dsn: dict[str, str]) -> dict[str, str]:
    """The peers' settings for the database; pygeoapi reads them from a file."""
    config, openapi = folder / "pygeoapi.json", folder / "pygeoapi-openapi.json"
    config.write_bytes(orjson.dumps(_pygeoapi(dsn)))
    openapi.write_bytes(orjson.dumps({"openapi": "3.0.2", "info": {"title": "", "version": "1"}, "paths": {}}))
    host = quote(dsn["host"], safe="")  # the folder of the socket
    return {
        "TIPG_URL": f"postgresql://{dsn['user']}@{host}:{dsn['port']}/{dsn['dbname']}",
        "PYGEOAPI_CONFIG": str(config),
        "PYGEOAPI_OPENAPI": str(openapi),
    }


def _pygeoapi(dsn: dict[str, str]) -> dict[str, Any]:
    """The minimal configuration of pygeoapi, written as JSON, which is valid YAML."""
    provider = {
        "type": "feature",
        "name": "PostgreSQL",
        "data": {
            "host": dsn["host"],
            "port": int(dsn["port"]),
            "dbname": dsn["dbname"],
            "user": dsn["user"],
            "password": "",
            "search_path": ["rival", "public"],
        },
        "id_field": "id",
        "table": "request",
        "geom_field": "point",
    }
    words = {"en": "bench"}
    return {
        "server": {
            "bind": {"host": HOST, "port": 5000},
            "url": f"http://{HOST}",
            "mimetype": "application/json; charset=UTF-8",
            "encoding": "utf-8",
            "languages": ["en-US"],
            "limits": {"default_items": 10, "max_items": 1000},
            "map": {"url": "", "attribution": ""},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {
                "title": words,
                "description": words,
                "keywords": ["311"],
                "url": "",
                "terms_of_service": "",
            },
            "license": {"name": "", "url": ""},
            "provider": {"name": "", "url": ""},
            "contact": {"name": ""},
        },
        "resources": {
            "request": {
                "type": "collection",
                "title": "request",
                "description": "request",
                "keywords": ["311"],
                "links": [],
                "extents": {
                    "spatial": {"bbox": [-75, 40, -73, 41], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
                },
                "providers": [provider],
            }
        },
    }
