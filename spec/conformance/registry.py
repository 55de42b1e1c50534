"""Checks: functions that prove one or more requirements against a server, marked with `check`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from spec.conformance.preparation import NEEDS
from spec.conformance.probe import Probe

Proof = Callable[[Probe], None]


@dataclass(frozen=True, slots=True)
class Check:
    """A proof of requirements.

    needs     fields of Preparation without which it is skipped
    writes    it files requests, so it runs only when that is allowed
    disturbs  it changes the server for others, so it comes last
    The proof returns when all is well and raises DeviationError or UnmetNeedError when not.
    """

    numbers: tuple[str, ...]
    prove: Proof
    needs: tuple[str, ...] = ()
    writes: bool = False
    disturbs: bool = False

    @property
    def name(self) -> str:
        return f"{self.prove.__module__.rpartition('.')[2]}.{self.prove.__name__}"


def check(*numbers: str, needs: str = "", writes: bool = False, disturbs: bool = False) -> Callable[[Proof], Check]:
    """Make a check of a function. `needs` are names of Preparation's fields, separated by blanks."""
    wanted = tuple(needs.split())
    unknown = [name for name in wanted if name not in NEEDS]
    if unknown:
        raise ValueError(f"{numbers}: Preparation has no field {unknown[0]}")

    def mark(proof: Proof) -> Check:
        return Check(numbers, proof, wanted, writes, disturbs)

    return mark


def checks_in(module: ModuleType) -> list[Check]:
    """The checks that a module defines, in their order."""
    return [value for value in vars(module).values() if isinstance(value, Check)]
