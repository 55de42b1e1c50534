"""The complete public interface for jurisdictions, back ends and senders of text messages.

A jurisdiction also imports `declared` of this package. A kind of back end also imports `documents`,
`declared.backends` and `declared.keys`. Tests of a plugin import `testing`. No plugin imports anything else from
this server.
"""

from open311.domain.abuse import AbuseRules
from open311.domain.assets import AssetLayer, LayerRule
from open311.domain.attributes import Answer
from open311.domain.calendar import Calendar, DayKind, Hours
from open311.domain.case import Case, CaseUpdate, RemoteUpdate
from open311.domain.emergencies import Emergency
from open311.domain.lexicons import Synonym
from open311.domain.mails import MailRules
from open311.domain.personal_data import Privacy, Treatment, Treatments
from open311.domain.places import Place
from open311.domain.results import (
    Accepted,
    Defer,
    Failed,
    Partial,
    Pending,
    Rejected,
    Resolution,
    Result,
    Retry,
    Skip,
)
from open311.domain.retention import Retention
from open311.domain.routing import Draft, Route, Rule
from open311.domain.seasons import Season
from open311.domain.sensors import Sensor, SensorRule, SensorTexts
from open311.domain.service_levels import LevelRule, ServiceLevel, read_service_level
from open311.domain.services import (
    Attribute,
    AttributeTranslation,
    Audience,
    Condition,
    Datatype,
    Department,
    Move,
    PhotoRule,
    Service,
    ServiceTranslation,
    ServiceType,
    Translation,
    Value,
    Vicinity,
    WhenReplaced,
)
from open311.domain.sms import SmsOccasion, SmsRules
from open311.errors import Misconfigured, Problem
from open311.formats.reading import ColumnMap
from open311.plugins.backends import (
    Backend,
    BackendConfig,
    BadCall,
    Destination,
    HttpConfig,
    LookUpFailed,
    Page,
    RawCall,
    Secret,
)
from open311.plugins.context import CallFailed, Context, HttpAnswer, Letter
from open311.plugins.interface import API_VERSION, Jurisdiction
from open311.plugins.sms import SMS_API_VERSION, Sms, SmsAnswer, SmsConfig, SmsResult, SmsSender

__all__ = [
    "API_VERSION",
    "SMS_API_VERSION",
    "AbuseRules",
    "Accepted",
    "Answer",
    "AssetLayer",
    "Attribute",
    "AttributeTranslation",
    "Audience",
    "Backend",
    "BackendConfig",
    "BadCall",
    "Calendar",
    "CallFailed",
    "Case",
    "CaseUpdate",
    "ColumnMap",
    "Condition",
    "Context",
    "Datatype",
    "DayKind",
    "Defer",
    "Department",
    "Destination",
    "Draft",
    "Emergency",
    "Failed",
    "Hours",
    "HttpAnswer",
    "HttpConfig",
    "Jurisdiction",
    "LayerRule",
    "Letter",
    "LevelRule",
    "LookUpFailed",
    "MailRules",
    "Misconfigured",
    "Move",
    "Page",
    "Partial",
    "Pending",
    "PhotoRule",
    "Place",
    "Privacy",
    "Problem",
    "RawCall",
    "Rejected",
    "RemoteUpdate",
    "Resolution",
    "Result",
    "Retention",
    "Retry",
    "Route",
    "Rule",
    "Season",
    "Secret",
    "Sensor",
    "SensorRule",
    "SensorTexts",
    "Service",
    "ServiceLevel",
    "ServiceTranslation",
    "ServiceType",
    "Skip",
    "Sms",
    "SmsAnswer",
    "SmsConfig",
    "SmsOccasion",
    "SmsResult",
    "SmsRules",
    "SmsSender",
    "Synonym",
    "Translation",
    "Treatment",
    "Treatments",
    "Value",
    "Vicinity",
    "WhenReplaced",
    "read_service_level",
]
