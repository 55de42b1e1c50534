"""A faulty world for tests: neighbours that speak GeoReport, with a memory, a dialect and faults.

    from tests import world

    with world.neighbour(dialect=world.LIKE_OURS, faults=[world.fault("lose_answer", on="POST requests")]) as city:
        …                                        # call city.base_url with city.api_key
        city.accepted                            # the requests that it has taken, as Filed
        city.close("C-1", note="Filled.")        # an update, as its staff would make it

`process(file, …)` is a neighbour in a process, which can be killed, frozen and started again.
`receiver(…)` takes webhooks and `mail_server(…)` takes mail; both misbehave in the same ways.
`Dialect` (dialects.py) lists what a neighbour can offer and how it can write, `KINDS` (faults.py) how it can
misbehave, `City` (city.py) what it knows and what its staff can do.
"""

from tests.world.city import ODD_SERVICES, SERVICES, City, Filed, Refusal, Service, Update
from tests.world.dialects import (
    BLOOMINGTON,
    BOSTON,
    CHICAGO,
    FIXMYSTREET,
    LIKE_OURS,
    MYSOCIETY,
    ODDEST,
    PRESETS,
    SAN_FRANCISCO,
    STANDARD,
    TORONTO,
    WASHINGTON,
    ZURICH,
    Dialect,
)
from tests.world.faults import FOREVER, KINDS, Fault, by_chance, fault
from tests.world.faulty import START, Ticking
from tests.world.mail import Mail, MailServer, mail_server
from tests.world.neighbour import Neighbour, neighbour
from tests.world.processes import NeighbourProcess, process
from tests.world.webhooks import SECRET, Hook, Receiver, receiver, signed_headers

__all__ = [
    "BLOOMINGTON",
    "BOSTON",
    "CHICAGO",
    "FIXMYSTREET",
    "FOREVER",
    "KINDS",
    "LIKE_OURS",
    "MYSOCIETY",
    "ODDEST",
    "ODD_SERVICES",
    "PRESETS",
    "SAN_FRANCISCO",
    "SECRET",
    "SERVICES",
    "STANDARD",
    "START",
    "TORONTO",
    "WASHINGTON",
    "ZURICH",
    "City",
    "Dialect",
    "Fault",
    "Filed",
    "Hook",
    "Mail",
    "MailServer",
    "Neighbour",
    "NeighbourProcess",
    "Receiver",
    "Refusal",
    "Service",
    "Ticking",
    "Update",
    "by_chance",
    "fault",
    "mail_server",
    "neighbour",
    "process",
    "receiver",
    "signed_headers",
]
