"""Signed calls of back offices, such as webhooks."""

from __future__ import annotations

import orjson

from open311.formats import JSON
from open311.operations.delivery.receiving import receive_call
from open311.plugins.backends import RawCall
from open311.web.access import SIGNED
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.surfaces import CALLBACKS
from schemas.arguments import NoArguments
from schemas.updates import TakenSchema


@endpoint(
    CALLBACKS,
    "/<jurisdiction_id>/<backend>",
    reads=NoArguments,
    access=SIGNED,
    answers=Media("application/json", TakenSchema()),
    output=JSON,
    city=City.IN_PATH,
    method="POST",
    is_raw=True,
    errors=(401,),
)
def take_updates(call: Call, backend: str) -> Answer:
    """Take updates of requests from a back office, in a call that the back office has signed.

    The answer says how many updates are stored for the first time, and how many were stored before. The worker
    applies them afterwards. The same call again changes nothing.
    """
    headers = {name.lower(): value for name, value in call.request.headers.items()}
    raw = RawCall(body=call.raw, headers=headers)
    taken = receive_call(call.platform, call.city, backend, raw, now=call.now)
    return Answer(body=orjson.dumps({"stored": taken.stored, "known": taken.known}))
