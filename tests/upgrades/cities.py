"""The invented cities of the database dumps. Oldtown has requests of every kind, and Hamlet has almost no requests.

Released dumps were made with these cities. Do not change anything that an answer shows, or the tests fail.
"""

from __future__ import annotations

from dataclasses import replace

from shapely import box

from open311.plugins import (
    Accepted,
    Attribute,
    Datatype,
    Department,
    Draft,
    Jurisdiction,
    Pending,
    Rejected,
    Resolution,
    Rule,
    Service,
    ServiceType,
    Value,
    Vicinity,
)


class Oldtown(Jurisdiction):
    """A city whose back office decides by the description of a request."""

    def resolve(self, token: str, draft: Draft) -> Resolution:
        """The outcome that the description of the request names."""
        if "private garden" in draft.description:
            return Rejected("The tree stands in a private garden.")
        if "survey" in draft.description:
            return Pending(retry_after_s=3_600)
        return Accepted()


WELL = Service(code="wells", name="Public well", group="Water", department="streets")

OLDTOWN = Oldtown(
    id="oldtown.example",
    name="Oldtown",
    time_zone="Europe/Helsinki",
    languages=("en",),
    boundary=box(24.8, 60.1, 25.1, 60.3),
    outside="flag",
    areas={"North": box(24.8, 60.2, 25.1, 60.3), "Harbour": box(24.8, 60.1, 25.1, 60.15)},
    services=(
        Service(
            code="potholes",
            name="Pothole",
            description="A hole in the carriageway.",
            group="Streets",
            keywords=("road",),
            department="streets",
            notice="Mended within ten days.",
        ),
        Service(
            code="graffiti",
            name="Graffiti",
            group="Cleaning",
            keywords=("paint",),
            department="cleaning",
            attributes=(
                Attribute(
                    code="SURFACE",
                    description="What is it painted on?",
                    datatype=Datatype.SINGLEVALUELIST,
                    required=True,
                    values=(Value("brick", "Brick"), Value("metal", "Metal")),
                ),
                Attribute(
                    code="TAGS",
                    description="Which apply?",
                    datatype=Datatype.MULTIVALUELIST,
                    values=(Value("a", "Offensive"), Value("b", "Covers a sign")),
                ),
                Attribute(code="NOTE", description="Anything else?", datatype=Datatype.TEXT),
            ),
        ),
        Service(code="trees", name="Tree & shrub", group="Parks", type=ServiceType.BATCH, department="parks"),
        Service(code="hotline", name="Something else", type=ServiceType.BLACKBOX, notice="We read every message."),
        Service(code="Lamps: dark/lit", name="Straßenlampe ☂", group="Streets", department="streets"),
    ),
    departments=(
        Department("streets", "Street Works"),
        Department("cleaning", "City Cleaning"),
        Department("parks", "Parks"),
        Department("port", "Port of Oldtown"),
        Department("desk", "Citizens' Desk"),
    ),
    aliases={"pothole": "potholes"},
    rules=(Rule(department="port", service="potholes", area="Harbour"),),
    triage="desk",
    id_pattern="{year}-{number:06}",
    duplicates=Vicinity(50, 7),
)

# The earlier version of the city has a service that was removed later, and other wards.
OLDTOWN_BEFORE = replace(
    OLDTOWN,
    services=(*OLDTOWN.services, WELL),
    areas={"North": box(24.8, 60.19, 25.1, 60.3), "Harbour": box(24.8, 60.1, 25.1, 60.15)},
)

HAMLET = Jurisdiction(
    id="hamlet.example",
    name="Hamlet",
    time_zone="UTC",
    services=(Service(code="snow", name="Snow", department="all"),),
    departments=(Department("all", "The Council"),),
    triage="all",
    boundary=box(10.0, 50.0, 10.1, 50.1),
)
