"""Until when certificates are valid: those in files, and the one that a server shows."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime
from pathlib import Path

from cryptography import x509

TIMEOUT_S = 10.0


class UnusableCertificate(ValueError):
    """A certificate cannot be read or is not trusted. The text does not name it."""


def file_expiry(file: str) -> datetime:
    """When the first certificate in a PEM file expires. Raises UnusableCertificate.

    The first certificate is the server's own. In a file of authorities, a later certificate that has expired does
    no harm.
    """
    try:
        found = x509.load_pem_x509_certificates(Path(file).read_bytes())
    except OSError as error:
        raise UnusableCertificate(f"it cannot be read: {error.strerror}") from None
    except ValueError:
        raise UnusableCertificate("it has no certificate in PEM format") from None
    return found[0].not_valid_after_utc


def served_expiry(host: str, port: int) -> datetime:
    """When the certificate of a server expires.

    Raises UnusableCertificate if the server cannot be reached by TLS, or if its certificate is not trusted.
    """
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_S) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            found = secured.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError as error:
        raise UnusableCertificate(f"its certificate is not trusted: {error.verify_message}") from None
    except OSError as error:
        raise UnusableCertificate(f"no TLS there: {error.strerror or type(error).__name__}") from None
    assert found is not None  # a verified server has shown one
    return x509.load_der_x509_certificate(found).not_valid_after_utc
