"""Public reads on a server with a replica: which of the two databases answers a call.

A view that only reads can be called twice. So nothing has to be known about a call in advance. The replica answers
first. If this answer could be wrong because the replica is behind, the primary answers the call again.

A search by ids asks for what the caller may have just sent, so the primary answers it first.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Self

from werkzeug.wrappers import Request, Response

from open311.errors import Forbidden, Gone, NotFound, Open311Error, Unavailable
from open311.operations.platform import Platform, lagging
from open311.operations.replica import Replica, View
from open311.storage.failures import Refused, is_cut_off, unavailable
from open311.web.surfaces import Source

_UNKNOWN_STATUSES = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)

Answering = Callable[[Platform], Response]


class Reads:
    """How the calls of one endpoint are shared between primary and replica.

    prefers_replica  whether the replica answers while it may; if not, it answers only while the primary is down
    """

    def __init__(
        self, platform: Platform, replica: Replica, on_replica: Platform, *, prefers_replica: bool
    ) -> None:
        self._primary = platform
        self._replica = replica
        self._on_replica = on_replica
        self._prefers_replica = prefers_replica

    @classmethod
    def of(cls, platform: Platform, source: Source) -> Self | None:
        """The reads of an endpoint; None if always the primary answers."""
        on_replica = lagging(platform)
        if platform.replica is None or on_replica is None or source is Source.PRIMARY:
            return None
        return cls(platform, platform.replica, on_replica, prefers_replica=source is Source.REPLICA)

    def answer(self, request: Request, answering: Answering) -> Response:
        """The answer to a call. Raises what the views raise; an error of the replica alone is never shown.

        answering  answers the call from a platform. It is called twice if the first answer may be wrong
        """
        view = self._replica.view
        if view.answers_alone:
            return self._alone(answering)
        if self._prefers_replica and view.may_answer and not _names_ids(request):
            answer = self._checked(request, answering, view)
            if answer is not None:
                return answer
        try:
            return answering(self._primary)
        except Unavailable as error:
            if not (is_cut_off(error) and self._replica.look(after=view).answers_alone):
                raise
            return self._alone(answering)

    def _checked(self, request: Request, answering: Answering, view: View) -> Response | None:
        """The replica's answer; None if the primary must answer.

        An error can mean that the replica does not know yet what the call is about. If the client already has a
        copy (If-None-Match), an answer other than 304 can be older than the copy, which may come from the primary.
        """
        try:
            answer = answering(self._on_replica)
        except (Open311Error, Refused) as error:
            if is_cut_off(error):
                self._replica.fail(view)
            return None
        has_older = "If-None-Match" in request.headers and answer.status_code != HTTPStatus.NOT_MODIFIED
        if has_older or answer.status_code >= HTTPStatus.BAD_REQUEST:
            answer.close()
            return None
        return answer

    def _alone(self, answering: Answering) -> Response:
        """The replica's answer while the primary is down.

        Raises Unavailable for ids and keys that the replica does not know, because they may exist.
        """
        try:
            answer = answering(self._on_replica)
        except (NotFound, Gone, Forbidden) as error:
            raise unavailable(None) from error
        if answer.status_code in _UNKNOWN_STATUSES:
            answer.close()
            raise unavailable(None)
        return answer


def _names_ids(request: Request) -> bool:
    """Whether the query has `service_request_id` or `service_request_id_ext`, also with an index in brackets."""
    return any(name.startswith("service_request_id") for name in request.args)
