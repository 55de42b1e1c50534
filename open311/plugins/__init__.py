"""The complete public interface for jurisdictions. A plugin imports nothing else from this server."""

from open311.domain.attributes import Answer
from open311.domain.calendar import Calendar, DayKind, Hours
from open311.domain.places import Place
from open311.domain.routing import Draft, Route, Rule
from open311.domain.service_levels import LevelRule, ServiceLevel, read_service_level
from open311.domain.services import (
    Attribute,
    AttributeTranslation,
    Datatype,
    Department,
    Service,
    ServiceTranslation,
    ServiceType,
    Translation,
    Value,
    Vicinity,
)
from open311.errors import Misconfigured, Problem
from open311.formats.reading import ColumnMap
from open311.plugins.interface import (
    API_VERSION,
    Accepted,
    Jurisdiction,
    Pending,
    Rejected,
    Resolution,
)

__all__ = [
    "API_VERSION",
    "Accepted",
    "Answer",
    "Attribute",
    "AttributeTranslation",
    "Calendar",
    "ColumnMap",
    "Datatype",
    "DayKind",
    "Department",
    "Draft",
    "Hours",
    "Jurisdiction",
    "LevelRule",
    "Misconfigured",
    "Pending",
    "Place",
    "Problem",
    "Rejected",
    "Resolution",
    "Route",
    "Rule",
    "Service",
    "ServiceLevel",
    "ServiceTranslation",
    "ServiceType",
    "Translation",
    "Value",
    "Vicinity",
    "read_service_level",
]
