"""`open311 requests renew-link` and `revoke-links`: the links of reporters to their requests."""

from __future__ import annotations

import click

from open311.cli.output import say
from open311.cli.platforms import command_platform, find_jurisdiction
from open311.cli.shell import shell_user
from open311.clock import utc_now
from open311.operations.access import status_links as operations
from open311.web.extensions.status import link_address

_JURISDICTION = click.option(
    "--jurisdiction", default="", help="The city's jurisdiction_id. Not needed if only one city is served."
)
_REASON = click.option("--reason", default="", help="Why; kept in the audit trail.")


@click.command("renew-link")
@click.argument("request")
@_JURISDICTION
@_REASON
def renew_link(request: str, jurisdiction: str, reason: str) -> None:
    """End the reporter's links to REQUEST and show a new link, which cannot be shown again.

    REQUEST is a service_request_id, a token, a number or an id in another system. Whoever has the link can read the
    request, also if it is private.

    \b
    Example:
      open311 requests renew-link 2026-0000042 --reason "The reporter has lost the link."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        secret = operations.renew_link(
            platform, city, request, principal=shell_user(), now=utc_now(), reason=reason
        )
        say(link_address(platform, city, secret, own_address=platform.settings.public_url.rstrip("/")))


@click.command("revoke-links")
@click.argument("request")
@_JURISDICTION
@_REASON
def revoke_links(request: str, jurisdiction: str, reason: str) -> None:
    """End the reporter's links to REQUEST.

    REQUEST is a service_request_id, a token, a number or an id in another system.

    \b
    Example:
      open311 requests revoke-links 2026-0000042 --reason "The link was posted in a forum."
    """
    with command_platform() as platform:
        city = find_jurisdiction(platform, jurisdiction)
        ended = operations.revoke_links(
            platform, city, request, principal=shell_user(), now=utc_now(), reason=reason
        )
    say(f"{ended} {'link is' if ended == 1 else 'links are'} ended.")
