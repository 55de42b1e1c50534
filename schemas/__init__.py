"""The wire contract of GeoReport v2 in marshmallow: what every body and every call looks like."""

from schemas.arguments import (
    Arguments,
    JurisdictionArguments,
    RequestSearchArguments,
    ServiceArguments,
    SubmissionArguments,
)
from schemas.base import Body, Degrees, Instant, Items, ListIfAny, OptionalText, Text, TextIfAny
from schemas.georeport import (
    AttributeSchema,
    DiscoverySchema,
    EndpointSchema,
    ErrorSchema,
    ReceiptSchema,
    ServiceDefinitionSchema,
    ServiceRequestSchema,
    ServiceSchema,
    TokenSchema,
    ValueSchema,
)

__all__ = [
    "Arguments",
    "AttributeSchema",
    "Body",
    "Degrees",
    "DiscoverySchema",
    "EndpointSchema",
    "ErrorSchema",
    "Instant",
    "Items",
    "JurisdictionArguments",
    "ListIfAny",
    "OptionalText",
    "ReceiptSchema",
    "RequestSearchArguments",
    "ServiceArguments",
    "ServiceDefinitionSchema",
    "ServiceRequestSchema",
    "ServiceSchema",
    "SubmissionArguments",
    "Text",
    "TextIfAny",
    "TokenSchema",
    "ValueSchema",
]
