"""The background of the map page, if the operator has chosen one (`OPEN311_MAP_BACKGROUND`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from open311.settings import Settings
from open311.web.surfaces import OWN_FILES_ONLY

_OF_MAPS = "connect-src 'self'{hosts}; worker-src blob:"
"""MapLibre fetches tiles from this server and the hosts. It reads them in a web worker whose script is a blob."""


@dataclass(frozen=True)
class Background:
    """Where the background comes from.

    address      a template of raster tiles with {z}, {x} and {y}, or a style of MapLibre; "" for none
    attribution  the source as plain text
    more_hosts   other hosts from which a style loads
    """

    address: str
    attribution: str
    more_hosts: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> Background:
        """The background that the settings name."""
        return cls(settings.map_background, settings.map_attribution, settings.map_hosts)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The other hosts that the browser of a visitor asks, such as https://tiles.example.org."""
        parts = urlsplit(self.address)
        own = (f"{parts.scheme}://{parts.netloc}",) if parts.netloc else ()
        return tuple(dict.fromkeys((*own, *self.more_hosts)))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of `hosts`."""
        return tuple(urlsplit(host).hostname or "" for host in self.hosts)

    def policy(self) -> str:
        """The Content-Security-Policy of the map page."""
        hosts = "".join(f" {host}" for host in self.hosts)
        files = OWN_FILES_ONLY.replace("img-src 'self' data:", f"img-src 'self' data:{hosts}")
        return f"{files}; {_OF_MAPS.format(hosts=hosts)}"

    def for_script(self) -> Mapping[str, str]:
        """What the script of the map needs: the kind of address, the address, and the source as HTML."""
        if not self.address:
            return {}
        kind = "tiles" if "{z}" in self.address else "style"
        return {kind: self.address, "attribution": escape(self.attribution)}
