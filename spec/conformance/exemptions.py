"""Requirements that no check from outside can prove, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXEMPTIONS: Mapping[str, str] = MappingProxyType({})
