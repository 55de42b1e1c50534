"""The formats of a report: text and HTML for people, JSON and JUnit for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from spec.conformance.report import Report
from spec.conformance.reports.html import as_html
from spec.conformance.reports.json import as_json
from spec.conformance.reports.junit import as_junit
from spec.conformance.reports.text import as_text

FORMS: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {"text": as_text, "json": as_json, "junit": as_junit, "html": as_html}
)
