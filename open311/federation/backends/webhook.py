"""The kind `webhook`: cases and their changes as JSON, signed as Standard Webhooks defines it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from marshmallow import ValidationError

from open311.domain.case import Case, CaseUpdate, RemoteUpdate
from open311.domain.results import Accepted, Pending, Resolution, Result
from open311.errors import Misconfigured
from open311.federation.signing import BadSignature, sign, verify
from open311.outgoing import BadSecret, key_of
from open311.plugins.backends import Backend, BadCall, HttpConfig, LookUpFailed, RawCall, Secret
from open311.plugins.context import Context, HttpAnswer
from open311.plugins.declared.backends import HttpTable, SecretSource
from open311.plugins.declared.keys import ByCode, Flag, Text
from open311.plugins.documents import case_document, case_url, read_update, update_document
from schemas.values import format_instant

_MOST_ID = 200
_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}")
_OWN_HEADERS = ("webhook-", "content-", "authorization", "host", "transfer-", "connection", "expect", "cookie")


@dataclass(frozen=True, kw_only=True)
class WebhookConfig(HttpConfig):
    """The configuration of this kind.

    secret           the secret of our signatures, `whsec_…`; several with commas between them while one is rotated
    incoming_secret  the secret with which the receiver signs its updates; without it, the receiver sends none
    honours_keys     whether the receiver takes each webhook-id only once
    headers          headers of each call
    token_path       the path after `url` at which the receiver tells the id for a token; "" if there is none
    """

    secret: Secret
    incoming_secret: Secret = Secret()
    honours_keys: bool = False
    service_codes: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    token_path: str = ""


class Headers(ByCode):
    """Headers of HTTP."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        found = super()._deserialize(value, *args, **kwargs)
        for name, text in found.items():
            if not _HEADER.fullmatch(name) or name.lower().startswith(_OWN_HEADERS):
                raise ValidationError({name: ["is no header that you can set."]})
            if not text.isascii() or not text.isprintable() or text != text.strip():
                raise ValidationError({name: ["must have visible ASCII characters only."]})
        return found


class TokenPath(Text):
    """A path with the place of a token."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The path, if it has `{token}` once."""
        path = super().deserialize(value, attr, data, **kwargs)
        if path and (not re.fullmatch(r"/[!-z|~]*\{token\}[!-z|~]*", path)):
            raise ValidationError("must begin with / and have {token} once, as in /tokens/{token}.")
        return path


class WebhookTable(HttpTable):
    """The keys of this kind."""

    makes = WebhookConfig
    header = '[[backends]] with kind = "webhook"'

    secret = SecretSource(
        "The secret that signs what is sent: `whsec_…`, as Standard Webhooks defines it; write several with commas"
        " between them while a new one replaces an old one",
        is_required=True,
    )
    incoming_secret = SecretSource(
        "The secret with which the receiver signs the updates that it sends; write several with commas between them"
    )
    honours_keys = Flag(
        "Whether the receiver takes each `webhook-id` only once, so that nothing is stored twice", default=False
    )
    service_codes = ByCode(
        Text(), 'Our service codes and theirs, as in `{ pothole = "001" }`; other codes are sent unchanged'
    )
    headers = Headers(Text(), 'Headers of each call that are not secret, as in `{ X-City = "riverton" }`')
    token_path = TokenPath(
        "The path after `url` at which the receiver tells the id for a token, as in `/tokens/{token}`; without it,"
        " a token counts as the id",
        default="",
    )


class WebhookBackend(Backend):
    """POSTs each case and each change. The `webhook-id` is the key of the delivery."""

    table = WebhookTable
    takes_updates = True
    receives = True
    tried = "a GET of its address, without a signature"

    def __init__(self, config: WebhookConfig, context: Context) -> None:
        super().__init__(config, context)
        self.honours_keys = self.repeats_updates = config.honours_keys
        self._secrets = _secrets_in(config.secret, "secret")
        if not self._secrets:
            raise Misconfigured("secret: is empty; a webhook must be signed.")
        self._incoming = _secrets_in(config.incoming_secret, "incoming_secret")
        self._http = context.open_http(config)

    def send(self, case: Case, key: str) -> Result:
        """POST the case. The answer may have the id that the receiver gave it, or a token for this id."""
        document = case_document(case)
        document["service_code"] = self.config.service_codes.get(case.service_code, case.service_code)
        if url := case_url(case, self.context.public_url):
            document["url"] = url
        answer = self._post("request.created", document, key, case.requested_at)
        if not answer.is_ok:
            return answer.result()
        members = _members(answer)
        remote_id, token = _id_in(members, "service_request_id"), _id_in(members, "token")
        if token and not remote_id and self.config.token_path:
            return Pending(token=token)
        return Accepted(remote_id or token)

    def send_update(self, update: CaseUpdate, key: str) -> Result:
        """POST the change."""
        return self._post("request.updated", update_document(update, key), key, update.at).result()

    def resolve(self, token: str) -> Resolution:
        """Ask for the id."""
        answer = self._http.send("GET", self.config.token_path.replace("{token}", quote(token, safe="")))
        if not answer.is_ok:
            raise LookUpFailed(answer.result())
        remote_id = _id_in(_members(answer), "service_request_id")
        return Accepted(remote_id) if remote_id else Pending(token=token)

    def receive(self, call: RawCall) -> Sequence[RemoteUpdate]:
        """The updates in a webhook: an object, a list, or either of them as `data`."""
        if not self._incoming:
            raise BadCall("this back end has no incoming_secret, so it takes no updates")
        try:
            webhook_id = verify(call.body, call.headers, secrets=self._incoming, now=self.context.now())
        except BadSignature as error:
            raise BadCall(str(error)) from None
        return _updates(call.body, webhook_id)

    def check(self) -> Result:
        """GET the address. Any answer below 500 is enough, because many receivers know only POST."""
        answer = self._http.send("GET", headers=self.config.headers)
        return answer.result() if answer.status >= 500 else Accepted()

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def _post(self, kind: str, data: dict[str, Any], key: str, at: datetime) -> HttpAnswer:
        now = self.context.now()
        document = {"type": kind, "timestamp": format_instant(at), "data": data}
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return self._http.send(
            "POST", body=body, headers={**self.config.headers, **sign(body, key, secrets=self._secrets, now=now)}
        )


def _secrets_in(secret: Secret, name: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in secret.read().split(",") if part.strip())
    for one in found:
        try:
            key_of(one)
        except BadSecret as error:
            raise Misconfigured(f"{name}: {error}.") from None
    return found


def _members(answer: HttpAnswer) -> Mapping[str, object]:
    """The members of a body; none if it has no JSON object. Most receivers answer without a body."""
    found = answer.json()
    return found if isinstance(found, dict) else {}


def _id_in(members: Mapping[str, object], name: str) -> str:
    value = members.get(name)
    is_id = isinstance(value, str | int) and not isinstance(value, bool)
    text = str(value).strip() if is_id else ""
    return text if len(text) <= _MOST_ID and text.isprintable() else ""


def _updates(body: bytes, webhook_id: str) -> list[RemoteUpdate]:
    """The updates of a body that somebody has signed. One without an id gets that of the webhook."""
    try:
        found = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
        return [RemoteUpdate(update_id=webhook_id, description=text[:4_000], fault="the body is not JSON")]
    data = found.get("data", found) if isinstance(found, dict) else found
    records = data if isinstance(data, list) else [data]
    ids = [webhook_id if len(records) == 1 else f"{webhook_id}/{index}" for index in range(len(records))]
    return [read_update(record, name) for record, name in zip(records, ids, strict=True)]
