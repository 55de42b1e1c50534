"""The quick lane: the views that are asked for most, called before Flask has begun.

Flask's contexts, routing and hooks take as long as such an answer does. The views are the same and stand in Flask's
routes too: what the lane does not know, and what fails in it unforeseen, is left to Flask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from flask import Response

from open311.errors import Open311Error
from open311.formats import Format
from open311.web.context import request
from open311.web.errors import foreseen

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

View = Callable[..., Response]
_CODE = re.compile(r"<code:(\w+)>")
_PATH = re.compile(r"(?P<rule>.*)\.(?P<suffix>json|xml)", re.DOTALL)


class QuickLane:
    """WSGI middleware that answers GET on the paths of some views.

    views  by rule, such as /open311/v2/requests/<code:service_request_id>; None for a rule that another one's code
           would match, and which is Flask's alone
    """

    def __init__(
        self, application: WSGIApplication, views: Mapping[str, View | None], *, requires_https: bool
    ) -> None:
        self._application = application
        self._requires_https = requires_https
        self._views = {rule: view for rule, view in views.items() if not _CODE.search(rule)}
        self._patterns = [
            (re.compile(_CODE.sub(r"(?P<\1>.+)", rule), re.DOTALL), view)
            for rule, view in views.items()
            if view is not None and _CODE.search(rule)
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer, or go on."""
        is_open = environ["wsgi.url_scheme"] == "https" or not self._requires_https
        response = self._answer() if environ["REQUEST_METHOD"] == "GET" and is_open else None
        return (response or self._application)(environ, start_response)

    def _answer(self) -> Response | None:
        found = _PATH.fullmatch(request.path)
        if found is None or "\x00" in found["rule"]:
            return None
        rule, output = found["rule"], Format(found["suffix"])
        try:
            if rule in self._views:
                view = self._views[rule]
                return view(output=output) if view else None
            for pattern, view in self._patterns:
                if match := pattern.fullmatch(rule):
                    return view(output=output, **match.groupdict())
        except Open311Error as error:
            return foreseen(error)
        except Exception:  # whatever it is: Flask meets it again and logs it
            return None
        return None
