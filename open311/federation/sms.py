"""The kind `webhook` of senders of text messages: a signed POST to a gateway, and signed calls with answers."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import ClassVar

from open311.domain.results import Accepted, Rejected, Retry
from open311.errors import Misconfigured
from open311.federation.addresses import host_of
from open311.federation.failures import ForbiddenAddress
from open311.federation.signing import BadSignature, verify
from open311.federation.webhooks import Receivers, Reply
from open311.outgoing import BadSecret, key_of
from open311.plugins.backends import BadCall, RawCall
from open311.plugins.sms import SMS_API_VERSION, Sms, SmsAnswer, SmsConfig, SmsResult

_SETUP = frozenset({"401", "403", "404", "405"})
"""Answers that only the operator can change. No other message would be taken either."""
_LATER = frozenset({"408", "425"})
_DOWN = frozenset({"429", "502", "503", "504"})
"""Answers after which no other message would be taken now."""
_CAUSES = {
    "unreachable": "the gateway cannot be reached",
    "slow": "the gateway did not answer in time",
    "large": "the gateway answered too much",
    "forbidden": "the address of the gateway may not be called: it is not https, or not a public address",
}
_NUMBER = re.compile(r"\+[1-9][0-9]{4,14}", re.ASCII)


class WebhookSender:
    """Sends messages to a gateway that the operator runs or has rented.

    The documentation of the calls is in spec/operating.md.
    """

    api_version: ClassVar[int] = SMS_API_VERSION

    def __init__(self, config: SmsConfig) -> None:
        self._url, self._secrets = config.url, _secrets_in(config.secret)
        try:
            host = host_of(config.url)
        except ForbiddenAddress:
            raise Misconfigured("OPEN311_SMS_URL: must look like https://sms.city.example/send.") from None
        if not config.is_private and not config.url.startswith("https://"):
            raise Misconfigured("OPEN311_SMS_URL: must be https, unless OPEN311_SMS_PRIVATE is true.")
        trusted = frozenset({host}) if config.is_private else frozenset()
        self._line = Receivers(timeout_s=config.timeout_s, trusted=trusted, proxy=config.proxy)

    def send(self, sms: Sms, *, now: datetime) -> SmsResult:
        """POST the message. The `webhook-id` is its id."""
        document = {
            "id": sms.id,
            "to": sms.to,
            "text": sms.text,
            "language": sms.language,
            "service_request_id": sms.service_request_id or None,
        }
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return _result(self._line.send(self._url, body, sms.id, secrets=self._secrets, now=now))

    def receive(self, call: RawCall, *, now: datetime) -> SmsAnswer:
        """The members `from` and `text` of a signed JSON object."""
        try:
            verify(call.body, call.headers, secrets=self._secrets, now=now)
        except BadSignature as error:
            raise BadCall(str(error)) from None
        try:
            found = json.loads(call.body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise ValueError("the body is not JSON") from None
        members = found if isinstance(found, dict) else {}
        sender, text = members.get("from"), members.get("text")
        if not isinstance(sender, str) or not _NUMBER.fullmatch(sender.strip()):
            raise ValueError("from: must be a phone number such as +16175550142")
        if not isinstance(text, str):
            raise ValueError("text: must be what the person has written")
        return SmsAnswer(sender=sender.strip(), text=text)

    def close(self) -> None:
        """End the connections."""
        self._line.close()


def _result(reply: Reply) -> SmsResult:
    """What an answer means, see spec/operating.md. No text of the gateway is kept: it may have the number."""
    if not reply.fault:
        return Accepted()
    if not reply.fault.isdigit():
        is_lost = reply.fault in ("slow", "large")
        return Retry(cause=_CAUSES[reply.fault], is_uncertain=is_lost, is_down=reply.fault != "large")
    answered = f"the gateway answered {reply.fault}"
    status = int(reply.fault)
    if reply.fault in _SETUP or 300 <= status < 400:
        return Retry(cause=answered, after_s=reply.after_s)
    if reply.fault in _LATER or reply.fault in _DOWN or status >= 500:
        is_down = reply.fault in _DOWN
        return Retry(cause=answered, after_s=reply.after_s, is_uncertain=status >= 500, is_down=is_down)
    return Rejected(answered)


def _secrets_in(text: str) -> tuple[str, ...]:
    secrets = tuple(part.strip() for part in text.split(",") if part.strip())
    if not secrets:
        raise Misconfigured("OPEN311_SMS_SECRET: must be set, because messages to the gateway are signed.")
    for one in secrets:
        try:
            key_of(one)
        except BadSecret as error:
            raise Misconfigured(f"OPEN311_SMS_SECRET: {error}.") from None
    return secrets
