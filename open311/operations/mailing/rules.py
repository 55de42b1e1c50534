"""Which mail a server and its cities send."""

from __future__ import annotations

from open311.outgoing import Mailbox, read_mailbox
from open311.plugins import Jurisdiction
from open311.settings import Settings
from open311.translations import ENGLISH, closest, languages


def can_mail(settings: Settings) -> bool:
    """Whether the server can send mail to people. Links in mails need the public address of the server."""
    return bool(settings.smtp_url and settings.public_url)


def mails_reporters(settings: Settings, city: Jurisdiction) -> bool:
    """Whether reporters of the city get mail."""
    return city.mail.reporters and can_mail(settings)


def mails_followers(settings: Settings, city: Jurisdiction) -> bool:
    """Whether everybody can follow public requests of the city by mail: one request, or all that match a filter."""
    return city.mail.followers and can_mail(settings)


def language_of(city: Jurisdiction) -> str:
    """The language of mail to departments of the city."""
    return closest(city.languages[0], languages()) or ENGLISH


def mailbox_of(address: str) -> Mailbox | None:
    """The mailbox of an address that somebody has typed; None if no mail can be sent to it.

    None also for an address with a name before it, and for a domain of one part or with a number at its end. Mail
    to such a domain, as in root@localhost, would go to the mail server's own machine or network.
    """
    try:
        box = read_mailbox(address)
    except ValueError:
        return None
    _, dot, last = box.domain.rpartition(".")
    return box if dot and not last.isdigit() and not box.name else None
