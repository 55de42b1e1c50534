"""A server that answers each call with the next reply of a list, and keeps the calls."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from open311.federation.client import GeoReportClient, Limits
from tests.world.serving import Asked, Reply, serving

__all__ = ["QUICK", "Asked", "Reply", "Script", "as_json", "as_xml", "serve"]

QUICK = Limits(rate_per_s=0, timeout_s=5, deadline_s=10, retries=0)


@dataclass
class Script:
    """The replies, the calls and the origin of a server. The last reply is repeated.

    decide  makes the reply to a call, instead of the list
    """

    replies: list[Reply]
    decide: Callable[[Asked], Reply] | None = None
    origin: str = ""
    asked: list[Asked] = field(default_factory=list)

    def next(self) -> Reply:
        if self.decide is not None:
            return self.decide(self.asked[-1])
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def client(self, **options: Any) -> GeoReportClient:
        """A client of this server that never pauses."""
        options = {"limits": QUICK, "pause": lambda _: None, "api_key": "the-secret-key", **options}
        return GeoReportClient(self.origin + "/v2", "city.example", **options)


def as_json(data: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps(data).encode(), status=status, headers=named)


def as_xml(text: str) -> Reply:
    return Reply(text.encode(), "text/xml; charset=utf-8")


@contextmanager
def serve(*replies: Reply, tls: ssl.SSLContext | None = None) -> Iterator[Script]:
    """Serve the replies on a port of the loopback. With `tls`, the origin is https://localhost with this port."""
    script = Script(list(replies))

    def answer(asked: Asked) -> Reply:
        script.asked.append(asked)
        return script.next()

    with serving(answer, tls=tls) as server:
        script.origin = server.origin
        yield script
