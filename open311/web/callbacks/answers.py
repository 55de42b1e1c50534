"""Signed calls of the gateway for text messages, with what people have answered."""

from __future__ import annotations

import orjson

from open311.formats import JSON
from open311.operations.sms.answering import take_answer
from open311.plugins.backends import RawCall
from open311.web.access import SIGNED
from open311.web.calls import Answer, Call
from open311.web.endpoints import City, Media, endpoint
from open311.web.surfaces import CALLBACKS
from schemas.arguments import NoArguments
from schemas.updates import WishSchema


@endpoint(
    CALLBACKS,
    "/<jurisdiction_id>/sms/answers",
    reads=NoArguments,
    access=SIGNED,
    answers=Media("application/json", WishSchema()),
    output=JSON,
    city=City.IN_PATH,
    method="POST",
    is_raw=True,
    errors=(401,),
)
def take_sms_answer(call: Call) -> Answer:
    """Take what somebody has answered to a text message, in a call that the gateway has signed.

    The kind `webhook` reads `from` and `text`. STOP, in each language of this server, ends all messages to the
    number; START lets them come again; anything else changes nothing. The last call counts, so keep the order of
    the calls of a number: if an old START is sent again after a STOP, the number gets messages again.
    """
    headers = {name.lower(): value for name, value in call.request.headers.items()}
    wish = take_answer(call.platform, call.city, RawCall(body=call.raw, headers=headers), now=call.now)
    return Answer(body=orjson.dumps({"understood": wish.value}))
