"""Asks for statistics by one grouping."""

from __future__ import annotations

from datetime import datetime

from open311.domain.statistics import Question, Statistics
from open311.operations.platform import Platform
from open311.operations.statistics.answering import answer_groupings
from open311.plugins import Jurisdiction


def answered(platform: Platform, city: Jurisdiction, question: Question, *, now: datetime) -> Statistics:
    """The numbers by the question's own grouping."""
    return answer_groupings(platform, city, question, [question.group_by], now=now)[question.group_by]
