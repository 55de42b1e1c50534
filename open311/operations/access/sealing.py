"""Encrypts small values, so that an address can contain them and only this server can read them (decision 0043).

All processes of a server share the key, because it is made from a secret in the database.
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

from open311.errors import Unavailable
from open311.operations.platform import Platform
from open311.storage import blocks

DAY_S = 86_400
"""How long a sealed value can be opened."""
MOST_CHARACTERS = 3_500
"""A value with more characters than this is not sealed, because proxies refuse addresses of more than some
kilobytes."""


def seal(platform: Platform, value: Any) -> str:
    """A value of JSON as encrypted text for an address; "" if the text is too long or the database is down."""
    try:
        key = _key_of(platform)
    except Unavailable:
        return ""
    sealed = key.encrypt(zlib.compress(orjson.dumps(value), 9)).decode()
    return sealed if len(sealed) <= MOST_CHARACTERS else ""


def unseal(platform: Platform, sealed: str) -> Any:
    """The value that `seal` has encrypted; None if the text is older than a day, or not from this server.

    Raises Unavailable.
    """
    if len(sealed) > MOST_CHARACTERS or not sealed.isascii():
        return None
    key = _key_of(platform)
    try:
        return orjson.loads(zlib.decompress(key.decrypt(sealed, ttl=DAY_S)))
    except InvalidToken:
        return None


def _key_of(platform: Platform) -> Fernet:
    """The key, read once on the primary and once on the replica. Raises Unavailable."""
    return platform.process.cached(_read_key, most=2)(platform)


def _read_key(platform: Platform) -> Fernet:
    """The key, made from the stored secret. If there is no secret yet, the primary makes it; a replica cannot."""
    with platform.database.reading() as connection:
        secret = blocks.find_secret(connection)
    if secret is None:
        with platform.database.transaction() as connection:
            secret = blocks.make_secret(connection)
    return Fernet(urlsafe_b64encode(blake2b(secret.encode(), digest_size=32, person=b"sealed values").digest()))
