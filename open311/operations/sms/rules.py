"""Which text messages a server and its cities send."""

from __future__ import annotations

from open311.plugins import Jurisdiction
from open311.plugins.sms import SmsConfig, SmsSender, open_sms_sender
from open311.settings import Settings


def can_text(settings: Settings) -> bool:
    """Whether the server can send text messages. Links in them need the public address of the server."""
    return bool(settings.sms_url and settings.public_url)


def texts_reporters(settings: Settings, city: Jurisdiction) -> bool:
    """Whether reporters of the city get text messages if they ask for them."""
    return bool(city.sms.kind) and can_text(settings)


def sender_for(settings: Settings, city: Jurisdiction) -> SmsSender:
    """The sender of a city. Raises Misconfigured, which names what is missing."""
    config = SmsConfig(
        url=settings.sms_url,
        secret=settings.sms_secret,
        timeout_s=settings.sms_timeout_s,
        is_private=settings.sms_private,
        proxy="" if settings.sms_private else settings.proxy,  # a proxy does not reach the own network
    )
    return open_sms_sender(city.sms.kind, config)
