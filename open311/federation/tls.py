"""The files of a TLS connection: our certificate and key, and the authorities that we trust.

TLS always verifies the server.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import partial


class UnusableTls(ValueError):
    """A file of certificates or keys cannot be used. The text names the file and does not show its content."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM format. They are read again for each connection, so a renewed certificate needs no restart.

    ca    the authorities that may have signed the server's certificate, instead of the public ones
    cert  our certificate, and the certificates between it and its authority
    key   the private key of our certificate, without a password; "" if the key is in the file `cert`
    """

    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def pair(self) -> tuple[str, str] | None:
        """The files of our certificate and of our key; None without a certificate."""
        return (self.cert, self.key or self.cert) if self.cert else None

    def check(self) -> None:
        """Read all files. Raises UnusableTls."""
        if self.key and not self.cert:
            raise UnusableTls(f"{self.key}: there is a private key, but no certificate")
        context = ssl.create_default_context()
        if self.ca:
            try:
                context.load_verify_locations(cafile=self.ca)
            except OSError as error:
                raise UnusableTls(f"{self.ca}: {_reason(error)}") from None
        if self.pair:
            try:
                context.load_cert_chain(*self.pair, password=partial(_refuse_password, self.pair[1]))
            except OSError as error:
                raise UnusableTls(f"{self.cert} with {self.key or self.cert}: {_reason(error)}") from None


def _refuse_password(file: str) -> str:
    raise UnusableTls(
        f"{file}: the private key has a password; use a key without one, in a file that only this server can read"
    )


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return {
            "KEY_VALUES_MISMATCH": "the private key belongs to another certificate",
            "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate is in the file",
        }.get(error.reason or "", "the file is not a PEM file of the expected kind")
    return error.strerror or type(error).__name__
