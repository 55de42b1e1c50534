"""Standard Webhooks: the signature of what we send, and the check of what we receive.

Source: https://www.standardwebhooks.com, symmetric signatures (v1). PyPI's `standardwebhooks` is not used, because
it reads the clock itself, and has a fixed tolerance and one secret. The tests prove that it accepts our signatures,
and that we accept its signatures.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from open311.outgoing import BadSecret as BadSecret
from open311.outgoing import key_of

TOLERANCE_S = 300
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_VERSION = "v1,"
_ID = re.compile(r"[!-\-/-~]{1,255}")
"""Visible ASCII without the full stop, which separates the parts of the signed text."""


class BadSignature(Exception):
    """A webhook is not accepted. The subclass says why; no text contains a secret or the expected signature."""


class MissingHeader(BadSignature):
    """One of the three headers is missing or empty."""


class UnreadableHeader(BadSignature):
    """The id, the time or the list of signatures is not as Standard Webhooks defines it."""


class TooOld(BadSignature):
    """The webhook was signed longer ago than the tolerance; it may be a recording that is sent again."""


class TooNew(BadSignature):
    """The webhook was signed later than now, by more than the tolerance; one of the two clocks is wrong."""


class WrongSignature(BadSignature):
    """No signature fits: another secret, or a changed body, id or time."""


def sign(body: bytes, webhook_id: str, *, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The three headers of a webhook, with one signature for each secret.

    webhook_id  the same at each try, so that the receiver can drop a repetition; visible ASCII without a full stop
    secrets     `whsec_…`; several while one is rotated, because the receiver may still have the old one
    Raises ValueError for a webhook_id of another form, and BadSecret if a secret cannot be used.
    """
    if not _ID.fullmatch(webhook_id):
        raise ValueError("webhook_id must be 1 to 255 visible ASCII characters without a full stop")
    second = str(_second(now))
    signatures = [_signature(key, webhook_id, second, body) for key in _keys(secrets)]
    return {ID: webhook_id, TIMESTAMP: second, SIGNATURE: " ".join(signatures)}


def verify(
    body: bytes,
    headers: Mapping[str, str],
    *,
    secrets: Sequence[str],
    now: datetime,
    tolerance_s: int = TOLERANCE_S,
) -> str:
    """The id of a webhook that somebody with one of the secrets has signed.

    Raises BadSignature if the webhook is not accepted, and BadSecret if a secret cannot be used.

    body     the received bytes; JSON that is written again has other bytes
    headers  their names in any case

    Within the tolerance, anybody can send a recorded webhook again. So the caller keeps the ids, and drops a
    webhook with an id that it has.
    """
    keys = list(_keys(secrets))
    webhook_id, second, signatures = _headers(headers)
    _check_time(int(second), _second(now), tolerance_s)
    given = [each for each in signatures.split() if each.startswith(_VERSION)]
    if not given:
        raise UnreadableHeader(f"{SIGNATURE} has no signature of version v1")
    expected = [_signature(key, webhook_id, second, body).encode() for key in keys]
    if not any(hmac.compare_digest(one, other.encode()) for one in expected for other in given):
        raise WrongSignature("no signature fits; the secret is another one, or the webhook was changed on its way")
    return webhook_id


def _headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    missing = [name for name in (ID, TIMESTAMP, SIGNATURE) if not lower.get(name)]
    if missing:
        raise MissingHeader(f"the webhook has no {', '.join(missing)}")
    if not _ID.fullmatch(lower[ID]):
        raise UnreadableHeader(f"{ID} must be 1 to 255 visible ASCII characters without a full stop")
    if not re.fullmatch(r"\d{1,12}", lower[TIMESTAMP], re.ASCII):
        raise UnreadableHeader(f"{TIMESTAMP} must be whole seconds since 1970")
    if not lower[SIGNATURE].isascii():
        raise UnreadableHeader(f"{SIGNATURE} has characters that no signature has")
    return lower[ID], lower[TIMESTAMP], lower[SIGNATURE]


def _check_time(signed: int, now: int, tolerance_s: int) -> None:
    if now - signed > tolerance_s:
        raise TooOld(f"the webhook was signed {now - signed} seconds ago; at most {tolerance_s} are accepted")
    if signed - now > tolerance_s:
        raise TooNew(f"the webhook was signed {signed - now} seconds from now; at most {tolerance_s} are accepted")


def _signature(key: bytes, webhook_id: str, second: str, body: bytes) -> str:
    digest = hmac.digest(key, f"{webhook_id}.{second}.".encode() + body, hashlib.sha256)
    return _VERSION + b64encode(digest).decode()


def _keys(secrets: Sequence[str]) -> Iterator[bytes]:
    if isinstance(secrets, str):
        raise BadSecret("the secrets must be a list, also if there is only one")
    if not secrets:
        raise BadSecret("there is no secret")
    return map(key_of, secrets)


def _second(now: datetime) -> int:
    if now.tzinfo is None:
        raise ValueError("now has no zone")
    return int(now.timestamp())
