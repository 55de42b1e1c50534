"""Frozen dataclasses of which an import makes thousands a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

__all__ = ["quick_dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass as quick_dataclass
else:

    def quick_dataclass(*, frozen: bool, **options: Any) -> Any:
        """Like `dataclass`, but only mypy refuses a change of a field. Nothing refuses the change at run time.

        A frozen dataclass sets each field by `object.__setattr__`, in three times the time of an assignment.
        """
        if not frozen:
            raise TypeError("use `dataclass` for a class that may change")
        return dataclass(unsafe_hash=True, **options)
