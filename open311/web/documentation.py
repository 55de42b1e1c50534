"""The API in OpenAPI 3, put together when somebody asks for it: a server need not start with that."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

from flask import Flask
from flask_smorest import Api, Blueprint
from werkzeug.exceptions import HTTPException

from open311.web.errors import http_error
from schemas import ErrorSchema


class GeoReportApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's documentation, with the standard's errors."""

    ERROR_SCHEMA = ErrorSchema

    def __init__(self, app: Flask) -> None:
        self._lock = Lock()
        self._missing: list[Callable[[], None]] = []
        super().__init__(app)

    def handle_http_exception(self, error: HTTPException) -> object:
        """Answer as the rest of the server does."""
        return http_error(error)

    def describe_later(self, describe: Callable[[], None]) -> None:
        """Have something described when the document is asked for."""
        self._missing.append(describe)

    def document(self) -> dict[str, Any]:
        """All that was registered, described."""
        with self._lock:
            while self._missing:
                self._missing.pop(0)()
            found: dict[str, Any] = self.spec.to_dict()
        return found


class DescribedBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """A blueprint that is described in the documentation, later."""

    def register_views_in_doc(self, api: GeoReportApi, *known: Any, **more: Any) -> None:
        """Leave it to the first who asks for the document."""
        api.describe_later(partial(super().register_views_in_doc, api, *known, **more))
