"""Which addresses an outgoing call may reach. Names are resolved here; the connection uses the checked address."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from open311.federation.failures import ForbiddenAddress

_PORTS = {"http": 80, "https": 443}
_LOCAL = ("localhost", "local", "internal", "intranet", "lan", "home.arpa")
"""A name with one of these endings means a host in a local network. So does a name without a dot."""
_MOST_ADDRESSES = 4
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""The only IPv6 addresses that are given to hosts of the internet. Python calls more addresses global."""

Host = tuple[str, int]


def host_of(url: str) -> Host:
    """The host and port of a URL. Raises ForbiddenAddress unless it is http or https with a host and no user."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise ForbiddenAddress("the address of the call is not a URL") from None
    if not port or not parts.hostname or parts.username is not None:
        raise ForbiddenAddress("the address of the call must be http or https, with a host and without a user")
    return parts.hostname.rstrip(".").lower(), port


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets calls reach public addresses, and the hosts that the caller has named.

    trusted  hosts with their port, which may have any address, such as a city's server in its own network

    Without a proxy, `addresses` decides: a connection goes to an address that was checked, and to no other.

    With a proxy, the proxy resolves the name and connects, and nobody here sees the address. `check_for_proxy`
    refuses what can be known here: local names and addresses in the URL that are not public, and names that have
    such an address for our resolver. It cannot refuse a name that only the proxy can resolve, or that the proxy
    resolves in another way. So the proxy itself must refuse private addresses.
    """

    trusted: frozenset[Host] = frozenset()

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host. Raises ForbiddenAddress if one of them is not permitted.

        Raises gaierror or UnicodeError if the name cannot be resolved. Resolving has the timeout of the system's
        resolver, not the client's.
        """
        name = host.strip("[]").rstrip(".").lower()
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if (name, port) not in self.trusted and not all(map(is_public, addresses)):
            raise ForbiddenAddress(f"{name}:{port} has an address that is not public; such hosts must be named")
        return addresses[:_MOST_ADDRESSES]

    def check_for_proxy(self, host: str, port: int) -> None:
        """Check the host to which a proxy will connect. The class says what cannot be checked.

        Raises ForbiddenAddress.
        """
        name = host.strip("[]").rstrip(".").lower()
        if (name, port) in self.trusted:
            return
        if _is_local(name):
            raise ForbiddenAddress(f"{name}:{port} is a name of a local network; such hosts must be named")
        try:
            self.addresses(name, port)
        except (socket.gaierror, UnicodeError):  # only the proxy can resolve it
            return


def _is_local(name: str) -> bool:
    is_single = "." not in name and ":" not in name
    return is_single or name.endswith(tuple(f".{each}" for each in _LOCAL))


def is_public(address: str) -> bool:
    """Whether an IP address is reachable from anywhere.

    In an IPv4-mapped, 6to4 or NAT64 address, the IPv4 address inside decides.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if found not in _UNICAST:
            return False
    return found.is_global and not found.is_multicast
