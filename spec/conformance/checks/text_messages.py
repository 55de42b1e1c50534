"""Text messages, an extension: the part of SM1 that sends none."""

from __future__ import annotations

from spec.conformance.answers import text_of
from spec.conformance.offers import offered
from spec.conformance.probe import Probe, created
from spec.conformance.registry import check


@check("SM1", needs="plain_service point", writes=True)
def messages_without_a_phone(probe: Probe) -> None:
    """No message is sent, because neither call has a number."""
    refused = probe.post(probe.form(sms="perhaps"))
    offered(probe, "text_messages", lambda: refused.status == 400)
    refused.must_be(400)
    answer = probe.post(probe.form(sms="true"))
    notice, warning = text_of(created(answer), "service_notice"), answer.headers.get("warning", "")
    answer.must("sms" in warning, "a Warning that names sms", warning or "none")
    answer.must("sms" in notice.lower() or "text message" in notice.lower(), "a service_notice about it", notice)
