"""A back office with a private authority that wants our certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from open311.domain.results import Accepted, Retry
from open311.errors import Misconfigured
from open311.federation.backends.open311 import Open311Backend, Open311Config
from open311.federation.backends.webhook import WebhookBackend, WebhookConfig
from open311.plugins import CallFailed, Secret
from open311.plugins.context import TlsFiles
from tests import world
from tests.federation.backends.office import KEY, PLAIN, context
from tests.federation.scripted import as_json, serve


def test_the_kinds_webhook_and_open311_show_our_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", world.SECRET)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("us@city.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "us.pem")
    wanting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(wanting)
    authority.configure_trust(wanting)
    wanting.verify_mode = ssl.CERT_REQUIRED
    secret, ours = Secret(env="HOOK_SECRET"), TlsFiles(str(tmp_path / "ca.pem"), str(tmp_path / "us.pem"))
    with serve(as_json([{"service_request_id": "W-1"}]), tls=wanting) as script:
        hook = WebhookConfig(name="w", kind="webhook", url=script.origin, secret=secret, tls=ours)
        assert WebhookBackend(hook, context()).send(PLAIN, KEY) == Accepted()
        neighbour = Open311Config(name="n", kind="open311", url=script.origin, tls=ours)
        assert Open311Backend(neighbour, context()).send(PLAIN, KEY) == Accepted("W-1")
        nobody = WebhookConfig(
            name="w", kind="webhook", url=script.origin, secret=secret, tls=TlsFiles(str(tmp_path / "ca.pem"))
        )
        with pytest.raises(CallFailed) as caught:
            WebhookBackend(nobody, context()).send(PLAIN, KEY)
        assert isinstance(caught.value.result, Retry)
        assert not caught.value.result.is_uncertain


def test_a_missing_file_is_named_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", world.SECRET)
    missing = TlsFiles(ca="/nowhere/ca.pem")
    config = WebhookConfig(
        name="w", kind="webhook", url="https://w.example", secret=Secret(env="HOOK_SECRET"), tls=missing
    )
    with pytest.raises(Misconfigured, match=r"/nowhere/ca\.pem"):
        WebhookBackend(config, context())
