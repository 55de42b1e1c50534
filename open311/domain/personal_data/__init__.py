"""Personal data that people type into texts by accident: pure functions that find them, and a city's policy.

Names are not guessed: a rule for names would mask streets and shops. Decision 0036 has the measured figures.
"""

from open311.domain.personal_data.finding import FINDERS_VERSION, find_personal_data
from open311.domain.personal_data.kinds import DataKind, Hit
from open311.domain.personal_data.phones import is_region
from open311.domain.personal_data.policy import Privacy, Treatment, Treatments, mark_of

__all__ = [
    "FINDERS_VERSION",
    "DataKind",
    "Hit",
    "Privacy",
    "Treatment",
    "Treatments",
    "find_personal_data",
    "is_region",
    "mark_of",
]
