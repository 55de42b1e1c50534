"""Our server does what the standard says: the suite that anybody can run, against it, with everything prepared."""

from __future__ import annotations

import time
from spec.conformance.client import Client, Manners
from spec.conformance.preparation import Preparation
from spec.conformance.probe import Target
from spec.conformance.report import Outcome
from spec.conformance.runner import run
from tests.conformance.conftest import PUBLIC, Served
from tests.conformance.servers import TlsProxy


def test_probe(served: Served, prepared: Preparation) -> None:
    client = Client(Manners(rate_per_s=0))
    behind = prepared.https_only.base_url.removesuffix("/open311/v2")
    client.session.mount(PUBLIC, TlsProxy(PUBLIC, behind))
    target = Target(served.base_url, jurisdiction_id='city.example', api_key=served.api_key, writes=True, thorough=True)
    began = time.monotonic()
    report = run(target, prepared, client=client)
    print(time.monotonic() - began, client.sent)
    from spec.conformance.reports import FORMS

    open("/tmp/report.txt", "w").write(FORMS["text"](report))
    print(FORMS["text"](report))
    assert 0
